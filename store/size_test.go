package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"waoutbox/store"
	"waoutbox/store/storetest"
)

// At its size limit the file takes no appends, says so under a cause of its own, and goes on with
// everything else; what removes something always goes. It takes appends again when there is room.
//
// Mutation of space.go: events are taken above the size the file may have.
// Mutation of space.go: the size limit holds settlements too, and nothing is ever removed.
func TestSizeLimit(t *testing.T) {
	const limit = 4 << 20
	db := storetest.Open(t, store.DBOptions{MaxBytes: limit})
	n := 0
	var err error
	for err == nil && n < 100 {
		err = db.Do(t.Context(), bulk(fmt.Sprint("gone", n), 100))
		n++
	}
	s := db.Stats()
	if !errors.Is(err, store.Full) || errors.Is(err, store.Unknown) || s.LiveBytes > limit+limit/8 || s.LiveBytes < limit/2 {
		t.Fatalf("after %d appends of 100 KiB: %v, %+v", n, err, s)
	}
	if causes(s) != "size_limit" || !strings.Contains(s.Faults[0].Message, "may hold 4 MiB") {
		t.Fatalf("faults: %v", s.Faults)
	}
	since := s.Faults[0].Since

	settle := bulk("settled", 2<<10)
	settle.IsAppend = false
	do(t, db, settle)
	// a small append would fit by a few bytes now and then: the limit is one fault all the while
	if err := db.Do(t.Context(), appendOf("small")); !errors.Is(err, store.Full) {
		t.Errorf("a small append: %v", err)
	}
	if s := db.Stats(); causes(s) != "size_limit" || !s.Faults[0].Since.Equal(since) {
		t.Errorf("after a settlement: %v, want the limit since %v", s.Faults, since)
	}

	for i := 0; err == nil || i < 100 && db.Stats().LiveBytes <= limit+store.Reserve; i++ {
		settle := bulk(fmt.Sprint("reserve", i), 2<<10)
		settle.IsAppend = false
		if err = db.Do(t.Context(), settle); err != nil {
			break
		}
	}
	if s := db.Stats(); !errors.Is(err, store.Full) || s.LiveBytes < limit+store.Reserve {
		t.Errorf("settlements end with %v at %d bytes", err, s.LiveBytes)
	}
	do(t, db, drop("reserve"), drop("settled"), drop("gone"))
	if s := db.Stats(); causes(s) != "" {
		t.Errorf("with room again: %v", s.Faults)
	}
	do(t, db, appendOf("again"))
}

// What the file holds is known at once when it is opened, with and without free pages.
func TestSizesAreKnownWithoutAWalk(t *testing.T) {
	db, path := wasteful(t, store.DBOptions{})
	before := db.Stats()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = storetest.OpenAt(t, path, store.DBOptions{})
	if after := db.Stats(); after.LiveBytes != before.LiveBytes || after.FreeBytes != before.FreeBytes || after.LiveBytes == 0 {
		t.Errorf("opened again it has %+v, it had %+v", after, before)
	}
	var walked int64
	err := db.View(func(tx *bbolt.Tx) error {
		s := tx.Bucket([]byte("items")).Stats()
		walked = int64(s.BranchAlloc + s.LeafAlloc)
		return nil
	})
	if live := db.Stats().LiveBytes; err != nil || live < walked || live > walked+1<<20 {
		t.Errorf("in use are %d bytes, of which its bucket has %d (%v)", live, walked, err)
	}
}
