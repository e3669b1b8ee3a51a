package boltbox

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
	"waoutbox/store"
)

// reasonUndecodable is the reason shown for a record that cannot be decoded.
const reasonUndecodable = "undecodable"

// Load returns what a lane starts from: its cursor, its own state, and its pending records by
// sequence, without their logs. A record that cannot be decoded is pending anew, with the reason
// "undecodable".
func (b *Box) Load(ctx context.Context, sub outbox.SubID) (next outbox.Seq, lane []byte, pending []outbox.Record, err error) {
	if err := b.ready(ctx); err != nil {
		return 0, nil, nil, err
	}
	// Lanes that begin together would otherwise all hold their records at one moment, up to 16,384
	// of 144 bytes each, before a scheduler has made 48 of them.
	b.loading.Lock()
	defer b.loading.Unlock()
	err = b.view(func(tx *bbolt.Tx) error {
		found, ok := b.lookup(tx, sub)
		if !ok {
			return notFound(sub)
		}
		next, lane = found.cur.Next, found.cur.Lane
		if pending = nil; found.cur.Pending > 0 {
			pending = make([]outbox.Record, 0, min(found.cur.Pending, 1<<14))
		}
		scanRecords(tx, bucketPending, sub, 0, func(key outbox.Seq, v []byte) bool {
			r, err := outbox.DecodeRecordWithoutLog(sub, key, v)
			pending = append(pending, b.decoded(r, err, bucketPending, outbox.Pending, sub, key))
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
	r, err := outbox.DecodeRecord(sub, key, v)
	return b.decoded(r, err, bucket, state, sub, key)
}

// decoded takes what a stored record was decoded to.
func (b *Box) decoded(r outbox.Record, err error, bucket string, state outbox.State, sub outbox.SubID, key outbox.Seq) outbox.Record {
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
	now    stored   // the subscription afterwards
}

// frees reports whether the change does nothing but remove records, let them expire, or move the
// cursor, which holds events back.
func (ch *change) frees() bool {
	for i, v := range ch.values {
		if v != nil && !outbox.HoldsNothing(ch.c.Sub, ch.c.Set[i].KeySeq(), v) {
			return false
		}
	}
	return len(ch.values) > 0 || ch.c.Next > 0 && ch.c.Lane == nil
}

// Appending reports whether events are being appended, or were within the time given: each append
// starts a commit at once, which a Change shares.
func (b *Box) Appending(within time.Duration) bool { return b.db.Appending(within) }

// Commit applies c, whole or not at all, its audit records included, and returns when it is on
// disk; it may wait up to store.SettleDelay (store.ShareDelay when c is to come soon) for others to
// share the commit. Next only rises, and above the newest event it is refused. Repeating a Change
// is harmless. ctx withdraws it only before its write has begun: its error means that nothing was
// written. Errors: *outbox.TransitionError, ErrTooLarge, ErrNotFound, ErrFull (the disk has not one
// page left), ErrClosed, ErrUnknown, ctx's.
func (b *Box) Commit(ctx context.Context, c outbox.Change) error {
	if err := outbox.CheckChange(c); err != nil {
		return err
	}
	ch := &change{box: b, c: c, values: make([][]byte, len(c.Set))}
	ch.c.Lane = bytes.Clone(c.Lane)
	ch.c.Audit = cloneAudit(c.Audit)
	ch.c.Set = append([]outbox.Record(nil), c.Set...)
	size := len(c.Lane) + 64 + auditBytes(c.Audit)
	for i, r := range c.Set {
		if r.State != outbox.Done {
			ch.values[i] = outbox.EncodeRecord(c.Sub, r)
		}
		ch.c.Set[i].Log = nil // encoded; the caller may reuse its bytes
		size += len(ch.values[i]) + 64
	}
	if err := b.do(ctx, store.Op{Bytes: size, Soon: c.Soon, Frees: ch.frees(), Apply: ch.apply, Publish: ch.publish}); err != nil {
		return fmt.Errorf("commit %s: %w", c.Sub, err)
	}
	return nil
}

func (ch *change) apply(tx *bbolt.Tx) error {
	c := ch.c
	now, ok := ch.box.lookup(tx, c.Sub)
	if !ok {
		return notFound(c.Sub)
	}
	if last := tx.Bucket([]byte(bucketEvents)).Sequence(); c.Next > outbox.Seq(last)+1 {
		return fmt.Errorf("next %d is above the newest event %d", c.Next, last)
	}
	before := now.cur.Next
	e := effect{reasons: reasonCounts{}}
	for i, r := range c.Set {
		if err := setRecord(tx, c.Sub, r, ch.values[i], &now.cur, &e); err != nil {
			return err
		}
	}
	if e.unclear {
		countRecords(tx, c.Sub, &now.cur)
	}
	now.cur.Next = max(now.cur.Next, c.Next)
	if err := ch.box.noteHeld(tx, e.filed); err != nil {
		return err
	}
	if err := ch.box.countByReason(tx, c.Sub, e); err != nil {
		return err
	}
	if c.Lane != nil {
		now.cur.Lane = c.Lane
	}
	changed := false
	if e.runGone || crossesEpoch(now.sub, before, now.cur.Next) {
		epochs := neededEpochs(tx, now.sub, now.cur)
		changed = len(epochs) < len(now.sub.Epochs)
		now.sub.Epochs = epochs
	}
	ch.now = now
	if err := ch.now.save(tx, changed); err != nil {
		return err
	}
	return ch.box.putAudit(tx, c.Audit)
}

// crossesEpoch reports whether a cursor that moves from old to next comes past the beginning of an
// epoch.
func crossesEpoch(s outbox.Subscription, old, next outbox.Seq) bool {
	return slices.ContainsFunc(s.Epochs, func(e outbox.Epoch) bool { return old < e.From && e.From <= next })
}

// effect is what the records of a change are to others.
type effect struct {
	runGone bool // a run was there before
	// what was there is damaged, so that nobody knows what it counted for, and whether it was a run
	unclear bool
	filed   []heldBy
	reasons reasonCounts // by how much the dead deliveries of each reason change
}

// setRecord files one record, keeps the counts of cur, and notes in e what changes.
func setRecord(tx *bbolt.Tx, sub outbox.SubID, r outbox.Record, value []byte, cur *outbox.Cursor, e *effect) (err error) {
	pending, dead := tx.Bucket([]byte(bucketPending)), tx.Bucket([]byte(bucketDead))
	key := subKey(sub, r.KeySeq())
	from := outbox.Done
	old, oldDead := pending.Get(key), dead.Get(key)
	switch {
	case old != nil:
		from = outbox.Pending
	case oldDead != nil:
		from, old = outbox.Dead, oldDead
	}
	if err := checkMove(sub, from, old, r); err != nil {
		return err
	}
	e.hold(sub, r.KeySeq(), old, value)
	if from == outbox.Pending {
		cur.Pending = less(cur.Pending, 1)
	}
	if oldDead != nil {
		n, span, err := outbox.DecodeRecordHead(sub, r.KeySeq(), oldDead)
		cur.Dead, e.unclear = less(cur.Dead, n), e.unclear || err != nil
		if span > 0 {
			cur.Runs = less(cur.Runs, 1)
		}
		e.runGone = e.runGone || span > 0 || err != nil
		e.reasons.add(sub, r.KeySeq(), oldDead, -int64(n))
	}
	switch r.State {
	case outbox.Pending:
		cur.Pending++
		err = put(pending, dead, key, value)
	case outbox.Dead:
		n, run := countDeliveries(sub, r.KeySeq(), value)
		cur.Dead += n
		if run {
			cur.Runs++
		}
		e.reasons.add(sub, r.KeySeq(), value, int64(n))
		err = put(dead, pending, key, value)
	default:
		if err = pending.Delete(key); err == nil {
			err = dead.Delete(key)
		}
	}
	if err != nil {
		return fmt.Errorf("store record %d: %w", r.KeySeq(), err)
	}
	return nil
}

// hold notes what a record held before the change, and what it holds once it is filed. Later
// records of one sequence take the place of earlier ones.
func (e *effect) hold(sub outbox.SubID, key outbox.Seq, old, now []byte) {
	i := slices.IndexFunc(e.filed, func(h heldBy) bool { return h.key == key })
	if i < 0 {
		i = len(e.filed)
		e.filed = append(e.filed, heldBy{key: key})
		e.filed[i].before, e.filed[i].held = held(sub, key, old)
	}
	e.filed[i].after, e.filed[i].holds = held(sub, key, now)
}

// heldBy is what the records of one sequence hold of the events, before a change and after it.
type heldBy struct {
	key           outbox.Seq
	before, after seqRange
	held, holds   bool // else nothing
}

// checkMove asks the table of moves; a record that cannot be decoded may become anything.
func checkMove(sub outbox.SubID, state outbox.State, old []byte, r outbox.Record) error {
	from := outbox.Record{State: state}
	if state != outbox.Done {
		if was, err := outbox.DecodeRecord(sub, r.KeySeq(), old); err == nil && was.State == state {
			from = was
		}
	}
	return outbox.CheckMove(sub, from, r)
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

// publish shows the change to readers.
func (ch *change) publish() {
	ch.box.settled.Store(int64(time.Since(ch.box.opened)))
	if ch.now.sub.Epochs == nil { // it cannot be decoded, so it is not in memory
		return
	}
	ch.box.mu.Lock()
	defer ch.box.mu.Unlock()
	ch.box.show(ch.now)
}
