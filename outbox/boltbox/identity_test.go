package boltbox_test

import (
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
	"waoutbox/store/storetest"
)

// The id of a log stays over restarts, is made for files of earlier versions and where it is
// damaged, and is another one after a renewal: a position in a copy that was put back is told from
// one in the log that went on.
func TestTheLogKeepsItsID(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), store.OutboxFile)
	copyFile(t, formatV5, path) // of a version that knew none
	withBox := func(use func(db *store.DB, box *boltbox.Box)) string {
		t.Helper()
		db := storetest.OpenAt(t, path, store.DBOptions{Schema: boltbox.Schema()})
		box := openBox(t, db, boltbox.Options{})
		if use != nil {
			use(db, box)
		}
		page, err := box.Events(t.Context(), outbox.EventQuery{})
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		return page.State
	}
	first := withBox(nil)
	if again := withBox(nil); len(first) != 24 || again != first {
		t.Errorf("the id is %q, and after a restart %q", first, again)
	}
	renewed := withBox(func(_ *store.DB, box *boltbox.Box) {
		if err := box.RenewState(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	if again := withBox(nil); renewed == first || again != renewed {
		t.Errorf("renewed it is %q after %q, and after a restart %q", renewed, first, again)
	}
	if err := func() error {
		db, err := bbolt.Open(path, 0o600, nil)
		if err != nil {
			return err
		}
		defer db.Close()
		return db.Update(func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte("meta")).Put([]byte("state"), []byte(renewed+"sums"))
		})
	}(); err != nil {
		t.Fatal(err)
	}
	if after := withBox(nil); len(after) != 24 || after == renewed {
		t.Errorf("a damaged id became %q", after)
	}
}
