package store

import (
	"errors"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"
)

// TestNothingHasATurnAfterTheLastCommit: what runs between two commits must not run beside the end
// of the store, which takes the file away.
func TestNothingHasATurnAfterTheLastCommit(t *testing.T) {
	db, err := Open(filepath.Join(t.TempDir(), "outbox.db"), DBOptions{Schema: Schema{
		App: "test", Migrations: []func(tx *bbolt.Tx) error{func(*bbolt.Tx) error { return nil }},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		err := db.inTurn(t.Context(), func() error { t.Error("it ran after the end"); return nil })
		if !errors.Is(err, Closed) {
			t.Errorf("it got %v", err)
		}
		if t.Failed() {
			return
		}
	}
}
