package boltbox

import (
	"bytes"
	"context"
	"fmt"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
	"waoutbox/store"
)

// reasonUndecodable is the reason shown for a record that cannot be decoded.
const reasonUndecodable = "undecodable"

// Load answers what a lane starts from: its cursor, its own state, and its pending records by sequence. A record that cannot be
// decoded is pending anew, with the reason "undecodable".
func (b *Box) Load(ctx context.Context, sub outbox.SubID) (next outbox.Seq, lane []byte, pending []outbox.Record, err error) {
	if err := b.ready(ctx); err != nil {
		return 0, nil, nil, err
	}
	err = b.db.View(func(tx *bbolt.Tx) error {
		cur, ok := b.cursor(tx, sub)
		if !ok {
			return notFound(sub)
		}
		next, lane = cur.Next, cur.Lane
		each(tx, bucketPending, sub, 0, func(key outbox.Seq, v []byte) bool {
			pending = append(pending, b.record(bucketPending, sub, key, v, outbox.Pending))
			return true
		})
		return nil
	})
	if err != nil {
		return 0, nil, nil, fmt.Errorf("load: %w", err)
	}
	return next, lane, pending, nil
}

// record decodes a stored record, or makes one that says it could not be.
func (b *Box) record(bucket string, sub outbox.SubID, key outbox.Seq, v []byte, state outbox.State) outbox.Record {
	r, err := outbox.DecodeRecord(key, v)
	if err == nil && r.State == state {
		return r
	}
	if err == nil {
		err = fmt.Errorf("state %s in bucket %s", r.State, bucket)
	}
	b.unreadable(bucket, subKey(sub, key), err)
	return outbox.Record{Seq: key, State: state, Reason: reasonUndecodable}
}

// change is one outbox.Change on its way.
type change struct {
	box    *Box
	c      outbox.Change
	values [][]byte // encoded records, nil for State Done
	cur    outbox.Cursor
	epochs []outbox.Epoch // what is left of the epochs, nil when none was dropped
}

// Commit applies c, whole or not at all, and answers when it is on disk; it may wait up to store.SettleDelay for others to share
// the commit. Next only rises, and above the newest event it is refused. Repeating a Change is harmless. Errors:
// *outbox.TransitionError, ErrTooLarge, ErrNotFound, ErrFull (the disk has not one page left), ErrClosed, ErrUnknown, ctx's.
func (b *Box) Commit(ctx context.Context, c outbox.Change) error {
	if err := outbox.CheckChange(c); err != nil {
		return err
	}
	ch := &change{box: b, c: c, values: make([][]byte, len(c.Set))}
	ch.c.Lane = bytes.Clone(c.Lane)
	ch.c.Set = append([]outbox.Record(nil), c.Set...)
	size := len(c.Lane) + 64
	for i, r := range c.Set {
		if r.State != outbox.Done {
			ch.values[i] = outbox.EncodeRecord(r)
		}
		ch.c.Set[i].Log = nil // encoded; the caller may reuse its bytes
		size += len(ch.values[i]) + 64
	}
	if err := b.db.Do(ctx, store.Op{Bytes: size, Apply: ch.apply, Publish: ch.publish}); err != nil {
		return fmt.Errorf("commit %s: %w", c.Sub, err)
	}
	return nil
}

func (ch *change) apply(tx *bbolt.Tx) error {
	ch.epochs = nil
	c := ch.c
	cur, ok := ch.box.cursor(tx, c.Sub)
	if !ok {
		return notFound(c.Sub)
	}
	if last := tx.Bucket([]byte(bucketEvents)).Sequence(); c.Next > outbox.Seq(last)+1 {
		return fmt.Errorf("next %d is above the newest event %d", c.Next, last)
	}
	old := cur
	runGone := false
	for i, r := range c.Set {
		gone, err := setRecord(tx, c.Sub, r, ch.values[i], &cur)
		if err != nil {
			return err
		}
		runGone = runGone || gone
	}
	cur.Next = max(cur.Next, c.Next)
	if c.Lane != nil {
		cur.Lane = c.Lane
	}
	if err := putCursor(tx, c.Sub, cur); err != nil {
		return err
	}
	ch.cur = cur
	if cur.Next == old.Next && !runGone {
		return nil
	}
	return ch.dropEpochs(tx, old.Next, runGone)
}

// dropEpochs takes epochs nobody needs from the stored subscription, when the cursor came past one or a run went away.
func (ch *change) dropEpochs(tx *bbolt.Tx, oldNext outbox.Seq, runGone bool) error {
	subs := tx.Bucket([]byte(bucketSubs))
	s, err := outbox.DecodeSubscription(ch.c.Sub, subs.Get([]byte(ch.c.Sub)))
	if err != nil { // reported when it was opened; the cursor is worth writing all the same
		return nil
	}
	crossed := false
	for _, e := range s.Epochs {
		crossed = crossed || oldNext < e.From && e.From <= ch.cur.Next
	}
	if !crossed && !runGone {
		return nil
	}
	kept := spentEpochs(tx, s, ch.cur)
	if len(kept) == len(s.Epochs) {
		return nil
	}
	s.Epochs, ch.epochs = kept, kept
	if err := subs.Put([]byte(s.ID), outbox.EncodeSubscription(s)); err != nil {
		return fmt.Errorf("store subscription: %w", err)
	}
	return nil
}

// setRecord files one record and keeps the counts of cur. It reports whether a run was there before.
func setRecord(tx *bbolt.Tx, sub outbox.SubID, r outbox.Record, value []byte, cur *outbox.Cursor) (runGone bool, err error) {
	pending, dead := tx.Bucket([]byte(bucketPending)), tx.Bucket([]byte(bucketDead))
	key := subKey(sub, r.KeySeq())
	from := outbox.Done
	oldDead := dead.Get(key)
	switch {
	case pending.Get(key) != nil:
		from = outbox.Pending
	case oldDead != nil:
		from = outbox.Dead
	}
	if err := outbox.CheckMove(sub, r.KeySeq(), from, r.State); err != nil {
		return false, err
	}
	if from == outbox.Pending {
		cur.Pending = less(cur.Pending, 1)
	}
	if oldDead != nil {
		n, run := weigh(oldDead)
		cur.Dead = less(cur.Dead, n)
		if run {
			cur.Runs, runGone = less(cur.Runs, 1), true
		}
	}
	switch r.State {
	case outbox.Pending:
		cur.Pending++
		err = put(pending, dead, key, value)
	case outbox.Dead:
		n, run := weigh(value)
		cur.Dead += n
		if run {
			cur.Runs++
		}
		err = put(dead, pending, key, value)
	default:
		if err = pending.Delete(key); err == nil {
			err = dead.Delete(key)
		}
	}
	if err != nil {
		return false, fmt.Errorf("store record %d: %w", r.KeySeq(), err)
	}
	return runGone, nil
}

// put files a record in one bucket and takes it from the other.
func put(into, outOf *bbolt.Bucket, key, value []byte) error {
	if err := outOf.Delete(key); err != nil {
		return err
	}
	return into.Put(key, value)
}

// less is a - n, not below zero.
func less(a, n uint64) uint64 { return a - min(a, n) }

// publish shows the new cursor to readers.
func (ch *change) publish() {
	b := ch.box
	b.mu.Lock()
	defer b.mu.Unlock()
	st, ok := b.subs[ch.c.Sub]
	if !ok { // its subscription record could not be decoded
		return
	}
	old := st.cur.Next
	st.cur = ch.cur
	st.cur.Lane = nil // not needed here
	st.tally.passed(old, st.cur.Next)
	if ch.epochs != nil {
		st.sub.Epochs = ch.epochs
	}
}
