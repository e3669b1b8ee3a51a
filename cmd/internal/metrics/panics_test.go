package metrics

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Each contained panic is counted once, whatever the log was made with, and reaches the log.
//
// Mutation of panics.go: a panic over HTTP is counted nowhere.
func TestContainedPanicsAreCounted(t *testing.T) {
	m := New("test", nil)
	var out bytes.Buffer
	log := slog.New(m.CountPanics(slog.NewTextHandler(&out, nil)))
	log.Error("a lane panicked", "panic", "x", "stack", "y")
	log.With("component", "link").Error("the link panicked", "at", "z", "panic", "x")
	log.WithGroup("g").Error("a request panicked", slog.Any("panic", 3))
	log.Error("something else failed", "error", "panic")
	log.Warn("no fault of ours", "panic", "x")
	page := httptest.NewRecorder()
	m.Handler().ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if !strings.Contains(page.Body.String(), "\nwaoutbox_panics_total 3\n") {
		t.Errorf("want 3 panics in\n%s", page.Body)
	}
	if n := strings.Count(out.String(), "\n"); n != 5 || !strings.Contains(out.String(), "component=link") || !strings.Contains(out.String(), "g.panic=3") {
		t.Errorf("the log has\n%s", out.String())
	}
}
