package boltbox

import (
	"context"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
)

// sinceSteps bounds how many events one FirstSince looks at.
const sinceSteps = 16 * maxSteps

// FirstSince returns the first sequence at or above from whose event was not created before since:
// everything from from up to it was. The log is in order of time, and where the clock was wrong the
// order decides: an event is not older than those before it, and one whose time is more than an
// hour ahead of the clock is as old as those behind it. more tells that it stopped early, so that
// there may be older ones from next on. It returns one above the newest sequence when everything is
// older. Errors: ErrClosed, ctx's.
func (b *Box) FirstSince(ctx context.Context, from outbox.Seq, since time.Time) (next outbox.Seq, more bool, err error) {
	b.mu.RLock()
	last := b.last
	b.mu.RUnlock()
	ahead := b.now().Add(wrongClock)
	newest := b.timeBefore(from, ahead)
	old := outbox.Seq(0) // everything up to it is
	next = max(from, 1)
	for steps := 0; next <= last; steps += maxSteps {
		if steps >= sinceSteps {
			return next, true, nil
		}
		if err := b.ready(ctx); err != nil {
			return from, false, err
		}
		young := false
		at, err := b.scanHeads(next, last, func(e storedEvent) bool {
			created := e.head.Created()
			if created.After(ahead) {
				if old < e.seq {
					old = b.oldBehind(e.seq, since, ahead)
				}
				young = old == 0
				return !young
			}
			if newest = later(newest, created); !newest.Before(since) {
				young = true
				return false
			}
			return true
		})
		if err != nil {
			return from, false, fmt.Errorf("events since %v: %w", since, err)
		}
		if young {
			return at, false, nil
		}
		next = at
	}
	return next, false, nil
}

// oldBehind returns an event behind seq that was created before since, 0 if none is found: then
// nobody knows how old seq is, whose own time is wrong. It takes the first of some events, each
// twice as far away, that has a time which can be.
func (b *Box) oldBehind(seq outbox.Seq, since, ahead time.Time) (old outbox.Seq) {
	// best effort: without it an event is kept
	_ = b.view(func(tx *bbolt.Tx) error {
		old = oldBehind(tx, seq, since, ahead)
		return nil
	})
	return old
}

func oldBehind(tx *bbolt.Tx, seq outbox.Seq, since, ahead time.Time) outbox.Seq {
	c := tx.Bucket([]byte(bucketEvents)).Cursor()
	for step := outbox.Seq(1); ; step *= 2 {
		k, v := c.Seek(seqKey(seq + step))
		if k == nil {
			return 0
		}
		at, _ := parseSeq(k)
		h, err := outbox.DecodeEventHead(at, v)
		switch created := h.Created(); {
		case err != nil || created.After(ahead):
		case created.Before(since):
			return at
		default:
			return 0
		}
	}
}

// timeBefore returns the time of the event before from, or nothing.
func (b *Box) timeBefore(from outbox.Seq, ahead time.Time) (at time.Time) {
	// best effort: without it an event is as old as it says
	_ = b.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket([]byte(bucketEvents)).Cursor()
		c.Seek(seqKey(from))
		for k, v := c.Prev(); k != nil; k, v = c.Prev() {
			seq, _ := parseSeq(k)
			if h, err := outbox.DecodeEventHead(seq, v); err == nil && !h.Created().After(ahead) {
				at = h.Created()
				return nil
			}
		}
		return nil
	})
	return at
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
