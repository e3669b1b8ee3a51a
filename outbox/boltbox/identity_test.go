package boltbox_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
	"waoutbox/store/storetest"
)

// The id of a log stays over restarts, is made for files of earlier versions and where it is
// damaged, and is another one after a renewal: a position in a copy that was put back is told from
// one in the log that went on.
//
// Mutation of box.go: a restart gives the log another id, so that every cursor is foreign.
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
		if box.State() != page.State {
			t.Errorf("the id is %q, and %q in a page", box.State(), page.State)
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

// A copy that is put back gives out none of the sequences that events had which came after it was
// made; all it holds is found, counted, owed and known as before.
//
// Mutation of identity.go: after a restore the sequences of events that came since the backup are
// given to others.
func TestSkippedSequencesChangeNothingElse(t *testing.T) {
	t.Parallel()
	const kept, skip = 3000, 1<<20 + 5
	path := filepath.Join(t.TempDir(), store.OutboxFile)
	db := storetest.OpenAt(t, path, store.DBOptions{Schema: boltbox.Schema()})
	box := openBox(t, db, boltbox.Options{})
	s, err := box.PutSub(t.Context(), outbox.Subscription{ID: "wh_A", Config: []byte(`{"v":1}`), Epochs: []outbox.Epoch{{Filter: outbox.Filter{Events: []string{outbox.Any}}}}})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now()
	one := func(i int) outbox.Event {
		return outbox.Event{Key: fmt.Sprint("evt_", i), Stamp: uint32(at.Unix()), Time: at, Name: "message.received", Chat: "c", Body: []byte(`{}`)}
	}
	add := func(box *boltbox.Box, from, to int) (seqs []outbox.Seq) {
		for ; from < to; from += 100 {
			var evs []outbox.Event
			for i := from; i < min(from+100, to); i++ {
				evs = append(evs, one(i))
			}
			got, err := box.Append(t.Context(), evs...)
			if err != nil {
				t.Fatal(err)
			}
			seqs = append(seqs, got...)
		}
		return seqs
	}
	add(box, 0, kept)
	commit(t, box, outbox.Change{Sub: "wh_A", Next: 11})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = storetest.OpenAt(t, path, store.DBOptions{Schema: boltbox.Schema()})
	if err := boltbox.SkipSequences(t.Context(), db, skip); err != nil {
		t.Fatal(err)
	}
	box = openBox(t, db, boltbox.Options{})
	counts := func(want int64) {
		t.Helper()
		st, err := box.Stats(t.Context())
		if err != nil || st.Events != want || st.Subs["wh_A"].Pending != want-10 {
			t.Errorf("%d events, %d pending, %v; want %d and %d", st.Events, st.Subs["wh_A"].Pending, err, want, want-10)
		}
	}
	counts(kept)
	if got := add(box, kept-1, kept+2); got[0] != kept || got[1] != kept+skip+1 || got[2] != kept+skip+2 {
		t.Errorf("one that is known and two new ones have the sequences %d", got)
	}
	counts(kept + 2)
	var owed []outbox.Seq
	for next := outbox.Seq(11); next <= kept+skip+2; {
		var evs []outbox.Event
		if evs, next, err = box.Owed(t.Context(), s.ID, next, kept+skip+2, 1000); err != nil {
			t.Fatal(err)
		}
		for _, ev := range evs {
			owed = append(owed, ev.Seq)
		}
	}
	if len(owed) != kept-10+2 || owed[len(owed)-1] != kept+skip+2 {
		t.Errorf("%d events are owed, the last one %d", len(owed), owed[len(owed)-1])
	}
	page, err := box.Events(t.Context(), outbox.EventQuery{Backward: true, Limit: 3})
	if err != nil || len(page.Events) != 3 || page.Events[2].Seq != kept {
		t.Errorf("the newest three: %d events, %v", len(page.Events), err)
	}
	commit(t, box, outbox.Change{Sub: "wh_A", Next: kept + skip + 3})
	if _, damaged, err := box.Check(t.Context()); err != nil || damaged > 0 {
		t.Errorf("check: %d damaged, %v", damaged, err)
	}
}
