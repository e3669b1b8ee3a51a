package connection

import (
	"context"
	"sync"
)

// lifetime says how long a session lives: until abort is called or its link ends. The library sees
// that only while it makes no connection: what reads from one would tell of its end by what the
// library is still setting. Safe for concurrent use.
type lifetime struct {
	wanted context.Context // ends with the session
	abort  context.CancelFunc
	ctx    context.Context // the library's: ends then too, but not while a connection is made
	cancel context.CancelFunc

	mu         sync.Mutex
	connecting bool
}

func newLifetime(link context.Context) *lifetime {
	l := &lifetime{}
	l.wanted, l.abort = context.WithCancel(link)
	l.ctx, l.cancel = context.WithCancel(context.WithoutCancel(link))
	context.AfterFunc(l.wanted, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if !l.connecting {
			l.cancel()
		}
	})
	return l
}

// connect runs what makes a connection.
func (l *lifetime) connect(run func() error) error {
	l.mu.Lock()
	l.connecting = true
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.connecting = false
		if l.wanted.Err() != nil {
			l.cancel()
		}
	}()
	return run()
}
