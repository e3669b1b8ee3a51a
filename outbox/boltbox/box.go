// Package boltbox is the bbolt engine of the outbox: it gives the buckets of store's file their
// meaning (docs/FORMAT.md) and has every operation of the seam (outboxtest.Engine).
//
// Writes go through the store's committer; what they change becomes visible in memory in commit
// order, before the caller hears of it. Readers look at that memory first: the newest sequence, the
// epochs and a ring of recent events are one consistent picture, and the file is only read below
// that newest sequence.
package boltbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
	"waoutbox/store"
)

// DefaultRing is how many bytes of recent events are kept in memory for lanes that are not behind.
const DefaultRing = 8 << 20

// Options of Open.
type Options struct {
	Log       *slog.Logger // nil: nothing is logged
	RingBytes int          // size of the ring of recent events; 0 = DefaultRing
	Observer  Observer     // nil: nobody
	// the clock of the machine, which may jump; nil: time.Now
	Now func() time.Time

	seen seenOptions
}

// Observer is told of appends, each in the goroutine of its caller before that has its result.
type Observer interface {
	// Appended is called after an append that succeeded, with the events that were not stored
	// before, which it must not change or keep, and how long the append took.
	Appended(fresh []outbox.Event, took time.Duration)
}

// Box is an outbox in a bbolt file. Safe for concurrent use. It owns no goroutine; closing the
// store closes it.
type Box struct {
	db   *store.DB
	log  *slog.Logger
	size int
	told Observer // of appends; nil: nobody
	now  func() time.Time

	mu    sync.RWMutex
	last  outbox.Seq // newest readable sequence
	state string     // the id of the log
	// dead deliveries of subscriptions in the bucket removed
	removedDead int64
	ring        *ring
	subs        map[outbox.SubID]*subState // without those in the bucket removed
	dropped     int                        // how many were deleted from subs since it was made
	live        []*subState                // those of subs that what is appended may be owed to
	// the lowest block whose count may be kept, and is not yet
	nextBlock uint64
	// closed when something is appended; nil while nobody waits
	grown chan struct{}

	// of SealAudit; nil before
	auditKey   atomic.Pointer[func() outbox.AuditSealer]
	auditFault auditFault

	opened  time.Time    // with a monotonic reading: the machine's clock may jump
	settled atomic.Int64 // when a Change was committed last, nanoseconds after opened

	scanning chan struct{} // one place: who counts old blocks
	loading  sync.Mutex    // one Load at a time
	unread   unreadFault
	reported reports

	// of who commits, one at a time
	auditTold map[outbox.AuditKind]bool // that its trail was changed
	seen      seenIndex
	journal   journal
}

// subState is what is kept in memory of a subscription. sub is replaced whole, never changed in
// place.
type subState struct {
	sub  outbox.Subscription
	cur  outbox.Cursor // without Lane
	owed owedCounter
	live bool // it is in Box.live
}

// Open reads the subscriptions of db, which was opened with Schema, and returns the engine. Opening
// needs no walk over events, records or removed subscriptions that are owed nothing, so it takes
// the same time whatever the backlog.
func Open(ctx context.Context, db *store.DB, o Options) (*Box, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b := &Box{db: db, log: o.Log, size: o.RingBytes, told: o.Observer, now: o.Now, opened: time.Now(), scanning: make(chan struct{}, 1), auditTold: map[outbox.AuditKind]bool{}}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	if b.size == 0 {
		b.size = DefaultRing
	}
	if b.now == nil {
		b.now = time.Now
	}
	b.seen.init(b, o)
	if err := b.reload(); err != nil {
		return nil, fmt.Errorf("open outbox: %w", err)
	}
	db.OnReload(b.reload)
	b.ensureState(ctx)
	return b, nil
}

// reload takes everything kept in memory from the file.
func (b *Box) reload() error {
	var last outbox.Seq
	var state string
	var removedDead uint64
	var found []stored
	err := b.db.View(func(tx *bbolt.Tx) error {
		last, found = outbox.Seq(tx.Bucket([]byte(bucketEvents)).Sequence()), nil
		state, removedDead = b.stateOf(tx), b.deadOfRemoved(tx)
		return tx.Bucket([]byte(bucketSubs)).ForEach(func(k, v []byte) error {
			s, err := outbox.DecodeSubscription(outbox.SubID(k), v)
			if err != nil {
				b.unreadable(bucketSubs, k, err)
				return nil
			}
			cur, ok := b.cursor(tx, s.ID)
			if !ok {
				b.unreadable(bucketCursors, k, errors.New("subscription without a cursor"))
				return nil
			}
			found = append(found, stored{sub: s, cur: cur})
			return nil
		})
	})
	if err != nil {
		return err
	}
	b.seen.reset()
	b.journal.forget()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last, b.ring, b.nextBlock = last, newRing(b.size, last+1), blockOf(last+1)
	if state != "" { // else the one that could not be stored goes on
		b.state = state
	}
	b.removedDead = int64(removedDead)
	b.subs, b.live, b.dropped = make(map[outbox.SubID]*subState, len(found)), nil, 0
	for _, s := range found {
		b.show(s)
	}
	b.wake()
	return nil
}

// show makes a subscription in memory what it is in the file. b.mu is held.
func (b *Box) show(s stored) {
	st := b.subs[s.sub.ID]
	b.removedDead += s.recount
	if s.inRemoved {
		if st != nil {
			b.drop(st)
		}
		return
	}
	s.cur.Lane = nil // not needed here
	switch {
	case st == nil:
		st = &subState{owed: newOwedCounter(s, b.last)}
		b.subs[s.sub.ID] = st
	case !sameHistory(st.sub, s.sub, b.last):
		st.owed = newOwedCounter(s, b.last)
	default:
		st.owed.passed(st.cur.Next, s.cur.Next)
	}
	st.sub, st.cur = s.sub, s.cur
	b.setLive(st, owesNew(s.sub))
}

// drop takes a subscription out of memory. b.mu is held.
func (b *Box) drop(st *subState) {
	delete(b.subs, st.sub.ID)
	b.setLive(st, false)
	if b.dropped++; b.dropped > len(b.subs) { // walking a map passes the room of what was deleted
		kept := make(map[outbox.SubID]*subState, len(b.subs))
		maps.Copy(kept, b.subs)
		b.subs, b.dropped = kept, 0
	}
}

// setLive puts a subscription into the list of live ones, or takes it out. b.mu is held.
func (b *Box) setLive(st *subState, live bool) {
	switch {
	case st == nil || st.live == live:
		return
	case live:
		b.live = append(b.live, st)
	default:
		i := slices.Index(b.live, st)
		b.live = slices.Delete(b.live, i, i+1)
	}
	st.live = live
}

// wake ends every Wait, which then looks again. b.mu is held.
func (b *Box) wake() {
	if b.grown != nil {
		close(b.grown)
		b.grown = nil
	}
}

// ready is the start of every read.
func (b *Box) ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-b.db.Done():
		return outbox.ErrClosed
	default:
		return nil
	}
}

// view is store.DB.View with the outbox's errors.
func (b *Box) view(fn func(tx *bbolt.Tx) error) error { return outboxError(b.db.View(fn)) }

func notFound(id outbox.SubID) error {
	return fmt.Errorf("subscription %s: %w", id, outbox.ErrNotFound)
}

// subscription returns a subscription as it is now, and the newest readable sequence.
func (b *Box) subscription(id outbox.SubID) (outbox.Subscription, outbox.Seq, error) {
	b.mu.RLock()
	st, ok := b.subs[id]
	last := b.last
	if ok {
		defer b.mu.RUnlock()
		return st.sub, last, nil
	}
	b.mu.RUnlock()
	var found stored
	err := b.view(func(tx *bbolt.Tx) error {
		found, ok = b.lookup(tx, id)
		return nil
	})
	if err == nil && (!ok || found.sub.Epochs == nil) {
		err = notFound(id)
	}
	return found.sub, last, err
}

// Wait blocks until an event at or above from is readable, ctx ends, or the store closes
// (outbox.ErrClosed).
func (b *Box) Wait(ctx context.Context, from outbox.Seq) error {
	for {
		if err := b.ready(ctx); err != nil {
			return err
		}
		b.mu.Lock()
		if b.last >= from {
			b.mu.Unlock()
			return nil
		}
		if b.grown == nil {
			b.grown = make(chan struct{})
		}
		grown := b.grown
		b.mu.Unlock()
		select {
		case <-grown:
		case <-ctx.Done():
			return ctx.Err()
		case <-b.db.Done():
			return outbox.ErrClosed
		}
	}
}

// outboxError makes an error of the store one of the outbox. Its text stays.
func outboxError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.Full):
		return &storeError{err: err, is: outbox.ErrFull}
	case errors.Is(err, store.Closed):
		return &storeError{err: err, is: outbox.ErrClosed}
	case errors.Is(err, store.Unknown):
		return &storeError{err: err, is: outbox.ErrUnknown}
	}
	return err
}

// storeError is an error of the store with the sentinel consumers know it by.
type storeError struct{ err, is error }

func (e *storeError) Error() string   { return e.err.Error() }
func (e *storeError) Unwrap() []error { return []error{e.is, e.err} }

// do is store.DB.Do with the outbox's errors.
func (b *Box) do(ctx context.Context, op store.Op) error { return outboxError(b.db.Do(ctx, op)) }
