package http1

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// A status without a body whose endpoint names the length of one, and sends it later, costs its
// connection. The next request was told `malformed HTTP version "okHTTP/1.1"`, which cost its
// delivery an attempt.
//
// Mutation of exchange.go: a body that an endpoint must not send, and sends late, is taken for the
// next response.
func TestABodyThatMustNotBeIsNobodys(t *testing.T) {
	for _, head := range []string{
		"204 No Content\r\nContent-Length: 2", "304 Not Modified\r\nContent-Length: 2", "204 No Content\r\nTransfer-Encoding: chunked",
	} {
		e := listen(t, false, func(c net.Conn, _ int) {
			in := bufio.NewReader(c)
			for before := ""; ; before = "ok" {
				q, err := http.ReadRequest(in)
				if err != nil {
					return
				}
				_, _ = io.Copy(io.Discard, q.Body) // of a broken request the test says enough
				_, _ = fmt.Fprintf(c, "%sHTTP/1.1 %s\r\n\r\n", before, head)
			}
		})
		p := pool(t, e.dial)
		for range 3 {
			if _, _, err := post(t.Context(), p, "x"); err != nil {
				t.Errorf("%q: %v", head, err)
			}
		}
		if n := e.opened.Load(); n != 3 {
			t.Errorf("%q: %d connections for three requests", head, n)
		}
	}
}

// A response after a failure is nobody's: it reaches the endpoint's side of the connection while
// the next request is on its way, when nothing tells it from that one. Of 400 events that
// were all answered 500, 76 counted as delivered.
//
// Mutation of exchange.go: a response after a failure is taken for the next request's.
func TestAResponseAfterAFailureIsNobodys(t *testing.T) {
	for _, failure := range []string{"301 Moved Permanently", "304 Not Modified", "400 Bad Request", "410 Gone", "429 Too Many Requests", "500 Oops", "599 None"} {
		for _, secure := range []bool{false, true} {
			e := listen(t, secure, func(c net.Conn, _ int) {
				in := bufio.NewReader(c)
				for before := ""; ; before = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray" {
					q, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, q.Body) // of a broken request the test says enough
					// The stray one leaves when the next request has arrived: nobody can have seen
					// it before that was sent.
					_, _ = fmt.Fprintf(c, "%sHTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n", before, failure)
				}
			})
			p := pool(t, e.dial)
			for range 3 {
				if status, text, err := post(t.Context(), p, "x"); err != nil || status == http.StatusOK {
					t.Errorf("%s, TLS %v: status %d, %q, %v", failure, secure, status, text, err)
				}
			}
			if n := e.opened.Load(); n != 3 {
				t.Errorf("%s, TLS %v: %d connections for three requests", failure, secure, n)
			}
		}
	}
}

// A connection is kept no longer than its endpoint says that it does: a request that meets the
// close costs its delivery an attempt. It was kept for IdleTimeout whatever was said: 1 connection.
//
// Mutation of conn.go: a request meets the close of its connection, which the endpoint had
// announced.
func TestAConnectionIsKeptNoLongerThanItsEndpointSays(t *testing.T) {
	for _, c := range []struct {
		says   string
		passes time.Duration
		opened int32
	}{
		{"timeout=0", 0, 2}, {"timeout=1", 0, 1}, {"timeout=1", 600 * time.Millisecond, 2}, {"max=100, timeout=3", 2100 * time.Millisecond, 2},
		{"timeout=3, max=100", 1500 * time.Millisecond, 1}, {"timeout=100", 30 * time.Second, 1}, {"Timeout = 2", 1500 * time.Millisecond, 2},
		{"timeout=-1", 0, 1}, {"timeout=99999999999999999999", 0, 1}, {"=,=;", 0, 1},
	} {
		e := listen(t, false, func(conn net.Conn, _ int) {
			in := bufio.NewReader(conn)
			for {
				q, err := http.ReadRequest(in)
				if err != nil {
					return
				}
				_, _ = io.Copy(io.Discard, q.Body) // of a broken request the test says enough
				_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nKeep-Alive: %s\r\n\r\n", c.says)
			}
		})
		p := pool(t, e.dial)
		for range 2 {
			if _, _, err := post(t.Context(), p, "x"); err != nil {
				t.Errorf("%q: %v", c.says, err)
			}
			for _, kept := range p.idle { // so much time passes
				kept.since = kept.since.Add(-c.passes)
			}
		}
		if n := e.opened.Load(); n != c.opened {
			t.Errorf("%q, %v later: %d connections for two requests, want %d", c.says, c.passes, n, c.opened)
		}
	}
}
