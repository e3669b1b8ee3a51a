package connection

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"

	"waoutbox/outbox/api"
)

// What the library cannot decode it drops, without an acknowledgement: WhatsApp keeps it, and sends
// it again with the next connection. So the connection is made anew at once, and what came behind
// is refused until then, so that nothing overtakes it. When it comes again and is dropped again the
// connection stays, because all the other messages would wait for it, and is made anew after longer
// and longer waits. So it is when too many are dropped, one after the other: what is never
// acknowledged, such as presence, does not come again and yet may be dropped each time.

const (
	// unreadMost is the longest of these waits.
	unreadMost = 6 * time.Hour
	// mostAtOnce is how often in atOnceIn the connection is made anew at once.
	mostAtOnce = 5
	atOnceIn   = time.Hour
)

// unread decides when what could not be read is asked for again. Safe for concurrent use.
type unread struct {
	waits func() backoff.BackOff

	mu      sync.Mutex
	backoff backoff.BackOff // nil once all was read that came again
	due     time.Time       // when the connection is made anew for it; zero while nothing is due
	atOnce  []time.Time     // when it was, at once, oldest first
}

// frameLost is the signal to the link that a frame was dropped.
type frameLost struct {
	at, due time.Time // when it was dropped, and when the connection is made anew
	now     bool      // at once: nothing more is taken from this one
	why     string
}

// dropped notes that something was dropped.
func (u *unread) dropped(now time.Time, why string) frameLost {
	u.mu.Lock()
	defer u.mu.Unlock()
	lost := frameLost{at: now, why: why}
	again := u.backoff != nil
	if !again {
		u.backoff = u.waits()
	}
	u.atOnce = slices.DeleteFunc(u.atOnce, func(at time.Time) bool { return now.Sub(at) > atOnceIn })
	switch {
	case !u.due.IsZero():
	case !again && len(u.atOnce) < mostAtOnce:
		u.due, u.atOnce = now, append(u.atOnce, now)
	default:
		u.due = now.Add(u.backoff.NextBackOff())
	}
	lost.due, lost.now = u.due, !u.due.After(now)
	return lost
}

// connecting notes that a connection is made, for whatever reason: everything comes again.
func (u *unread) connecting() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.due = time.Time{}
}

// caughtUp notes that all that waited has come on this connection, and reports whether nothing of
// it was dropped.
func (u *unread) caughtUp() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.due.IsZero() {
		return false
	}
	u.backoff = nil
	return true
}

// frameDropped tells of a frame that the library dropped, and has the connection made anew. It is
// called in the goroutine that reads the frames of s: what is read after it returns is refused.
func (c *Client) frameDropped(s *session, why string) {
	from := s.from.Load()
	if from == nil { // it only tries to connect
		return
	}
	switch c.status.read().State {
	case api.LinkUnlinked, api.LinkPairing:
		// nothing comes again, and the end of the connection fails the pairing
		c.log.Warn("WhatsApp sent something that cannot be read: the pairing ends", "reason", why)
		c.wire.Cut()
		return
	}
	lost := c.unread.dropped(c.now(), why)
	if lost.now {
		from.stopped.Store(true)
	}
	c.log.Error("WhatsApp sent something that cannot be read: it is not acknowledged", "reason", why, "connecting_again_at", lost.due)
	c.alarms.happened(alarmFrame, "WhatsApp sent something that could not be read ("+why+"). It is not acknowledged, so WhatsApp keeps it, and it comes again: the connection is made anew at once, "+
		"and, if it still cannot be read, again after 1 minute, doubling to 6 hours. It may be a message. waoutbox status says when; if it stays, install a newer version.")
	from.push(lost)
}

// onFrameLost makes the connection anew, now or when it is due.
func (w *connectionWatch) onFrameLost(lost frameLost) {
	when := "at once"
	if !lost.now {
		when = "at " + lost.due.Local().Format("15:04")
	}
	w.c.status.note(noteUnread, fmt.Sprintf("at %s WhatsApp sent something that could not be read (%s); the connection is made anew for it %s",
		lost.at.Local().Format("15:04"), lost.why, when))
	if lost.now {
		w.askAgain()
		return
	}
	w.again.Reset(max(0, lost.due.Sub(w.c.now())))
}

// askAgain makes the connection anew, by another client of the library, so that what could not be
// read comes again.
func (w *connectionWatch) askAgain() {
	w.ended = "WhatsApp sent something that could not be read, and is asked for it again"
	w.cycled = true
	w.reconnect()
}

// caughtUp takes back what was said when all that waited was read.
func (w *connectionWatch) caughtUp() {
	if w.c.unread.caughtUp() {
		w.c.status.note(noteUnread, "")
	}
}
