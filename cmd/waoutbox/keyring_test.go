package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"waoutbox/cmd/internal/config"
	"waoutbox/outbox/api"
	"waoutbox/store"
)

// marks is an outbox's note of its key.
type marks struct{ sealed []byte }

func (m *marks) CheckKey(k *store.Key) (bool, error) {
	if m.sealed == nil {
		return false, nil
	}
	if _, err := k.Open(m.sealed, "mark"); err != nil {
		return true, errors.Join(store.OtherKey, err)
	}
	return true, nil
}

func (m *marks) MarkKey(_ context.Context, k *store.Key) (err error) {
	m.sealed, err = k.Seal(nil, "mark")
	return err
}

// committing is an outbox whose commit of the mark seals the audit trail too.
type committing struct {
	marks
	keys  *keyring
	stuck bool
	n     int // marks
}

func (c *committing) MarkKey(ctx context.Context, k *store.Key) error {
	c.n++
	if c.keys != nil {
		sealed := make(chan struct{})
		go func() { c.keys.audit(); close(sealed) }()
		select {
		case <-sealed:
		case <-time.After(10 * time.Second):
			c.stuck = true
		}
	}
	return c.marks.MarkKey(ctx, k)
}

// TestACommitMayWantTheKey: the outbox is marked with its key in a commit, which may be one that
// seals the audit trail. Before, that one waited for the key and the key for it, for ever, and so
// did a commit that found the key put back.
func TestACommitMayWantTheKey(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), store.KeyFile)
	mark := &committing{}
	k, err := openKeyring(t.Context(), path, mark, yes, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	mark.keys = k
	if _, err := k.seal([]byte("new"), "wh_1"); err != nil || mark.stuck || mark.n != 1 {
		t.Errorf("a secret was set: %v, marked %d times, stuck: %v", err, mark.n, mark.stuck)
	}
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	mark = &committing{}
	if k, err = openKeyring(t.Context(), path, mark, yes, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	if k.audit() == nil || mark.n != 0 {
		t.Errorf("a commit found the key put back, and marked the outbox %d times: it waits for itself", mark.n)
	}
	if _, err := k.seal([]byte("new"), "wh_1"); err != nil || mark.n != 1 {
		t.Errorf("afterwards it is marked %d times, %v", mark.n, err)
	}
}

func yes() (bool, error) { return true, nil }
func no() (bool, error)  { return false, nil }

// A lost key: nothing is opened, the alarm is up, and both ways out of it work without a restart.
func TestLostKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), store.KeyFile)
	log, mark := slog.New(slog.DiscardHandler), &marks{}
	first, err := openKeyring(t.Context(), path, mark, no, log)
	if err != nil {
		t.Fatal(err)
	}
	old, err := first.seal([]byte("old"), "wh_1")
	if err != nil {
		t.Fatal(err)
	}
	backup := path + ".backup"
	if err := os.Rename(path, backup); err != nil {
		t.Fatal(err)
	}

	k, err := openKeyring(t.Context(), path, mark, yes, log)
	if err != nil {
		t.Fatalf("a missing key must not stop the service: %v", err)
	}
	if _, err := k.unseal(old, "wh_1"); !errors.Is(err, store.KeyMissing) {
		t.Errorf("unseal: %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("opening a secret made a new key: the old one could no longer be told from it")
	}
	if a := k.alarms(); len(a) != 1 || a[0].Code != "key_missing" || a[0].Since.IsZero() {
		t.Errorf("alarms %+v", a)
	}

	// The file is put back.
	if err := os.Rename(backup, path); err != nil {
		t.Fatal(err)
	}
	if plain, err := k.unseal(old, "wh_1"); err != nil || string(plain) != "old" {
		t.Errorf("with the key back: %q, %v", plain, err)
	}
	if a := k.alarms(); len(a) != 0 {
		t.Errorf("alarms %+v", a)
	}

	// It is lost for good: the secret is set again, as the alarm says.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if k, err = openKeyring(t.Context(), path, mark, yes, log); err != nil {
		t.Fatal(err)
	}
	again, err := k.seal([]byte("new"), "wh_1")
	if err != nil {
		t.Fatalf("setting the secret again: %v", err)
	}
	if plain, err := k.unseal(again, "wh_1"); err != nil || string(plain) != "new" {
		t.Errorf("the new secret: %q, %v", plain, err)
	}
	if plain, err := k.unseal(old, "wh_1"); err == nil {
		t.Errorf("a secret sealed with the lost key was opened: %q", plain)
	}
	if a := k.alarms(); len(a) != 0 {
		t.Errorf("alarms %+v", a)
	}
}

// TestAFileThatIsNoKey: one of the wrong length stops nothing, also where nothing was sealed, is
// not overwritten, and says how to mend it. Before, neither the service nor status came up.
func TestAFileThatIsNoKey(t *testing.T) {
	for name, sealed := range map[string]func() (bool, error){"beside secrets": yes, "alone": no} {
		path := filepath.Join(t.TempDir(), store.KeyFile)
		if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
			t.Fatal(err)
		}
		k, err := openKeyring(t.Context(), path, &marks{}, sealed, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		a := k.alarms()
		if len(a) != 1 || a[0].Code != "key_wrong" || a[0].Since.IsZero() || !strings.Contains(a[0].Message, "has 5 bytes, a key has 32") || !strings.Contains(a[0].Message, "move this one away") {
			t.Errorf("%s: alarms %+v", name, a)
		}
		if _, err := k.seal([]byte("new"), "wh_1"); !errors.Is(err, store.WrongKey) {
			t.Errorf("%s: seal: %v", name, err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != "short" {
			t.Errorf("%s: the file holds %q, %v", name, got, err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if _, err := k.seal([]byte("new"), "wh_1"); err != nil || len(k.alarms()) != 0 {
			t.Errorf("%s: moved away: %v, %+v", name, err, k.alarms())
		}
	}
}

// TestAKeyIsNotMadeAnewBesideSealedSecrets: with webhooks that keep something sealed, removed ones
// too, a missing key file raises the alarm and stays missing, so that putting it back is enough.
func TestAKeyIsNotMadeAnewBesideSealedSecrets(t *testing.T) {
	dir := t.TempDir()
	log := slog.New(slog.DiscardHandler)
	open := func() *app {
		t.Helper()
		a, err := openApp(t.Context(), dir, config.Config{MinFreeBytes: 1}, false, log)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	end := func(a *app) {
		t.Helper()
		if err := a.close(); err != nil {
			t.Fatal(err)
		}
	}
	key := filepath.Join(dir, store.KeyFile)
	for name, remove := range map[string]bool{"in use": false, "removed": true} {
		a := open()
		svc := a.service(nil, nil, mediaParts{})
		res, err := svc.PutWebhook(t.Context(), api.PutWebhook{URL: "http://localhost/hook", GenerateSecret: true})
		if err != nil {
			t.Fatal(err)
		}
		if remove {
			if _, err := svc.RemoveWebhook(t.Context(), api.RemoveWebhook{Webhook: res.Webhook.ID}); err != nil {
				t.Fatal(err)
			}
		}
		end(a)
		if err := os.Rename(key, key+".away"); err != nil {
			t.Fatal(err)
		}
		a = open()
		if alarms := a.keys.alarms(); len(alarms) != 1 || alarms[0].Code != "key_missing" {
			t.Errorf("%s: alarms %+v", name, alarms)
		}
		if _, err := os.Stat(key); err == nil {
			t.Errorf("%s: a new key was made", name)
		}
		end(a)
		if err := os.Rename(key+".away", key); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAnotherKeyIsNoticedAtOnce: a key file that is a key, and not the one secrets were sealed
// with, is an alarm when the state is opened, and opens nothing. Before, nobody was told until a
// signed event was due, by a delivery that was held.
//
// Mutation of store/keymark.go: another key is noticed only when a signed event is due.
func TestAnotherKeyIsNoticedAtOnce(t *testing.T) {
	dir := t.TempDir()
	log := slog.New(slog.DiscardHandler)
	key := filepath.Join(dir, store.KeyFile)
	alarms := func(do func(a *app)) string {
		t.Helper()
		a, err := openApp(t.Context(), dir, config.Config{MinFreeBytes: 1}, false, log)
		if err != nil {
			t.Fatal(err)
		}
		do(a)
		codes := ""
		for _, al := range a.keys.alarms() {
			codes += al.Code + " " + al.Message
		}
		if err := a.close(); err != nil {
			t.Fatal(err)
		}
		return codes
	}
	nothing := func(*app) {}
	add := func(a *app) {
		if _, err := a.service(nil, nil, mediaParts{}).PutWebhook(t.Context(), api.PutWebhook{URL: "http://localhost/hook", GenerateSecret: true}); err != nil {
			t.Error(err)
		}
	}
	other := func() {
		t.Helper()
		if err := os.WriteFile(key, []byte(strings.Repeat("x", 32)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := alarms(nothing); got != "" {
		t.Errorf("a new state: %s", got)
	}
	other()
	if got := alarms(nothing); got != "" {
		t.Errorf("another key while nothing is sealed: %s", got)
	}
	if got := alarms(add); got != "" {
		t.Errorf("a webhook sealed with it: %s", got)
	}
	right, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(key, []byte(strings.Repeat("y", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	got := alarms(func(a *app) {
		if _, err := a.keys.unseal([]byte{1, 2, 3}, "wh_1"); !errors.Is(err, store.OtherKey) {
			t.Errorf("unseal: %v", err)
		}
		if err := os.WriteFile(key, right, 0o600); err != nil { // put back: at once all is well
			t.Fatal(err)
		}
	})
	if !strings.HasPrefix(got, "key_wrong ") || !strings.Contains(got, "is not the one that secrets in the outbox were sealed with; put the right file back") {
		t.Errorf("another key beside a sealed secret: %s", got)
	}
	if got := alarms(nothing); got != "" {
		t.Errorf("with the key back: %s", got)
	}
	other2 := []byte(strings.Repeat("z", 32))
	if err := os.WriteFile(key, other2, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := alarms(add); got != "" { // the secret is set again, with the key that is there
		t.Errorf("with the secret set again: %s", got)
	}
	if got := alarms(nothing); got != "" {
		t.Errorf("afterwards: %s", got)
	}
}
