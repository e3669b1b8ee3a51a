package guard

import (
	"sync"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
)

const (
	// turnLimit is how long a message waits at most for the one that is being read: longer than an
	// append may take, and shorter than the library itself waits before it goes on.
	turnLimit = 2 * time.Minute
	// mostPassed bounds the messages that others have passed and that are not acknowledged.
	mostPassed = 64
)

// Turn is held by the message that is being read. When a connection ends, the library goes on with
// the message it was at, while the next connection brings the same one again: two that decrypt one
// message at a time make the second fail for an old counter, which is acknowledged as if it had
// been stored, and the first may be refused. Safe for concurrent use.
type Turn struct {
	held chan struct{}

	mu      sync.Mutex
	reading *reading      // who has the turn
	last    *reading      // the last that was passed
	earlier *reading      // the last that was passed on the connection before; nil: is over
	passed  chan struct{} // has a value for each that was passed and is not over
}

// reading is a message that is being read.
type reading struct {
	node   *waBinary.Node
	free   chan struct{} // closed when the next one may be read
	over   chan struct{} // closed when nothing more is done for it
	passed bool          // before it was over
}

// NewTurn returns a turn that nobody has.
func NewTurn() *Turn {
	return &Turn{held: make(chan struct{}, 1), passed: make(chan struct{}, mostPassed)}
}

// take waits for the turn, for turnLimit at most, and returns what gives it back.
func (t *Turn) take() (giveBack func()) {
	limit := time.NewTimer(turnLimit)
	defer limit.Stop()
	select {
	case t.held <- struct{}{}:
		return func() { <-t.held }
	case <-limit.C:
		return func() {}
	}
}

// read runs f, which reads a message, when its turn has come. It returns when f does, or before,
// when the next message may pass this one.
func (t *Turn) read(n *waBinary.Node, f func()) {
	giveBack := t.take()
	t.awaitEarlier()
	r := &reading{node: n, free: make(chan struct{}), over: make(chan struct{})}
	t.mu.Lock()
	t.reading = r
	t.mu.Unlock()
	go func() {
		defer t.end(r)
		f()
	}()
	<-r.free
	t.mu.Lock()
	if t.reading == r {
		t.reading = nil
	}
	t.mu.Unlock()
	giveBack()
}

// end is the end of a message.
func (t *Turn) end(r *reading) {
	close(r.over)
	if r.passed {
		<-t.passed
		return
	}
	close(r.free)
}

// Pass lets the next message be read before the one of n is over, whose handling has nothing left
// but to wait for the disk and to be acknowledged. It returns what waits until those that were
// passed before are over, so that they are acknowledged in order; nil: n is not the message being
// read, or too many were passed, and n keeps its turn.
func (t *Turn) Pass(n *waBinary.Node) (inOrder func()) {
	if t == nil || n == nil || len(n.GetChildrenByTag("enc")) != 1 { // each of several is handled
		return nil
	}
	t.mu.Lock()
	r := t.reading
	if r == nil || r.node != n || r.passed {
		t.mu.Unlock()
		return nil
	}
	select {
	case t.passed <- struct{}{}:
	default:
		t.mu.Unlock()
		return nil
	}
	before := t.last
	t.last, r.passed = r, true
	t.mu.Unlock()
	close(r.free)
	return func() {
		if before != nil {
			<-before.over
		}
	}
}

// connected has the next message wait for those of the connection before: they come again.
func (t *Turn) connected() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.earlier = t.last
}

// awaitEarlier waits, for turnLimit at most, until the messages of the connection before are over.
func (t *Turn) awaitEarlier() {
	t.mu.Lock()
	r := t.earlier
	t.earlier = nil
	t.mu.Unlock()
	if r == nil {
		return
	}
	limit := time.NewTimer(turnLimit)
	defer limit.Stop()
	select {
	case <-r.over:
	case <-limit.C:
	}
}

// isMessage reports whether stanzas with this tag bring encrypted content.
func isMessage(tag string) bool {
	switch tag {
	case "message", "appdata", "status":
		return true
	}
	return false
}
