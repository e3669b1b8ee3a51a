package http1

import (
	"context"
	"net"
	"sync"
	"time"
)

// Options are what a Pool needs; all of it.
type Options struct {
	// Dial opens a connection, with its handshake done; it ends with ctx, which has a deadline.
	Dial func(ctx context.Context) (net.Conn, error)
	// MaxIdle bounds the connections that are kept unused, IdleTimeout how long they are. An
	// endpoint that says that it keeps its own for less (Keep-Alive: timeout=…) is believed.
	MaxIdle     int
	IdleTimeout time.Duration
	// MaxHeader bounds a response's header, informational responses before it included, in bytes
	// read from the connection; MaxBody what is read after it, and 4 KiB more for what frames the
	// body.
	MaxHeader int
	MaxBody   int
}

// Pool makes requests over connections that it keeps. It is safe for concurrent use, and has no
// goroutine of its own.
type Pool struct {
	opt Options

	mu     sync.Mutex
	idle   []*conn // the one used last at the end
	closed bool
	sweep  *time.Timer // closes what was idle for too long; nil before there was one
	swept  bool        // sweep is not set
}

// New makes a Pool. It does no I/O.
func New(o Options) *Pool { return &Pool{opt: o, swept: true} }

// Close closes the idle connections. Exchanges under way finish, and their connections are not
// kept. The Pool may still be used; it keeps no connection then.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	old := p.idle
	p.idle = nil
	if p.sweep != nil {
		p.sweep.Stop()
	}
	p.mu.Unlock()
	closeAll(old)
}

// closeAll is called without the lock: closing may take some milliseconds a connection.
func closeAll(conns []*conn) {
	for _, c := range conns {
		_ = c.net.Close() // nothing is left to be lost
	}
}

// take returns a connection that is ready for a request, with its deadline set: a kept one, or a
// new one.
func (p *Pool) take(ctx context.Context, limit time.Time) (*conn, error) {
	for c := p.newest(); c != nil; c = p.newest() {
		if c.ready(limit) {
			return c, nil
		}
		_ = c.net.Close()
	}
	ctx, cancel := context.WithDeadline(ctx, limit)
	defer cancel()
	raw, err := p.opt.Dial(ctx)
	if err != nil {
		return nil, err
	}
	c := newConn(p, raw)
	if err := raw.SetDeadline(limit); err != nil {
		_ = raw.Close()
		return nil, err
	}
	return c, nil
}

// newest takes out the connection that was used last, nil if there is none.
func (p *Pool) newest() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle) - 1
	if n < 0 {
		return nil
	}
	c := p.idle[n]
	p.idle[n] = nil
	p.idle = p.idle[:n]
	return c
}

// put keeps a connection; false when it is to be closed.
func (p *Pool) put(c *conn) bool {
	c.used, c.since = true, time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.idle) >= p.opt.MaxIdle || c.keep <= 0 {
		return false
	}
	p.idle = append(p.idle, c)
	if p.swept {
		p.swept = false
		p.sweepIn(p.opt.IdleTimeout)
	}
	return true
}

// sweepIn is called with mu held.
func (p *Pool) sweepIn(d time.Duration) {
	if p.sweep == nil {
		p.sweep = time.AfterFunc(d, p.closeOld)
		return
	}
	p.sweep.Reset(d)
}

// closeOld closes what was idle for too long. The oldest connections stand first.
func (p *Pool) closeOld() {
	p.mu.Lock()
	n, now := 0, time.Now()
	for n < len(p.idle) && now.Sub(p.idle[n].since) >= p.opt.IdleTimeout {
		n++
	}
	old := p.idle[:n:n]
	p.idle = append([]*conn(nil), p.idle[n:]...)
	switch {
	case p.closed:
	case len(p.idle) > 0:
		p.sweepIn(p.idle[0].since.Add(p.opt.IdleTimeout).Sub(now))
	default:
		p.swept = true
	}
	p.mu.Unlock()
	closeAll(old)
}
