package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"waoutbox/cmd/internal/control/socket"
	"waoutbox/outbox/api"
	"waoutbox/store"
)

// clientOf returns a client of a state whose socket is served by fn: a daemon of another build, or
// something else altogether.
func clientOf(t *testing.T, fn http.HandlerFunc) *Client {
	t.Helper()
	dir := t.TempDir()
	ln, err := socket.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: fn}
	done := make(chan struct{})
	go func() { _ = srv.Serve(ln); close(done) }()
	t.Cleanup(func() { srv.Close(); <-done })
	return NewClient(dir, Agent{Name: "claude", Version: "9.9", Build: "0.2.0"})
}

func TestNotRunning(t *testing.T) {
	dir := t.TempDir()
	c := NewClient(dir, Agent{})
	for name, err := range map[string]error{
		"call": func() error { _, err := c.Status(t.Context()); return err }(),
		"pair": c.Pair(t.Context(), api.PairRequest{}, func(api.PairStep) error { return nil }),
		"stop": func() error { _, err := c.RequestStop(t.Context()); return err }(),
	} {
		e, ok := errors.AsType[*api.Error](err)
		if !ok || e.Code != api.CodeServiceUnavail || e.Retryable || !strings.Contains(e.Message, "not running") || !strings.HasSuffix(e.Message, " start") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, _ := os.ReadDir(dir); len(got) != 0 {
		t.Errorf("looking left %v", got)
	}
	if _, err := NewClient(filepath.Join(dir, "nowhere"), Agent{}).Status(t.Context()); !strings.Contains(err.Error(), "not running") {
		t.Errorf("no directory: %v", err)
	}
}

func TestLockHeldWithoutASocket(t *testing.T) {
	dir := t.TempDir()
	holdLock(t, dir)
	_, err := NewClient(dir, Agent{}).Status(t.Context())
	want := fmt.Sprintf("waoutbox (pid %d, version 0.1.0) owns %s but does not answer at ", os.Getpid(), dir)
	e, ok := errors.AsType[*api.Error](err)
	if !ok || e.Code != api.CodeServiceUnavail || !e.Retryable || !strings.HasPrefix(e.Message, want) {
		t.Errorf("got %v, want %s", err, want)
	}
	for o, want := range map[store.Owner]string{{}: "another process", {PID: 7}: "waoutbox (pid 7)", {PID: 7, Version: "1"}: "waoutbox (pid 7, version 1)"} {
		if got := ownerName(o); got != want {
			t.Errorf("%+v is named %q", o, got)
		}
	}
}

// holdLock makes this process the owner of a state, until the test ends.
func holdLock(t *testing.T, dir string) {
	t.Helper()
	st, err := store.OpenState(t.Context(), dir, store.Options{Version: "0.1.0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
}

func TestUnknownRouteNamesBothVersions(t *testing.T) {
	old := NewServer(ServerOptions{Service: &recordingService{}, Daemon: api.Daemon{Version: "0.1.0"}, Stop: func() {}, Log: discardLog()})
	c := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = "/v1/not-yet-invented"
		old.serveHTTP(w, r)
	})
	_, err := c.Status(t.Context())
	if api.CodeOf(err) != api.CodeServiceUnavail || !strings.Contains(err.Error(), "0.1.0") || !strings.Contains(err.Error(), "0.2.0") || !strings.Contains(err.Error(), " stop && waoutbox") {
		t.Errorf("got %v", err)
	}
}

func TestNewerDaemonsFieldsAreIgnored(t *testing.T) {
	c := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"pid":7,"version":"9.0.0","mood":"good"}`)
	})
	if d, err := c.Daemon(t.Context()); err != nil || d.PID != 7 {
		t.Errorf("%+v, %v", d, err)
	}
}

func TestStrangeResponses(t *testing.T) {
	for _, tc := range []struct {
		name string
		fn   http.HandlerFunc
		code api.Code
		want string
	}{
		{"no JSON", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }, api.CodeInternal, "cannot be read"},
		{"failure without a reason", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, api.CodeInternal, "500"},
		{"redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/v1/daemon", http.StatusFound) }, api.CodeInternal, "302"},
		{"cut off", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, api.CodeServiceUnavail, "lost"},
		{"cut off in the middle", func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, `{"step":"qr"}`+"\n")
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, api.CodeServiceUnavail, "lost"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := clientOf(t, tc.fn)
			_, err := c.Status(t.Context())
			if api.CodeOf(err) != tc.code || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("call: %v", err)
			}
			err = c.Pair(t.Context(), api.PairRequest{}, func(api.PairStep) error { return nil })
			if api.CodeOf(err) != tc.code || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("pair: %v", err)
			}
		})
	}
}

// A stream that ends without its last line was cut off, however tidily the connection was closed.
func TestPairWithoutAnEnd(t *testing.T) {
	c := clientOf(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"step":"qr"}`+"\n") })
	if err := c.Pair(t.Context(), api.PairRequest{}, func(api.PairStep) error { return nil }); api.CodeOf(err) != api.CodeServiceUnavail {
		t.Errorf("got %v", err)
	}
}

// A daemon that takes the connection and never responds does not hold the caller longer than the
// caller allows, nor Daemon longer than its limit.
func TestUnresponsiveDaemon(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ln, err := socket.Listen(dir) // the kernel accepts on its behalf
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c := NewClient(dir, Agent{})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Status(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("call: %v", err)
	}
	if _, err := c.DaemonWithin(t.Context(), 20*time.Millisecond); api.CodeOf(err) != api.CodeServiceUnavail || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("with a limit: %v", err)
	}
	// Every command asks this first, with no limit of its own.
	began := time.Now()
	if _, err := c.Daemon(t.Context()); api.CodeOf(err) != api.CodeServiceUnavail || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("who is there: %v", err)
	}
	if took := time.Since(began); took > 20*daemonTimeout {
		t.Errorf("an unresponsive daemon held a command for %v", took)
	}
}

func TestAgentNamesAreCleaned(t *testing.T) {
	for name, want := range map[string]string{
		"claude-code":            "claude-code",
		"Ünïcode 客户端":            "Ünïcode 客户端",
		"a\r\nX-Evil: 1":         "aX-Evil: 1",
		"50% & more":             "50% & more",
		strings.Repeat("é", 100): strings.Repeat("é", maxAgentBytes/2),
		"bad\xffbytes":           "badbytes",
	} {
		h := http.Header{}
		Agent{Name: name, Version: "1"}.writeTo(h)
		if got := agentOf(h); got.Name != want || got.Version != "1" {
			t.Errorf("%q arrived as %+v", name, got)
		}
	}
	if got := agentOf(http.Header{headerAgentName: {"%zz"}}); got != (Agent{Kind: api.CallerHTTP}) {
		t.Errorf("got %+v", got)
	}
	if _, ok := AgentFrom(t.Context()); ok {
		t.Error("an agent out of nowhere")
	}
}

// A name as long as a header may be costs no more than one that fits: a caller cannot keep the
// processor busy with it.
func TestALongAgentNameCostsLittle(t *testing.T) {
	h := http.Header{headerAgentName: {strings.Repeat("x", 30_000)}}
	if n := testing.AllocsPerRun(1, func() { agentOf(h) }); n > 50 {
		t.Errorf("%.0f allocations for one name", n)
	}
}
