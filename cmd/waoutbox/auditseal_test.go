package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"waoutbox/cmd/internal/config"
	"waoutbox/outbox/api"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
)

// TestTheAuditTrailIsSealed: a service seals its audit trail with its key: a key of before is taken
// over, one that was missing is told of, and one that took the place of a lost one is on record.
//
// Mutation of app.go: a service does not seal.
func TestTheAuditTrailIsSealed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	key := filepath.Join(dir, store.KeyFile)
	run := func(name string, do func(ctx context.Context, svc api.Service)) {
		t.Helper()
		a, err := openApp(t.Context(), dir, config.Config{MinFreeBytes: 1}, false, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		do(t.Context(), a.service(nil, nil, mediaParts{}))
		if err := a.close(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	add := func(ctx context.Context, svc api.Service, in api.PutWebhook) {
		t.Helper()
		if _, err := svc.PutWebhook(ctx, in); err != nil {
			t.Fatal(err)
		}
	}
	check := func(ctx context.Context, svc api.Service, name string, looked bool, unsealed int64) {
		t.Helper()
		got, err := svc.VerifyAudit(ctx, api.VerifyAudit{})
		if err != nil || !got.Intact || got.SealChecked != looked || got.Unsealed != unsealed {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	noted := func(ctx context.Context, svc api.Service) (out string) {
		t.Helper()
		page, err := svc.Audit(ctx, api.AuditQuery{})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Items {
			if r.Operation == "audit.seal" {
				out += r.Caller + ": " + r.Result + "; "
			}
		}
		return out
	}
	run("the first time", func(ctx context.Context, svc api.Service) {
		add(ctx, svc, api.PutWebhook{URL: "http://127.0.0.1:1/a", GenerateSecret: true})
		check(ctx, svc, "the first time", true, 0)
	})
	raw, err := os.ReadFile(key)
	if err != nil || len(raw) != 33 || raw[32] != 'a' {
		t.Fatalf("the key: %d bytes, %v", len(raw), err)
	}
	// as a version without such seals left it
	if err := os.WriteFile(key, append(raw[:32:32], 's'), 0o600); err != nil {
		t.Fatal(err)
	}
	run("with a key of before", func(ctx context.Context, svc api.Service) { check(ctx, svc, "with a key of before", true, 0) })
	if now, err := os.ReadFile(key); err != nil || string(now) != string(raw) {
		t.Errorf("the key became %q, %v", now, err)
	}
	if err := os.Rename(key, key+".away"); err != nil {
		t.Fatal(err)
	}
	run("without the key", func(ctx context.Context, svc api.Service) {
		if _, err := svc.PauseWebhook(ctx, "http://127.0.0.1:1/a"); err != nil {
			t.Fatal(err)
		}
		check(ctx, svc, "without the key", false, 0)
	})
	if err := os.Rename(key+".away", key); err != nil {
		t.Fatal(err)
	}
	run("with the key back", func(ctx context.Context, svc api.Service) {
		check(ctx, svc, "with the key back", true, 0)
		if got := noted(ctx, svc); got != "service: sealed now, and stored without a seal of this key: 1; " {
			t.Errorf("on record: %q", got)
		}
	})
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	run("lost for good", func(ctx context.Context, svc api.Service) {
		add(ctx, svc, api.PutWebhook{URL: "http://127.0.0.1:1/a", GenerateSecret: true})
		check(ctx, svc, "with a new key", true, 0)
		if got := noted(ctx, svc); strings.Count(got, "service: ") != 2 {
			t.Errorf("on record: %q", got)
		}
	})
	run("the next time", func(ctx context.Context, svc api.Service) { check(ctx, svc, "the next time", true, 0) })
}

// TestAServiceKilledBeforeItSealed: one that is killed when its key is there, new, another one, or
// beside an outbox that was begun anew, and before the audit trail was sealed, leaves a trail that
// seems changed to nobody. Before, that trail was told of for ever, and never sealed again.
func TestAServiceKilledBeforeItSealed(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	// killed begins as a service does, and goes no further than to its key
	killed := func(t *testing.T, dir string) {
		t.Helper()
		db, err := store.Open(filepath.Join(dir, store.OutboxFile), store.DBOptions{Schema: boltbox.Schema(), Log: log})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := openKeyring(t.Context(), filepath.Join(dir, store.KeyFile), db, no, log); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	start := func(t *testing.T, dir string, newOutbox bool) {
		t.Helper()
		a, err := openApp(t.Context(), dir, config.Config{MinFreeBytes: 1}, newOutbox, log)
		if err != nil {
			t.Fatal(err)
		}
		svc := a.service(nil, nil, mediaParts{})
		if _, err := svc.PutWebhook(t.Context(), api.PutWebhook{URL: "http://127.0.0.1:1/a"}); err != nil {
			t.Error(err)
		}
		if got, err := svc.VerifyAudit(t.Context(), api.VerifyAudit{}); err != nil || !got.Intact || !got.SealChecked || got.Unsealed != 0 {
			t.Errorf("the trail: %+v, %v", got, err)
		}
		if err := a.close(); err != nil {
			t.Fatal(err)
		}
		if raw, err := os.ReadFile(filepath.Join(dir, store.KeyFile)); err != nil || len(raw) != 33 || raw[32] != 'a' {
			t.Errorf("the key, %d bytes, does not note that the trail is sealed: %v", len(raw), err)
		}
	}
	t.Run("a new key", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		killed(t, dir)
		start(t, dir, false)
	})
	t.Run("a new key for a lost one", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		start(t, dir, false)
		if err := os.Remove(filepath.Join(dir, store.KeyFile)); err != nil {
			t.Fatal(err)
		}
		killed(t, dir)
		start(t, dir, false)
	})
	t.Run("another key", func(t *testing.T) {
		t.Parallel()
		dir, other := t.TempDir(), t.TempDir()
		start(t, dir, false)
		start(t, other, false)
		if err := os.Rename(filepath.Join(other, store.KeyFile), filepath.Join(dir, store.KeyFile)); err != nil {
			t.Fatal(err)
		}
		killed(t, dir)
		start(t, dir, false)
	})
	t.Run("an outbox begun anew", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		start(t, dir, false)
		if err := os.Remove(filepath.Join(dir, store.OutboxFile)); err != nil {
			t.Fatal(err)
		}
		state, err := store.OpenState(t.Context(), dir, store.Options{})
		if err == nil {
			err = errors.Join(unsealedAnew(state), state.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
		killed(t, dir)
		start(t, dir, false)
	})
}
