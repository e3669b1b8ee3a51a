package store

import (
	"bytes"
	"context"

	"go.etcd.io/bbolt"
)

const (
	// metaKeyMark is the key in the meta bucket under which a value lies that was sealed with the
	// key file, so that another key is told from it.
	metaKeyMark = "keymark"
	// keyMarkContext is what that value belongs to.
	keyMarkContext = "keymark"
)

// CheckKey reports whether the database was marked with a key (MarkKey), and returns an error of
// kind OtherKey when that was not k: what was sealed cannot be opened with it then.
func (db *DB) CheckKey(k *Key) (marked bool, err error) {
	var mark []byte
	err = db.View(func(tx *bbolt.Tx) error {
		mark = bytes.Clone(tx.Bucket([]byte(metaBucket)).Get([]byte(metaKeyMark)))
		return nil
	})
	if err != nil || len(mark) == 0 {
		return false, err
	}
	if _, err := k.Open(mark, keyMarkContext); err != nil {
		return true, newError(OtherKey, k.path, err, "key %s is not the one that secrets in the outbox were sealed with", k.path)
	}
	return true, nil
}

// MarkKey notes, durably, that secrets are sealed with k from now on. Errors are those of Do.
func (db *DB) MarkKey(ctx context.Context, k *Key) error {
	mark, err := k.Seal([]byte(db.schema.App), keyMarkContext)
	if err != nil {
		return err
	}
	return db.Do(ctx, Op{Urgent: true, Bytes: len(mark), Apply: func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(metaBucket)).Put([]byte(metaKeyMark), mark)
	}})
}
