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
	var needs []need
	err := tx.Bucket([]byte(bucketCursors)).ForEach(func(k, _ []byte) error {
		id := outbox.SubID(k)
		cur, _ := t.box.cursor(tx, id)
		floor = min(floor, cur.Next)
		s, err := outbox.DecodeSubscription(id, tx.Bucket([]byte(bucketSubs)).Get(k))
		if err != nil {
			floor = 0 // nobody knows what it is owed: keep everything
		}
		n := need{sub: s}
		if cur.Runs > 0 {
			n.runs = runsOf(tx, id)
		}
		needs = append(needs, n)
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
		if h.Time.Before(t.before) && !named(tx, needs, seq, h) {
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

// need is what a subscription keeps events for, besides its single records.
type need struct {
	sub  outbox.Subscription
	runs [][2]outbox.Seq // first and last
}

func runsOf(tx *bbolt.Tx, id outbox.SubID) (runs [][2]outbox.Seq) {
	each(tx, bucketDead, id, 0, func(key outbox.Seq, v []byte) bool {
		if _, span, err := outbox.DecodeRecordHead(v); err == nil && span > 0 && span < uint64(key) {
			runs = append(runs, [2]outbox.Seq{key - outbox.Seq(span), key})
		}
		return true
	})
	return runs
}

// named reports whether a record of some subscription needs the event.
func named(tx *bbolt.Tx, needs []need, seq outbox.Seq, h outbox.EventHead) bool {
	pending, dead := tx.Bucket([]byte(bucketPending)), tx.Bucket([]byte(bucketDead))
	for _, n := range needs {
		key := subKey(n.sub.ID, seq)
		if pending.Get(key) != nil || dead.Get(key) != nil {
			return true
		}
		for _, r := range n.runs {
			if r[0] <= seq && seq <= r[1] && n.sub.Owes(seq, h.Name, h.Chat) {
				return true
			}
		}
	}
	return false
}

func (t *trim) publish() {
	t.box.mu.Lock()
	defer t.box.mu.Unlock()
	t.box.ring.drop(t.gone)
}
