package api_test

import (
	"strings"
	"testing"

	"waoutbox/outbox/api"
)

// Servers of TLS made with Node, Python and OpenSSL close the connection of whoever speaks plain
// HTTP to them, without a word. The advice was "Check the endpoint".
func TestAdviceForAnEndpointThatCloses(t *testing.T) {
	for url, https := range map[string]bool{"http://192.0.2.1:8443/hook": true, "https://192.0.2.1/hook": false} {
		r := api.TestWebhookResult{ID: "wh_1", URL: url, Class: "reset", Error: "the connection broke off before the response"}
		got := r.Advice(func(line string) string { return "waoutbox --state-dir /x " + line })
		if strings.Contains(got, "https://") != https || strings.Contains(got, "waoutbox --state-dir /x webhook add URL") != https || !strings.Contains(got, "its log") {
			t.Errorf("%s: %s", url, got)
		}
	}
}

// To activate the workflow does not help a test URL. The advice was to do that.
func TestAdviceForATestURLOfN8N(t *testing.T) {
	r := api.TestWebhookResult{ID: "wh_1", Status: 404, Excerpt: `The requested webhook "x" is not registered.`}
	command := func(line string) string { return "waoutbox " + line }
	for url, want := range map[string]string{
		"http://localhost:5678/webhook-test/x?token=1": "waoutbox webhook add http://localhost:5678/webhook/x",
		"http://localhost:5678/webhook/x":              "Activate it, then test it again.",
	} {
		if r.URL = url; !strings.HasSuffix(r.Advice(command), want) {
			t.Errorf("%s: %s", url, r.Advice(command))
		}
	}
}
