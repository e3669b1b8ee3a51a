package boltbox

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
)

// metaTrimmed counts the events that were removed: the rest of the sequences given are kept.
const metaTrimmed = "trimmed"

// Stats counts what is kept and, exactly, what every subscription still owes. The first call after opening walks the events
// above the cursors once; later ones read at most one block (1,024 events) per subscription. Commits that happen meanwhile may
// or may not be counted.
func (b *Box) Stats(ctx context.Context) (outbox.Stats, error) {
	if err := ctx.Err(); err != nil {
		return outbox.Stats{}, err
	}
	file := b.db.Stats()
	st := outbox.Stats{Bytes: file.Bytes, LiveBytes: file.LiveBytes, Fault: file.Fault, FaultAt: file.FaultAt,
		Undecodable: b.undecodable.Load(), Subs: map[outbox.SubID]outbox.SubStats{}}
	if err := b.ready(ctx); err != nil {
		if st.Fault != "" { // a stopped store still says why
			return st, nil
		}
		return outbox.Stats{}, err
	}
	if err := b.countOld(ctx); err != nil {
		return outbox.Stats{}, fmt.Errorf("statistics: %w", err)
	}
	views := b.snapshot(&st)
	err := b.db.View(func(tx *bbolt.Tx) error {
		trimmed := uint64(0)
		if v := tx.Bucket([]byte(bucketMeta)).Get([]byte(metaTrimmed)); len(v) == 8 {
			trimmed = binary.BigEndian.Uint64(v)
		}
		st.Events = int64(uint64(st.Last) - trimmed)
		return nil
	})
	if err != nil {
		return outbox.Stats{}, fmt.Errorf("statistics: %w", err)
	}
	for _, v := range views {
		ss, err := b.subStats(v)
		if err != nil {
			return outbox.Stats{}, fmt.Errorf("statistics of %s: %w", v.sub.ID, err)
		}
		st.Subs[v.sub.ID] = ss
	}
	return st, nil
}

// subView is one subscription at one moment.
type subView struct {
	sub   outbox.Subscription
	cur   outbox.Cursor
	last  outbox.Seq
	above int64 // owed above the cursor's block
	block uint64
	some  bool // block is the first of those
}

func (b *Box) snapshot(st *outbox.Stats) []subView {
	b.mu.RLock()
	defer b.mu.RUnlock()
	st.Last = b.last
	var views []subView
	for _, s := range b.subs {
		v := subView{sub: s.sub, cur: s.cur, last: b.last, above: s.tally.above(s.cur.Next)}
		if v.above > 0 {
			v.block, v.some = s.tally.first(s.cur.Next)
		}
		views = append(views, v)
	}
	return views
}

func (b *Box) subStats(v subView) (outbox.SubStats, error) {
	ss := outbox.SubStats{Next: v.cur.Next, Dead: int64(v.cur.Dead)}
	oldest, err := b.oldestRecord(v.sub.ID)
	if err != nil {
		return ss, err
	}
	unread := v.above
	var first time.Time
	count := func(seq outbox.Seq, h outbox.EventHead) bool {
		if v.sub.Owes(seq, h.Name, h.Chat) {
			unread++
			if first.IsZero() {
				first = h.Time
			}
		}
		return true
	}
	if v.cur.Next <= v.last {
		if _, err := b.heads(v.cur.Next, min(v.last, blockStart(blockOf(v.cur.Next)+1)-1), count); err != nil {
			return ss, err
		}
	}
	if first.IsZero() && v.some {
		_, err := b.heads(blockStart(v.block), min(v.last, blockStart(v.block+1)-1), func(seq outbox.Seq, h outbox.EventHead) bool {
			if v.sub.Owes(seq, h.Name, h.Chat) {
				first = h.Time
			}
			return first.IsZero()
		})
		if err != nil {
			return ss, err
		}
	}
	both, err := b.recordsAbove(v)
	if err != nil {
		return ss, err
	}
	ss.Pending = unread - both + int64(v.cur.Pending)
	ss.OldestPending = first
	if !oldest.IsZero() {
		ss.OldestPending = oldest
	}
	return ss, nil
}

// oldestRecord is the creation of the event of the lowest pending record: it is below everything unread.
func (b *Box) oldestRecord(id outbox.SubID) (oldest time.Time, err error) {
	err = b.db.View(func(tx *bbolt.Tx) error {
		events := tx.Bucket([]byte(bucketEvents))
		each(tx, bucketPending, id, 0, func(key outbox.Seq, _ []byte) bool {
			if h, err := outbox.DecodeEventHead(key, events.Get(seqKey(key))); err == nil {
				oldest = h.Time
			}
			return oldest.IsZero()
		})
		return nil
	})
	return oldest, err
}

// recordsAbove counts owed events at or above the cursor that have a record all the same: a lane does not write such records,
// but they must not be counted twice.
func (b *Box) recordsAbove(v subView) (n int64, err error) {
	err = b.db.View(func(tx *bbolt.Tx) error {
		for _, bucket := range []string{bucketPending, bucketDead} {
			each(tx, bucket, v.sub.ID, v.cur.Next, func(key outbox.Seq, _ []byte) bool {
				if key <= v.last && b.owes(tx, v.sub, key) {
					n++
				}
				return true
			})
		}
		return nil
	})
	return n, err
}
