package boltbox_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"waoutbox/outbox"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
)

// A bit that flips in a file, in the header of a page above all, ends no process: the file is
// refused with a sentence, or what can be read is read, writes have a verdict, statistics are
// returned with what is wrong, and Close returns.
//
// Left out are the two bytes that make a page one of more than 65,536: bbolt frees those one by
// one, which takes minutes and gigabytes.
func TestBitFlips(t *testing.T) {
	dir := t.TempDir()
	whole := smallOutbox(t, filepath.Join(dir, "whole.db"))
	page := os.Getpagesize()
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 3))
	refused, worked, harmed := 0, 0, 0
	for i := range 80 {
		damaged := append([]byte(nil), whole...)
		where := "a header"
		at := random.IntN(len(whole)/page)*page + random.IntN(14)
		if i%4 == 3 {
			where, at = "anywhere", random.IntN(len(whole))
		}
		if at%page == 14 || at%page == 15 {
			continue // see above
		}
		damaged[at] ^= 1 << random.IntN(8)
		path := filepath.Join(dir, fmt.Sprint(i, ".db"))
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := store.Open(path, store.DBOptions{Schema: boltbox.Schema()})
		if err != nil {
			if _, known := errors.AsType[*store.Error](err); !known {
				t.Errorf("a bit of %s at %d: refused with %v", where, at, err)
			}
			refused++
			continue
		}
		done := make(chan error, 1)
		go func() { done <- useDamaged(t, db) }()
		select {
		case err := <-done:
			if err != nil {
				harmed++
			} else {
				worked++
			}
		case <-time.After(60 * time.Second):
			t.Fatalf("a bit of %s at %d: something hangs (seed %d)", where, at, seed)
		}
	}
	if harmed == 0 || worked == 0 {
		t.Errorf("%d were refused, %d worked on, %d had something to say (seed %d)", refused, worked, harmed, seed)
	}
}

// smallOutbox is the content of an outbox with some of everything.
func smallOutbox(t *testing.T, path string) []byte {
	t.Helper()
	db, err := store.Open(path, store.DBOptions{Schema: boltbox.Schema()})
	if err != nil {
		t.Fatal(err)
	}
	box := openBox(t, db, boltbox.SmallRuns(boltbox.Options{}))
	subscribe(t, box, "wh_a", outbox.Any)
	for i := range 60 {
		seqs := appendKeys(t, box, fmt.Sprint("k", i))
		state := outbox.Pending
		if i%2 == 0 {
			state = outbox.Dead
		}
		commit(t, box, outbox.Change{Sub: "wh_a", Next: seqs[0] + 1, Set: []outbox.Record{{Seq: seqs[0], State: state}}})
	}
	// a bit of a free page says nothing
	if err := errors.Join(db.Compact(t.Context()), db.Close()); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// useDamaged does everything once and returns what went wrong. Statistics and Close must not.
func useDamaged(t *testing.T, db *store.DB) error {
	box, err := boltbox.Open(t.Context(), db, boltbox.SmallRuns(boltbox.Options{RingBytes: 1}))
	if err != nil {
		return errors.Join(err, db.Close())
	}
	var errs []error
	note := func(err error) { errs = append(errs, err) }
	for i := range 20 {
		_, err := box.Append(t.Context(), event(fmt.Sprint("new", i)))
		note(err)
	}
	_, _, err = box.Read(t.Context(), "wh_a", 1, 1<<20)
	note(err)
	for seq := range outbox.Seq(60) {
		_, err := box.Event(t.Context(), seq+1)
		note(err)
	}
	next, _, _, err := box.Load(t.Context(), "wh_a")
	note(err)
	note(box.Commit(t.Context(), outbox.Change{Sub: "wh_a", Next: next}))
	_, err = box.Dead(t.Context(), "wh_a", 0, 0)
	note(err)
	_, _, err = box.Trim(t.Context(), time.Now(), 10)
	note(err)
	st, err := box.Stats(t.Context())
	if err != nil {
		t.Errorf("Stats: %v", err)
	}
	if st.Undecodable > 0 || len(st.Faults) > 0 {
		note(errors.New("something is wrong, and Stats says so"))
	}
	note(db.Compact(t.Context()))
	note(db.Close())
	return errors.Join(errs...)
}
