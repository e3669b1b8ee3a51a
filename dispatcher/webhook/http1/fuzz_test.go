package http1

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// FuzzExchange: whatever an endpoint writes, in whatever pieces, the exchange ends; it reads no
// more than it may; and a connection that it does not keep is closed.
func FuzzExchange(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 500 No\r\n\r\n", "HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", "\x15\x03\x01\x00\x02\x02\x28",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nKeep-Alive: timeout=99999, x\r\nContent-Length: 0\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\nx", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", "",
	} {
		f.Add([]byte(seed), uint8(7))
	}
	f.Fuzz(func(t *testing.T, response []byte, piece uint8) {
		const most = 4 << 10
		served := make(chan struct{})
		closed := make(chan struct{})
		p := New(Options{MaxIdle: 2, IdleTimeout: time.Minute, MaxHeader: most, MaxBody: most, Dial: func(context.Context) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() {
				defer close(served)
				defer theirs.Close()
				if _, err := http.ReadRequest(bufio.NewReader(theirs)); err != nil {
					return
				}
				for rest := response; len(rest) > 0; {
					n := min(len(rest), int(piece)+1)
					if _, err := theirs.Write(rest[:n]); err != nil {
						return // nobody reads on
					}
					rest = rest[n:]
				}
			}()
			return &noted{ours, closed}, nil
		}})
		defer p.Close()
		x, err := p.Do(t.Context(), time.Now().Add(patience), []byte("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"), nil)
		if err == nil {
			if x.Status < 100 && x.Status >= 0 || x.Status > 999 {
				t.Logf("status %d", x.Status) // net/http takes any number of three digits
			}
			if x.Body != nil {
				n, err := io.Copy(io.Discard, x.Body)
				if n > 2*most+framing || errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%d bytes are read, %v", n, err)
				}
			}
			x.Close()
			x.Close()
		}
		p.Close()
		<-served
		<-closed
	})
}

// noted tells of its first close.
type noted struct {
	net.Conn
	closed chan struct{}
}

func (c *noted) Close() error {
	select {
	case <-c.closed:
	default:
		close(c.closed)
	}
	return c.Conn.Close()
}
