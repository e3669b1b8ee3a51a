package control

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"waoutbox/outbox/api"
)

// TestAPIServesProgramsOnly: what is the daemon's own is no operation of the API.
func TestAPIServesProgramsOnly(t *testing.T) {
	h := NewServer(ServerOptions{Service: &recordingService{}, Stop: func() {}, Log: discardLog()}).API()
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/v1/status", http.StatusOK},
		{"POST", "/v1/stop", http.StatusNotFound},
		{"GET", "/v1/daemon", http.StatusNotFound},
		{"GET", "/metrics", http.StatusNotFound},
		{"GET", "/", http.StatusNotFound},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(c.method, c.path, http.NoBody))
		if w.Code != c.status {
			t.Errorf("%s %s: %d %s, want %d", c.method, c.path, w.Code, w.Body, c.status)
		}
	}
}

// A program is one, whatever it says of itself, and it cannot change which hosts are allowed.
func TestProgramsCannotAllowHosts(t *testing.T) {
	svc := &recordingService{}
	h := NewServer(ServerOptions{Service: svc, Stop: func() {}, Log: discardLog()}).API()
	ask := func(method, path, body string) int {
		req := httptest.NewRequest(method, path, strings.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		Agent{Kind: api.CallerCLI, Name: "cli", Version: "1"}.writeTo(req.Header)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		return w.Code
	}
	if code := ask("POST", "/v1/webhooks", `{"url":"https://evil.test/"}`); code != http.StatusOK {
		t.Errorf("it got %d", code)
	}
	if calls := svc.taken(); len(calls) != 1 || calls[0].agent.Kind != api.CallerHTTP {
		t.Errorf("the service saw %+v", calls)
	}
	if code := ask("POST", "/v1/hosts", `{"host":"evil.test"}`); code != http.StatusNotFound || len(svc.taken()) != 0 {
		t.Errorf("to allow a host it got %d", code)
	}
}
