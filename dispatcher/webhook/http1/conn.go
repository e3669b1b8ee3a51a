package http1

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// past is a deadline that ends every read and write at once.
var past = time.Unix(1, 0)

// conn is one connection. One exchange at a time has it, or the Pool.
type conn struct {
	pool  *Pool
	net   net.Conn
	in    *bufio.Reader // of source
	probe *probe        // nil when the connection cannot be asked what has arrived
	used  bool
	since time.Time     // kept since
	keep  time.Duration // how long it may be

	left    int   // what may still be read for this response
	lines   int   // how many lines of a header may still be
	tooLong error // what to say when it is more
	failed  error // of the last read of this response

	interrupt func()        // ends what the exchange reads or writes
	request   *http.Request // tells net/http how to read a response
}

func newConn(p *Pool, raw net.Conn) *conn {
	c := &conn{pool: p, net: raw, probe: newProbe(raw), request: &http.Request{Method: http.MethodPost}}
	c.in = bufio.NewReader(source{c})
	c.interrupt = func() { _ = raw.SetDeadline(past) } // a closed connection needs none
	return c
}

// ready sets the deadline and reports whether a kept connection may be used: it is not too old, the
// other side has not closed it, and nothing has arrived on it that nobody asked for.
func (c *conn) ready(limit time.Time) bool {
	if time.Since(c.since) >= c.keep || c.probe == nil {
		return false
	}
	if t, ok := c.net.(*tls.Conn); ok && !emptyTLS(t) {
		return false
	}
	return c.net.SetDeadline(limit) == nil && c.probe.quiet()
}

// keptFor returns how long a connection may be kept unused: no longer than the endpoint says
// that it does (Keep-Alive: timeout=5), less the time that a request needs to arrive.
func keptFor(header []string, most time.Duration) time.Duration {
	for _, line := range header {
		for field := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(field, "=")
			seconds, err := strconv.ParseUint(strings.TrimSpace(value), 10, 16)
			if err == nil && strings.EqualFold(strings.TrimSpace(name), "timeout") {
				says := time.Duration(seconds) * time.Second
				most = min(most, says-min(time.Second, says/2))
			}
		}
	}
	return most
}

// encrypted says that what Write reports tells nothing of what has left.
func (c *conn) encrypted() bool {
	_, ok := c.net.(*tls.Conn)
	return ok
}

// emptyTLS reports whether a TLS connection holds no record that was read and not asked for: of
// those it reads ahead the socket tells nothing.
func emptyTLS(t *tls.Conn) bool {
	if t.SetReadDeadline(past) != nil {
		return false
	}
	var b [1]byte
	n, err := t.Read(b[:])
	timeout, ok := errors.AsType[net.Error](err)
	return n == 0 && ok && timeout.Timeout()
}

// source is what a conn's buffer reads: the connection, up to what is left.
type source struct{ *conn }

func (s source) Read(b []byte) (int, error) {
	if s.left <= 0 || s.lines <= 0 {
		s.failed = s.tooLong
		return 0, s.failed
	}
	n, err := s.net.Read(b[:min(len(b), s.left)])
	s.left, s.lines = s.left-n, s.lines-bytes.Count(b[:n], []byte{'\n'})
	s.failed = err
	return n, err
}

// probe asks a socket whether anything has arrived, without waiting.
type probe struct {
	raw   syscall.RawConn
	ask   func(fd uintptr) bool // made once, so that asking costs no memory
	empty bool
}

// newProbe returns nil for a connection that has no socket of its own.
func newProbe(c net.Conn) *probe {
	for {
		if s, ok := c.(syscall.Conn); ok {
			raw, err := s.SyscallConn()
			if err != nil {
				return nil
			}
			p := &probe{raw: raw}
			p.ask = func(fd uintptr) bool {
				p.empty = nothingArrived(fd)
				return true
			}
			return p
		}
		below, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return nil
		}
		c = below.NetConn()
	}
}

// quiet reports that nothing has arrived and the other side has not closed.
func (p *probe) quiet() bool {
	p.empty = false
	return p.raw.Read(p.ask) == nil && p.empty
}
