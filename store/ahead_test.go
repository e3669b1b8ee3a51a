package store

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"
)

// The place that is read ahead is where the value lies.
func TestOffset(t *testing.T) {
	path := filepath.Join(t.TempDir(), OutboxFile)
	schema := Schema{App: "test", Migrations: []func(tx *bbolt.Tx) error{func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket([]byte("items"))
		return err
	}}}
	db, err := Open(path, DBOptions{Schema: schema})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	value := bytes.Repeat([]byte("0123456789abcdef"), 4096)
	err = db.Do(t.Context(), Op{Urgent: true, Apply: func(tx *bbolt.Tx) error { return tx.Bucket([]byte("items")).Put([]byte("k"), value) }})
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	err = db.View(func(tx *bbolt.Tx) error {
		v := tx.Bucket([]byte("items")).Get([]byte("k"))
		off, ok := offset(tx, v)
		got := make([]byte, len(value))
		if _, err := f.ReadAt(got, off); !ok || err != nil || !bytes.Equal(got, value) {
			t.Errorf("at %d (%v) the file holds something else: %v", off, ok, err)
		}
		if _, ok := offset(tx, []byte("elsewhere")); ok {
			t.Error("bytes outside the file have a place in it")
		}
		if _, ok := offset(tx, nil); ok {
			t.Error("no bytes have a place in the file")
		}
		db.Ahead(tx, v, len(v))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
