package boltbox

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
	"waoutbox/store"
)

// trimStep is how many events one commit of a trim looks at.
const trimStep = 1024

// Trim removes events created before before that every cursor has passed and no pending or dead record names, at most limit of
// them, and answers how many. Fewer than limit means that there are no more now. It works in small commits that ride along with
// others; repeating it is harmless.
func (b *Box) Trim(ctx context.Context, before time.Time, limit int) (int, error) {
	n := 0
	for from := outbox.Seq(1); n < limit && from != 0; {
		t := &trim{box: b, before: before, from: from, limit: limit - n}
		if err := b.db.Do(ctx, store.Op{Apply: t.apply, Publish: t.publish, Bytes: 64 << 10}); err != nil {
			return n, fmt.Errorf("trim: %w", err)
		}
		n += len(t.gone)
		from = t.next
	}
	return n, nil
}

// trim is one step.
type trim struct {
	box    *Box
	before time.Time
	from   outbox.Seq
	limit  int
	gone   []outbox.Seq
	next   outbox.Seq // where to go on, 0 at the end
}

func (t *trim) apply(tx *bbolt.Tx) error {
	t.gone, t.next = nil, 0
	events := tx.Bucket([]byte(bucketEvents))
	floor := outbox.Seq(events.Sequence()) + 1
	var subs []outbox.Subscription
	err := tx.Bucket([]byte(bucketCursors)).ForEach(func(k, _ []byte) error {
		id := outbox.SubID(k)
		if cur, ok := t.box.cursor(tx, id); ok {
			floor = min(floor, cur.Next)
		}
		s, err := outbox.DecodeSubscription(id, tx.Bucket([]byte(bucketSubs)).Get(k))
		if err != nil {
			floor = 0 // nobody knows what it is owed: keep everything
		}
		subs = append(subs, s)
		return nil
	})
	if err != nil {
		return err
	}
	steps := 0
	c := events.Cursor()
	for k, v := c.Seek(seqKey(t.from)); k != nil && len(t.gone) < t.limit; k, v = c.Next() {
		seq, ok := parseSeq(k)
		if !ok || seq >= floor {
			break
		}
		if steps == trimStep {
			t.next = seq
			break
		}
		steps++
		h, err := outbox.DecodeEventHead(seq, v)
		if err != nil {
			continue // reported when read; kept as evidence
		}
		if h.Time.Before(t.before) && !t.named(tx, subs, seq, h) {
			t.gone = append(t.gone, seq)
		}
	}
	return t.remove(tx, events)
}

func (t *trim) remove(tx *bbolt.Tx, events *bbolt.Bucket) error {
	if len(t.gone) == 0 {
		return nil
	}
	for _, seq := range t.gone {
		if err := events.Delete(seqKey(seq)); err != nil {
			return fmt.Errorf("remove event %d: %w", seq, err)
		}
	}
	meta := tx.Bucket([]byte(bucketMeta))
	n := uint64(len(t.gone))
	if v := meta.Get([]byte(metaTrimmed)); len(v) == 8 {
		n += binary.BigEndian.Uint64(v)
	}
	if err := meta.Put([]byte(metaTrimmed), binary.BigEndian.AppendUint64(nil, n)); err != nil {
		return fmt.Errorf("count removed events: %w", err)
	}
	return nil
}

// named reports whether a record of some subscription needs the event.
func (t *trim) named(tx *bbolt.Tx, subs []outbox.Subscription, seq outbox.Seq, h outbox.EventHead) bool {
	for _, s := range subs {
		if tx.Bucket([]byte(bucketPending)).Get(subKey(s.ID, seq)) != nil {
			return true
		}
		needed := false
		each(tx, bucketDead, s.ID, seq, func(key outbox.Seq, v []byte) bool {
			_, span, err := outbox.DecodeRecordHead(v)
			switch {
			case key == seq || err != nil:
				needed = true
			case span == 0:
				return true // dead ones of their own may lie inside a run
			default:
				needed = uint64(key)-span <= uint64(seq) && s.Owes(seq, h.Name, h.Chat)
			}
			return false
		})
		if needed {
			return true
		}
	}
	return false
}

func (t *trim) publish() {
	t.box.mu.Lock()
	defer t.box.mu.Unlock()
	t.box.ring.drop(t.gone)
}
