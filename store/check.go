package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"
)

// Check reads every bucket from end to end, in short transactions between which writes go on, and
// hands each key and value to see, which may be nil and must copy what it keeps. It returns how
// many there were and, as an error of kind Damaged, what is wrong with the file. What was written
// meanwhile is seen or not.
func (db *DB) Check(ctx context.Context, see func(bucket string, key, value []byte)) (keys int64, err error) {
	var buckets [][]byte
	err = db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, _ *bbolt.Bucket) error {
			buckets = append(buckets, bytes.Clone(name))
			return nil
		})
	})
	for _, name := range buckets {
		for next := []byte{}; next != nil && err == nil; {
			if err = ctx.Err(); err != nil {
				return keys, err
			}
			var n int64
			next, n, err = db.checkPart(name, next, see)
			keys += n
		}
	}
	if err == nil || errors.Is(err, Closed) {
		return keys, err
	}
	return keys, newError(Damaged, db.path, err, "outbox %s is damaged: %s", db.path, Reason(err))
}

// checkPart reads up to verifyEvery keys of a bucket from a key on, and returns where to go on, nil
// for nowhere.
func (db *DB) checkPart(bucket, from []byte, see func(bucket string, key, value []byte)) (next []byte, n int64, err error) {
	err = db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucket)
		if b == nil { // meanwhile
			return nil
		}
		var last []byte
		c := b.Cursor()
		for k, v := c.Seek(from); k != nil; k, v = c.Next() {
			if n == verifyEvery {
				next = bytes.Clone(k)
				return nil
			}
			if bytes.Compare(k, from) < 0 || last != nil && bytes.Compare(k, last) <= 0 {
				return fmt.Errorf("bucket %s is out of order", bucket)
			}
			if see != nil {
				see(string(bucket), k, v)
			}
			last = append(last[:0], k...)
			n++
		}
		return nil
	})
	return next, n, err
}
