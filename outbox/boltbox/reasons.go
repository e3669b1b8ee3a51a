package boltbox

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
)

// reasonCounts counts dead deliveries by reason. Those of each subscription are kept in the bucket
// reasons, right at every commit, so that nobody walks the dead letters to count them.
type reasonCounts map[string]int64

// maxReasons bounds how many reasons are told apart; there are about a dozen.
const (
	maxReasons  = 64
	reasonOther = "other"
)

// add adds n to the reason of a stored dead record.
func (c reasonCounts) add(sub outbox.SubID, key outbox.Seq, v []byte, n int64) {
	c[reasonOf(sub, key, v)] += n
}

func reasonOf(sub outbox.SubID, key outbox.Seq, v []byte) string {
	reason, err := outbox.DecodeReason(sub, key, v)
	if err != nil {
		return reasonUndecodable
	}
	return reason
}

// countByReason adds what a change did to the counts kept of a subscription.
func (b *Box) countByReason(tx *bbolt.Tx, id outbox.SubID, e effect) error {
	maps.DeleteFunc(e.reasons, func(_ string, n int64) bool { return n == 0 })
	if len(e.reasons) == 0 && !e.unclear {
		return nil
	}
	kept, err := decodeReasons(id, tx.Bucket([]byte(bucketReasons)).Get([]byte(id)))
	if err != nil {
		b.unreadable(bucketReasons, []byte(id), err)
	}
	if err != nil || e.unclear {
		kept = walkReasons(tx, id)
	} else {
		for reason, n := range e.reasons {
			if _, known := kept[reason]; !known && (n < 0 || len(kept) >= maxReasons) {
				reason = reasonOther
			}
			kept[reason] += n
		}
	}
	return kept.put(tx, id)
}

func (c reasonCounts) put(tx *bbolt.Tx, id outbox.SubID) error {
	maps.DeleteFunc(c, func(_ string, n int64) bool { return n <= 0 })
	bucket := tx.Bucket([]byte(bucketReasons))
	var err error
	if len(c) == 0 {
		err = bucket.Delete([]byte(id))
	} else {
		err = bucket.Put([]byte(id), appendSum(c.encode(), []byte(id)))
	}
	if err != nil {
		return fmt.Errorf("count dead letters by reason: %w", err)
	}
	return nil
}

func (c reasonCounts) encode() []byte {
	b := binary.AppendUvarint([]byte{1}, uint64(len(c)))
	for _, reason := range slices.Sorted(maps.Keys(c)) {
		b = binary.AppendUvarint(b, uint64(len(reason)))
		b = append(b, reason...)
		b = binary.AppendUvarint(b, uint64(c[reason]))
	}
	return b
}

var errReasons = errors.New("counts by reason cannot be decoded")

func decodeReasons(id outbox.SubID, b []byte) (reasonCounts, error) {
	c := reasonCounts{}
	if b == nil {
		return c, nil
	}
	b, err := checkSum(b, []byte(id))
	if err != nil {
		return nil, err
	}
	if len(b) == 0 || b[0] != 1 {
		return nil, errReasons
	}
	b = b[1:]
	next := func() uint64 {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			b = nil
			return 0
		}
		b = b[n:]
		return v
	}
	for n := next(); n > 0; n-- {
		size := next()
		if size > uint64(len(b)) {
			return nil, errReasons
		}
		reason := string(b[:size])
		b = b[size:]
		if len(b) == 0 {
			return nil, errReasons
		}
		c[reason] = int64(next())
	}
	return c, nil
}

// walkReasons counts the dead records of a subscription one by one.
func walkReasons(tx *bbolt.Tx, id outbox.SubID) reasonCounts {
	c := reasonCounts{}
	scanRecords(tx, bucketDead, id, 0, func(key outbox.Seq, v []byte) bool {
		n, _ := countDeliveries(id, key, v)
		c.add(id, key, v, int64(n))
		return true
	})
	return c
}

// countReasons counts every dead record of a file in which they were not counted.
func countReasons(tx *bbolt.Tx) error {
	for id := range deadOwners(tx, "") {
		if err := walkReasons(tx, id).put(tx, id); err != nil {
			return err
		}
	}
	return nil
}

// DeadReasons returns how many deliveries of sub, removed or not, are dead, by reason
// (Record.Reason; a run counts its events). It reads no record. Of more than maxReasons reasons the
// rest is counted as "other"; nil when there are none. Errors: outbox.ErrNotFound, ErrClosed,
// ctx's.
func (b *Box) DeadReasons(ctx context.Context, sub outbox.SubID) (map[string]int64, error) {
	if err := b.ready(ctx); err != nil {
		return nil, err
	}
	if _, _, err := b.subscription(sub); err != nil {
		return nil, fmt.Errorf("count dead letters: %w", err)
	}
	var out map[string]int64
	err := b.view(func(tx *bbolt.Tx) error {
		out = b.keptReasons(tx, sub)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("count dead letters of %s: %w", sub, err)
	}
	return out, nil
}

func (b *Box) keptReasons(tx *bbolt.Tx, id outbox.SubID) reasonCounts {
	kept, err := decodeReasons(id, tx.Bucket([]byte(bucketReasons)).Get([]byte(id)))
	if err != nil {
		b.unreadable(bucketReasons, []byte(id), err)
		kept = walkReasons(tx, id)
	}
	if len(kept) == 0 {
		return nil
	}
	return kept
}
