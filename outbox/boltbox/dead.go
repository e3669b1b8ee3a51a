package boltbox

import (
	"context"
	"fmt"
	"iter"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
)

// Dead returns dead records filed above after (by KeySeq), in order, at most limit (and
// outbox.MaxBatch) of them. A run is one record; expand it with Owed. One that cannot be decoded
// has the reason "undecodable".
func (b *Box) Dead(ctx context.Context, sub outbox.SubID, after outbox.Seq, limit int) ([]outbox.Record, error) {
	if err := b.ready(ctx); err != nil {
		return nil, err
	}
	if _, _, err := b.subscription(sub); err != nil {
		return nil, fmt.Errorf("list dead letters: %w", err)
	}
	limit = page(limit)
	var out []outbox.Record
	err := b.view(func(tx *bbolt.Tx) error {
		out = nil
		scanRecords(tx, bucketDead, sub, after+1, func(key outbox.Seq, v []byte) bool {
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

// WithDead lists the subscriptions that have dead records, removed or not, by id, above after, at
// most limit (and outbox.MaxBatch) of them.
func (b *Box) WithDead(ctx context.Context, after outbox.SubID, limit int) ([]outbox.Subscription, error) {
	if err := b.ready(ctx); err != nil {
		return nil, err
	}
	limit = page(limit)
	var out []outbox.Subscription
	err := b.view(func(tx *bbolt.Tx) error {
		out = nil
		for id := range deadOwners(tx, after) {
			// one that cannot be decoded was reported at opening
			if found, _ := b.lookup(tx, id); found.sub.Epochs != nil {
				out = append(out, found.sub)
			}
			if len(out) == limit {
				break
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list subscriptions with dead letters: %w", err)
	}
	return out, nil
}

// deadOwners walks the ids above after that have dead records. Their records are not passed.
func deadOwners(tx *bbolt.Tx, after outbox.SubID) iter.Seq[outbox.SubID] {
	return func(yield func(outbox.SubID) bool) {
		c := tx.Bucket([]byte(bucketDead)).Cursor()
		// ids hold no zero byte
		next := func(id outbox.SubID) []byte { return append([]byte(id), 1) }
		k, _ := c.Seek(next(after))
		for k != nil {
			id, _, ok := parseSubKey(k)
			switch {
			case !ok:
				k, _ = c.Next()
				continue
			case !yield(id):
				return
			}
			k, _ = c.Seek(next(id))
		}
	}
}

// DeadHeads returns what Dead does, with the events' heads, all from one transaction: what a
// listing that filters by event name, chat or time walks over.
func (b *Box) DeadHeads(ctx context.Context, sub outbox.SubID, after outbox.Seq, limit int) ([]outbox.DeadHead, error) {
	if err := b.ready(ctx); err != nil {
		return nil, err
	}
	if _, _, err := b.subscription(sub); err != nil {
		return nil, fmt.Errorf("list dead letters: %w", err)
	}
	limit = page(limit)
	var out []outbox.DeadHead
	err := b.view(func(tx *bbolt.Tx) error {
		out = nil
		events := tx.Bucket([]byte(bucketEvents))
		scanRecords(tx, bucketDead, sub, after+1, func(key outbox.Seq, v []byte) bool {
			r := b.record(bucketDead, sub, key, v, outbox.Dead)
			if out == nil && limit > 1 { // neighbours in death mostly are neighbours in the log
				b.db.Ahead(tx, events.Get(seqKey(r.Seq)), maxOwedBytes)
			}
			out = append(out, outbox.DeadHead{Record: r, Event: b.headOf(events, r)})
			return len(out) < limit
		})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list dead letters of %s: %w", sub, err)
	}
	return out, nil
}

// headOf returns the event of a dead record without its body.
func (b *Box) headOf(events *bbolt.Bucket, r outbox.Record) outbox.Event {
	v := events.Get(seqKey(r.Seq))
	if r.IsRun() || v == nil {
		return outbox.Event{Seq: r.Seq}
	}
	return b.eventFields(storedEvent{seq: r.Seq, value: v})
}

func page(limit int) int {
	if limit <= 0 || limit > outbox.MaxBatch {
		return outbox.MaxBatch
	}
	return limit
}

// RecordAt returns the record of seq: its pending record, its dead one, the run it is owed in, or
// an expired run around it; outbox.ErrNotFound when seq has none.
func (b *Box) RecordAt(ctx context.Context, sub outbox.SubID, seq outbox.Seq) (outbox.Record, error) {
	if err := b.ready(ctx); err != nil {
		return outbox.Record{}, err
	}
	s, _, err := b.subscription(sub)
	if err != nil {
		return outbox.Record{}, fmt.Errorf("record: %w", err)
	}
	var out outbox.Record
	err = b.view(func(tx *bbolt.Tx) error {
		if v := tx.Bucket([]byte(bucketPending)).Get(subKey(sub, seq)); v != nil {
			out = b.record(bucketPending, sub, seq, v, outbox.Pending)
			return nil
		}
		found := false
		if now, _ := b.lookup(tx, sub); now.cur.Runs == 0 && tx.Bucket([]byte(bucketDead)).Get(subKey(sub, seq)) == nil {
			return outbox.ErrNotFound // no walk over the dead ones above in search of a run
		}
		scanRecords(tx, bucketDead, sub, seq, func(key outbox.Seq, v []byte) bool {
			if key == seq {
				out, found = b.record(bucketDead, sub, key, v, outbox.Dead), true
				return false
			}
			first, _, isRun := runRange(sub, key, v)
			if !isRun {
				return true // dead ones of their own may lie inside a run
			}
			if first <= seq {
				out = b.record(bucketDead, sub, key, v, outbox.Dead)
				// which ones of an expired run were owed is not known any more
				found = out.IsRun() && (out.Expired() || b.owes(tx, s, seq))
			}
			return false
		})
		if !found {
			return outbox.ErrNotFound
		}
		return nil
	})
	if err != nil {
		return outbox.Record{}, fmt.Errorf("record %s/%d: %w", sub, seq, err)
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
	if err != nil {
		h = outbox.EventHead{Corrupt: true}
	}
	return s.Owes(seq, h)
}
