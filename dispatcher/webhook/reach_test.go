package webhook_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"waoutbox/dispatcher/webhook"
	"waoutbox/outbox"
)

// Reaching an endpoint judges its address and its certificate as a delivery does, and sends no
// request.
//
// Mutation of dial.go: an endpoint that is called at whatever address.
func TestReachSendsNothing(t *testing.T) {
	t.Parallel()
	var requests atomic.Int64
	count := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) })
	plain, secure := httptest.NewServer(count), httptest.NewTLSServer(count)
	defer plain.Close()
	defer secure.Close()
	s := webhook.New(webhook.Options{})
	defer s.Close()
	for url, want := range map[string]string{
		plain.URL: "", secure.URL: "authority that is not known here", strings.Replace(plain.URL, "http:", "https:", 1): "plain HTTP at this port",
		"http://169.254.169.254/x": "link-local", "http://127.0.0.1:1/x?token=hidden": "connection refused",
	} {
		err := s.Reach(t.Context(), outbox.Webhook{URL: url})
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hidden")) {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
	if n := requests.Load(); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}
