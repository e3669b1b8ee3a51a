package httpserver

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
)

// FuzzAccess: whatever a request says of its host, its origin and its token, only one with the
// token reaches an operation, and none that is for another host or from a page of another origin.
func FuzzAccess(f *testing.F) {
	l, err := Listen(Settings{Address: "127.0.0.1:0", Hosts: []string{"wa.example"}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.Fatal(err)
	}
	ln, err := l.take()
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { ln.Close() })
	token := TokenIn(f.TempDir())
	if _, err := token.Make(); err != nil {
		f.Fatal(err)
	}
	raw, err := os.ReadFile(token.Path())
	if err != nil {
		f.Fatal(err)
	}
	right := strings.TrimSpace(string(raw))
	for _, seed := range []struct{ host, origin, authorization, site string }{
		{"127.0.0.1:1", "", "Bearer TOKEN", ""}, {"evil.example", "http://evil.example", "Bearer TOKEN", "same-origin"}, {"localhost.evil.example", "null", "bearer  TOKEN ", "cross-site"},
		{"wa.example:80", "http://wa.example", "Basic TOKEN", ""}, {"[::1]", "http://[::1]", "Bearer x", ""}, {"127.0.0.1", "http://127.0.0.1:81", "Bearer TOKEN", "same-site"}, {"0x7f.1", "", "Bearer TOKEN", ""},
	} {
		f.Add("/v1/status", seed.host, seed.origin, seed.authorization, seed.site, true)
	}
	f.Add("/page/../v1/status", "127.0.0.1", "", "", "", false)
	f.Add("//mcp", "127.0.0.1", "", "Bearer waoutbox_", "", false)
	f.Fuzz(func(t *testing.T, path, host, origin, authorization, site string, withToken bool) {
		if withToken {
			authorization = strings.ReplaceAll(authorization, "TOKEN", right)
		}
		reached := false
		operations := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			reached = true
			_, _ = io.WriteString(w, "{}")
		})
		s := New(Options{Listener: l, Token: token, MCP: operations, API: operations, Metrics: operations, Ready: func() string { return "" }, Log: slog.New(slog.DiscardHandler)})
		r := httptest.NewRequest(http.MethodPost, "http://x/", http.NoBody)
		r.URL.Path, r.Host = path, host
		r.Header = http.Header{"Authorization": {authorization}}
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		if site != "" {
			r.Header.Set("Sec-Fetch-Site", site)
		}
		w := httptest.NewRecorder()
		s.routes().ServeHTTP(w, r)
		if !reached {
			return
		}
		name := host
		if h, _, err := net.SplitHostPort(host); err == nil {
			name = h
		}
		name = strings.TrimSuffix(strings.ToLower(name), ".")
		addr, err := netip.ParseAddr(strings.Trim(name, "[]"))
		own := name == "localhost" || name == "wa.example" || err == nil && addr.Unmap().WithZone("").IsLoopback()
		if !strings.Contains(authorization, right) || !own || origin != "" && !strings.HasSuffix(strings.ToLower(origin), "//"+strings.ToLower(host)) && !strings.Contains(strings.ToLower(origin), strings.ToLower(host)) || site == "cross-site" {
			t.Errorf("%q for host %q from %q with %q, %q is served", path, host, origin, authorization, site)
		}
	})
}
