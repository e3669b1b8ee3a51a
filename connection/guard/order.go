package guard

import (
	"slices"
	"sync"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
)

const (
	// orderLimit is how long what is to be handled waits for one before it that nobody handles.
	orderLimit = 10 * time.Second
	// hangLimit is how long it waits for one that is being handled, as in the library itself.
	hangLimit = 5 * time.Minute
)

// Order has stanzas of chats handled in the order in which they arrived on a connection. The
// library does that as long as its queue has room; what comes while 2,048 wait it puts there in any
// order. Safe for concurrent use.
type Order struct {
	mu   sync.Mutex
	tags []string // with a handler
	conn *arrivals
}

// arrivals are the stanzas of one connection.
type arrivals struct {
	waiting []*waBinary.Node // not handled, in the order in which they came
	ready   map[*waBinary.Node]func()
	runner  *runner     // handles them, one after the other; nil: none is being handled
	missing *time.Timer // runs while one is ready and the first is not
}

// runner is who handles stanzas.
type runner struct{ since time.Time } // the last was begun

// NewOrder returns an order in which nothing has arrived.
func NewOrder() *Order { return &Order{conn: newArrivals()} }

func newArrivals() *arrivals { return &arrivals{ready: make(map[*waBinary.Node]func())} }

// ordered are the tags of stanzas whose order matters.
var ordered = []string{"message", "status", "appdata", "receipt", "notification", "call"}

// handle has stanzas with a tag for which there is a handler ordered; false if their order does not
// matter.
func (o *Order) handle(tag string) bool {
	if !slices.Contains(ordered, tag) {
		return false
	}
	o.tags = append(o.tags, tag)
	return true
}

// Arrived takes note of a stanza, in the goroutine that reads it, before it is handled.
func (o *Order) Arrived(n *waBinary.Node) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case n.Tag == "success": // what the connection before brought comes again on this one
		o.conn = newArrivals()
	case slices.Contains(o.tags, n.Tag):
		o.conn.waiting = append(o.conn.waiting, n)
	}
}

// run runs f, which handles n, when all that arrived before has been handled. It may return before.
func (o *Order) run(n *waBinary.Node, f func()) {
	o.mu.Lock()
	c := o.conn
	if !slices.Contains(c.waiting, n) { // of a connection that has ended
		o.mu.Unlock()
		f()
		return
	}
	c.ready[n] = f
	o.runReady(c)
	o.mu.Unlock()
}

// runReady handles what is next, as long as it is ready. The caller holds mu.
func (o *Order) runReady(c *arrivals) {
	if c.runner != nil && time.Since(c.runner.since) < hangLimit {
		return
	}
	me := &runner{}
	c.runner = me
	for o.conn == c && c.runner == me && len(c.waiting) > 0 {
		f := c.ready[c.waiting[0]]
		if f == nil {
			break
		}
		delete(c.ready, c.waiting[0])
		c.waiting = c.waiting[1:]
		me.since = time.Now()
		o.mu.Unlock()
		f()
		o.mu.Lock()
	}
	if c.runner != me { // which took too long, and another goes on
		return
	}
	c.runner = nil
	if c.missing != nil {
		c.missing.Stop()
		c.missing = nil
	}
	if o.conn == c && len(c.ready) > 0 {
		first := c.waiting[0]
		c.missing = time.AfterFunc(orderLimit, func() { o.skip(c, first) })
	}
}

// skip goes on without a stanza that nobody handles.
func (o *Order) skip(c *arrivals, first *waBinary.Node) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if c.runner != nil || len(c.waiting) == 0 || c.waiting[0] != first || c.ready[first] != nil {
		return
	}
	c.waiting = c.waiting[1:]
	o.runReady(c)
}
