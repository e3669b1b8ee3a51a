package boltbox

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
	"waoutbox/store"
)

// Stats counts what is kept and, exactly, what every subscription that Subs lists still owes. The
// first call after opening walks what is not counted by blocks in the file; later ones read at most
// one block (1,024 events) per subscription. Commits that happen meanwhile may or may not be
// counted.
//
// While the file cannot be read, it returns what memory knows, with CountsUnknown set and the
// faults that say why. It clears no fault of the store. Errors: ctx's, and outbox.ErrClosed after
// an orderly close.
func (b *Box) Stats(ctx context.Context) (outbox.Stats, error) {
	if err := ctx.Err(); err != nil {
		return outbox.Stats{}, err
	}
	file := b.db.Stats()
	st := outbox.Stats{Bytes: file.Bytes, LiveBytes: file.LiveBytes, Subs: map[outbox.SubID]outbox.SubStats{}}
	for _, f := range file.Faults {
		st.Faults = append(st.Faults, outbox.Fault{Cause: faultCause(f.Cause), Message: f.Message, Since: f.Since})
	}
	if err := b.ready(ctx); err != nil && len(st.Faults) == 0 { // a stopped store still says why
		return outbox.Stats{}, err
	}
	err := b.countOld(ctx)
	views := b.snapshot(&st)
	if err == nil {
		err = b.count(&st, views)
	}
	b.reported.into(&st)
	b.auditFault.into(&st)
	if ctx.Err() != nil {
		return outbox.Stats{}, fmt.Errorf("statistics: %w", ctx.Err())
	}
	st.CountsUnknown = err != nil
	if since, ok := b.unread.note(err); ok {
		st.Faults = append(st.Faults, outbox.Fault{Cause: outbox.FaultUnreadable, Since: since, Message: "a part of the outbox file cannot be read (" + err.Error() + "), so counts are missing"})
	}
	return st, nil
}

// LiveBytes is how many bytes of the file are in use, as Stats says it, without counting anything
// else.
func (b *Box) LiveBytes() int64 { return b.db.Stats().LiveBytes }

// unreadFault remembers since when a part of the file cannot be read.
type unreadFault struct {
	mu    sync.Mutex
	since time.Time
}

// note takes the outcome of a walk over the file and reports whether it shows a fault of its own,
// and since when. A closed file is none: the store has a fault for it.
func (f *unreadFault) note(err error) (since time.Time, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case errors.Is(err, outbox.ErrClosed):
		return time.Time{}, false
	case err == nil:
		f.since = time.Time{}
		return time.Time{}, false
	case f.since.IsZero():
		f.since = time.Now()
	}
	return f.since, true
}

// count reads what memory does not know.
func (b *Box) count(st *outbox.Stats, views []subView) error {
	err := b.view(func(tx *bbolt.Tx) error {
		st.Events = int64(uint64(st.Last) - b.trimmedEvents(tx))
		for _, v := range views {
			if v.cur.Dead > 0 {
				ss := st.Subs[v.sub.ID]
				ss.DeadByReason = b.keptReasons(tx, v.sub.ID)
				st.Subs[v.sub.ID] = ss
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, v := range views {
		if v.cur.Pending == 0 && !mayOwe(stored{sub: v.sub, cur: v.cur}, v.last) {
			continue // nothing to be read: what is dead is counted in the cursor
		}
		ss, err := b.subStats(v)
		if err != nil {
			return fmt.Errorf("of %s: %w", v.sub.ID, err)
		}
		ss.DeadByReason = st.Subs[v.sub.ID].DeadByReason
		st.Subs[v.sub.ID] = ss
	}
	return nil
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

// snapshot takes the subscriptions from memory, and fills st with what is known of them there.
func (b *Box) snapshot(st *outbox.Stats) []subView {
	b.mu.RLock()
	defer b.mu.RUnlock()
	st.Last, st.RemovedDead = b.last, b.removedDead
	views := make([]subView, 0, len(b.subs))
	for id, s := range b.subs {
		v := subView{sub: s.sub, cur: s.cur, last: b.last, above: s.owed.above(s.cur.Next)}
		if v.above > 0 {
			v.block, v.some = s.owed.first(s.cur.Next)
		}
		views = append(views, v)
		ss := outbox.SubStats{Next: s.cur.Next, Pending: int64(s.cur.Pending), Dead: int64(s.cur.Dead)}
		if mayOwe(stored{sub: s.sub, cur: s.cur}, b.last) {
			ss.Pending += v.above
		}
		st.Subs[id] = ss
	}
	return views
}

func (b *Box) subStats(v subView) (outbox.SubStats, error) {
	ss := outbox.SubStats{Next: v.cur.Next, Dead: int64(v.cur.Dead)}
	if first, ok := v.sub.FirstOwed(v.cur.Next); ok && first <= v.last {
		ss.Holds = first
	}
	recorded, oldest, err := b.oldestRecord(v.sub.ID)
	if err != nil {
		return ss, err
	}
	if recorded > 0 && (ss.Holds == 0 || recorded < ss.Holds) {
		ss.Holds = recorded
	}
	unread := v.above
	var first time.Time
	count := func(e storedEvent) bool {
		if v.sub.Owes(e.seq, e.head) {
			unread++
			if first.IsZero() {
				first = e.head.Time
			}
		}
		return true
	}
	if v.cur.Next <= v.last {
		if _, err := b.scanHeads(v.cur.Next, min(v.last, blockStart(blockOf(v.cur.Next)+1)-1), count); err != nil {
			return ss, err
		}
	}
	if first.IsZero() && v.some {
		_, err := b.scanHeads(blockStart(v.block), min(v.last, blockStart(v.block+1)-1), func(e storedEvent) bool {
			if v.sub.Owes(e.seq, e.head) {
				first = e.head.Time
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

// oldestRecord is the lowest pending record, and the creation of its event (of the lowest one whose
// event can be read): it is below everything unread.
func (b *Box) oldestRecord(id outbox.SubID) (first outbox.Seq, oldest time.Time, err error) {
	err = b.view(func(tx *bbolt.Tx) error {
		events := tx.Bucket([]byte(bucketEvents))
		first = 0
		scanRecords(tx, bucketPending, id, 0, func(key outbox.Seq, _ []byte) bool {
			if first == 0 {
				first = key
			}
			if h, err := outbox.DecodeEventHead(key, events.Get(seqKey(key))); err == nil {
				oldest = h.Time
			}
			return oldest.IsZero()
		})
		return nil
	})
	return first, oldest, err
}

// recordsAbove counts owed events at or above the cursor that have a record all the same: a lane
// does not write such records, but they must not be counted twice. Those that the cursor has come
// to pass since v was taken are counted once, as unread.
func (b *Box) recordsAbove(v subView) (n int64, err error) {
	err = b.view(func(tx *bbolt.Tx) error {
		n = 0
		from := v.cur.Next
		if now, ok := b.cursor(tx, v.sub.ID); ok {
			from = max(from, now.Next)
		}
		for _, bucket := range []string{bucketPending, bucketDead} {
			scanRecords(tx, bucket, v.sub.ID, from, func(key outbox.Seq, _ []byte) bool {
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

// faultCause returns the outbox's word for a fault of the file.
func faultCause(c store.Cause) string {
	switch c {
	case store.CauseDiskLow:
		return outbox.FaultDiskLow
	case store.CauseDiskFull:
		return outbox.FaultDiskFull
	case store.CauseCommit:
		return outbox.FaultCommit
	case store.CauseReopening:
		return outbox.FaultReopening
	case store.CauseSizeLimit:
		return outbox.FaultSizeLimit
	case store.CauseCompaction:
		return outbox.FaultCompaction
	case store.CauseDisplaced:
		return outbox.FaultDisplaced
	default:
		return outbox.FaultStopped
	}
}
