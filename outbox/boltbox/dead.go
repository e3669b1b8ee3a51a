package boltbox

import (
	"bytes"
	"context"
	"fmt"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
)

// maxOwedBytes bounds the bodies one Owed answers.
const maxOwedBytes = 1 << 20

// Dead answers dead records filed above after (by KeySeq), in order, at most limit (and outbox.MaxBatch) of them. A run is one
// record; expand it with Owed. One that cannot be decoded has the reason "undecodable".
func (b *Box) Dead(ctx context.Context, sub outbox.SubID, after outbox.Seq, limit int) ([]outbox.Record, error) {
	if err := b.ready(ctx); err != nil {
		return nil, err
	}
	if _, _, err := b.subscription(sub); err != nil {
		return nil, fmt.Errorf("list dead letters: %w", err)
	}
	limit = page(limit)
	var out []outbox.Record
	err := b.db.View(func(tx *bbolt.Tx) error {
		each(tx, bucketDead, sub, after+1, func(key outbox.Seq, v []byte) bool {
			out = append(out, b.record(bucketDead, sub, key, v, outbox.Dead))
			return len(out) < limit
		})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list dead letters of %s: %w", sub, err)
	}
	return out, nil
}

func page(limit int) int {
	if limit <= 0 || limit > outbox.MaxBatch {
		return outbox.MaxBatch
	}
	return limit
}

// DeadAt answers the dead record of seq, or the run it is owed in; outbox.ErrNotFound when seq is not dead.
func (b *Box) DeadAt(ctx context.Context, sub outbox.SubID, seq outbox.Seq) (outbox.Record, error) {
	if err := b.ready(ctx); err != nil {
		return outbox.Record{}, err
	}
	s, _, err := b.subscription(sub)
	if err != nil {
		return outbox.Record{}, fmt.Errorf("dead letter: %w", err)
	}
	var out outbox.Record
	err = b.db.View(func(tx *bbolt.Tx) error {
		found := false
		if cur, _ := b.cursor(tx, sub); cur.Runs == 0 && tx.Bucket([]byte(bucketDead)).Get(subKey(sub, seq)) == nil {
			return outbox.ErrNotFound // no walk over the dead ones above in search of a run
		}
		each(tx, bucketDead, sub, seq, func(key outbox.Seq, v []byte) bool {
			if key == seq {
				out, found = b.record(bucketDead, sub, key, v, outbox.Dead), true
				return false
			}
			_, span, err := outbox.DecodeRecordHead(v)
			if err != nil || span == 0 {
				return true // dead ones of their own may lie inside a run
			}
			if r := b.record(bucketDead, sub, key, v, outbox.Dead); r.IsRun() && r.Seq <= seq {
				out, found = r, b.owes(tx, s, seq)
			}
			return false
		})
		if !found {
			return outbox.ErrNotFound
		}
		return nil
	})
	if err != nil {
		return outbox.Record{}, fmt.Errorf("dead letter %s/%d: %w", sub, seq, err)
	}
	return out, nil
}

// owes reports whether the event at seq exists and is owed to s.
func (b *Box) owes(tx *bbolt.Tx, s outbox.Subscription, seq outbox.Seq) bool {
	v := tx.Bucket([]byte(bucketEvents)).Get(seqKey(seq))
	if v == nil {
		return false
	}
	h, err := outbox.DecodeEventHead(seq, v)
	return err == nil && s.Owes(seq, h.Name, h.Chat)
}

// Owed answers events owed to sub in [from, to], at most limit (and outbox.MaxBatch, and 1 MiB) of them, and where to go on:
// above to when that is all. Epochs are kept for what is unread and for runs; below both it answers what the oldest epoch kept
// still knows. It works for removed subscriptions too. It may answer no events and a next not above to: go on.
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
	size := 0
	next := max(from, to+1)
	err = b.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket([]byte(bucketEvents)).Cursor()
		steps := 0
		for k, v := c.Seek(seqKey(from)); k != nil; k, v = c.Next() {
			seq, ok := parseSeq(k)
			if !ok || seq > min(to, last) {
				return nil
			}
			h, err := outbox.DecodeEventHead(seq, v)
			if err != nil {
				b.unreadable(bucketEvents, k, err)
				continue
			}
			steps++
			owed := s.Owes(seq, h.Name, h.Chat)
			if steps > maxSteps || owed && len(out) > 0 && (len(out) == limit || size+len(v) > maxOwedBytes) {
				next = seq
				return nil
			}
			if !owed {
				continue
			}
			e, err := outbox.DecodeEvent(seq, v)
			if err != nil {
				b.unreadable(bucketEvents, k, err)
				continue
			}
			e.Body = bytes.Clone(e.Body)
			out = append(out, e)
			size += len(v)
		}
		return nil
	})
	if err != nil {
		return nil, 0, fmt.Errorf("owed events of %s: %w", sub, err)
	}
	return out, next, nil
}

// CountOwed counts what Owed would answer for the whole range, without bodies, in short transactions.
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
		from, err = b.heads(from, to, func(seq outbox.Seq, h outbox.EventHead) bool {
			if s.Owes(seq, h.Name, h.Chat) {
				out.Add(seq)
			}
			return true
		})
		if err != nil {
			return outbox.OwedRange{}, fmt.Errorf("count owed events of %s: %w", sub, err)
		}
	}
	return out, ctx.Err()
}
