package control

import (
	"net/http"
	"net/http/httptest"
	"testing"
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
