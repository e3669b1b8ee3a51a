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
// order decides: an event is not older than those before it, and the time of one that is more than
// an hour ahead of the clock says nothing. more tells that it stopped early, so that there may be
// older ones from next on. It returns one above the newest sequence when everything is older.
// Errors: ErrClosed, ctx's.
func (b *Box) FirstSince(ctx context.Context, from outbox.Seq, since time.Time) (next outbox.Seq, more bool, err error) {
	b.mu.RLock()
	last := b.last
	b.mu.RUnlock()
	ahead := time.Now().Add(wrongClock)
	newest := b.timeBefore(from, ahead)
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
			if e.head.Time.After(ahead) {
				return true
			}
			if newest = later(newest, e.head.Time); !newest.Before(since) {
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

// timeBefore returns the time of the event before from, or nothing.
func (b *Box) timeBefore(from outbox.Seq, ahead time.Time) (at time.Time) {
	// best effort: without it an event is as old as it says
	_ = b.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket([]byte(bucketEvents)).Cursor()
		c.Seek(seqKey(from))
		for k, v := c.Prev(); k != nil; k, v = c.Prev() {
			seq, _ := parseSeq(k)
			if h, err := outbox.DecodeEventHead(seq, v); err == nil && !h.Time.After(ahead) {
				at = h.Time
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
