package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"waoutbox/dispatcher/receiver"
)

// TestNothingLeaks runs the program at debug level with secrets, names, numbers and texts that are
// easily recognised, and searches all that it leaves: log, files, metrics, listings, the audit
// trail and what other processes see of it. Only the places that docs/SECURITY.md names have them.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	const (
		text, answer = "marmalade-elephant-7Q", "periwinkle-walrus-8R"
		name, number = "Zaphodia Leaktest", "491515550177"
		signing      = "leak-signing-2b7e151628aed2a6"
		header       = "leak-header-abf7158809cf4f3c"
		query        = "leak-query-762e7160f38b4da5"
	)
	r := newRig(t)
	recv := r.receiver(receiver.Options{Secret: signing})
	r.serve("--log-level", "debug", "--http", "127.0.0.1:0")
	r.pair()
	contact := r.phone.NewContact(name, number)
	hook := r.addWebhook(recv.URL()+"?token="+query, signing)
	headers := filepath.Join(t.TempDir(), "headers")
	if err := os.WriteFile(headers, []byte("Authorization: Bearer "+header+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.mustRun("webhook", "add", hook.ID, "--header-file", headers)
	if _, err := contact.SendText(r.within(time.Minute), text); err != nil {
		t.Fatal(err)
	}
	r.mustRun("send", "text", "+"+number, answer)
	r.until("both were delivered", func() bool {
		seen := ""
		for _, d := range recv.Deliveries() {
			seen += string(d.Body)
		}
		return strings.Contains(seen, text) && strings.Contains(seen, answer)
	})
	rawToken, err := os.ReadFile(filepath.Join(r.stateDir, "http-token"))
	if err != nil {
		t.Fatal(err)
	}
	token := strings.TrimSpace(string(rawToken))

	content, secrets := []string{text, answer, name, number}, []string{signing, header, query, token}
	search := func(where, what string, lists ...[]string) {
		t.Helper()
		for _, list := range lists {
			for _, s := range list {
				if i := strings.Index(what, s); i >= 0 {
					t.Errorf("%s has %q: …%q…", where, s, what[max(0, i-120):min(len(what), i+60)])
				}
			}
		}
	}
	search("the metrics", r.mustRun("metrics"), content, secrets)
	search("webhook list", r.mustRun("webhook", "list"), content, secrets)
	// which has the whole URL for its owner
	search("webhook show", r.mustRun("webhook", "show", hook.ID), content, []string{signing, header, token})
	search("status", r.mustRun("status"), []string{text, answer, name, number}, secrets)
	// to whom something was sent is in the audit trail, what is not
	search("the audit trail", r.mustRun("audit", "--json"), []string{text, answer, name}, secrets)
	pid := r.daemon.Process.Pid
	for _, of := range []string{"cmdline", "environ"} {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, of))
		if err != nil {
			t.Logf("what others see of a process is not searched: %v", err)
			continue
		}
		search("the process's "+of, string(b), content, secrets)
	}
	r.stop()
	search("the log", r.output.since(0), content, secrets)

	// content lies where it is kept, secrets nowhere in clear but in the token's file
	kept := map[string]bool{"outbox.db": true, "whatsapp.db": true, "whatsapp.db-wal": true, "whatsapp.db-shm": true}
	err = filepath.WalkDir(r.stateDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if !kept[d.Name()] {
			search(d.Name(), string(b), content)
		}
		of := []string{signing, header}
		if d.Name() != "http-token" {
			of = append(of, token)
		}
		search(d.Name(), string(b), of)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if log := r.output.since(0); !strings.Contains(log, "level=DEBUG") || !strings.Contains(log, "whatsapp library") {
		t.Error("the log has no lines of the library at debug level: nothing was searched")
	}
}
