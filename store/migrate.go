package store

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"

	"waoutbox/store/failpoint"
)

// Meta bucket and its keys. They keep their names for ever: every version of the program finds the
// format here.
const (
	metaBucket = "meta"
	metaApp    = "app"    // Schema.App
	metaFormat = "format" // big-endian uint32
)

// Schema is what the user of the database gives it: whose it is, and how it came to be.
type Schema struct {
	// App tells files of this use from other bbolt files.
	App string
	// Migrations lead from one format to the next: the first from an empty file to format 1. A
	// shipped one never changes. Each runs in one transaction together with the format number it
	// reaches, and leaves the bucket "meta" to the store except for keys of its own.
	Migrations []func(tx *bbolt.Tx) error
	// Rising are buckets whose keys only rise. Their pages are filled when the file is compacted.
	Rising []string
	// Buckets are those that every file of the newest format has. A file that lacks one is damaged,
	// and is refused when it is opened.
	Buckets []string
	// Earlier are those of each format before, from format 1 on: such a file is refused before it
	// is changed.
	Earlier [][]string
}

// newest is the format the migrations lead to.
func (s Schema) newest() int { return len(s.Migrations) }

// check reports why tx's database is not one this program can use.
func (s Schema) check(tx *bbolt.Tx) error {
	meta := tx.Bucket([]byte(metaBucket))
	if meta == nil || string(meta.Get([]byte(metaApp))) != s.App {
		return errForeign
	}
	v := meta.Get([]byte(metaFormat))
	if len(v) != 4 {
		return fmt.Errorf("its format number cannot be read; %w", errForeign)
	}
	n := binary.BigEndian.Uint32(v)
	if n < 1 || n > uint32(s.newest()) {
		return &formatError{found: n, newest: s.newest()}
	}
	switch {
	case int(n) == s.newest():
		return complete(tx, s.Buckets)
	case int(n) <= len(s.Earlier):
		return complete(tx, s.Earlier[n-1])
	}
	return nil // the last migration looks
}

// complete returns an error when a bucket is missing: whoever reads it later would find none.
func complete(tx *bbolt.Tx, names []string) error {
	for _, name := range names {
		if tx.Bucket([]byte(name)) == nil {
			return fmt.Errorf("%w: the bucket %s is missing", errIncomplete, name)
		}
	}
	return nil
}

// formatError is a format this program does not know.
type formatError struct {
	found  uint32
	newest int
}

func (e *formatError) Error() string {
	return fmt.Sprintf("it has format %d and this program knows formats up to %d", e.found, e.newest)
}

// migrate brings db to the newest format.
func (s Schema) migrate(db *bbolt.DB) error {
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
			if int(at) >= s.newest() {
				done = true
				return nil
			}
			if err := s.Migrations[at](tx); err != nil {
				return fmt.Errorf("migrate to format %d: %w", at+1, err)
			}
			if int(at)+1 == s.newest() {
				if err := complete(tx, s.Buckets); err != nil {
					return err
				}
			}
			if err := meta.Put([]byte(metaApp), []byte(s.App)); err != nil {
				return err
			}
			failpoint.Hit(failpoint.MigrateApplied)
			return meta.Put([]byte(metaFormat), binary.BigEndian.AppendUint32(nil, at+1))
		})
		if err != nil || done {
			return err
		}
		failpoint.Hit(failpoint.MigrateCommitted)
	}
}

// current reports whether db already has the newest format, so that opening writes nothing.
func (s Schema) current(tx *bbolt.Tx) bool {
	meta := tx.Bucket([]byte(metaBucket))
	v := meta.Get([]byte(metaFormat))
	return len(v) == 4 && int(binary.BigEndian.Uint32(v)) == s.newest()
}
