//go:build unix

package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
	"waoutbox/store"
)

// A page that cannot be read (here: the file was cut under our feet) stops the store with a reason, and not the process.
func TestFaultStopsTheStore(t *testing.T) {
	for name, touch := range map[string]func(db *store.DB) error{
		"in a read": func(db *store.DB) error {
			return db.View(func(tx *bbolt.Tx) error {
				return tx.Bucket([]byte("events")).ForEach(func(k, v []byte) error { return nil })
			})
		},
		"in a write": func(db *store.DB) error { return db.Do(t.Context(), put("b")) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), store.OutboxFile)
			db, err := store.Open(path, store.DBOptions{MinFree: 1})
			if err != nil {
				t.Fatal(err)
			}
			big := put("a")
			big.Apply = func(tx *bbolt.Tx) error { return tx.Bucket([]byte("events")).Put([]byte("a"), make([]byte, 1<<20)) }
			if err := db.Do(t.Context(), big); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(path, int64(2*os.Getpagesize())); err != nil {
				t.Fatal(err)
			}
			if err := touch(db); err == nil {
				t.Fatal("nothing was noticed")
			}
			<-db.Done()
			if s := db.Stats(); !strings.Contains(s.Fault, "cannot be read") || s.FaultAt.IsZero() {
				t.Errorf("Stats = %+v", s)
			}
			if err := db.Do(t.Context(), put("c")); !errors.Is(err, outbox.ErrClosed) || !strings.Contains(err.Error(), "cannot be read") {
				t.Errorf("a write after the fault: %v", err)
			}
			if err := db.View(func(*bbolt.Tx) error { return nil }); !errors.Is(err, outbox.ErrClosed) {
				t.Errorf("a read after the fault: %v", err)
			}
			if err := db.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
}
