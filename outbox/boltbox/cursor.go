package boltbox

import (
	"bytes"
	"fmt"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
)

// cursor reads the cursor of a subscription; false when it has none. One that cannot be decoded is made anew from the oldest
// filter epoch that is kept and from the records: everything since is delivered again, and nothing is lost.
func (b *Box) cursor(tx *bbolt.Tx, id outbox.SubID) (outbox.Cursor, bool) {
	v := tx.Bucket([]byte(bucketCursors)).Get([]byte(id))
	if v == nil {
		return outbox.Cursor{}, false
	}
	cur, err := outbox.DecodeCursor(v)
	if err == nil {
		return cur, true
	}
	b.unreadable(bucketCursors, []byte(id), err)
	cur = outbox.Cursor{Next: 1}
	if s, err := outbox.DecodeSubscription(id, tx.Bucket([]byte(bucketSubs)).Get([]byte(id))); err == nil && len(s.Epochs) > 0 {
		cur.Next = s.Epochs[0].From
	}
	each(tx, bucketPending, id, 0, func(outbox.Seq, []byte) bool { cur.Pending++; return true })
	each(tx, bucketDead, id, 0, func(_ outbox.Seq, v []byte) bool {
		n, run := weigh(v)
		cur.Dead += n
		if run {
			cur.Runs++
		}
		return true
	})
	return cur, true
}

func putCursor(tx *bbolt.Tx, id outbox.SubID, cur outbox.Cursor) error {
	if err := tx.Bucket([]byte(bucketCursors)).Put([]byte(id), outbox.EncodeCursor(cur)); err != nil {
		return fmt.Errorf("store cursor: %w", err)
	}
	return nil
}

// weigh answers how many deliveries a stored dead record stands for; one that cannot be decoded for one.
func weigh(v []byte) (n uint64, run bool) {
	n, span, err := outbox.DecodeRecordHead(v)
	if err != nil {
		return 1, false
	}
	return n, span > 0
}

// each calls fn with the records of a subscription filed at or above from, until it answers false. v is the file's memory.
func each(tx *bbolt.Tx, bucket string, id outbox.SubID, from outbox.Seq, fn func(key outbox.Seq, v []byte) bool) {
	prefix := subPrefix(id)
	c := tx.Bucket([]byte(bucket)).Cursor()
	for k, v := c.Seek(subKey(id, from)); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
		if _, s, ok := parseSubKey(k); ok && !fn(s, v) {
			return
		}
	}
}

// firstRun is where the lowest run of dead records begins; false when there is none.
func firstRun(tx *bbolt.Tx, id outbox.SubID) (outbox.Seq, bool) {
	var first outbox.Seq
	found := false
	each(tx, bucketDead, id, 0, func(key outbox.Seq, v []byte) bool {
		if _, span, err := outbox.DecodeRecordHead(v); err == nil && span > 0 && span < uint64(key) {
			first, found = key-outbox.Seq(span), true // runs do not overlap: the lowest key has the lowest start
		}
		return !found
	})
	return first, found
}

// spentEpochs drops the epochs of s that neither unread events nor a run need any more.
func spentEpochs(tx *bbolt.Tx, s outbox.Subscription, cur outbox.Cursor) []outbox.Epoch {
	kept := outbox.PruneEpochs(s.Epochs, cur.Next)
	if len(kept) == len(s.Epochs) || cur.Runs == 0 {
		return kept
	}
	low := cur.Next
	if first, ok := firstRun(tx, s.ID); ok {
		low = min(low, first)
	}
	return outbox.PruneEpochs(s.Epochs, low)
}
