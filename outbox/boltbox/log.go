package boltbox

import (
	"context"
	"fmt"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
)

// Events reads the log. A call looks at a bounded number of events, so it may return none and a
// Next to go on at. Damaged events are as in Read. Bodies are shared: do not change them. Errors:
// outbox.ErrClosed, ctx's.
func (b *Box) Events(ctx context.Context, q outbox.EventQuery) (outbox.EventPage, error) {
	if err := b.ready(ctx); err != nil {
		return outbox.EventPage{}, err
	}
	if len(q.Filter.Events) == 0 { // once, and not for every event
		q.Filter.Events = []string{outbox.Any}
	}
	if !q.Backward {
		q.From = max(q.From, 1)
	}
	w := logWalk{q: q, limit: page(q.Limit), bytes: outbox.MaxBody}
	if q.MaxBytes > 0 {
		w.bytes = min(q.MaxBytes, outbox.MaxBody)
	}
	b.mu.RLock()
	w.last = b.last
	state := b.state
	live := !q.Backward && q.From >= b.ring.floor
	if live {
		w.ring(b.ring)
	}
	b.mu.RUnlock()
	err := b.view(func(tx *bbolt.Tx) error {
		floor, whole := b.logBounds(tx, w.last)
		switch {
		case live:
		case q.Backward:
			w.begin()
			w.next = b.readBackward(tx, &w)
		default:
			w.begin()
			w.next = b.readForward(tx, &w)
		}
		w.floor, w.whole = floor, whole
		return nil
	})
	if err != nil {
		return outbox.EventPage{}, fmt.Errorf("read events: %w", err)
	}
	return outbox.EventPage{Events: w.evs, Next: w.next, Floor: w.floor, Whole: w.whole, Last: w.last, State: state}, nil
}

// logBounds returns the lowest sequence kept, and from where on nothing was removed.
func (b *Box) logBounds(tx *bbolt.Tx, last outbox.Seq) (floor, whole outbox.Seq) {
	floor = last + 1
	if k, _ := tx.Bucket([]byte(bucketEvents)).Cursor().First(); k != nil {
		if first, ok := parseSeq(k); ok {
			floor = min(first, floor)
		}
	}
	return floor, b.wholeFrom(tx)
}

// logWalk is one call of Events on its way.
type logWalk struct {
	q     outbox.EventQuery
	limit int
	bytes int
	last  outbox.Seq // newest readable

	evs  []outbox.Event
	size int
	next outbox.Seq

	floor, whole outbox.Seq
}

// begin forgets what an earlier try of the same transaction found.
func (w *logWalk) begin() { w.evs, w.size = nil, 0 }

// take reports whether the event is asked for, and whether the walk goes on: if not, it ends before
// the event.
func (w *logWalk) take(h outbox.EventHead, body int) (wanted, fits bool) {
	if !w.q.Filter.Match(h) {
		return false, true
	}
	if w.q.Heads {
		body = 0
	}
	if n := len(w.evs); n == w.limit || n > 0 && w.size+body > w.bytes {
		return true, false
	}
	w.size += body
	return true, true
}

// stored is take for an event in the file: false when the walk ends before it.
func (w *logWalk) stored(b *Box, e storedEvent) bool {
	wanted, fits := w.take(e.head, len(e.value))
	if !wanted || !fits {
		return fits
	}
	decode := b.event
	if w.q.Heads {
		decode = b.eventFields
	}
	w.evs = append(w.evs, decode(e))
	return true
}

func (b *Box) readForward(tx *bbolt.Tx, w *logWalk) (next outbox.Seq) {
	r := eventRange{from: w.q.From, to: w.last, ahead: min(w.bytes, maxAhead) + 64<<10}
	return b.scanEvents(tx, r, func(e storedEvent) bool { return w.stored(b, e) })
}

func (b *Box) readBackward(tx *bbolt.Tx, w *logWalk) (next outbox.Seq) {
	from := w.last
	if w.q.From > 0 {
		from = min(w.q.From, w.last)
	}
	c := tx.Bucket([]byte(bucketEvents)).Cursor()
	k, v := c.Seek(seqKey(from))
	switch seq, ok := parseSeq(k); {
	case k == nil:
		k, v = c.Last()
	case !ok || seq > from:
		k, v = c.Prev()
	}
	steps := 0
	for ; k != nil; k, v = c.Prev() {
		seq, ok := parseSeq(k)
		if !ok {
			continue
		}
		if steps == maxSteps {
			return seq
		}
		steps++
		head, err := outbox.DecodeEventHead(seq, v)
		if err != nil {
			b.unreadable(bucketEvents, k, err)
			head = outbox.EventHead{Corrupt: true}
		}
		if !w.stored(b, storedEvent{seq, head, v}) {
			return seq
		}
	}
	return 0
}

// ring reads what is in memory, where the newest events are.
func (w *logWalk) ring(r *ring) {
	w.next = max(w.q.From, w.last+1)
	for i, e := range r.from(w.q.From) {
		wanted, fits := w.take(e.Head(), len(e.Body))
		if i == maxSteps || !fits {
			w.next = e.Seq
			return
		}
		if !wanted {
			continue
		}
		if w.q.Heads {
			e.Body = nil
		}
		w.evs = append(w.evs, e)
	}
}
