package e2e

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"waoutbox/connection/wasim"
	"waoutbox/dispatcher/receiver"
)

// example is one line of docs/HTTP.md, and the parts of what it prints.
type example struct {
	command string
	prints  []string
}

// examples returns the assignments and the commands of the blocks that a shell runs.
func examples(t *testing.T) (before string, all []example) {
	t.Helper()
	doc, err := os.ReadFile("../../../docs/HTTP.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(doc), -1) {
		for line := range strings.Lines(block[1]) {
			line = strings.TrimSpace(line)
			switch {
			case strings.HasPrefix(line, "curl "):
				all = append(all, example{command: line})
			case strings.HasPrefix(line, "# "):
				all[len(all)-1].prints = strings.Split(line[2:], " … ")
			default:
				before += line + "\n"
			}
		}
	}
	return before, all
}

// TestHTTPExamples runs every line of docs/HTTP.md against the real program, in their order.
func TestHTTPExamples(t *testing.T) {
	t.Parallel()
	needs(t, "sh", "curl")
	before, all := examples(t)
	if len(all) < 20 {
		t.Fatalf("only %d lines", len(all))
	}
	r := newRig(t)
	r.serve("--http", "127.0.0.1:0")
	r.pair()
	bob := r.phone.NewContact("Bob", "15550100123")
	recv, dead := r.receiver(receiver.Options{}), r.receiver(receiver.Options{})
	w := r.deadLetters(dead, 3, bob)
	picture := []byte("\xff\xd8\xff\xe0 some picture")
	id, _, err := bob.SendMedia(r.within(time.Minute), wasim.Image, picture, wasim.MediaOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ev := r.arrived(id)
	letter := lines[struct{ ID string }](r, "deadletter", "list")[0].ID

	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "photo.jpg"), picture, 0o600); err != nil {
		t.Fatal(err)
	}
	here := strings.NewReplacer("http://127.0.0.1:8080", r.status().Daemon.HTTP.URL, "~/.local/state/waoutbox", r.stateDir,
		"http://localhost:5678/webhook/whatsapp", recv.URL(), "http%3A%2F%2Flocalhost%3A5678%2Fwebhook%2Fwhatsapp", url.QueryEscape(recv.URL()),
		"dl_wh_7K2M9Q4T_1042", letter, "wh_7K2M9Q4T", w.ID, "evt_c25174c230484050dc4192e951e8213d", ev.ID)
	for _, e := range all {
		cmd := exec.CommandContext(r.within(time.Minute), "sh", "-c", here.Replace(before+e.command))
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", e.command, err, out)
		}
		for _, part := range e.prints {
			if !strings.Contains(string(out), part) {
				t.Errorf("%s prints no %s:\n%.1500s", e.command, part, out)
			}
		}
	}
	if got, err := os.ReadFile(filepath.Join(dir, "picture.jpg")); err != nil || string(got) != string(picture) {
		t.Errorf("the picture: %q, %v", got, err)
	}
	if err := bob.WaitReceived(r.within(time.Minute), 2); err != nil {
		t.Error(err)
	}
}
