package e2e

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"waoutbox/connection/wasim"
	"waoutbox/dispatcher/receiver"
)

// smallDisk mounts a disk on which the outbox still takes events, and returns where, and what fills
// it to the last byte; false, with the reason in the test's log, without the right to mount.
func smallDisk(t *testing.T) (dir string, fill func() (makeRoom func()), ok bool) {
	t.Helper()
	dir = shortDir(t)
	const size = "320m" // events need 256 MiB free
	if err := syscall.Mount("waoutbox-test", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Logf("NOT RUN: a small disk cannot be mounted here, which needs root: %v", err)
		return "", nil, false
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir, func() func() {
		path := filepath.Join(dir, "filler")
		f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		at := int64(0)
		for piece := int64(64 << 20); piece > 0; piece /= 2 {
			for {
				if err = syscall.Fallocate(int(f.Fd()), 0, at, piece); err != nil {
					break
				}
				at += piece
			}
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("fill the disk: %v", err)
		}
		return func() {
			if err := os.Remove(path); err != nil {
				t.Error(err)
			}
		}
	}, true
}

// TestADiskThatIsFull: outbox, device store and media lie on a real disk that becomes full to the
// last byte under the running program. WhatsApp keeps what arrives meanwhile, alarms say why, a
// medium that is fetched says so and leaves nothing. When there is room all of it arrives, once and
// in order, by itself.
func TestADiskThatIsFull(t *testing.T) {
	t.Parallel()
	dir, fill, ok := smallDisk(t)
	if !ok {
		return
	}
	r := newRig(t)
	r.stateDir = filepath.Join(dir, "state")
	r.serve("--keep-media", "image")
	pid := r.daemon.Process.Pid
	r.pair()
	recv := r.receiver(receiver.Options{Secret: secret})
	r.addWebhook(recv.URL(), secret, "message.received")
	ctx := r.within(2 * time.Minute)
	bob := r.phone.NewContact("Bob", "491515550111")
	team := r.phone.NewGroup("Team", bob)
	var sent []string
	send := func(id string, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		sent = append(sent, id)
	}
	document, picture := someBytes(300_000), someBytes(200_000)
	id, _, err := bob.SendMedia(ctx, wasim.Document, document, wasim.MediaOptions{})
	send(id, err)
	stored := r.arrived(id)
	r.until("it is delivered", func() bool { return recv.Counts().Events == 1 })

	makeRoom := fill()
	out := filepath.Join(shortDir(t), "document")
	if res := r.run("media", "get", stored.ID, "-o", out); res.code == 0 || !strings.Contains(res.stderr, "disk") {
		t.Errorf("a medium that finds no room: %+v", res)
	}
	if left, err := os.ReadDir(filepath.Join(r.stateDir, "media", "spool")); err != nil || len(left) != 0 {
		t.Errorf("left in the spool: %v, %v", left, err)
	}
	send(bob.SendText(ctx, "while full"))
	id, _, err = bob.SendMedia(ctx, wasim.Image, picture, wasim.MediaOptions{})
	send(id, err)
	send(bob.SendGroupText(ctx, team, "to all, while full"))
	r.until("an alarm tells of the disk", func() bool {
		res := r.run("status", "--check")
		return res.code == 1 && strings.Contains(res.stdout, "disk")
	})
	for _, a := range r.phone.Acked() {
		if slices.Contains(sent[1:], a.ID) {
			t.Errorf("acknowledged while the disk is full: %+v", a)
		}
	}
	makeRoom()

	if err := r.phone.WaitDrained(ctx); err != nil {
		t.Fatal(err)
	}
	r.until("all is well again", func() bool {
		st := r.status()
		return recv.Counts().Events == len(sent) && st.Pending == 0 && st.Media != nil && st.Media.Files == 1 && r.run("status", "--check").code == 0
	})
	var got []string
	for _, d := range recv.Deliveries() {
		got = append(got, messageIDs(t, d.Body)[0])
	}
	direct := slices.DeleteFunc(slices.Clone(got), func(id string) bool { return id == sent[3] })
	if len(got) != len(sent) || !slices.Equal(direct, sent[:3]) {
		t.Errorf("delivered were %q, want %q", got, sent)
	}
	r.mustRun("media", "get", stored.ID, "-o", out)
	if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, document) {
		t.Errorf("%d bytes came, %v", len(got), err)
	}
	if r.daemon.Process.Pid != pid {
		t.Error("it was restarted")
	}
}
