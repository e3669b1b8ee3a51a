package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"go.etcd.io/bbolt"

	"waoutbox/cmd/internal/config"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
	"waoutbox/store"
)

// editSub changes a webhook in a database that no waoutbox has open, as somebody would who has no
// key.
func editSub(t *testing.T, dir, id string, edit func(s *outbox.Subscription, w *outbox.Webhook)) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(dir, store.OutboxFile), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket([]byte("subs"))
		s, err := outbox.DecodeSubscription(outbox.SubID(id), bucket.Get([]byte(id)))
		if err != nil {
			return err
		}
		w, err := outbox.DecodeWebhook(s.Config)
		if err != nil {
			return err
		}
		edit(&s, &w)
		if s.Config, err = outbox.EncodeWebhook(w); err != nil {
			return err
		}
		return bucket.Put([]byte(id), outbox.EncodeSubscription(s))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestAnEditedDatabaseSendsNothing: what decides where events go and how they are signed counts
// only as it was stored. Without a secret in the file requests left unsigned, and with another URL
// signed ones went there.
//
// Mutation of dispatcher/webhook/credentials.go: a webhook whose secret was deleted sends unsigned.
func TestAnEditedDatabaseSendsNothing(t *testing.T) {
	t.Parallel()
	var requests atomic.Int64
	endpoint := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	defer endpoint.Close()
	for name, edit := range map[string]func(s *outbox.Subscription, w *outbox.Webhook){
		"secret deleted":   func(_ *outbox.Subscription, w *outbox.Webhook) { w.Secret = nil },
		"secret and seal":  func(_ *outbox.Subscription, w *outbox.Webhook) { w.Secret, w.Seal = nil, nil },
		"another URL":      func(_ *outbox.Subscription, w *outbox.Webhook) { w.URL += "elsewhere" },
		"headers deleted":  func(_ *outbox.Subscription, w *outbox.Webhook) { w.Headers = nil },
		"header names":     func(_ *outbox.Subscription, w *outbox.Webhook) { w.HeaderNames = nil },
		"the filter wider": func(s *outbox.Subscription, _ *outbox.Webhook) { s.Epochs[0].Filter.Events = []string{outbox.Any} },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			open := func() (*app, api.Service) {
				a, err := openApp(t.Context(), dir, config.Config{MinFreeBytes: 1}, false, slog.New(slog.DiscardHandler))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() {
					if err := a.close(); err != nil {
						t.Error(err)
					}
				})
				return a, a.service(nil, nil, mediaParts{})
			}
			a, svc := open()
			put, err := svc.PutWebhook(t.Context(), api.PutWebhook{URL: endpoint.URL, GenerateSecret: true,
				Events: &[]string{"message.received"}, Headers: &map[string]string{"X-Tenant": "blue"}})
			if err != nil {
				t.Fatal(err)
			}
			id := put.Webhook.ID
			if err := a.close(); err != nil {
				t.Fatal(err)
			}
			editSub(t, dir, id, edit)
			_, svc = open()
			before := requests.Load()
			res, err := svc.TestWebhook(t.Context(), api.TestWebhook{Webhook: id})
			if err != nil || res.Class != "local" || !strings.Contains(res.Error, "something else than waoutbox") {
				t.Errorf("test: %+v, %v", res, err)
			}
			w, err := svc.Webhook(t.Context(), id)
			if err != nil || w.Status != api.WebhookHeld || !strings.Contains(w.Reason, "webhook add "+id) {
				t.Errorf("show: %+v, %v", w, err)
			}
			if _, err := svc.RotateSecret(t.Context(), api.RotateSecret{Webhook: id}); err == nil {
				t.Error("the secret was rotated, and the settings sealed with it")
			}
			// The user looks at it, and stores it again.
			put, err = svc.PutWebhook(t.Context(), api.PutWebhook{URL: id, GenerateSecret: true, Headers: &map[string]string{"X-Tenant": "blue"}})
			if err != nil || put.Webhook.Status != api.WebhookActive || !strings.Contains(strings.Join(put.Warnings, " "), "look whether its URL") {
				t.Errorf("add: %+v, %v", put, err)
			}
			if n := requests.Load(); n != before {
				t.Errorf("%d requests left", n-before)
			}
			if res, err := svc.TestWebhook(t.Context(), api.TestWebhook{Webhook: id}); err != nil || !res.Success {
				t.Errorf("test: %+v, %v", res, err)
			}
		})
	}
}

// TestAnAgentDoesNotSealWhatWasEdited: only the user stores settings again that cannot be trusted.
//
// Mutation of cmd/internal/admin/webhook_seal.go: an agent seals what was edited.
func TestAnAgentDoesNotSealWhatWasEdited(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open := func() *app {
		a, err := openApp(t.Context(), dir, config.Config{MinFreeBytes: 1}, false, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	a := open()
	put, err := a.service(nil, nil, mediaParts{}).PutWebhook(t.Context(), api.PutWebhook{URL: "http://127.0.0.1:9/hook", GenerateSecret: true})
	if err != nil {
		t.Fatal(err)
	}
	id := put.Webhook.ID
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	editSub(t, dir, id, func(_ *outbox.Subscription, w *outbox.Webhook) { w.Secret = nil })
	a = open()
	defer a.close()
	svc := a.service(nil, &api.Daemon{PID: os.Getpid()}, mediaParts{})
	// whoever is not known to a service is a program
	if _, err := svc.PutWebhook(context.WithoutCancel(t.Context()), api.PutWebhook{URL: id}); err == nil || !strings.Contains(err.Error(), "only the user can store it again") {
		t.Errorf("a program stored it again: %v", err)
	}
	// removed and added again it is no more to be trusted
	if _, err := svc.RemoveWebhook(t.Context(), api.RemoveWebhook{Webhook: id}); err != nil {
		t.Fatal(err)
	}
	if _, err := svc.PutWebhook(t.Context(), api.PutWebhook{URL: "http://127.0.0.1:9/hook"}); err == nil || !strings.Contains(err.Error(), "only the user can store it again") {
		t.Errorf("a program added it again after it removed it: %v", err)
	}
}

// TestSettingsOfOlderVersionsAreSealedOnce: what a version stored that knew no seals gets them when
// it is opened, whether signed or not, removed or not; afterwards nothing gets one unasked.
//
// Mutation of keyring.go: webhooks without a seal get one whenever the state is opened.
func TestSettingsOfOlderVersionsAreSealedOnce(t *testing.T) {
	t.Parallel()
	endpoint := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer endpoint.Close()
	dir := t.TempDir()
	key := filepath.Join(dir, store.KeyFile)
	var ids []string
	with := func(do func(svc api.Service)) {
		t.Helper()
		a, err := openApp(t.Context(), dir, config.Config{MinFreeBytes: 1}, false, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		do(a.service(nil, nil, mediaParts{}))
		if err := a.close(); err != nil {
			t.Fatal(err)
		}
	}
	unseal := func() {
		for _, id := range ids {
			editSub(t, dir, id, func(_ *outbox.Subscription, w *outbox.Webhook) { w.Seal = nil })
		}
	}
	with(func(svc api.Service) {
		for _, in := range []api.PutWebhook{{URL: endpoint.URL + "/plain"}, {URL: endpoint.URL + "/signed", GenerateSecret: true}} {
			put, err := svc.PutWebhook(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, put.Webhook.ID)
		}
	})
	raw, err := os.ReadFile(key)
	if err != nil || len(raw) != 33 {
		t.Fatalf("the key has %d bytes, %v", len(raw), err)
	}
	unseal()
	if err := os.WriteFile(key, raw[:32], 0o600); err != nil { // as it was then
		t.Fatal(err)
	}
	for range 2 {
		with(func(svc api.Service) {
			for _, id := range ids {
				if res, err := svc.TestWebhook(t.Context(), api.TestWebhook{Webhook: id}); err != nil || !res.Success {
					t.Errorf("%s: %+v, %v", id, res, err)
				}
			}
		})
	}
	unseal()
	with(func(svc api.Service) {
		for _, id := range ids {
			if res, err := svc.TestWebhook(t.Context(), api.TestWebhook{Webhook: id}); err != nil || res.Success {
				t.Errorf("%s was sealed a second time: %+v, %v", id, res, err)
			}
		}
	})
}
