package boltbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
)

// maxSteps is how many events one read looks at, so that a read over millions nobody wants takes many short transactions.
const maxSteps = 4096

// maxAhead is how many bytes are asked from the disk before a walk over events begins, so that it waits once and not at every
// page: about what maxSteps small events take.
const maxAhead = 4 << 20

// Read answers events owed to sub at or above from, in order, and where to go on: past what was answered, past gaps, and past
// what sub does not want. It may answer no events and a higher position; at the end it answers from, or one above the newest
// sequence. Bodies together stay below maxBytes, but one event always fits. Bodies are shared: do not change them.
func (b *Box) Read(ctx context.Context, sub outbox.SubID, from outbox.Seq, maxBytes int) ([]outbox.Event, outbox.Seq, error) {
	if err := b.ready(ctx); err != nil {
		return nil, 0, err
	}
	b.mu.RLock()
	st, ok := b.subs[sub]
	if !ok {
		b.mu.RUnlock()
		return nil, 0, fmt.Errorf("read: %w", notFound(sub))
	}
	if from > b.last {
		b.mu.RUnlock()
		return nil, from, nil
	}
	p := picker{sub: st.sub, limit: maxBytes, last: b.last}
	if from >= b.ring.floor {
		for i, e := range b.ring.from(from) {
			if i == maxSteps || !p.fits(e.Seq, e.Name, e.Chat, len(e.Body)) {
				p.next = e.Seq
				break
			}
			if p.owed {
				p.evs = append(p.evs, e)
			}
		}
		b.mu.RUnlock()
		return p.evs, p.end(), nil
	}
	from = st.tally.skip(from, st.cur.Next, b.last) // over whole blocks nobody has to look at
	b.mu.RUnlock()
	if err := b.readFile(&p, from); err != nil {
		return nil, 0, fmt.Errorf("read %s from %d: %w", sub, from, err)
	}
	return p.evs, p.end(), nil
}

// picker decides event by event what a read answers.
type picker struct {
	sub   outbox.Subscription
	limit int        // bytes of bodies
	last  outbox.Seq // newest readable: what is above belongs to filters not known here
	evs   []outbox.Event
	size  int
	next  outbox.Seq // where the read stopped early
	owed  bool       // of the event asked about last
}

// fits reports whether the read goes on with this event; owed then says whether it is answered.
func (p *picker) fits(seq outbox.Seq, name, chat string, body int) bool {
	p.owed = p.sub.Owes(seq, name, chat)
	if !p.owed {
		return true
	}
	if len(p.evs) > 0 && p.size+body > p.limit {
		return false
	}
	p.size += body
	return true
}

func (p *picker) end() outbox.Seq {
	if p.next != 0 {
		return p.next
	}
	return p.last + 1
}

func (b *Box) readFile(p *picker, from outbox.Seq) error {
	return b.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket([]byte(bucketEvents)).Cursor()
		steps := 0
		k, v := c.Seek(seqKey(from))
		b.db.Ahead(tx, v, min(p.limit, maxAhead)+64<<10)
		for ; k != nil; k, v = c.Next() {
			seq, ok := parseSeq(k)
			if !ok || seq > p.last {
				break
			}
			if steps == maxSteps {
				p.next = seq
				return nil
			}
			steps++
			head, err := outbox.DecodeEventHead(seq, v)
			if err != nil {
				b.unreadable(bucketEvents, k, err)
				continue
			}
			if !p.fits(seq, head.Name, head.Chat, len(v)) {
				p.next = seq
				return nil
			}
			if !p.owed {
				continue
			}
			e, err := outbox.DecodeEvent(seq, v)
			if err != nil {
				b.unreadable(bucketEvents, k, err)
				continue
			}
			e.Body = bytes.Clone(e.Body)
			p.evs = append(p.evs, e)
		}
		return nil
	})
}

// Event answers one event; outbox.ErrNotFound when there is none, or when it cannot be decoded. The body is shared: do not
// change it.
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
	err := b.db.View(func(tx *bbolt.Tx) error {
		v := tx.Bucket([]byte(bucketEvents)).Get(seqKey(s))
		if v == nil {
			return outbox.ErrNotFound
		}
		var err error
		if e, err = outbox.DecodeEvent(s, v); err != nil {
			b.unreadable(bucketEvents, seqKey(s), err)
			return errors.Join(outbox.ErrNotFound, err)
		}
		e.Body = bytes.Clone(e.Body)
		return nil
	})
	if err != nil {
		return outbox.Event{}, fmt.Errorf("event %d: %w", s, err)
	}
	return e, nil
}
