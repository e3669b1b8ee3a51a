package wire

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// The clock of the other end is read off its response, whatever that is.
func TestReachTellsTheOtherClock(t *testing.T) {
	t.Parallel()
	at := time.Now().Add(-2 * time.Hour)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodHead {
			t.Errorf("it was asked by %s", r.Method)
		}
		w.Header().Set("Date", at.UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusTeapot)
	}))
	defer srv.Close()
	server, err := CheckServer(strings.Replace(srv.URL, "http:", "ws:", 1)+"/ws/chat", strings.Repeat("0", 63)+"1")
	must(t, err)
	date, here, err := Route{Server: server}.Reach(t.Context())
	must(t, err)
	if ahead := here.Sub(date).Round(time.Minute); ahead != 2*time.Hour {
		t.Errorf("this clock is %s ahead, want 2h", ahead)
	}
	srv.Close()
	if _, _, err := (Route{Server: server}).Reach(t.Context()); err == nil {
		t.Error("a server that is gone was reached")
	}
}
