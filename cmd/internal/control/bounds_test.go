package control

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"waoutbox/cmd/internal/control/socket"
	"waoutbox/outbox/api"
)

// raw opens a connection to a server in memory that is nobody's client.
func raw(t *testing.T, c *Client) net.Conn {
	t.Helper()
	conn, err := c.http.Transport.(*http.Transport).DialContext(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(5 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// A header that does not come to its end costs its connection for a few seconds, and one without
// end is not read: both would hold a goroutine and memory for as long as their sender likes.
//
// Mutation of server.go: a header on the control socket is waited for without end.
// Mutation of server.go: a header on the control socket is read whatever its length.
// Mutation of server.go: an idle connection to the control socket is kept.
func TestHeadersAreBounded(t *testing.T) {
	for name, tc := range map[string]struct {
		send   string
		status string // "" for none
		within time.Duration
	}{
		"nothing":       {"", "", headerTimeout},
		"half a header": {"GET /v1/status HTTP/1.1\r\nHost: x\r\nX-Half: ", "", headerTimeout},
		"without end":   {"GET /v1/status HTTP/1.1\r\nHost: x\r\nX-Long: " + strings.Repeat("x", 2*maxHeaderBytes), "431", headerTimeout},
		"nothing more":  {"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n", "200", time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, stop, done := serveInMemory(t, &recordingService{})
				conn, began := raw(t, c), time.Now()
				// it fails where nothing more is read
				go func() { _, _ = io.WriteString(conn, tc.send) }()
				got, err := io.ReadAll(conn)
				if took := time.Since(began); err != nil || took > tc.within+time.Second {
					t.Errorf("the connection was open for %v, %v", took, err)
				}
				if status := statusOf(got); status != tc.status {
					t.Errorf("status %q, want %q", status, tc.status)
				}
				stop()
				<-done
			})
		})
	}
}

func statusOf(response []byte) string {
	_, rest, ok := strings.Cut(string(response), "HTTP/1.1 ")
	if !ok {
		return ""
	}
	return rest[:3]
}

// What programs send over another listener is waited for no longer than over the socket, whatever
// bounds that listener has.
//
// Mutation of operations.go: the body of a call is waited for without end.
func TestTheBodyOfAProgramIsWaitedForSoLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := memoryListener{conns: make(chan net.Conn), closed: make(chan struct{})}
		s := NewServer(ServerOptions{Service: &recordingService{}, Stop: func() {}, Log: discardLog()})
		web := &http.Server{Handler: s.API(), ReadHeaderTimeout: time.Second}
		done := make(chan struct{})
		go func() { defer close(done); _ = web.Serve(ln) }()
		here, there := net.Pipe()
		ln.conns <- there
		began := time.Now()
		if err := here.SetDeadline(began.Add(5 * time.Minute)); err != nil {
			t.Fatal(err)
		}
		go func() {
			_, _ = io.WriteString(here, "POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
		}()
		got, err := io.ReadAll(here)
		if took := time.Since(began); err != nil || took > bodyTimeout+2*restTimeout || statusOf(got) != "400" {
			t.Errorf("after %v: %v, %.100q", took, err, got)
		}
		here.Close()
		web.Close()
		<-done
	})
}

// More calls than may be open are refused with a reason, and what finds and ends the service is
// not.
//
// Mutation of server.go: programs open as many calls as they like.
// Mutation of server.go: too many calls keep the owner from ending the service.
func TestCallsAreBounded(t *testing.T) {
	svc := &recordingService{block: true, enter: make(chan struct{}, 9), left: make(chan error, 9)}
	dir := t.TempDir()
	ln, err := socket.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	serving, stop := context.WithCancel(t.Context())
	defer stop()
	s := NewServer(ServerOptions{Service: svc, Daemon: api.Daemon{PID: 4711}, Stop: stop, Log: discardLog()})
	s.most = 2
	done := make(chan error, 1)
	go func() { done <- s.Serve(serving, ln) }()
	c := NewClient(dir, Agent{})
	calling, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	ended := make(chan error, 2)
	for range 2 {
		go func() { _, err := c.Status(calling); ended <- err }()
		<-svc.enter
	}
	if _, err := c.Webhooks(t.Context()); api.CodeOf(err) != api.CodeServiceUnavail || !strings.Contains(fmt.Sprint(err), "2 calls are open already") {
		t.Errorf("a third call: %v", err)
	}
	if d, err := c.Daemon(t.Context()); err != nil || d.PID != 4711 {
		t.Errorf("who is there: %v", err)
	}
	if _, err := c.RequestStop(t.Context()); err != nil {
		t.Errorf("stop: %v", err)
		stop()
	}
	hangUp()
	<-ended
	<-ended
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// So many connections are taken at a time, and the next when one of them ends.
//
// Mutation of server.go: programs open connections until the service has no descriptors left for
// its deliveries.
func TestConnectionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, stop, done := serveInMemory(t, &recordingService{})
		first := raw(t, c)
		for range maxConnections - 1 {
			raw(t, c)
		}
		next := make(chan net.Conn)
		go func() {
			conn, _ := c.http.Transport.(*http.Transport).DialContext(t.Context(), "", "")
			next <- conn
		}()
		synctest.Wait()
		select {
		case <-next:
			t.Error("one more is taken")
		default:
			first.Close()
			(<-next).Close()
		}
		stop()
		<-done
	})
}

// What claims to be the service is read up to a bound.
//
// Mutation of client.go: a client reads any header of what claims to be the service.
// Mutation of client.go: a client reads any body of what claims to be the service.
func TestResponsesAreBounded(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	t.Run("header", func(t *testing.T) {
		c := clientOf(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Long", long) })
		if _, err := c.Metrics(t.Context()); err == nil || !strings.Contains(err.Error(), "lost") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("body", func(t *testing.T) {
		const most = 32 // MiB that it would send
		sent := make(chan int, 1)
		c := clientOf(t, func(w http.ResponseWriter, _ *http.Request) {
			n := 0
			for n < most {
				if _, err := io.WriteString(w, long); err != nil {
					break
				}
				n++
			}
			sent <- n
		})
		c.most = 1 << 20
		if _, err := c.Metrics(t.Context()); err == nil || !strings.Contains(err.Error(), "larger than") {
			t.Errorf("got %v", err)
		}
		if n := <-sent; n == most {
			t.Errorf("%d MiB were read", n)
		}
	})
}
