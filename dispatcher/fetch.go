package dispatcher

import (
	"fmt"
	"time"

	"waoutbox/dispatcher/scheduler"
	"waoutbox/outbox"
)

const (
	// readChunk is how much one Read asks for, in bytes.
	readChunk = 256 << 10
	// holdAhead bounds what is read, while new deliveries are held back, in search of a second
	// chat.
	holdAhead = 1000
)

// fetched is what a read beside the loop has brought.
type fetched struct {
	evs   []outbox.Event
	next  outbox.Seq // where to go on
	ended bool       // no event below next is left to read, so that the next read waits first
	err   error
	// nobody knows what the engine does now: the lane must load again
	panicked error
}

// fetch starts a read beside the loop, if none runs and the lane has a use for more events. The
// loop goes on meanwhile, and takes in what was read when it is there.
func (l *lane) fetch(now time.Time) {
	bytes := 0
	if l.hungry(now) {
		bytes, _ = l.wants(now)
	}
	l.appetite.Store(int64(bytes)) // also for a read that waits
	if l.fetching || bytes == 0 {
		return
	}
	l.fetching, l.begunBefore = true, l.begun
	from, wait := l.scheduler.ReadPosition(), l.exhausted
	l.wg.Go(func() {
		var f fetched
		if panicked := guarded(func() error { f = l.readFrom(from, bytes, wait); return nil }); panicked != nil {
			f = fetched{panicked: panicked}
		}
		l.fetches <- f
	})
}

// readFrom reads events from a position on. Where there are none it waits for one, with wait before
// it has looked, and reads it if the lane still has a use for it then.
func (l *lane) readFrom(from outbox.Seq, bytes int, wait bool) fetched {
	for {
		if wait {
			if err := l.src.Wait(l.io, from); err != nil {
				return fetched{next: from, err: err}
			}
			if bytes = int(l.appetite.Load()); bytes == 0 {
				return fetched{next: from}
			}
		}
		evs, next, err := l.src.Read(l.io, l.id, from, bytes)
		if err != nil {
			return fetched{next: from, err: err}
		}
		if len(evs) > 0 || next > from { // or the cursor can pass what is not owed
			return fetched{evs: evs, next: next, ended: len(evs) == 0}
		}
		wait = true
	}
}

// take takes in what was read.
func (l *lane) take(f fetched, now time.Time) {
	l.fetching, l.exhausted = false, f.ended
	l.ahead = int(l.begun - l.begunBefore)
	switch {
	case f.panicked != nil:
		l.broken = fmt.Errorf("lane panicked while it read: %w", f.panicked)
		return
	case f.err != nil:
		if l.io.Err() == nil {
			l.hold(now, fmt.Sprintf("the outbox cannot be read: %v", f.err))
		}
		return
	case l.draining:
		return
	}
	for _, ev := range f.evs {
		if l.full(now) {
			return // the rest is read again
		}
		l.scheduler.Add(ev, scheduler.ChatKey(ev))
	}
	l.scheduler.SetRead(f.next)
}

// wants reports how many bytes of events the lane has a use for: enough that every slot has work
// until the next read is there, as many as were begun during the last one, and not more than an
// endpoint takes that is throttled.
// While new deliveries are held back it reads only when one may probe, and the reader stands still
// as soon as there are two chats to probe with, or a thousand events of one.
func (l *lane) wants(now time.Time) (bytes int, more bool) {
	if l.outage.Holding() {
		return 1, l.scheduler.Quiet(now) && !l.scheduler.KnowsTwo() && l.scheduler.Unfinished() < holdAhead
	}
	ready, enough := l.scheduler.Ready(), 2*l.width()
	return readChunk, ready < enough || ready < enough+2*l.ahead && l.scheduler.Room() >= readChunk
}

// hungry reports whether the lane has a use for more events: it has not enough, and not too many
// are unfinished.
func (l *lane) hungry(now time.Time) bool {
	if !l.working(now) || l.full(now) {
		return false
	}
	_, more := l.wants(now)
	return more
}
