// Package wire is how the link reaches WhatsApp: directly or through a proxy, or another server on
// this machine instead. And it has a hand on the connections below a websocket: it ends one at
// once, without the closing handshake that a dead peer never completes, it holds back what comes
// during the handshake of the layer above until that layer is ready, and it hands out whole frames
// of WhatsApp's protocol only.
package wire

import (
	"context"
	"io"
	"net/http"
	"sync"
)

// Transport is a round tripper whose upgraded connections can be cut. Safe for concurrent use.
type Transport struct {
	next http.RoundTripper

	mu    sync.Mutex
	conns map[*conn]struct{}
}

// New returns a Transport that sends through next.
func New(next http.RoundTripper) *Transport {
	return &Transport{next: next, conns: make(map[*conn]struct{})}
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	h, _ := req.Context().Value(holdKey{}).(*hold)
	if h != nil {
		req = req.WithContext(h.dialling)
	}
	resp, err := t.next.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		return resp, err
	}
	body, ok := resp.Body.(io.ReadWriteCloser)
	if !ok {
		return resp, nil
	}
	c := &conn{below: body, from: t, hold: h, closed: make(chan struct{})}
	t.mu.Lock()
	t.conns[c] = struct{}{}
	t.mu.Unlock()
	if h != nil {
		h.dialled(c)
	}
	resp.Body = c
	return resp, nil
}

// Cut closes every upgraded connection. Their readers and writers fail at once, but for a reader
// that is held back, which fails when it is released.
func (t *Transport) Cut() {
	t.mu.Lock()
	conns := make([]*conn, 0, len(t.conns))
	for c := range t.conns {
		conns = append(conns, c)
	}
	t.mu.Unlock()
	for _, c := range conns {
		c.cut() //nolint:errcheck // the connection is being thrown away
	}
}

// CloseIdleConnections lets http.Client.CloseIdleConnections reach the transport below.
func (t *Transport) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

type holdKey struct{}

// hold is what a connection that was dialled with it waits for.
type hold struct {
	dialling context.Context
	once     sync.Once
	ended    chan struct{}

	mu   sync.Mutex
	conn *conn
	over bool // the wish for a connection
}

// Hold returns a context to dial with, whose end is that of ctx. The connection then hands out the
// server's first binary websocket message, which is its part of WhatsApp's handshake, and nothing
// after it, the end of the connection included, until release is called: whoever reads would tell
// of that end while the library still sets what is to be told. For the same reason ctx must not
// end before release; the end of wanted is what ends a dialling, and cuts the connection. release
// must be called once what was dialled for returned, and may be called more than once.
func Hold(ctx, wanted context.Context) (held context.Context, release func()) {
	dialling, cancel := context.WithCancel(context.WithoutCancel(ctx))
	h := &hold{dialling: dialling, ended: make(chan struct{})}
	stop := context.AfterFunc(wanted, func() {
		cancel()
		h.dialled(nil)
	})
	return context.WithValue(ctx, holdKey{}, h), func() {
		h.once.Do(func() {
			stop()
			cancel()
			close(h.ended)
		})
	}
}

// dialled is told of the connection, or by nil that none is wanted any more.
func (h *hold) dialled(c *conn) {
	h.mu.Lock()
	if c != nil {
		h.conn = c
	} else {
		h.over = true
	}
	c, over := h.conn, h.over
	h.mu.Unlock()
	if c != nil && over {
		c.cut() //nolint:errcheck // the connection is being thrown away
	}
}

// conn is one upgraded connection.
type conn struct {
	below io.ReadWriteCloser
	from  *Transport
	hold  *hold // nil once it was waited for

	align   aligner
	buf     [16 << 10]byte
	out     []byte // to be handed out
	greeted bool   // the server's part of the handshake was put there
	later   []byte // after the hold
	err     error  // after all of it

	closed chan struct{} // by the library
	close  sync.Once
	ended  sync.Once // below
}

func (c *conn) Write(p []byte) (int, error) { return c.below.Write(p) }

// Read is called by one goroutine at a time.
func (c *conn) Read(p []byte) (int, error) {
	if len(c.out) == 0 && c.greeted && c.hold != nil {
		c.wait()
		c.hold = nil
		c.out, c.later = c.later, nil
	}
	for len(c.out) == 0 && c.err == nil {
		n, err := c.below.Read(c.buf[:])
		c.out, c.err = c.align.feed(c.out[:0], c.buf[:n]), err
		if c.hold == nil {
			continue
		}
		if end := greeting(c.out); end > 0 {
			c.greeted = true
			c.out, c.later = c.out[:end], c.out[end:]
		}
	}
	n := copy(p, c.out)
	c.out = c.out[n:]
	if n > 0 {
		return n, nil
	}
	return 0, c.err
}

// greeting returns where the first binary message in what the aligner put out ends, 0 if there is
// none.
func greeting(out []byte) (end int) {
	for a := (aligner{in: out}); len(a.in) > 0; {
		header, size, ok := a.frame()
		if !ok || a.foreign {
			return 0
		}
		end += header + size
		if a.in[0]&opBits == opBinary {
			return end
		}
		a.in = a.in[header+size:]
	}
	return 0
}

// wait returns when the hold ends or the library, which has given up then, closes the connection.
func (c *conn) wait() {
	select {
	case <-c.hold.ended:
	case <-c.closed:
	}
}

// Close is called by the library: it wants no more of the connection.
func (c *conn) Close() error {
	c.close.Do(func() { close(c.closed) })
	return c.cut()
}

// cut closes the connection below.
func (c *conn) cut() error {
	err := error(nil)
	c.ended.Do(func() {
		c.from.mu.Lock()
		delete(c.from.conns, c)
		c.from.mu.Unlock()
		err = c.below.Close()
	})
	return err
}
