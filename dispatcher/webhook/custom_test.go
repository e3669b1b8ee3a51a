package webhook

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"waoutbox/outbox"
)

// headersOf renders custom headers as they are sealed; the test sender's seal is none.
func headersOf(t *testing.T, all map[string]string) []byte {
	t.Helper()
	b, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Mutation of custom.go: a custom header takes the place of one of ours.
// Mutation of custom.go: a header with _ takes the place of one of ours at receivers that read it
// as -.
func TestCustomHeadersArriveAndOursWin(t *testing.T) {
	var got http.Header
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Clone() })
	s := sender(t)
	r := request(url, "", "{}")
	r.Webhook.Headers = headersOf(t, map[string]string{
		"Authorization": "Bearer a, b; c=\"d\"", "x-tenant": "blü",
		// What no registration lets in, and what a database written by other hands may hold.
		"user-agent": "forged", "X-WEBHOOK-ID": "forged", "Idempotency-Key": "forged", "x-webhook-signature": "forged", "Webhook-Id": "forged",
		"X-Webhook-Replay": "forged", "Content-Type": "text/forged", "Accept-Encoding": "forged", "Content-Encoding": "forged",
		"X_Webhook_Signature": "forged", "Content_Length": "forged", "webhook_id": "forged", "X_webhook-Attempt": "forged",
	})
	if res := s.Send(t.Context(), r); res.Class != outbox.ClassOK {
		t.Fatalf("%+v", res)
	}
	for name, want := range map[string]string{
		"Authorization": "Bearer a, b; c=\"d\"", "X-Tenant": "blü", "User-Agent": "waoutbox/test", "X-Webhook-Id": "evt_1",
		"Idempotency-Key": "evt_1", "Content-Type": "application/json",
	} {
		if v := got.Values(name); len(v) != 1 || v[0] != want {
			t.Errorf("%s: %q, want %q once", name, v, want)
		}
	}
	for name, values := range got {
		if strings.Contains(strings.Join(values, " "), "forged") {
			t.Errorf("%s: %q arrived", name, values)
		}
	}
	r.Webhook.Headers = nil
	s.Send(t.Context(), r)
	if got.Get("Authorization") != "" || got.Get("X-Tenant") != "" {
		t.Errorf("removed headers are still sent: %v", got)
	}
}

func TestHeadersThatCannotBeOpenedHold(t *testing.T) {
	var posts atomic.Int32
	url := serve(t, func(http.ResponseWriter, *http.Request) { posts.Add(1) })
	for name, unseal := range map[string]func([]byte, string) ([]byte, error){
		"no key":    nil,
		"wrong key": func([]byte, string) ([]byte, error) { return nil, errors.New("cannot open") },
		"damaged":   func([]byte, string) ([]byte, error) { return []byte(`{"X-Token":"hush"`), nil },
		"no object": func([]byte, string) ([]byte, error) { return []byte(`["hush"]`), nil },
	} {
		s := New(Options{Unseal: unseal})
		r := request(url, "", "{}")
		r.Webhook.Headers = []byte("sealed")
		res := s.Send(t.Context(), r)
		if res.Class != outbox.ClassLocal || !strings.Contains(res.Message, "--no-headers") || strings.Contains(res.Message, "hush") {
			t.Errorf("%s: %+v", name, res)
		}
		s.Close()
	}
	if posts.Load() != 0 {
		t.Errorf("%d POSTs arrived", posts.Load())
	}
}

func TestHeadersAreOpenedOncePerSealing(t *testing.T) {
	var contexts, tokens []string
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) { tokens = append(tokens, r.Header.Get("X-Token")) })
	s := New(Options{Unseal: func(b []byte, c string) ([]byte, error) {
		contexts = append(contexts, c)
		return b, nil
	}})
	defer s.Close()
	for _, token := range []string{"one", "one", "two", ""} {
		r := request(url, "secret", "{}")
		if token != "" {
			r.Webhook.Headers = headersOf(t, map[string]string{"X-Token": token})
		}
		s.Send(t.Context(), r)
	}
	if got := strings.Join(contexts, " "); got != "wh_1/secret wh_1/headers wh_1/headers" {
		t.Errorf("unsealed %q: want the secret once and each of two sets of headers once", got)
	}
	if got := strings.Join(tokens, " "); got != "one one two " {
		t.Errorf("tokens %q", got)
	}
}
