package admin

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"waoutbox/outbox/api"
)

func TestHeadersAreKeptReplacedRemovedAndRevived(t *testing.T) {
	r := newRig(t)
	put := func(headers *map[string]string) api.Webhook {
		t.Helper()
		res, err := r.PutWebhook(t.Context(), api.PutWebhook{URL: "http://localhost/hook", Headers: headers})
		if err != nil {
			t.Fatal(err)
		}
		return res.Webhook
	}
	names := func(w api.Webhook) string { return strings.Join(w.Headers, " ") }
	w := put(&map[string]string{"x-tenant": "blue", "Authorization": "Bearer quietly"})
	if names(w) != "Authorization x-tenant" {
		t.Errorf("set: %q", names(w))
	}
	if got := names(put(nil)); got != "Authorization x-tenant" {
		t.Errorf("not given: %q, want them kept", got)
	}
	if _, err := r.PutWebhook(t.Context(), api.PutWebhook{URL: w.URL, Headers: &map[string]string{"Host": "x"}}); api.CodeOf(err) != api.CodeInvalidArguments {
		t.Errorf("a reserved one: %v", err)
	}
	if got := names(put(&map[string]string{"X-Other": "1"})); got != "X-Other" {
		t.Errorf("replaced: %q", got)
	}
	if list, err := r.Webhooks(t.Context()); err != nil || len(list) != 1 || names(list[0]) != "X-Other" {
		t.Errorf("listed: %+v, %v", list, err)
	}
	if got := put(&map[string]string{}); got.Headers != nil {
		t.Errorf("removed: %q", names(got))
	}
	put(&map[string]string{"X-Last": "1"})
	if _, err := r.RemoveWebhook(t.Context(), api.RemoveWebhook{Webhook: w.ID}); err != nil {
		t.Fatal(err)
	}
	// Before, a webhook that was added again had lost them.
	if got := put(nil); got.ID != w.ID || names(got) != "X-Last" {
		t.Errorf("revived: %+v, want its headers", got)
	}
}

func TestHeaderValuesAreSealedForTheirWebhookAndNeverShown(t *testing.T) {
	r := newRig(t)
	var log bytes.Buffer
	r.o.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var contexts []string
	seal := r.o.Seal
	r.o.Seal = func(plain []byte, context string) ([]byte, error) {
		contexts = append(contexts, context+" "+string(plain))
		return seal(plain, context)
	}
	res, err := r.PutWebhook(t.Context(), api.PutWebhook{URL: "http://localhost/hook", Headers: &map[string]string{"Authorization": "Bearer quietly"}})
	if err != nil {
		t.Fatal(err)
	}
	if want := res.Webhook.ID + `/headers {"Authorization":"Bearer quietly"}`; len(contexts) != 2 || contexts[0] != want || !strings.HasPrefix(contexts[1], res.Webhook.ID+"/settings ") {
		t.Errorf("sealed %q, want %q", contexts, want)
	}
	cfg := r.stored(res.Webhook.ID)
	if len(cfg.Headers) == 0 || bytes.Contains(cfg.Headers, []byte("quietly")) {
		t.Errorf("stored: %q, want the headers sealed", cfg.Headers)
	}
	if shown := fmt.Sprintf("%+v %s", res, log.String()); strings.Contains(shown, "quietly") || !strings.Contains(log.String(), "headers=1") {
		t.Errorf("shown or logged: %s", shown)
	}
	// A test sends what every delivery sends.
	if _, err := r.TestWebhook(t.Context(), api.TestWebhook{Webhook: res.Webhook.ID}); err != nil {
		t.Fatal(err)
	}
	if len(r.sender.got) != 1 || len(cfg.Headers) == 0 || !bytes.Equal(r.sender.got[0].Webhook.Headers, cfg.Headers) {
		t.Errorf("the test was sent with %d sealed headers, want %d bytes as stored", len(r.sender.got), len(cfg.Headers))
	}
}
