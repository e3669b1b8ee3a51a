package webhook_test

import (
	"context"
	"crypto/hmac"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"waoutbox/dispatcher"
	"waoutbox/dispatcher/webhook"
	"waoutbox/outbox"
)

// What an endpoint does: read the exact bytes of the body, and compare signatures in constant time
// before the body is parsed.
func ExampleSignature() {
	secret := []byte("whsec_test")
	endpoint := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if !hmac.Equal([]byte(r.Header.Get("X-Webhook-Signature")), []byte(webhook.Signature(secret, body))) {
			http.Error(w, "wrong signature", http.StatusUnauthorized)
		}
	}
	for _, body := range []string{`{"event":"message.received"}`, `{"event":"message.sent"}`} {
		r := httptest.NewRequest(http.MethodPost, "/hook", strings.NewReader(body))
		r.Header.Set("X-Webhook-Signature", webhook.Signature(secret, []byte(`{"event":"message.received"}`)))
		w := httptest.NewRecorder()
		endpoint(w, r)
		fmt.Println(w.Code)
	}
	// Output:
	// 200
	// 401
}

// One attempt at an endpoint. The dispatcher makes them, and decides by the result what comes next.
func ExampleSender_Send() {
	endpoint := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Header.Get("X-Webhook-Id"), r.Header.Get("X-Webhook-Attempt"), r.Header.Get("X-Webhook-Signature")[:15])
	}))
	defer endpoint.Close()
	s := webhook.New(webhook.Options{Unseal: func(sealed []byte, _ string) ([]byte, error) { return sealed, nil }})
	defer s.Close()
	result := s.Send(context.Background(), dispatcher.Request{
		Sub: "wh_1", Attempt: 1,
		Webhook: outbox.Webhook{URL: endpoint.URL, Secret: []byte("whsec_test")},
		Event:   outbox.Event{Seq: 1, Key: "evt_1", Name: "message.received", Body: []byte(`{"event":"message.received"}`)},
	})
	fmt.Println(result.Class, result.Status)
	// Output:
	// evt_1 1 sha256=2faa36cb
	// ok 200
}

// The identity of a URL is what is compared and sent.
func ExampleCheckURL() {
	for _, raw := range []string{"HTTPS://Crm.Example:443/q?name=a b", "ftp://crm.example"} {
		fmt.Println(webhook.CheckURL(raw, false))
	}
	// Output: https://crm.example/q?name=a%20b <nil>
	//  a URL here begins with https:// or http://, for example https://example.com/hook
}
