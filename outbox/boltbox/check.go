package boltbox

import (
	"context"
	"errors"

	"waoutbox/outbox"
)

// Check reads the whole file, while reads and writes go on, and returns how many records it has and
// how many of them cannot be decoded, which are reported as when they are met. The error is of kind
// store.Damaged when the file itself is damaged, else outbox.ErrClosed or ctx's.
func (b *Box) Check(ctx context.Context) (records, damaged int64, err error) {
	records, err = b.db.Check(ctx, func(bucket string, key, value []byte) {
		if err := decodes(bucket, key, value); err != nil {
			damaged++
			b.unreadable(bucket, key, err)
		}
	})
	return records, damaged, err
}

var errKey = errors.New("its key has a wrong form")

// decodes returns why a record cannot be decoded. Buckets whose records are made anew from others
// are not looked at.
func decodes(bucket string, key, value []byte) error {
	switch bucket {
	case bucketEvents:
		seq, ok := parseSeq(key)
		if !ok {
			return errKey
		}
		_, err := outbox.DecodeEvent(seq, value)
		return err
	case bucketSubs:
		_, err := outbox.DecodeSubscription(outbox.SubID(key), value)
		return err
	case bucketCursors:
		_, err := outbox.DecodeCursor(outbox.SubID(key), value)
		return err
	case bucketPending, bucketDead:
		sub, seq, ok := parseSubKey(key)
		if !ok {
			return errKey
		}
		_, err := outbox.DecodeRecord(sub, seq, value)
		return err
	}
	return nil
}
