package boltbox

import (
	"context"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
	"waoutbox/store"
)

// appending is one append on its way. Everything that does not depend on the file is done before it is queued.
type appending struct {
	box    *Box
	evs    []outbox.Event // bodies alias values
	values [][]byte
	keys   [][]byte // dedupe keys, nil for random ids
	seqs   []outbox.Seq
	fresh  []outbox.Event // really appended, with their sequences
}

func (b *Box) prepare(evs []outbox.Event) *appending {
	a := &appending{box: b, evs: evs, values: make([][]byte, len(evs)), keys: make([][]byte, len(evs))}
	a.evs = append([]outbox.Event(nil), evs...)
	for i := range a.evs {
		e := &a.evs[i]
		a.values[i] = outbox.EncodeEvent(*e)
		e.Body = a.values[i][len(a.values[i])-len(e.Body):]
		if !e.Random {
			a.keys[i] = seenKey(e.Stamp, e.Key)
		}
	}
	return a
}

// Append stores events, all or none, and answers their sequences once they are on disk. A key seen within outbox.SeenKept (with
// the same Stamp), in the file or earlier in the call, appends nothing and answers its first sequence. Bodies may be reused
// by the caller afterwards. Errors: outbox.ErrTooLarge, ErrFull, ErrClosed, ErrUnknown (repeat the call), ctx's.
func (b *Box) Append(ctx context.Context, evs ...outbox.Event) ([]outbox.Seq, error) {
	if err := outbox.CheckEvents(evs); err != nil {
		return nil, err
	}
	if len(evs) == 0 {
		return nil, b.ready(ctx)
	}
	a := b.prepare(evs)
	if err := b.db.Do(ctx, a.op(nil)); err != nil {
		return nil, fmt.Errorf("append: %w", err)
	}
	return a.seqs, nil
}

// op is the write; also runs in the same transaction, before it.
func (a *appending) op(also func(tx *bbolt.Tx) error) store.Op {
	size := 0
	for _, v := range a.values {
		size += len(v) + 64 // key, dedupe entry, page headers
	}
	return store.Op{Urgent: true, Grows: true, Bytes: size, Publish: a.publish, Apply: func(tx *bbolt.Tx) error {
		if also != nil {
			if err := also(tx); err != nil {
				return err
			}
		}
		return a.apply(tx)
	}}
}

func (a *appending) apply(tx *bbolt.Tx) error {
	a.seqs = make([]outbox.Seq, len(a.evs))
	a.fresh = a.fresh[:0]
	events, seen := tx.Bucket([]byte(bucketEvents)), tx.Bucket([]byte(bucketSeen))
	events.FillPercent = 1.0 // keys only rise: a page that was split is never inserted into again
	seen.FillPercent = 0.9   // nearly so
	now := time.Now()
	for i := range a.evs {
		if a.keys[i] != nil {
			if seq, ok := lookup(seen, a.keys[i], a.evs[i].Stamp, now); ok {
				a.seqs[i] = seq
				continue
			}
		}
		n, err := events.NextSequence() // kept in the bucket itself: not given again even when every event is trimmed
		if err != nil {
			return fmt.Errorf("next sequence: %w", err)
		}
		seq := outbox.Seq(n)
		if err := events.Put(seqKey(seq), a.values[i]); err != nil {
			return fmt.Errorf("store event: %w", err)
		}
		if a.keys[i] != nil {
			if err := seen.Put(a.keys[i], seenValue(seq, uint32(now.Unix()))); err != nil {
				return fmt.Errorf("store dedupe key: %w", err)
			}
		}
		a.seqs[i] = seq
		e := a.evs[i]
		e.Seq = seq
		a.fresh = append(a.fresh, e)
	}
	return a.box.pruneSeen(seen, now)
}

// publish makes the events readable.
func (a *appending) publish() {
	if len(a.fresh) == 0 {
		return
	}
	b := a.box
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range a.fresh {
		b.ring.push(e)
		b.last = e.Seq
		for _, st := range b.subs {
			if st.sub.Owes(e.Seq, e.Name, e.Chat) {
				st.tally.add(e.Seq)
			}
		}
	}
	b.wake()
}
