// Package wire is how the link reaches WhatsApp: directly or through a proxy, or another server on
// this machine instead. And it has a hand on the connections below a websocket: it ends one at
// once, without the closing handshake that a dead peer never completes, it holds back what a server
// sends right after the handshake of the layer above until that layer is ready, and it hands out
// whole frames of WhatsApp's protocol only.
package wire

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"
)

// holdLimit bounds how long data is held back.
const holdLimit = 10 * time.Second

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
	resp, err := t.next.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		return resp, err
	}
	body, ok := resp.Body.(io.ReadWriteCloser)
	if !ok {
		return resp, nil
	}
	c := &conn{ReadWriteCloser: body, from: t, closed: make(chan struct{})}
	c.hold, _ = req.Context().Value(holdKey{}).(*hold)
	t.mu.Lock()
	t.conns[c] = struct{}{}
	t.mu.Unlock()
	resp.Body = c
	return resp, nil
}

// Cut closes every upgraded connection. Their readers and writers fail at once.
func (t *Transport) Cut() {
	t.mu.Lock()
	conns := make([]*conn, 0, len(t.conns))
	for c := range t.conns {
		conns = append(conns, c)
	}
	t.mu.Unlock()
	for _, c := range conns {
		c.Close() //nolint:errcheck // the connection is being thrown away
	}
}

// CloseIdleConnections lets http.Client.CloseIdleConnections reach the transport below.
func (t *Transport) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

type holdKey struct{}

// hold is what an upgraded connection that was dialled with it waits for.
type hold struct {
	once  sync.Once
	ended chan struct{}
}

// Hold returns a context to dial with. The connection then hands out nothing that arrives after its
// second binary websocket message was sent, which is the end of WhatsApp's handshake, until release
// is called, for at most 10 s. release may be called more than once.
func Hold(ctx context.Context) (held context.Context, release func()) {
	h := &hold{ended: make(chan struct{})}
	return context.WithValue(ctx, holdKey{}, h), func() { h.once.Do(func() { close(h.ended) }) }
}

// conn is one upgraded connection.
type conn struct {
	io.ReadWriteCloser
	from *Transport
	hold *hold

	align aligner
	buf   [16 << 10]byte
	out   []byte // to be handed out
	err   error  // after it

	mu     sync.Mutex
	sent   int // binary messages
	once   sync.Once
	closed chan struct{}
}

func (c *conn) Write(p []byte) (int, error) {
	if len(p) > 0 && p[0]&opBits == opBinary {
		c.mu.Lock()
		c.sent++
		c.mu.Unlock()
	}
	return c.ReadWriteCloser.Write(p)
}

// Read is called by one goroutine at a time.
func (c *conn) Read(p []byte) (int, error) {
	for len(c.out) == 0 && c.err == nil {
		n, err := c.ReadWriteCloser.Read(c.buf[:])
		if c.hold != nil && err == nil {
			c.mu.Lock()
			past := c.sent >= 2
			c.mu.Unlock()
			if past {
				c.wait()
			}
		}
		c.out, c.err = c.align.feed(c.out[:0], c.buf[:n]), err
	}
	n := copy(p, c.out)
	c.out = c.out[n:]
	if n > 0 {
		return n, nil
	}
	return 0, c.err
}

// wait returns when the hold, the connection or the time limit ends.
func (c *conn) wait() {
	select {
	case <-c.hold.ended:
		return
	default:
	}
	limit := time.NewTimer(holdLimit)
	defer limit.Stop()
	select {
	case <-c.hold.ended:
	case <-c.closed:
	case <-limit.C:
	}
}

// Close closes the connection below.
func (c *conn) Close() error {
	err := error(nil)
	c.once.Do(func() {
		close(c.closed)
		c.from.mu.Lock()
		delete(c.from.conns, c)
		c.from.mu.Unlock()
		err = c.ReadWriteCloser.Close()
	})
	return err
}
