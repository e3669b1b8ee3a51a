//go:build !windows

package http1

import (
	"context"
	"io"
	"net"
	"syscall"
	"testing"
)

// waitReadable waits until something has arrived on c, and takes nothing of it.
func waitReadable(t *testing.T, c net.Conn) {
	t.Helper()
	if below, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = below.NetConn()
	}
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Read(func(fd uintptr) bool {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK)
		return err != syscall.EAGAIN
	}); err != nil {
		t.Fatal(err)
	}
}

// The stray response has arrived for certain when the next request is made: none is taken, and the
// request goes out on another connection.
//
// Mutation of conn.go: a response that was there before its request counts for it, and an event
// that never arrived is taken for delivered.
func TestAStrayResponseThatHasArrivedCostsItsConnection(t *testing.T) {
	for _, secure := range []bool{false, true} {
		finished := make(chan struct{})
		e := listen(t, secure, echoes(func(c net.Conn, n, _ int) {
			if n == 1 {
				<-finished
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray")
			}
		}))
		var first net.Conn
		p := pool(t, func(ctx context.Context) (net.Conn, error) {
			c, err := e.dial(ctx)
			if first == nil {
				first = c
			}
			return c, err
		})
		if _, got, err := post(t.Context(), p, "one"); got != "one" || err != nil {
			t.Fatalf("%q, %v", got, err)
		}
		close(finished)
		waitReadable(t, first)
		for _, want := range []string{"two", "three"} {
			if _, got, err := post(t.Context(), p, want); got != want || err != nil {
				t.Errorf("TLS %v: %q, %v; want %q", secure, got, err, want)
			}
		}
		if n := e.opened.Load(); n != 2 {
			t.Errorf("TLS %v: %d connections, want 2", secure, n)
		}
	}
}
