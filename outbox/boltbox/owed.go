package boltbox

import (
	"context"
	"fmt"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
)

// maxOwedBytes bounds the bodies one Owed returns.
const maxOwedBytes = 1 << 20

// Owed returns events owed to sub in [from, to], at most limit (and outbox.MaxBatch, and 1 MiB) of
// them, and where to go on: above to when that is all. Epochs are kept for what is unread and for
// runs; below both it returns what the oldest epoch kept still knows. It works for removed
// subscriptions too. Damaged events are as in Read. It may return no events and a next not above
// to: go on.
func (b *Box) Owed(ctx context.Context, sub outbox.SubID, from, to outbox.Seq, limit int) ([]outbox.Event, outbox.Seq, error) {
	if err := b.ready(ctx); err != nil {
		return nil, 0, err
	}
	s, last, err := b.subscription(sub)
	if err != nil {
		return nil, 0, fmt.Errorf("owed events: %w", err)
	}
	limit = page(limit)
	var out []outbox.Event
	var next outbox.Seq
	r := eventRange{from: from, to: min(to, last)}
	if to-from >= blockSize {
		r.ahead = maxOwedBytes
	}
	err = b.view(func(tx *bbolt.Tx) error {
		out = nil
		size := 0
		next = b.scanEvents(tx, r, func(e storedEvent) bool {
			if !s.Owes(e.seq, e.head) {
				return true
			}
			if len(out) == limit || len(out) > 0 && size+len(e.value) > maxOwedBytes {
				return false
			}
			out = append(out, b.event(e))
			size += len(e.value)
			return true
		})
		return nil
	})
	if err != nil {
		return nil, 0, fmt.Errorf("owed events of %s: %w", sub, err)
	}
	if next > r.to { // nothing is readable above: that is all of the range asked for
		next = max(from, to+1)
	}
	return out, next, nil
}

// CountOwed counts what Owed would return for the whole range, without bodies, in short
// transactions.
func (b *Box) CountOwed(ctx context.Context, sub outbox.SubID, from, to outbox.Seq) (outbox.OwedRange, error) {
	s, last, err := b.subscription(sub)
	if err != nil {
		return outbox.OwedRange{}, fmt.Errorf("count owed events: %w", err)
	}
	var out outbox.OwedRange
	for to = min(to, last); from <= to; {
		if err := b.ready(ctx); err != nil {
			return outbox.OwedRange{}, err
		}
		from, err = b.scanHeads(from, to, func(e storedEvent) bool {
			if s.Owes(e.seq, e.head) {
				out.Add(e.seq)
			}
			return true
		})
		if err != nil {
			return outbox.OwedRange{}, fmt.Errorf("count owed events of %s: %w", sub, err)
		}
	}
	return out, ctx.Err()
}
