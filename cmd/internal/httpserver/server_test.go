package httpserver

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"waoutbox/cmd/internal/logtest"
)

// A stop with an open stream is clean: the stream's context ends, and Run returns within its bound.
func TestStopWithOpenStreams(t *testing.T) {
	t.Parallel()
	h := newHeld()
	r := start(t, Settings{}, Options{MCP: h}, func(s *Server) { s.limit.grace, s.limit.cutoff = 10*time.Millisecond, time.Minute })
	for range 3 {
		r.dial("GET /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + r.token + "\r\n\r\n")
		<-h.begun
	}
	r.stop()
	<-r.done
	if len(h.ended) != 3 {
		t.Errorf("%d of 3 streams ended before the listener did", len(h.ended))
	}
}

// A request under way when a stop begins gets its response.
func TestStopFinishesRequests(t *testing.T) {
	t.Parallel()
	begun, finish := make(chan bool), make(chan bool)
	closed := make(chan bool)
	r := start(t, Settings{}, Options{
		API: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			begun <- true
			<-finish
			_, _ = io.WriteString(w, "done")
		}),
		CloseStreams: func() { close(closed) },
	}, func(s *Server) { s.limit.grace = time.Minute })
	_, in := r.dial("GET /v1/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + r.token + "\r\n\r\n")
	<-begun
	r.stop()
	<-closed // the streams are told at once
	close(finish)
	if all, err := io.ReadAll(in); err != nil || !strings.HasSuffix(string(all), "done") {
		t.Errorf("%q, %v", all, err)
	}
	<-r.done
}

// What ignores the end of its context does not hold the stop.
func TestStopLeavesTheDeafBehind(t *testing.T) {
	t.Parallel()
	begun, finish := make(chan bool), make(chan bool)
	r := start(t, Settings{}, Options{API: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		begun <- true
		<-finish
	})}, func(s *Server) { s.limit.grace, s.limit.cutoff = time.Millisecond, time.Millisecond })
	r.dial("GET /v1/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + r.token + "\r\n\r\n")
	<-begun
	r.stop()
	<-r.done
	close(finish)
}

// Without the token nobody keeps a connection, or a few hundred of them would keep everybody else
// out for as long as they ask after the service's health now and then.
func TestNobodyKeepsAConnectionWithoutTheToken(t *testing.T) {
	t.Parallel()
	r := start(t, Settings{}, Options{})
	for _, path := range []string{"/healthz", "/readyz", "/.well-known/x", "/mcp"} {
		_, in := r.dial(strings.Repeat("GET "+path+" HTTP/1.1\r\nHost: localhost\r\n\r\n", 2))
		all, err := io.ReadAll(in)
		if n := strings.Count(string(all), "HTTP/1.1 "); n != 1 {
			t.Errorf("%s: %d responses on one connection, %v", path, n, err)
		}
	}
}

// More connections than may be wait for one to end: of many that are there at the same time, so
// many are served at once and the others one after another.
//
// Mutation of listen.go: the HTTP listener takes any number of connections.
func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	const most, clients = 2, 10
	begun, release := make(chan struct{}, clients), make(chan struct{})
	var now, peak atomic.Int32
	r := start(t, Settings{}, Options{MCP: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.RawQuery == "quick" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		for at := now.Add(1); ; {
			if old := peak.Load(); at <= old || peak.CompareAndSwap(old, at) {
				break
			}
		}
		begun <- struct{}{}
		<-release
		now.Add(-1)
	})}, func(s *Server) { s.o.Listener.most = most })
	header := " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + r.token + "\r\n"
	quick, in := r.dial("")
	trip := func() {
		if _, err := io.WriteString(quick, "GET /mcp?quick"+header+"\r\n"); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(in, nil)
		if err != nil || resp.StatusCode != http.StatusNoContent {
			t.Fatal(resp, err)
		}
		_ = resp.Body.Close()
	}
	trip() // it has the first place, and keeps it
	for range clients {
		r.dial("GET /mcp" + header + "Connection: close\r\n\r\n")
	}
	<-begun
	for range 200 { // the server has had time for the others as often
		trip()
	}
	if n := peak.Load(); n != most-1 {
		t.Errorf("%d connections are served besides the first, want %d", n, most-1)
	}
	quick.Close()
	<-begun
	for range clients - most {
		release <- struct{}{}
		<-begun
	}
	for range most {
		release <- struct{}{}
	}
	if n := peak.Load(); n != most {
		t.Errorf("%d connections were served at once, want %d", n, most)
	}
}

// A client that goes away ends its request, and nobody else's.
func TestClientsEndTheirOwnRequests(t *testing.T) {
	t.Parallel()
	h := newHeld()
	r := start(t, Settings{}, Options{MCP: h})
	stream := "GET /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + r.token + "\r\n\r\n"
	first, _ := r.dial(stream)
	<-h.begun
	_, in := r.dial(stream)
	<-h.begun
	first.Close()
	<-h.ended
	if len(h.ended) > 0 {
		t.Error("the other request ended too")
	}
	if line, err := in.ReadString('\n'); err != nil || !strings.Contains(line, "200") {
		t.Errorf("%q, %v", line, err)
	}
}

// A listener that fails is an alarm, and is taken again; Run goes on.
func TestListenerIsTakenAgain(t *testing.T) {
	t.Parallel()
	log := &messages{said: make(chan string, 100)}
	var taken net.Listener
	r := start(t, Settings{}, Options{API: say("api"), Log: slog.New(log)}, func(s *Server) {
		s.limit.retry = time.Millisecond
		l := s.o.Listener
		if err := l.ln.Close(); err != nil {
			t.Fatal(err)
		}
		l.ln = broken{}
		var err error
		if taken, err = net.Listen("tcp", l.at.String()); err != nil {
			t.Fatal(err)
		}
	})
	log.await("the HTTP listener failed; deliveries go on, and it is tried again")
	if got := r.s.Alarms(); len(got) != 1 || got[0].Code != "http_listener_down" || !strings.Contains(got[0].Message, r.url) {
		t.Errorf("alarms %v", got)
	}
	taken.Close()
	log.await("the HTTP listener works again")
	if got := r.s.Alarms(); len(got) != 0 {
		t.Errorf("alarms afterwards: %v", got)
	}
	if resp, _ := r.get("GET", "/v1/x", withToken(r.token)); resp.StatusCode != 200 {
		t.Errorf("afterwards: %d", resp.StatusCode)
	}
}

// broken is a listener that accepts nothing.
type broken struct{ net.Listener }

func (broken) Accept() (net.Conn, error) { return nil, errors.New("broken") }
func (broken) Close() error              { return nil }

// messages passes what is logged on.
type messages struct{ said chan string }

func (m *messages) Enabled(_ context.Context, level slog.Level) bool { return level > slog.LevelDebug }
func (m *messages) WithAttrs([]slog.Attr) slog.Handler               { return m }
func (m *messages) WithGroup(string) slog.Handler                    { return m }
func (m *messages) Handle(_ context.Context, r slog.Record) error {
	m.said <- r.Message
	return nil
}

func (m *messages) await(message string) {
	for said := ""; said != message; said = <-m.said { // or until the test's time is over
	}
}

// A request whose header is larger than anybody needs is refused before all of it is read, with the
// token and without, and its connection ends; one just below the cap is served.
//
// Mutation of server.go: a header of any length is read into memory.
func TestHeadersAreCapped(t *testing.T) {
	t.Parallel()
	var served atomic.Int32
	r := start(t, Settings{}, Options{API: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served.Add(1) })})
	token := "Authorization: Bearer " + r.token + "\r\n"
	large := strings.Repeat("x", maxHeaderBytes+8<<10)
	responses := map[string]*bufio.Reader{} // all at once: each takes a moment to end
	for name, raw := range map[string]string{
		"one large header":      "GET /v1/x HTTP/1.1\r\nHost: localhost\r\n" + token + "X-Large: " + large + "\r\n\r\n",
		"many headers":          "GET /v1/x HTTP/1.1\r\nHost: localhost\r\n" + token + strings.Repeat("X-Many: of them\r\n", len(large)/16) + "\r\n",
		"a long target":         "GET /v1/x?q=" + large + " HTTP/1.1\r\nHost: localhost\r\n" + token + "\r\n",
		"without the token":     "GET /v1/x HTTP/1.1\r\nHost: localhost\r\nX-Large: " + large + "\r\n\r\n",
		"a header without end":  "GET /v1/x HTTP/1.1\r\nHost: localhost\r\n" + token + "X-Large: " + large,
		"a request without end": large,
	} {
		_, responses[name] = r.dial(raw)
	}
	for name, in := range responses {
		if all, err := io.ReadAll(in); !strings.HasPrefix(string(all), "HTTP/1.1 431 ") {
			t.Errorf("%s: %.80q, %v", name, all, err)
		}
	}
	if n := served.Load(); n != 0 {
		t.Errorf("%d of them were served", n)
	}
	_, in := r.dial("GET /v1/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + token + "X-Large: " + strings.Repeat("x", maxHeaderBytes-1<<10) + "\r\n\r\n")
	if all, err := io.ReadAll(in); !strings.HasPrefix(string(all), "HTTP/1.1 200 ") || served.Load() != 1 {
		t.Errorf("just below the cap: %.80q, %v", all, err)
	}
}

// A request that panics ends its own connection, and is told of: whoever serves it.
//
// Mutation of body.go: a panic over HTTP is told of nowhere.
func TestAPanicStaysInItsRequest(t *testing.T) {
	t.Parallel()
	log := &logtest.Buffer{}
	r := start(t, Settings{}, Options{API: say("api"), Log: log.Logger(), Page: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half a page")
		panic("a fault of ours")
	})})
	_, in := r.dial("GET /page/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if all, err := io.ReadAll(in); strings.Contains(string(all), "half a page") || err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("%q, %v", all, err)
	}
	_, in = r.dial("GET /v1/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer " + r.token + "\r\n\r\n")
	if all, err := io.ReadAll(in); !strings.Contains(string(all), "200 OK") {
		t.Errorf("the next request: %q, %v", all, err)
	}
	if !strings.Contains(log.String(), "a request over HTTP panicked") || !strings.Contains(log.String(), `panic=string`) {
		t.Errorf("the log has %s", log.String())
	}
}
