package guard

import "time"

// turnLimit is how long a message waits at most for the one that is being read: longer than an
// append may take, and shorter than the library itself waits before it goes on.
const turnLimit = 2 * time.Minute

// Turn is held by the message that is being read. When a connection ends, the library goes on with
// the message it was at, while the next connection brings the same one again: two that decrypt one
// message at a time make the second fail for an old counter, which is acknowledged as if it had
// been stored, and the first may be refused. Safe for concurrent use.
type Turn struct{ held chan struct{} }

// NewTurn returns a turn that nobody has.
func NewTurn() *Turn { return &Turn{held: make(chan struct{}, 1)} }

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

// isMessage reports whether stanzas with this tag bring encrypted content.
func isMessage(tag string) bool {
	switch tag {
	case "message", "appdata", "status":
		return true
	}
	return false
}
