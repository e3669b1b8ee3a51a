package boltbox

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
	"waoutbox/store"
)

// appending is one append on its way. Everything that does not depend on the file is done before it
// is queued.
type appending struct {
	box    *Box
	evs    []outbox.Event // bodies alias values; with their sequences if really appended, else 0
	values [][]byte
	hashes []keyHash // of the keys; not of random ones
	absent []uint64  // for each hash the view of the dedupe index in which it is not; 0: none
	seqs   []outbox.Seq
	blocks uint64 // the next block whose count is to be kept

	one struct { // room for what most appends are, so that it is allocated at once
		ev    [1]outbox.Event
		value [1][]byte
		hash  [1]keyHash
		view  [1]uint64
	}
}

func (b *Box) prepare(evs []outbox.Event) *appending {
	a := &appending{box: b}
	a.evs, a.values, a.hashes, a.absent = a.one.ev[:], a.one.value[:], a.one.hash[:], a.one.view[:]
	if n := len(evs); n != 1 {
		a.evs, a.values, a.hashes, a.absent = make([]outbox.Event, n), make([][]byte, n), make([]keyHash, n), make([]uint64, n)
	}
	known := b.seen.view.Load()
	copy(a.evs, evs)
	for i := range a.evs {
		e := &a.evs[i]
		a.values[i] = outbox.EncodeEvent(*e)
		e.Body = a.values[i][len(a.values[i])-len(e.Body):]
		if !e.Random {
			a.hashes[i] = hashKey(e.Key)
			a.absent[i] = known.absent(a.hashes[i])
		}
	}
	return a
}

// Append stores events, all or none, and returns their sequences once they are on disk. For a key
// seen within outbox.SeenKept, in the file or earlier in the call, nothing is appended and its
// first sequence is returned, whatever its Stamp. Bodies may be reused by the caller afterwards.
// ctx withdraws the call only before its write has begun: its error means that nothing was written.
// Errors: outbox.ErrTooLarge, ErrFull, ErrClosed, ErrUnknown (repeat the call), ctx's.
func (b *Box) Append(ctx context.Context, evs ...outbox.Event) ([]outbox.Seq, error) {
	if err := outbox.CheckEvents(evs); err != nil {
		return nil, err
	}
	if len(evs) == 0 {
		return nil, b.ready(ctx)
	}
	a := b.prepare(evs)
	if err := a.do(ctx, a.op(nil)); err != nil {
		return nil, fmt.Errorf("append: %w", err)
	}
	return a.seqs, nil
}

// do writes op, which appends a, and tells of it.
func (a *appending) do(ctx context.Context, op store.Op) error {
	began := time.Now()
	err := a.box.do(ctx, op)
	if err == nil && a.box.told != nil {
		fresh := slices.DeleteFunc(a.evs, func(e outbox.Event) bool { return e.Seq == 0 })
		a.box.told.Appended(fresh, time.Since(began))
	}
	return err
}

// op is the write; also runs in the same transaction, before it.
func (a *appending) op(also func(tx *bbolt.Tx) error) store.Op {
	size := 0
	for _, v := range a.values {
		size += len(v) + 64 // key, dedupe entry, page headers
	}
	return store.Op{Urgent: true, IsAppend: true, Bytes: size, Publish: a.publish, Apply: func(tx *bbolt.Tx) error {
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
	a.blocks = 0
	seen := &a.box.seen
	first := seen.tx != tx
	if err := seen.begin(tx); err != nil {
		return err
	}
	events := tx.Bucket([]byte(bucketEvents))
	events.FillPercent = 1.0 // keys only rise: a page that was split is never inserted into again
	for i := range a.evs {
		if !a.evs[i].Random {
			if seq, ok := seen.find(tx, a.hashes[i], a.evs[i].Stamp, a.absent[i]); ok {
				a.seqs[i], a.evs[i].Seq = seq, 0
				continue
			}
		}
		// kept in the bucket itself: not given again even when every event is trimmed
		n, err := events.NextSequence()
		if err != nil {
			return fmt.Errorf("next sequence: %w", err)
		}
		seq := outbox.Seq(n)
		outbox.SetEventSeq(a.values[i], len(a.evs[i].Body), seq)
		if err := events.Put(seqKey(seq), a.values[i]); err != nil {
			return fmt.Errorf("store event: %w", err)
		}
		if !a.evs[i].Random {
			seen.enter(a.hashes[i], seenKey{seq: seq, stamp: a.evs[i].Stamp})
		}
		a.seqs[i], a.evs[i].Seq = seq, seq
	}
	if !first { // of those that share the commit
		return nil
	}
	var err error
	a.blocks, err = a.box.keepBlocks(tx)
	return err
}

// publish makes the events readable.
func (a *appending) publish() {
	a.box.seen.commit()
	b := a.box
	b.mu.Lock()
	defer b.mu.Unlock()
	b.nextBlock = max(b.nextBlock, a.blocks)
	grown, now := false, time.Since(b.opened)
	b.ring.age(now)
	for i := range a.evs {
		e := &a.evs[i]
		if e.Seq == 0 {
			continue
		}
		grown = true
		b.ring.push(e, now)
		b.last = e.Seq
		for _, st := range b.live {
			if st.sub.Owes(e.Seq, e.Head()) {
				st.owed.add(e.Seq)
			}
		}
	}
	if grown {
		b.wake()
	}
}
