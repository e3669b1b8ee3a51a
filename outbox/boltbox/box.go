// Package boltbox is the bbolt engine of the outbox: it gives the buckets of store's file their meaning (docs/FORMAT.md) and
// answers the operations of ENGINE.md.
//
// Writes go through the store's committer; what they change becomes visible in memory in commit order, before the caller is
// answered. Readers look at that memory first: the newest sequence, the epochs and a ring of recent events are one consistent
// picture, and the file is only read below that newest sequence.
package boltbox

import (
	"bytes"
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
}

// Box is an outbox in a bbolt file. Safe for concurrent use. It owns no goroutine; closing the store closes it.
type Box struct {
	db   *store.DB
	log  *slog.Logger
	size int

	mu    sync.RWMutex
	last  outbox.Seq // newest readable sequence
	ring  *ring
	subs  map[outbox.SubID]*subState
	grown chan struct{} // closed when something is appended; nil while nobody waits

	scanning    chan struct{} // one place: who counts old blocks
	undecodable atomic.Int64

	// of the committer's goroutine alone
	seenAt  []byte    // where pruning of the dedupe index goes on
	seenDue time.Time // when it begins again
}

// subState is what is kept in memory of a subscription. sub is replaced whole, never changed in place.
type subState struct {
	sub   outbox.Subscription
	cur   outbox.Cursor
	tally tally
}

// Open reads the subscriptions of db and answers the engine. Opening needs no walk over events or records, so it takes the same
// time whatever the backlog.
func Open(ctx context.Context, db *store.DB, o Options) (*Box, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b := &Box{db: db, log: o.Log, size: o.RingBytes, scanning: make(chan struct{}, 1)}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	if b.size == 0 {
		b.size = DefaultRing
	}
	if err := b.reload(); err != nil {
		return nil, fmt.Errorf("open outbox: %w", err)
	}
	db.OnReload(b.reload)
	return b, nil
}

// reload takes everything kept in memory from the file.
func (b *Box) reload() error {
	var last outbox.Seq
	subs := map[outbox.SubID]*subState{}
	err := b.db.View(func(tx *bbolt.Tx) error {
		last = outbox.Seq(tx.Bucket([]byte(bucketEvents)).Sequence())
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
			subs[s.ID] = &subState{sub: s, cur: cur, tally: newTally(cur.Next, last)}
			return nil
		})
	})
	if err != nil {
		return err
	}
	b.mu.Lock()
	b.last, b.subs, b.ring = last, subs, newRing(b.size, last+1)
	b.wake()
	b.mu.Unlock()
	return nil
}

// wake ends every Wait, which then looks again. b.mu is held.
func (b *Box) wake() {
	if b.grown != nil {
		close(b.grown)
		b.grown = nil
	}
}

// unreadable reports a record that cannot be decoded. It is passed over: one bad record must not stop the rest.
func (b *Box) unreadable(bucket string, key []byte, err error) {
	b.undecodable.Add(1)
	b.log.Error("outbox record cannot be decoded", "bucket", bucket, "key", fmt.Sprintf("%x", key), "error", err.Error())
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

func notFound(id outbox.SubID) error {
	return fmt.Errorf("subscription %s: %w", id, outbox.ErrNotFound)
}

// subscription answers the subscription as it is now, and the newest readable sequence.
func (b *Box) subscription(id outbox.SubID) (outbox.Subscription, outbox.Seq, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	st, ok := b.subs[id]
	if !ok {
		return outbox.Subscription{}, 0, notFound(id)
	}
	return st.sub, b.last, nil
}

// Wait blocks until an event at or above from is readable, ctx ends, or the store closes (outbox.ErrClosed).
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

// Subs lists the subscriptions by id, removed ones included.
func (b *Box) Subs(ctx context.Context) ([]outbox.Subscription, error) {
	if err := b.ready(ctx); err != nil {
		return nil, err
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	var out []outbox.Subscription
	for _, id := range slices.Sorted(maps.Keys(b.subs)) {
		out = append(out, cloneSub(b.subs[id].sub))
	}
	return out, nil
}

func cloneSub(s outbox.Subscription) outbox.Subscription {
	s.Config, s.Epochs = bytes.Clone(s.Config), slices.Clone(s.Epochs)
	return s
}
