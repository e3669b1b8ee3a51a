package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"waoutbox/connection/wasim"
	"waoutbox/outbox/api"
)

// anonLimit is the anonymous memory of the service while files go through it, whatever their size.
const anonLimit = 48 << 20

// someBytes are as many bytes that do not repeat soon.
func someBytes(n int) []byte {
	b := make([]byte, n)
	x := uint32(n) | 1
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return b
}

// anonymous is the anonymous memory of a process; 0 where the system does not tell.
func anonymous(pid int) (bytes int64) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			_, _ = fmt.Sscan(rest, &bytes)
		}
	}
	return bytes << 10
}

// most watches the anonymous memory of the daemon until stop, which returns the most.
func (r *rig) most() (stop func() int64) {
	var peak int64
	end := make(chan struct{})
	var wg sync.WaitGroup
	pid := r.daemon.Process.Pid
	wg.Go(func() {
		for tick := time.NewTicker(2 * time.Millisecond); ; <-tick.C {
			peak = max(peak, anonymous(pid))
			select {
			case <-end:
				tick.Stop()
				return
			default:
			}
		}
	})
	return func() int64 { close(end); wg.Wait(); return peak }
}

// arrived waits for the event of a message and returns it.
func (r *rig) arrived(id string) (ev api.Event) {
	r.t.Helper()
	r.until("the message has arrived", func() bool {
		for _, e := range lines[api.Event](r, "event", "list", "--event", "message.received") {
			if e.Message == id {
				ev = e
				return true
			}
		}
		return false
	})
	return ev
}

// TestMedia takes large files in and out of the real program: a download that breaks off goes on
// where it stopped, after a kill too, and memory does not grow with the files.
func TestMedia(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.serve()
	r.pair()
	ctx := r.within(60 * time.Second)
	bob := r.phone.NewContact("Bob", "15550100123")
	big := someBytes(32 << 20)
	id, m, err := bob.SendMedia(ctx, wasim.Document, big, wasim.MediaOptions{FileName: "../../big.pdf"})
	if err != nil {
		t.Fatal(err)
	}
	ev := r.arrived(id)

	const part = 10 << 20
	m.Cut(part, 1)
	cut := make(chan result, 1)
	go func() { cut <- r.run("media", "get", ev.ID, "-o", filepath.Join(r.stateDir, "..", "cut")) }()
	r.until("a part has come", func() bool { return len(m.Requests()) > 0 })
	m.Expire(http.StatusServiceUnavailable)
	r.until("it is tried again", func() bool { return len(m.Requests()) > 1 })
	r.kill()
	if res := <-cut; res.code == 0 {
		t.Errorf("a get that was cut off: %+v", res)
	}
	m.Expire(0)
	before := len(m.Requests())
	r.serve()
	r.until("linked again", func() bool { return r.status().Link.State == api.LinkConnected })
	peak := r.most()
	out := filepath.Join(r.stateDir, "..", "big.bin")
	r.mustRun("media", "get", id, "-o", out)
	if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, big) {
		t.Errorf("%d bytes came, %v", len(got), err)
	}
	if requests := m.Requests()[before:]; len(requests) != 1 || requests[0].Range != fmt.Sprintf("bytes=%d-", part) {
		t.Errorf("after the kill it asked for %+v", requests)
	}
	if res := r.run("media", "get", id, "-o", out); res.code != 2 || !strings.Contains(res.stderr, "--force") {
		t.Errorf("a file that is there: %+v", res)
	}
	sent := one[api.SendResult](r, "send", "media", "+15550100123", out, "--filename", "again.pdf", "--kind", "document")
	if err := bob.WaitReceived(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if kind, got, err := bob.Open(bob.Received()[0]); err != nil || kind != wasim.Document || !bytes.Equal(got, big) || bob.Received()[0].ID != sent.MessageID {
		t.Errorf("sent: %s of %d bytes, %v", kind, len(got), err)
	}
	if n := peak(); n > anonLimit || n == 0 && runtime.GOOS == "linux" {
		t.Errorf("%d MiB of anonymous memory, at most %d are meant", n>>20, anonLimit>>20)
	}
	if left, err := os.ReadDir(filepath.Join(r.stateDir, "media", "spool")); err != nil || len(left) != 0 {
		t.Errorf("left in the spool: %v, %v", left, err)
	}
}

// TestKeptMedia has the real program keep what arrives: it is there after a kill, when WhatsApp has
// dropped it, and counted in the status. An agent sends from where it may, and downloads.
func TestKeptMedia(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	allowed := shortDir(t)
	r.serve("--keep-media", "image", "--media-dirs", allowed)
	r.pair()
	ctx := r.within(60 * time.Second)
	bob := r.phone.NewContact("Bob", "15550100123")
	picture := someBytes(100_000)
	first, m, err := bob.SendMedia(ctx, wasim.Image, picture, wasim.MediaOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r.until("it is kept", func() bool { st := r.status(); return st.Media != nil && st.Media.Files == 1 })
	m.Expire(http.StatusServiceUnavailable)
	second, later, err := bob.SendMedia(ctx, wasim.Image, someBytes(50_000), wasim.MediaOptions{})
	if err != nil {
		t.Fatal(err)
	}
	later.Expire(http.StatusServiceUnavailable)
	r.arrived(second)
	r.kill()
	later.Expire(0)
	r.serve("--keep-media", "image", "--media-dirs", allowed)
	r.until("what was wanted is kept", func() bool { st := r.status(); return st.Media != nil && st.Media.Files == 2 && st.Media.Waiting == 0 })
	out := filepath.Join(allowed, "picture.jpg")
	r.mustRun("media", "get", first, "-o", out)
	if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, picture) {
		t.Errorf("%d bytes are kept, %v", len(got), err)
	}

	home := shortDir(t)
	r.agentEnv = []string{"HOME=" + home, "XDG_CACHE_HOME=" + home, "LocalAppData=" + home}
	a := r.agent(ctx)
	var sent struct{ MessageID string }
	a.call(ctx, &sent, "whatsapp_send_media", map[string]any{"jid": bob.PN(), "path": out, "mediaType": "document", "caption": "here"})
	if err := bob.WaitReceived(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if _, got, err := bob.Open(bob.Received()[0]); err != nil || !bytes.Equal(got, picture) || bob.Received()[0].ID != sent.MessageID {
		t.Errorf("an agent sent %d bytes, %v", len(got), err)
	}
	for _, path := range []string{filepath.Join(r.stateDir, "key"), "/etc/hostname", allowed + "/../x"} {
		res := a.call(ctx, nil, "whatsapp_send_media", map[string]any{"jid": bob.PN(), "path": path})
		if !res.IsError || !strings.HasPrefix(text(res), "path_not_allowed") {
			t.Errorf("%s: %s", path, text(res))
		}
	}
	var saved struct {
		Path  string
		Bytes int64
	}
	a.call(ctx, &saved, "whatsapp_download_media", map[string]any{"messageId": first})
	if got, err := os.ReadFile(saved.Path); err != nil || !bytes.Equal(got, picture) || saved.Bytes != int64(len(picture)) {
		t.Errorf("an agent got %d bytes, %v", len(got), err)
	}
	raw, err := json.Marshal(r.status().Media)
	if err != nil || string(raw) != `{"files":2,"bytes":150000}` {
		t.Errorf("status says %s, %v", raw, err)
	}
}
