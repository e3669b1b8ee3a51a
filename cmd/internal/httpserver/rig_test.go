package httpserver

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// rig is a listener that runs.
type rig struct {
	t     *testing.T
	s     *Server
	url   string
	token string
	stop  func()
	done  chan struct{}
}

// start runs a Server on a free port of loopback. change may change anything before it does.
func start(t *testing.T, settings Settings, o Options, change ...func(*Server)) *rig {
	t.Helper()
	if settings.Address == "" {
		settings.Address = "127.0.0.1:0"
	}
	settings.Log = slog.New(slog.DiscardHandler)
	l, err := Listen(settings)
	if err != nil {
		t.Fatal(err)
	}
	o.Listener, o.Token = l, TokenIn(t.TempDir())
	if o.Log == nil {
		o.Log = settings.Log
	}
	if o.Ready == nil {
		o.Ready = func() string { return "" }
	}
	if _, err := o.Token.Make(); err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, s: New(o), url: l.URL(), done: make(chan struct{})}
	for _, c := range change {
		c(r.s)
	}
	r.token = r.readToken()
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	go func() {
		defer close(r.done)
		if err := r.s.Run(ctx); err != nil {
			t.Errorf("run: %v", err)
		}
	}()
	t.Cleanup(func() { stop(); <-r.done })
	return r
}

func (r *rig) readToken() string {
	r.t.Helper()
	raw, err := os.ReadFile(r.s.o.Token.Path())
	if err != nil {
		r.t.Fatal(err)
	}
	return strings.TrimSpace(string(raw))
}

// answer is the head of a response whose body was read.
type answer struct {
	StatusCode int
	Header     http.Header
}

// get sends one request on a connection of its own, and returns its status, header and body.
func (r *rig) get(method, path string, change func(*http.Request)) (answer, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	if change != nil {
		change(req)
	}
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	resp, err := c.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header}, string(body)
}

func withToken(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

// dial opens a connection and writes text; the test reads what comes.
func (r *rig) dial(text string) (net.Conn, *bufio.Reader) {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.s.o.Listener.Addr().String())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		r.t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		r.t.Fatal(err)
	}
	return conn, bufio.NewReader(conn)
}

// await returns what comes, and fails the test when nothing does.
func await[T any](t *testing.T, from <-chan T) (got T) {
	t.Helper()
	select {
	case got = <-from:
	case <-time.After(30 * time.Second):
		t.Fatal("nothing came for 30 s")
	}
	return got
}

// say is a handler that says something.
func say(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
}

// held is a handler whose responses begin and go on until their contexts end.
type held struct{ begun, ended chan error }

func newHeld() held { return held{make(chan error, 16), make(chan error, 16)} }

func (h held) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush()
	h.begun <- nil
	<-r.Context().Done()
	h.ended <- context.Cause(r.Context())
}
