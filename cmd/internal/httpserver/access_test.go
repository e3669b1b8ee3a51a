package httpserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"waoutbox/outbox/api"
)

// Who may ask for what: the health of the service is for everybody, the rest for who has the token,
// and nothing for a page of a browser.
//
// Mutation of access.go: what is asked for without the token is served.
// Mutation of access.go: a name that leads here is served, so that a page of that name is of the
// same origin.
// Mutation of access.go: a page of another origin may read.
func TestWhoMayAsk(t *testing.T) {
	t.Parallel()
	r := start(t, Settings{Hosts: []string{"wa.example.com"}}, Options{MCP: say("mcp"), API: say("api"), Metrics: say("metrics")})
	header := func(name, value string) func(*http.Request) {
		return func(q *http.Request) { withToken(r.token)(q); q.Header.Set(name, value) }
	}
	host := func(h string) func(*http.Request) {
		return func(q *http.Request) { withToken(r.token)(q); q.Host = h }
	}
	own := strings.TrimPrefix(r.url, "http://")
	_, port, _ := strings.Cut(own, ":")
	for _, c := range []struct {
		name, method, path string
		change             func(*http.Request)
		status             int
		body               string // or the code of the error
	}{
		{"alive", "GET", "/healthz", nil, 200, "ok\n"},
		{"alive, by HEAD", "HEAD", "/healthz", nil, 200, ""},
		{"alive, by POST", "POST", "/healthz", nil, 405, "method_not_allowed"},
		{"ready", "GET", "/readyz", nil, 200, "ok\n"},
		{"mcp", "POST", "/mcp", withToken(r.token), 200, "mcp"},
		{"the stream of mcp", "GET", "/mcp", withToken(r.token), 200, "mcp"},
		{"api", "GET", "/v1/status", withToken(r.token), 200, "api"},
		{"metrics", "GET", "/metrics", withToken(r.token), 200, "metrics"},
		{"in lower case", "GET", "/metrics", header("Authorization", "bearer "+r.token), 200, "metrics"},
		{"nothing", "GET", "/", withToken(r.token), 404, "unknown_route"},
		{"below mcp", "GET", "/mcp/x", withToken(r.token), 404, "unknown_route"},

		{"mcp without token", "POST", "/mcp", nil, 401, "unauthorized"},
		{"api without token", "GET", "/v1/status", nil, 401, "unauthorized"},
		{"metrics without token", "GET", "/metrics", nil, 401, "unauthorized"},
		{"what is not there, without token", "GET", "/x", nil, 401, "unauthorized"},
		{"another path to it", "GET", "//v1/status", nil, 401, "unauthorized"},
		{"a way round", "GET", "/healthz/../v1/status", nil, 401, "unauthorized"},
		{"metrics, by POST", "POST", "/metrics", withToken(r.token), 405, "method_not_allowed"},
		{"part of the token", "GET", "/metrics", withToken(r.token[:20]), 401, "unauthorized"},
		{"an empty token", "GET", "/metrics", withToken(""), 401, "unauthorized"},
		{"another scheme", "GET", "/metrics", header("Authorization", "Basic "+r.token), 401, "unauthorized"},
		{"two tokens", "GET", "/metrics", func(q *http.Request) {
			q.Header["Authorization"] = []string{"Bearer " + r.token, "Bearer " + r.token}
		}, 401, "unauthorized"},
		{"no OAuth", "GET", "/.well-known/oauth-protected-resource", nil, 404, "unknown_route"},

		{"a name that leads here", "GET", "/metrics", host("evil.example:" + port), 403, "host_not_allowed"},
		{"its health", "GET", "/healthz", host("evil.example"), 403, "host_not_allowed"},
		{"a name that ends like ours", "GET", "/metrics", host("evil.localhost.example"), 403, "host_not_allowed"},
		{"another address", "GET", "/metrics", host("192.0.2.1"), 403, "host_not_allowed"},
		{"localhost", "GET", "/metrics", host("LocalHost.:1"), 200, "metrics"},
		{"loopback", "GET", "/metrics", host("127.0.0.2"), 200, "metrics"},
		{"loopback of the other kind", "GET", "/metrics", host("[::1]:80"), 200, "metrics"},
		{"a name of the settings", "GET", "/metrics", host("wa.example.com"), 200, "metrics"},

		{"a foreign page", "POST", "/mcp", header("Origin", "https://evil.example"), 403, "origin_not_allowed"},
		{"a foreign page that reads", "GET", "/mcp", header("Origin", "https://evil.example"), 403, "origin_not_allowed"},
		{"a page without origin", "POST", "/mcp", header("Origin", "null"), 403, "origin_not_allowed"},
		{"a page of another port", "POST", "/mcp", header("Origin", "http://127.0.0.1:1"), 403, "origin_not_allowed"},
		{"a preflight", "OPTIONS", "/mcp", header("Origin", "https://evil.example"), 403, "origin_not_allowed"},
		{"a request across sites", "POST", "/mcp", header("Sec-Fetch-Site", "cross-site"), 403, "origin_not_allowed"},
		{"its own page", "POST", "/mcp", header("Origin", "http://"+own), 200, "mcp"},
	} {
		t.Run(c.name, func(t *testing.T) {
			resp, body := r.get(c.method, c.path, c.change)
			if resp.StatusCode != c.status {
				t.Fatalf("status %d, want %d: %s", resp.StatusCode, c.status, body)
			}
			if resp.Header.Get("X-Content-Type-Options") != "nosniff" || resp.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("header %v", resp.Header)
			}
			if c.status == 200 || c.body == "" {
				if body != c.body {
					t.Errorf("body %q, want %q", body, c.body)
				}
				return
			}
			var e struct{ Error *api.Error }
			if err := json.Unmarshal([]byte(body), &e); err != nil || e.Error == nil || string(e.Error.Code) != c.body || e.Error.Message == "" {
				t.Errorf("error %s, want the code %s", body, c.body)
			}
			if c.status == 401 && (!strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), `Bearer realm="waoutbox"`) || !strings.Contains(body, r.s.o.Token.Path())) {
				t.Errorf("%q does not say where the token is; %v", body, resp.Header)
			}
			if strings.Contains(body, r.token) {
				t.Error("the token is told")
			}
		})
	}
}

// A service that takes no events is alive and not ready, and says why in a word.
func TestNotReady(t *testing.T) {
	t.Parallel()
	r := start(t, Settings{}, Options{Ready: func() string { return "outbox_disk_full" }})
	if resp, body := r.get("GET", "/readyz", nil); resp.StatusCode != 503 || body != "not ready: outbox_disk_full\n" {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	if resp, _ := r.get("GET", "/healthz", nil); resp.StatusCode != 200 {
		t.Errorf("not alive: %d", resp.StatusCode)
	}
}

// Wrong tokens are told of so many times and then refused without a look; the right one passes all
// the while: a client with an old token must not lock out the others.
func TestWrongTokensAreLimited(t *testing.T) {
	t.Parallel()
	r := start(t, Settings{}, Options{API: say("api")})
	var limited int
	for range 3 * wrongBurst {
		resp, body := r.get("GET", "/v1/status", withToken("waoutbox_wrong"))
		switch resp.StatusCode {
		case 401:
		case 429:
			limited++
			if resp.Header.Get("Retry-After") == "" || !strings.Contains(body, `"rate_limited"`) {
				t.Fatalf("%v %s", resp.Header, body)
			}
		default:
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
	}
	if limited < wrongBurst {
		t.Errorf("%d of %d were limited", limited, 3*wrongBurst)
	}
	if resp, _ := r.get("GET", "/v1/status", withToken(r.token)); resp.StatusCode != 200 {
		t.Errorf("the right token: %d", resp.StatusCode)
	}
	if resp, _ := r.get("GET", "/v1/status", nil); resp.StatusCode != 401 {
		t.Errorf("no token: %d", resp.StatusCode)
	}
}

// A refused request ends its connection, and does not hold it by a body that never comes.
func TestRefusedBodyIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	r := start(t, Settings{}, Options{API: say("api")}, func(s *Server) { s.limit.denied = time.Millisecond; s.limit.body = time.Hour })
	_, in := r.dial("POST /v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n")
	all, err := io.ReadAll(in)
	if err != nil || !strings.HasPrefix(string(all), "HTTP/1.1 401 ") {
		t.Errorf("%q, %v", all, err)
	}
}

// Who sends more than is taken, and reads nothing before all is sent, gets the response all the
// same: too large, or a wrong token.
//
// Mutation of body.go: who is still sending when the connection ends loses what he was told.
func TestWhoSendsTooMuchIsTold(t *testing.T) {
	t.Parallel()
	r := start(t, Settings{}, Options{API: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if _, err := io.ReadAll(http.MaxBytesReader(w, q.Body, 1<<20)); err != nil {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
	})}, func(s *Server) { s.limit.denied = time.Minute })
	const size = 24 << 20
	for _, tt := range []struct {
		name, token, head, before, after string
		status                           int
	}{
		{"too large", r.token, fmt.Sprintf("Content-Length: %d", size), "", "", http.StatusRequestEntityTooLarge},
		{"too large, in chunks", r.token, "Transfer-Encoding: chunked", fmt.Sprintf("%x\r\n", size), "\r\n0\r\n\r\n", http.StatusRequestEntityTooLarge},
		{"a wrong token", "waoutbox_wrong", fmt.Sprintf("Content-Length: %d", size), "", "", http.StatusUnauthorized},
	} {
		conn, in := r.dial("POST /v1/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + tt.token + "\r\n" + tt.head + "\r\n\r\n")
		if _, err := io.WriteString(conn, tt.before+strings.Repeat("x", size)+tt.after); err != nil {
			t.Errorf("%s: the body could not be sent: %v", tt.name, err)
			continue
		}
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		resp.Body.Close()
		if resp.StatusCode != tt.status {
			t.Errorf("%s: %d, want %d", tt.name, resp.StatusCode, tt.status)
		}
	}
}

// Who asks before he sends a body that is refused is told at once: nothing of it comes, so nothing
// is waited for.
//
// Mutation of body.go: who asks before he sends is waited for, though he sends nothing.
func TestWhoAsksBeforeSendingIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	r := start(t, Settings{}, Options{API: say("api")}, func(s *Server) { s.limit.denied, s.limit.body = time.Hour, time.Hour })
	conn, in := r.dial("POST /v1/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer waoutbox_wrong\r\nExpect: 100-continue\r\nContent-Length: 25165824\r\n\r\n")
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("status %d, %v", resp.StatusCode, err)
	}
}

// A client that sends half a header, or half a body that a handler does not read, is cut.
//
// Mutation of server.go: the HTTP listener waits without end for a header.
// Mutation of body.go: the HTTP listener waits without end for a body.
func TestSlowClientsAreCut(t *testing.T) {
	t.Parallel()
	short := func(s *Server) {
		s.limit.header, s.limit.body, s.limit.idle = 50*time.Millisecond, 50*time.Millisecond, 50*time.Millisecond
	}
	r := start(t, Settings{}, Options{API: say("api"), MCP: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		_, err := io.ReadAll(q.Body)
		// as handlers do that bound the time themselves
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
		if err == nil {
			t.Error("half a body was whole")
		}
		w.WriteHeader(http.StatusBadRequest)
	})}, short)
	for name, text := range map[string]string{
		"half a body that is read": "POST /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + r.token + "\r\nContent-Length: 100\r\n\r\nabc",
		"half a header":            "GET /healthz HTTP/1.1\r\nHost: local",
		"half a body":              "POST /v1/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + r.token + "\r\nContent-Length: 100\r\n\r\nabc",
		"nothing more":             "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
	} {
		_, in := r.dial(text)
		if _, err := io.Copy(io.Discard, in); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The token that is replaced stops working at once, and what was asked for with it ends.
//
// Mutation of server.go: what was asked for with the token before goes on.
func TestRotation(t *testing.T) {
	t.Parallel()
	h := newHeld()
	r := start(t, Settings{}, Options{MCP: h, API: say("api")})
	_, in := r.dial("GET /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + r.token + "\r\n\r\n")
	<-h.begun
	if err := r.s.RotateToken(); err != nil {
		t.Fatal(err)
	}
	if err := await(t, h.ended); !errors.Is(err, errReplaced) {
		t.Errorf("the stream ended with %v", err)
	}
	if _, err := in.ReadString('\n'); err != nil {
		t.Error(err)
	}
	if resp, _ := r.get("GET", "/v1/status", withToken(r.token)); resp.StatusCode != 401 {
		t.Errorf("the old token: %d", resp.StatusCode)
	}
	fresh := r.readToken()
	if resp, _ := r.get("GET", "/v1/status", withToken(fresh)); fresh == r.token || resp.StatusCode != 200 {
		t.Errorf("the new token: %d", resp.StatusCode)
	}
}

// Whoever asks from this machine is told the command with the state directory; whoever does not
// learns nothing of where that is.
func TestCommandOfTheToken(t *testing.T) {
	t.Parallel()
	token := TokenIn("/somewhere/else")
	s := New(Options{Token: token, Log: slog.New(slog.DiscardHandler)})
	for from, want := range map[string]string{"127.0.0.1:1": "waoutbox --state-dir /somewhere/else http-token", "[::1]:1": "waoutbox --state-dir /somewhere/else http-token", "192.0.2.1:1": "waoutbox http-token"} {
		for _, path := range []string{"/v1/status", "/nothing"} {
			w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil)
			r.RemoteAddr = from
			if path == "/nothing" {
				s.noRoute(w, r)
			} else {
				s.refuse(w, r, false)
			}
			if got := w.Body.String(); !strings.Contains(got, "`"+want+"`") || strings.Contains(got, "/somewhere") != strings.Contains(want, "/somewhere") {
				t.Errorf("%s from %s: %s", path, from, got)
			}
		}
	}
}
