package store

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"
)

// Meta bucket and its keys. They keep their names for ever: every version of the program finds the format here.
const (
	metaBucket = "meta"
	metaApp    = "app"    // appName
	metaFormat = "format" // big-endian uint32
	appName    = "waoutbox"
)

// migrations lead from one format to the next: the first from an empty file to format 1. A shipped one never changes, which is
// why bucket names are spelled out here. Each runs in one transaction together with the format number it reaches.
func migrations() []func(*bbolt.Tx) error {
	return []func(*bbolt.Tx) error{
		func(tx *bbolt.Tx) error {
			for _, name := range []string{"events", "seen", "subs", "cursors", "pending", "dead", "sends", "audit"} {
				if _, err := tx.CreateBucket([]byte(name)); err != nil {
					return fmt.Errorf("create bucket %s: %w", name, err)
				}
			}
			return nil
		},
	}
}

// checkFormat reports why tx's database is not one this program can use.
func checkFormat(tx *bbolt.Tx, newest int) error {
	meta := tx.Bucket([]byte(metaBucket))
	if meta == nil || string(meta.Get([]byte(metaApp))) != appName {
		return errForeign
	}
	v := meta.Get([]byte(metaFormat))
	if len(v) != 4 {
		return fmt.Errorf("its format number cannot be read; %w", errForeign)
	}
	if n := binary.BigEndian.Uint32(v); n < 1 || n > uint32(newest) {
		return fmt.Errorf("it has format %d and this program knows formats up to %d: use the version that wrote it, or a newer one", n, newest)
	}
	return nil
}

// migrate brings db to the newest format.
func migrate(db *bbolt.DB, steps []func(*bbolt.Tx) error) error {
	for {
		done := false
		err := db.Update(func(tx *bbolt.Tx) error {
			meta, err := tx.CreateBucketIfNotExists([]byte(metaBucket))
			if err != nil {
				return err
			}
			at := uint32(0)
			if v := meta.Get([]byte(metaFormat)); len(v) == 4 {
				at = binary.BigEndian.Uint32(v)
			}
			if int(at) >= len(steps) {
				done = true
				return nil
			}
			if err := steps[at](tx); err != nil {
				return fmt.Errorf("migrate to format %d: %w", at+1, err)
			}
			if err := meta.Put([]byte(metaApp), []byte(appName)); err != nil {
				return err
			}
			return meta.Put([]byte(metaFormat), binary.BigEndian.AppendUint32(nil, at+1))
		})
		if err != nil || done {
			return err
		}
	}
}

// current reports whether db already has the newest format, so that opening writes nothing.
func current(tx *bbolt.Tx, newest int) bool {
	meta := tx.Bucket([]byte(metaBucket))
	v := meta.Get([]byte(metaFormat))
	return len(v) == 4 && int(binary.BigEndian.Uint32(v)) == newest
}
