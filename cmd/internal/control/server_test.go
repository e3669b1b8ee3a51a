package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"waoutbox/cmd/internal/control/socket"
	"waoutbox/cmd/internal/logtest"
	"waoutbox/outbox/api"
)

// post is a caller that is not our Client.
func post(t *testing.T, r *running, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://x"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := r.client.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(raw)
}

func TestCallerGoneCancelsARead(t *testing.T) {
	svc := &recordingService{block: true, enter: make(chan struct{}, 1), left: make(chan error, 1)}
	r := startServer(t, svc)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-svc.enter; cancel() }()
	if _, err := r.client.DeadLetters(ctx, api.DeadLetterQuery{}); !errors.Is(err, context.Canceled) {
		t.Errorf("the caller got %v", err)
	}
	if err := <-svc.left; !errors.Is(err, context.Canceled) {
		t.Errorf("the call ended with %v", err)
	}
}

// A read that is under way when the daemon stops gets its grace, and is then told why it was cut.
func TestStopCutsReadsAfterTheGrace(t *testing.T) {
	t.Parallel()
	svc := &recordingService{block: true, enter: make(chan struct{}, 1), left: make(chan error, 1)}
	r := startServer(t, svc)
	go func() { <-svc.enter; r.stop() }()
	start := time.Now()
	_, err := r.client.DeadLetters(t.Context(), api.DeadLetterQuery{})
	if e, ok := errors.AsType[*api.Error](err); !ok || e.Code != api.CodeServiceUnavail || !e.Retryable || !strings.Contains(e.Message, "stopping") {
		t.Errorf("got %v", err)
	}
	if took := time.Since(start); took < stopGrace {
		t.Errorf("cut after %v, want a grace of %v", took, stopGrace)
	}
	<-r.done
}

// A pairing stream may last minutes: a stop does not wait for it.
func TestStopEndsStreamsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc := &recordingService{pairs: make(chan api.PairStep), left: make(chan error, 1), steps: []api.PairStep{{Step: api.StepQR, QR: "x"}}}
		c, stop, done := serveInMemory(t, svc)
		start := time.Now()
		err := c.Pair(t.Context(), api.PairRequest{}, func(api.PairStep) error { stop(); return nil })
		<-done
		if api.CodeOf(err) != api.CodeServiceUnavail {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took >= stopGrace {
			t.Errorf("took %v", took)
		}
	})
}

func TestStopRouteRespondsFirst(t *testing.T) {
	asked := make(chan struct{})
	var r *running
	r = startServerWith(t, t.TempDir(), ServerOptions{Service: &recordingService{}, Log: discardLog(), Stop: func() { close(asked); r.stop() }})
	if _, err := r.client.RequestStop(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-asked
	<-r.done
	if _, err := r.client.Daemon(t.Context()); api.CodeOf(err) != api.CodeServiceUnavail {
		t.Errorf("after the stop: %v", err)
	}
}

// What goes wrong inside reaches the caller as an id only, and the log under the same id.
func TestInternalFailuresShowAnIDOnly(t *testing.T) {
	const secret = "whsec_very_secret"
	for _, tc := range []struct {
		name  string
		svc   *recordingService
		inLog string
	}{
		{"plain error", &recordingService{err: fmt.Errorf("bucket missing")}, "bucket missing"},
		{"panic with a value", &recordingService{panic: secret}, "panic=string stack="},
		{"runtime panic", &recordingService{panic: runtimePanic()}, "index out of range"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			log := &logtest.Buffer{}
			r := startServerWith(t, t.TempDir(), ServerOptions{Service: tc.svc, Log: log.Logger()})
			for _, call := range []func() error{
				func() error { _, err := r.client.Send(t.Context(), api.Send{}); return err },
				func() error {
					return r.client.Pair(t.Context(), api.PairRequest{}, func(api.PairStep) error { return nil })
				},
			} {
				err := call()
				if api.CodeOf(err) != api.CodeInternal {
					t.Fatalf("got %v", err)
				}
				id := regexp.MustCompile(`incident ([0-9a-f]{8})`).FindStringSubmatch(err.Error())
				if id == nil || !strings.Contains(log.String(), "incident="+id[1]) {
					t.Errorf("%v has no line in the log:\n%s", err, log)
				}
				if strings.Contains(err.Error(), tc.inLog) || !strings.Contains(log.String(), tc.inLog) {
					t.Errorf("error %q, log\n%s", err, log)
				}
			}
			if strings.Contains(log.String(), secret) {
				t.Errorf("a secret is in the log:\n%s", log)
			}
			if _, err := r.client.Daemon(t.Context()); err != nil {
				t.Errorf("the server did not survive: %v", err)
			}
		})
	}
}

func runtimePanic() (p any) {
	defer func() { p = recover() }()
	var none []int
	return none[len(none)]
}

// Arguments hold secrets and phone numbers: no level logs them. A webhook may be named by its URL
// in the path, which stood in lines at debug level and of calls that failed.
//
// Mutation of server.go: the URL by which a call names a webhook stands in the debug log.
// Mutation of operations.go: the URL by which a call names a webhook stands in the line of its
// failure.
func TestArgumentsAreNotLogged(t *testing.T) {
	log := &logtest.Buffer{}
	svc := &recordingService{}
	r := startServerWith(t, t.TempDir(), ServerOptions{Service: svc, Log: log.Logger()})
	secret := "whsec_very_secret"
	if _, err := r.client.PutWebhook(t.Context(), api.PutWebhook{URL: "http://u:pw@h/?token=t0ken", Secret: &secret}); err != nil {
		t.Fatal(err)
	}
	const named = "https://h/p4th?token=t0ken"
	if _, err := r.client.Webhook(t.Context(), named); err != nil {
		t.Fatal(err)
	}
	svc.err = errors.New("broken") // no call runs
	if _, err := r.client.Webhook(t.Context(), named); api.CodeOf(err) != api.CodeInternal {
		t.Fatal(err)
	}
	r.stop()
	<-r.done
	for _, word := range []string{secret, "pw@", "t0ken", "p4th"} {
		if strings.Contains(log.String(), word) {
			t.Errorf("%q is in the log:\n%s", word, log)
		}
	}
	if !strings.Contains(log.String(), "/v1/webhooks") || !strings.Contains(log.String(), "caller=cli") {
		t.Errorf("the call is not in the debug log:\n%s", log)
	}
}

// Mutation of operations.go: the body of a call is read whatever its length.
// Mutation of operations.go: a form that a page sent is taken for JSON.
// Mutation of routing.go: the name of an operation is taken for an event's id.
func TestBadRequests(t *testing.T) {
	svc := &recordingService{}
	r := startServer(t, svc)
	huge := `{"text":"` + strings.Repeat("x", maxRequestBytes) + `"}`
	for _, tc := range []struct {
		name, method, path, body string
		status                   int
		want                     string
	}{
		{"too large", "POST", "/v1/messages", huge, 413, "larger than 1048576 bytes"},
		{"not JSON", "POST", "/v1/messages", "{", 400, `"field":"body"`},
		{"wrong type", "POST", "/v1/messages", `{"to":"1","text":{"secret":1}}`, 400, `text is an object: give a string","field":"text"`},
		{"wrong type, stream", "POST", "/v1/link/pair", `[]`, 400, "the body is a list"},
		{"missing", "POST", "/v1/messages", `{"text":"x"}`, 400, `"field":"to"`},
		{"unknown field", "POST", "/v1/messages", `{"to":"1","txt":"x"}`, 400, `Did you mean text? Known:`},
		{"unknown field inside", "POST", "/v1/messages", `{"to":"1","file":{"pth":"x"}}`, 400, `"field":"file.pth"`},
		{"a field of the path in the body", "POST", "/v1/webhooks/wh_1/resume", `{"webhook":"x"}`, 400, `"field":"webhook"`},
		{"unknown parameter", "GET", "/v1/events?limt=3", ``, 400, `Did you mean limit?`},
		{"wrong parameter", "GET", "/v1/events?limit=many", ``, 400, `limit is \"many\": give a whole number","field":"limit"`},
		{"parameter of a POST", "POST", "/v1/messages?to=1", ``, 400, `in the JSON of the body`},
		{"value of a closed set", "POST", "/v1/typing", `{"to":"1","state":"dancing"}`, 400, `give one of composing, recording, paused","field":"state"`},
		{"body of a GET", "GET", "/v1/status", `{}`, 400, `takes no body`},
		{"no such route", "POST", "/v1/teleport", `{}`, 404, "unknown_route"},
		{"newer routes", "POST", "/v2/status", `{}`, 404, "unknown_route"},
		{"wrong method", "POST", "/v1/status", ``, 405, "use GET or HEAD"},
		{"an operation's name is no id", "GET", "/v1/events/replay", ``, 405, "use POST"},
		{"unclean path", "POST", "/v1//status/../dead-letters/purge", `{"all":true}`, 404, "unknown_route"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status, body := post(t, r, tc.method, tc.path, tc.body)
			if status != tc.status || !strings.Contains(body, tc.want) {
				t.Errorf("%d %s", status, body)
			}
			if calls := svc.taken(); len(calls) != 0 {
				t.Errorf("the service was called: %+v", calls)
			}
		})
	}
	t.Run("what is no JSON", func(t *testing.T) {
		for kind, path := range map[string]string{"application/x-www-form-urlencoded": "/v1/messages", "": "/v1/messages", "multipart/form-data; boundary=x": "/v1/messages/file"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://x"+path, strings.NewReader(`{"to":"1"}`))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", kind)
			resp, err := r.client.http.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if raw, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 415 || !strings.Contains(string(raw), "Content-Type: application/") {
				t.Errorf("%q: %d %s %v", kind, resp.StatusCode, raw, err)
			}
			resp.Body.Close()
		}
	})
	t.Run("too large is refused before it is sent", func(t *testing.T) {
		_, err := r.client.Send(t.Context(), api.Send{Text: strings.Repeat("x", maxRequestBytes)})
		if api.CodeOf(err) != api.CodeInvalidArguments {
			t.Errorf("got %v", err)
		}
	})
}

// A connection of another user is closed before a byte of it is read, and the log says so; the next
// one is served.
//
// Mutation of server.go: another user may call.
func TestForeignPeersAreRefused(t *testing.T) {
	dir := t.TempDir()
	ln, err := socket.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	log := &logtest.Buffer{}
	foreign := 1
	g := peerListener{Listener: ln, log: log.Logger(), check: func(net.Conn) error {
		if foreign--; foreign >= 0 {
			return errors.New("user 1001 may not use the socket of user 1000")
		}
		return nil
	}}
	s := NewServer(ServerOptions{Service: &recordingService{}, Daemon: api.Daemon{Version: "0.1.0"}, Stop: func() {}, Log: log.Logger()})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Serve(ctx, g) }()
	c := NewClient(dir, Agent{})
	if _, err := c.Daemon(t.Context()); api.CodeOf(err) != api.CodeServiceUnavail {
		t.Errorf("a foreign peer got %v", err)
	}
	if _, err := c.Daemon(t.Context()); err != nil {
		t.Errorf("the next peer got %v", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "user 1001") {
		t.Errorf("log:\n%s", log)
	}
}

func TestServeTellsThatItsSocketFailed(t *testing.T) {
	ln, err := socket.Listen(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	s := NewServer(ServerOptions{Service: &recordingService{}, Stop: func() {}, Log: discardLog()})
	if err := s.Serve(t.Context(), ln); err == nil {
		t.Error("no error")
	}
}

// An operation that ignores the end of its context does not keep the process alive.
func TestStubbornCallDoesNotBlockTheStop(t *testing.T) {
	log := &logtest.Buffer{}
	synctest.Test(t, func(t *testing.T) {
		s := NewServer(ServerOptions{Service: &recordingService{}, Stop: func() {}, Log: log.Logger()})
		if !s.begin() {
			t.Fatal("closed from the start")
		}
		start := time.Now()
		s.awaitCalls()
		if took := time.Since(start); took != stopCutoff {
			t.Errorf("waited %v", took)
		}
		if s.begin() {
			t.Error("a call began after the end")
		}
		s.calls.Done()
	})
	if !strings.Contains(log.String(), "did not end") {
		t.Errorf("log: %s", log)
	}
}
