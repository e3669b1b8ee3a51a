// Package storetest gives tests a real outbox file that is checked for consistency when they end.
// Imported from tests only.
package storetest

import (
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"waoutbox/store"
)

// Schema is one with the single bucket "items", which is used unless a test gives its own.
func Schema() store.Schema {
	return store.Schema{App: "storetest", Migrations: []func(tx *bbolt.Tx) error{func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket([]byte("items"))
		return err
	}}, Buckets: []string{"items"}}
}

// Open opens a fresh outbox file. When the test ends it is closed and its pages are checked.
func Open(t testing.TB, o store.DBOptions) *store.DB {
	t.Helper()
	return OpenAt(t, filepath.Join(t.TempDir(), store.OutboxFile), o)
}

// OpenAt opens the outbox file at path, which must lie in a directory that outlives the test's
// cleanup (t.TempDir called before).
func OpenAt(t testing.TB, path string, o store.DBOptions) *store.DB {
	t.Helper()
	if o.Schema.App == "" {
		o.Schema = Schema()
	}
	db, err := store.Open(path, o)
	if err != nil {
		t.Fatalf("open %s: %v", path, err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close %s: %v", path, err)
		}
		Check(t, path)
	})
	return db
}

// Check fails the test when the closed bbolt file at path is not consistent.
func Check(t testing.TB, path string) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		t.Errorf("check %s: %v", path, err)
		return
	}
	defer func() { _ = db.Close() }() // it was only read
	err = db.View(func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			t.Errorf("check %s: %v", path, err)
		}
		return nil
	})
	if err != nil {
		t.Errorf("check %s: %v", path, err)
	}
}
