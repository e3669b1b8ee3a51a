package control

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"waoutbox/outbox/api"
)

// FuzzRequest: whatever a program sends to the socket or the listener, the response has a status
// that says whose fault it is, and JSON; nothing is ours but what the service says.
func FuzzRequest(f *testing.F) {
	for _, seed := range []struct{ method, path, query, body string }{
		{"GET", "/v1/status", "", ""}, {"POST", "/v1/webhooks", "", `{"url":"https://a.example/","headers":{"A":"b"}}`}, {"DELETE", "/v1/webhooks/wh_1", "purge=true", ""},
		{"GET", "/v1/events/..%2f..%2f", "", ""}, {"GET", "/v1/dead-letters", "limit=999999999999999999999", ""}, {"POST", "/v1/dead-letters/replay", "", `{"ids":[null]}`},
		{"HEAD", "/v1//events", "", ""}, {"OPTIONS", "*", "", ""}, {"POST", "/v1/messages", "", `{"to":"1","text":"` + strings.Repeat("x", 100) + `"}`}, {"POST", "/v1/messages/file", "to=15550100123&name=%00", "x"},
		{"GET", "/v1/openapi.json", "", ""}, {"POST", "/v1/stop", "", ""}, {"GET", "/metrics", "", ""}, {"GET", "/v1/audit", "before=x&since=2026", ""}, {"POST", "/v1/audit/verify", "", `{"known":["change-1-x"]}`},
	} {
		f.Add(seed.method, seed.path, seed.query, []byte(seed.body), "application/json", true)
	}
	f.Fuzz(func(t *testing.T, method, path, query string, body []byte, kind string, socket bool) {
		if !strings.HasPrefix(path, "/") || strings.Contains(path, "occurrences/stream") || strings.HasSuffix(path, "/pair") {
			return // streams end with their callers
		}
		r, err := http.NewRequestWithContext(t.Context(), method, "http://waoutbox/", strings.NewReader(string(body)))
		if err != nil {
			return // net/http reads no such method
		}
		u, err := url.ParseRequestURI(path)
		if err != nil {
			return
		}
		u.RawQuery = query
		r.URL, r.RequestURI = u, path+"?"+query
		r.Header.Set("Content-Type", kind)
		s := NewServer(ServerOptions{Service: &recordingService{}, Stop: func() {}, Log: discardLog()})
		w := httptest.NewRecorder()
		if socket {
			s.serveHTTP(w, r)
		} else {
			s.API().ServeHTTP(w, r)
		}
		if w.Code < 200 || w.Code >= 500 && w.Code != http.StatusNotImplemented {
			t.Errorf("%s %s?%s %q: %d %s", method, path, query, body, w.Code, w.Body)
		}
		if w.Code < 400 || method == http.MethodHead {
			return
		}
		var failed struct{ Error *api.Error }
		if json.Unmarshal(w.Body.Bytes(), &failed) != nil || failed.Error == nil || failed.Error.Code == "" || failed.Error.Code == api.CodeInternal || failed.Error.Message == "" {
			t.Errorf("%s %s?%s %q: %d %s", method, path, query, body, w.Code, w.Body)
		}
	})
}
