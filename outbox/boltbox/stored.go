package boltbox

import (
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
)

// A subscription lies in the bucket subs, with its cursor in the bucket cursors; or, once it is
// removed and owed nothing any more, whole in the bucket removed, which nothing passes that goes
// over subscriptions, however many dead letters are left. Every write that makes it so, or undoes
// that, moves it. How many dead letters lie there is counted in the bucket meta.

// stored is a subscription as the file has it.
type stored struct {
	sub       outbox.Subscription // Epochs nil when it could not be decoded
	cur       outbox.Cursor
	inRemoved bool   // lies in the bucket removed
	counted   uint64 // of its dead deliveries, how many the file counts among those of removed ones
	recount   int64  // by how much save changed that
}

func ended(s outbox.Subscription, cur outbox.Cursor) bool { return s.Ended(cur.Next, cur.Pending) }

// owesNew reports whether an event that is appended from now on may be owed to s.
func owesNew(s outbox.Subscription) bool {
	_, cut := s.Cut()
	return !cut
}

// mayOwe reports whether an event from the cursor to last may be owed, as far as epochs tell.
func mayOwe(s stored, last outbox.Seq) bool {
	first, ok := s.sub.FirstOwed(s.cur.Next)
	return ok && first <= last
}

// lookup finds a subscription and its cursor; false when there is none. A subscription that cannot
// be decoded was reported when the file was opened; its cursor still counts.
func (b *Box) lookup(tx *bbolt.Tx, id outbox.SubID) (stored, bool) {
	if cur, ok := b.cursor(tx, id); ok {
		s, err := outbox.DecodeSubscription(id, tx.Bucket([]byte(bucketSubs)).Get([]byte(id)))
		if err != nil {
			return stored{sub: outbox.Subscription{ID: id}, cur: cur}, true
		}
		return stored{sub: s, cur: cur}, true
	}
	v := tx.Bucket([]byte(bucketRemoved)).Get([]byte(id))
	if v == nil {
		return stored{}, false
	}
	s, cur, err := outbox.DecodeRemoved(id, v)
	if err != nil {
		b.unreadable(bucketRemoved, []byte(id), err)
		return stored{}, false
	}
	return stored{sub: s, cur: cur, inRemoved: true, counted: cur.Dead}, true
}

// save writes s to where it belongs now, the cursor in any case and the subscription when changed
// says so.
func (s *stored) save(tx *bbolt.Tx, changed bool) error {
	id := []byte(s.sub.ID)
	subs, cursors, removed := tx.Bucket([]byte(bucketSubs)), tx.Bucket([]byte(bucketCursors)), tx.Bucket([]byte(bucketRemoved))
	was := s.inRemoved
	s.inRemoved = ended(s.sub, s.cur)
	err := s.count(tx)
	switch {
	case err != nil:
	case s.inRemoved && was:
		err = removed.Put(id, outbox.EncodeRemoved(s.sub, s.cur))
	case s.inRemoved:
		err = errors.Join(subs.Delete(id), cursors.Delete(id), removed.Put(id, outbox.EncodeRemoved(s.sub, s.cur)))
	case was:
		err = errors.Join(removed.Delete(id), subs.Put(id, outbox.EncodeSubscription(s.sub)), cursors.Put(id, outbox.EncodeCursor(s.sub.ID, s.cur)))
	case changed:
		err = errors.Join(subs.Put(id, outbox.EncodeSubscription(s.sub)), cursors.Put(id, outbox.EncodeCursor(s.sub.ID, s.cur)))
	default:
		err = cursors.Put(id, outbox.EncodeCursor(s.sub.ID, s.cur))
	}
	if err != nil {
		return fmt.Errorf("store subscription: %w", err)
	}
	return nil
}

// count keeps the count of dead deliveries of removed subscriptions.
func (s *stored) count(tx *bbolt.Tx) error {
	counted := uint64(0)
	if s.inRemoved {
		counted = s.cur.Dead
	}
	s.recount = int64(counted) - int64(s.counted)
	if s.recount == 0 {
		return nil
	}
	total, err := readMeta(tx, metaRemovedDead)
	if err != nil { // reported when the file was opened
		total = countDeadOfRemoved(tx)
	}
	s.counted = counted
	return putMetaNumber(tx, metaRemovedDead, uint64(max(0, int64(total)+s.recount)))
}

// moveRemoved moves every removed subscription that is owed nothing to the bucket removed: the
// migration of files in which they lay with the others. What cannot be decoded stays where it is.
func moveRemoved(tx *bbolt.Tx) error {
	var empty []stored
	err := tx.Bucket([]byte(bucketSubs)).ForEach(func(k, v []byte) error {
		s, err := outbox.DecodeSubscription(outbox.SubID(k), v)
		if err != nil {
			return nil
		}
		cur, err := outbox.DecodeCursor(outbox.SubID(k), tx.Bucket([]byte(bucketCursors)).Get(k))
		if err == nil && ended(s, cur) {
			empty = append(empty, stored{sub: s, cur: cur})
		}
		return nil
	})
	for i := range empty {
		err = errors.Join(err, empty[i].save(tx, true))
	}
	return err
}

// cursor reads the cursor of a subscription; false when it has none. One that cannot be decoded is
// made anew from the oldest filter epoch that is kept and from the records: everything since is
// delivered again, and nothing is lost.
func (b *Box) cursor(tx *bbolt.Tx, id outbox.SubID) (outbox.Cursor, bool) {
	v := tx.Bucket([]byte(bucketCursors)).Get([]byte(id))
	if v == nil {
		return outbox.Cursor{}, false
	}
	cur, err := outbox.DecodeCursor(id, v)
	if err == nil {
		return cur, true
	}
	b.unreadable(bucketCursors, []byte(id), err)
	cur = outbox.Cursor{Next: 1}
	if s, err := outbox.DecodeSubscription(id, tx.Bucket([]byte(bucketSubs)).Get([]byte(id))); err == nil && len(s.Epochs) > 0 {
		cur.Next = s.Epochs[0].From
	}
	countRecords(tx, id, &cur)
	return cur, true
}

// countRecords makes the counts of cur what the records say.
func countRecords(tx *bbolt.Tx, id outbox.SubID, cur *outbox.Cursor) {
	cur.Pending, cur.Dead, cur.Runs = 0, 0, 0
	scanRecords(tx, bucketPending, id, 0, func(outbox.Seq, []byte) bool { cur.Pending++; return true })
	scanRecords(tx, bucketDead, id, 0, func(key outbox.Seq, v []byte) bool {
		n, run := countDeliveries(id, key, v)
		cur.Dead += n
		if run {
			cur.Runs++
		}
		return true
	})
}

// countDeliveries returns how many deliveries a stored dead record stands for; one that cannot be
// decoded for one.
func countDeliveries(sub outbox.SubID, key outbox.Seq, v []byte) (n uint64, run bool) {
	n, span, err := outbox.DecodeRecordHead(sub, key, v)
	if err != nil {
		return 1, false
	}
	return n, span > 0
}

// firstRun is where the lowest run of dead records begins that holds what it stands for; false when
// there is none.
func firstRun(tx *bbolt.Tx, id outbox.SubID) (outbox.Seq, bool) {
	var first outbox.Seq
	found := false
	scanRecords(tx, bucketDead, id, 0, func(key outbox.Seq, v []byte) bool {
		// runs do not overlap: the lowest key has the lowest start
		var last outbox.Seq
		first, last = mayStandFor(id, key, v)
		found = first < last && !outbox.HoldsNothing(id, key, v)
		return !found
	})
	return first, found
}

// neededEpochs returns the epochs of s without those that neither unread events nor a run need any
// more.
func neededEpochs(tx *bbolt.Tx, s outbox.Subscription, cur outbox.Cursor) []outbox.Epoch {
	kept := outbox.PruneEpochs(s, cur.Next)
	if len(kept) == len(s.Epochs) || cur.Runs == 0 {
		return kept
	}
	low := cur.Next
	if first, ok := firstRun(tx, s.ID); ok {
		low = min(low, first)
	}
	return outbox.PruneEpochs(s, low)
}
