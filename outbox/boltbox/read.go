package boltbox

import (
	"context"
	"fmt"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
)

// Read returns events owed to sub at or above from, in order, and where to go on: past what was
// returned, past gaps, and past what sub does not want. It may return no events and a higher
// position; at the end it returns from, or one above the newest sequence. Bodies together stay
// below maxBytes, but one event always fits. Bodies are shared: do not change them. A damaged event
// is Corrupt, and owed when its head cannot be read and the filter in force wants anything at all.
func (b *Box) Read(ctx context.Context, sub outbox.SubID, from outbox.Seq, maxBytes int) ([]outbox.Event, outbox.Seq, error) {
	if err := b.ready(ctx); err != nil {
		return nil, 0, err
	}
	b.mu.RLock()
	st, ok := b.subs[sub]
	if !ok {
		b.mu.RUnlock()
		return b.readRemoved(sub, from, maxBytes)
	}
	if from > b.last {
		b.mu.RUnlock()
		return nil, from, nil
	}
	f := readFilter{sub: st.sub, limit: maxBytes, last: b.last}
	if from >= b.ring.floor {
		next := f.last + 1
		for i, e := range b.ring.from(from) {
			owed, fits := f.take(e.Seq, e.Head(), len(e.Body))
			if i == maxSteps || !fits {
				next = e.Seq
				break
			}
			if owed {
				f.evs = append(f.evs, e)
			}
		}
		b.mu.RUnlock()
		return f.evs, next, nil
	}
	from = st.owed.skip(from, st.cur.Next, b.last) // over whole blocks nobody has to look at
	b.mu.RUnlock()
	next, err := b.readFile(&f, from)
	if err != nil {
		return nil, 0, fmt.Errorf("read %s from %d: %w", sub, from, err)
	}
	return f.evs, next, nil
}

// readRemoved is Read for a subscription in the bucket removed: what it was owed lies below its
// cut.
func (b *Box) readRemoved(sub outbox.SubID, from outbox.Seq, maxBytes int) ([]outbox.Event, outbox.Seq, error) {
	s, last, err := b.subscription(sub)
	if err != nil {
		return nil, 0, fmt.Errorf("read: %w", err)
	}
	if _, owed := s.FirstOwed(from); !owed || from > last {
		return nil, max(from, last+1), nil
	}
	f := readFilter{sub: s, limit: maxBytes, last: last}
	next, err := b.readFile(&f, from)
	if err != nil {
		return nil, 0, fmt.Errorf("read %s from %d: %w", sub, from, err)
	}
	return f.evs, next, nil
}

// readFilter decides event by event what a read returns.
type readFilter struct {
	sub   outbox.Subscription
	limit int        // bytes of bodies
	last  outbox.Seq // newest readable: what is above belongs to filters not known here
	evs   []outbox.Event
	size  int
}

// take reports whether an event is owed, and if so whether it still fits: if not, the read ends
// before it.
func (f *readFilter) take(seq outbox.Seq, h outbox.EventHead, body int) (owed, fits bool) {
	if !f.sub.Owes(seq, h) {
		return false, true
	}
	if len(f.evs) > 0 && f.size+body > f.limit {
		return true, false
	}
	f.size += body
	return true, true
}

func (b *Box) readFile(f *readFilter, from outbox.Seq) (next outbox.Seq, err error) {
	r := eventRange{from: from, to: f.last, ahead: min(f.limit, maxAhead) + 64<<10}
	err = b.view(func(tx *bbolt.Tx) error {
		f.evs, f.size = nil, 0
		next = b.scanEvents(tx, r, func(e storedEvent) bool {
			owed, fits := f.take(e.seq, e.head, len(e.value))
			if owed && fits {
				f.evs = append(f.evs, b.event(e))
			}
			return fits
		})
		return nil
	})
	return next, err
}

// Event returns one event; outbox.ErrNotFound when there is none, and ErrCorrupt, with what could
// be read of it, when it is damaged. The body is shared: do not change it.
func (b *Box) Event(ctx context.Context, s outbox.Seq) (outbox.Event, error) {
	if err := b.ready(ctx); err != nil {
		return outbox.Event{}, err
	}
	b.mu.RLock()
	if s > b.last {
		b.mu.RUnlock()
		return outbox.Event{}, fmt.Errorf("event %d: %w", s, outbox.ErrNotFound)
	}
	if s >= b.ring.floor {
		if live := b.ring.from(s); len(live) > 0 && live[0].Seq == s {
			e := live[0]
			b.mu.RUnlock()
			return e, nil
		}
	}
	b.mu.RUnlock()
	var e outbox.Event
	err := b.view(func(tx *bbolt.Tx) error {
		v := tx.Bucket([]byte(bucketEvents)).Get(seqKey(s))
		if v == nil {
			return outbox.ErrNotFound
		}
		e = b.event(storedEvent{seq: s, value: v})
		return nil
	})
	if err == nil && e.Corrupt {
		err = outbox.ErrCorrupt
	}
	if err != nil {
		return e, fmt.Errorf("event %d: %w", s, err)
	}
	return e, nil
}
