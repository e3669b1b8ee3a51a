package control

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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

// What a sentence tells a person to type, a program is told as a request; the socket leaves the
// sentences of agents to their tools, and those of people as they are.
//
// Mutation of server.go: it is told to run a command where there is a route.
func TestProgramsAreToldRoutes(t *testing.T) {
	const person = "resume it: waoutbox webhook resume wh_1"
	svc := &recordingService{err: api.Errorf(api.CodeNotConnected, "%s", person)}
	svc.steps = []api.PairStep{{Step: api.StepFailed, Error: api.Errorf(api.CodePairingUnavail, "%s", person)}}
	s := NewServer(ServerOptions{Service: svc, Stop: func() {}, Log: discardLog()})
	for _, tt := range []struct {
		name, method, path, kind, want string
		h                              http.HandlerFunc
	}{
		{"a program", "GET", "/v1/status", api.CallerCLI, "resume it: POST /v1/webhooks/wh_1/resume", s.API().ServeHTTP},
		{"a stream", "POST", "/v1/link/pair", "", "resume it: POST /v1/webhooks/wh_1/resume", s.API().ServeHTTP},
		{"a script at the socket", "GET", "/v1/status", "", "resume it: POST /v1/webhooks/wh_1/resume", s.serveHTTP},
		{"an agent", "GET", "/v1/status", api.CallerMCP, person, s.serveHTTP},
		{"a person", "GET", "/v1/status", api.CallerCLI, person, s.serveHTTP},
	} {
		req := httptest.NewRequest(tt.method, tt.path, http.NoBody)
		Agent{Kind: tt.kind}.writeTo(req.Header)
		w := httptest.NewRecorder()
		tt.h(w, req)
		if got := w.Body.String(); !strings.Contains(got, `"`+tt.want+`"`) || strings.Contains(got, "waoutbox") != strings.Contains(tt.want, "waoutbox") {
			t.Errorf("%s was told %s, want %q", tt.name, got, tt.want)
		}
	}
}

// Whoever is too fast is told how many seconds to wait.
func TestTooManyRequestsSayWhenToTryAgain(t *testing.T) {
	for _, c := range []struct {
		wait int
		want string
	}{{0, "60"}, {7, "7"}} {
		e := api.Retryf(api.CodeRateLimited, "too many")
		e.RetryAfterSeconds = c.wait
		h := NewServer(ServerOptions{Service: &recordingService{refuse: e}, Stop: func() {}, Log: discardLog()}).API()
		w := httptest.NewRecorder()
		req := httptest.NewRequest("POST", "/v1/messages/file?to=15550100123", strings.NewReader("x"))
		req.Header.Set("Content-Type", "image/jpeg")
		h.ServeHTTP(w, req)
		if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != c.want {
			t.Errorf("%v: %d, Retry-After %q, %s", c.wait, w.Code, w.Header().Get("Retry-After"), w.Body)
		}
	}
}

// A stop knows of the API's calls: it waits for what changes something, and cuts what reads.
//
// Mutation of server_api.go: a stop waits for a program that only reads.
// Mutation of operations.go: what a program changes is cut off by a stop.
func TestStopKnowsOfTheAPI(t *testing.T) {
	for name, c := range map[string]struct {
		method, target, body string
		status               int
	}{
		"changes": {http.MethodPost, "/v1/messages", `{"to":"1","text":"x"}`, http.StatusOK},
		"reads":   {http.MethodGet, "/v1/webhooks", "", http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				svc := &recordingService{block: true, enter: make(chan struct{}, 1), left: make(chan error, 1), release: make(chan struct{})}
				ln := memoryListener{conns: make(chan net.Conn), closed: make(chan struct{})}
				s := NewServer(ServerOptions{Service: svc, Stop: func() {}, Log: discardLog()})
				ctx, stop := context.WithCancel(t.Context())
				served := make(chan error, 1)
				go func() { served <- s.Serve(ctx, ln) }()
				w := httptest.NewRecorder()
				req := httptest.NewRequest(c.method, c.target, strings.NewReader(c.body))
				req.Header.Set("Content-Type", "application/json")
				responded := make(chan struct{})
				go func() { s.API().ServeHTTP(w, req); close(responded) }()
				<-svc.enter
				stop()
				<-time.After(mutationGrace / 2)
				if c.status == http.StatusOK {
					close(svc.release)
				}
				<-responded
				<-svc.left
				if err := <-served; err != nil || w.Code != c.status {
					t.Errorf("Serve %v, the caller got %d %s", err, w.Code, w.Body)
				}
				late := httptest.NewRecorder()
				s.API().ServeHTTP(late, httptest.NewRequest(http.MethodGet, "/v1/status", nil))
				if late.Code != http.StatusServiceUnavailable {
					t.Errorf("after the stop: %d %s", late.Code, late.Body)
				}
			})
		})
	}
}
