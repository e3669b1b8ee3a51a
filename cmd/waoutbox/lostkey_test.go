package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"waoutbox/cmd/internal/config"
	"waoutbox/outbox/api"
	"waoutbox/store"
)

// TestWithoutItsKeyNothingLeaves: while the key file is missing, another one, or no key, every
// command on a signed webhook says so and what to do, and nothing is sent, unsigned least of all.
// With the file back all is well. Before, `webhook show` printed "active" until an event came,
// adding the webhook again said nothing of it, and a key that was swapped needed a restart.
//
// Mutation of cmd/internal/admin/webhooks.go: a webhook whose secret cannot be opened looks well
// until its next event.
func TestWithoutItsKeyNothingLeaves(t *testing.T) {
	var requests, signed atomic.Int64
	endpoint := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if r.Header.Get("X-Webhook-Signature") != "" {
			signed.Add(1)
		}
	}))
	defer endpoint.Close()
	dir := t.TempDir()
	key := filepath.Join(dir, store.KeyFile)
	service := func(t *testing.T) api.Service {
		t.Helper()
		a, err := openApp(t.Context(), dir, config.Config{MinFreeBytes: 1}, false, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := a.close(); err != nil {
				t.Error(err)
			}
		})
		return a.service(nil, nil, mediaParts{})
	}
	var id, other, unsigned string
	t.Run("with the key", func(t *testing.T) {
		svc := service(t)
		for _, w := range []struct {
			id  *string
			url string
		}{{&id, endpoint.URL}, {&other, endpoint.URL + "/other"}} {
			res, err := svc.PutWebhook(t.Context(), api.PutWebhook{URL: w.url, GenerateSecret: true, Headers: &map[string]string{"X-Tenant": "blue"}})
			if err != nil {
				t.Fatal(err)
			}
			*w.id = res.Webhook.ID
		}
		res, err := svc.PutWebhook(t.Context(), api.PutWebhook{URL: endpoint.URL + "/unsigned"})
		if err != nil {
			t.Fatal(err)
		}
		unsigned = res.Webhook.ID
	})
	if err := os.Rename(key, key+".away"); err != nil {
		t.Fatal(err)
	}
	for name, swap := range map[string]string{"missing": "", "another": strings.Repeat("k", 32), "of the wrong length": "short"} {
		t.Run(name, func(t *testing.T) {
			if swap != "" {
				if err := os.WriteFile(key, []byte(swap), 0o600); err != nil {
					t.Fatal(err)
				}
				defer os.Remove(key)
			}
			svc := service(t)
			mend := "webhook add " + id + " --secret-file FILE"
			w, err := svc.Webhook(t.Context(), id)
			if err != nil || w.Status != api.WebhookHeld || !w.Signed || !strings.Contains(w.Reason, mend) || !strings.Contains(w.Reason, key) {
				t.Errorf("show: %+v, %v", w, err)
			}
			put, err := svc.PutWebhook(t.Context(), api.PutWebhook{URL: id, MaxRate: new(5.0)})
			if err != nil || !put.Webhook.Signed || len(put.Warnings) != 1 || !strings.Contains(put.Warnings[0], mend) {
				t.Errorf("add again: %+v, %v", put, err)
			}
			if _, err := svc.RemoveWebhook(t.Context(), api.RemoveWebhook{Webhook: id}); err != nil {
				t.Error(err)
			}
			put, err = svc.PutWebhook(t.Context(), api.PutWebhook{URL: endpoint.URL})
			if err != nil || put.Result != api.PutRevived || !put.Webhook.Signed || put.Webhook.Status != api.WebhookHeld {
				t.Errorf("revived: %+v, %v", put, err)
			}
			if _, err := svc.RotateSecret(t.Context(), api.RotateSecret{Webhook: id}); err == nil || !strings.Contains(err.Error(), "rotate-secret "+id+" --overlap 0s") {
				t.Errorf("rotate: %v", err)
			}
			res, err := svc.TestWebhook(t.Context(), api.TestWebhook{Webhook: id})
			if err != nil || res.Success || res.Class != "local" || !strings.Contains(res.Error, "nothing is sent unsigned") {
				t.Errorf("test: %+v, %v", res, err)
			}
			// an unsigned one too: whose settings these are cannot be told without the key
			if w, err := svc.Webhook(t.Context(), unsigned); err != nil || w.Signed || w.Status != api.WebhookHeld || !strings.Contains(w.Reason, key) {
				t.Errorf("an unsigned one: %+v, %v", w, err)
			}
			if res, err := svc.TestWebhook(t.Context(), api.TestWebhook{Webhook: unsigned}); err != nil || res.Success || res.Class != "local" {
				t.Errorf("test of an unsigned one: %+v, %v", res, err)
			}
			if n := requests.Load(); n != 0 {
				t.Errorf("%d requests left", n)
			}
			st, err := svc.Status(t.Context())
			if held := st.Alarms[len(st.Alarms)-1]; err != nil || len(st.Alarms) < 2 || held.Code != "webhook_held" || !strings.HasSuffix(held.Message, "It goes on once that is mended") {
				t.Errorf("status: %+v, %v", st.Alarms, err)
			}
		})
	}
	t.Run("put back while it runs", func(t *testing.T) {
		if err := os.WriteFile(key, []byte(strings.Repeat("k", 32)), 0o600); err != nil {
			t.Fatal(err)
		}
		svc := service(t)
		if w, err := svc.Webhook(t.Context(), id); err != nil || w.Status != api.WebhookHeld {
			t.Errorf("with another key: %+v, %v", w, err)
		}
		if err := os.Rename(key+".away", key); err != nil {
			t.Fatal(err)
		}
		if w, err := svc.Webhook(t.Context(), id); err != nil || w.Status != api.WebhookActive {
			t.Errorf("with its key: %+v, %v", w, err)
		}
		if res, err := svc.TestWebhook(t.Context(), api.TestWebhook{Webhook: id}); err != nil || !res.Success || signed.Load() != 1 || requests.Load() != 1 {
			t.Errorf("test: %+v, %v; %d requests, %d signed", res, err, requests.Load(), signed.Load())
		}
	})
	t.Run("lost for good", func(t *testing.T) {
		if err := os.Remove(key); err != nil {
			t.Fatal(err)
		}
		svc := service(t)
		put, err := svc.PutWebhook(t.Context(), api.PutWebhook{URL: id, GenerateSecret: true, Headers: &map[string]string{"X-Tenant": "blue"}})
		if err != nil || put.Webhook.Status != api.WebhookActive || len(put.Warnings) != 1 || !strings.Contains(put.Warnings[0], other) {
			t.Errorf("set again: %+v, %v; want a warning about %s", put, err, other)
		}
		if w, err := svc.Webhook(t.Context(), other); err != nil || w.Status != api.WebhookHeld {
			t.Errorf("the other: %+v, %v", w, err)
		}
	})
}
