package boltbox_test

import (
	"encoding/binary"
	"fmt"
	"testing"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
	"waoutbox/store/storetest"
)

// Events with random ids have no keys, but whoever opens the file reads them too, up to what is
// sealed: that must be a bounded number. Before, 400 of them in a row were all above what is
// sealed, and as many as there were in three days were read by the first append after a start.
//
// Mutation of seen.go: what was appended since the last keys were sealed has no bound, and all of
// it is read by the first append after a start.
func TestRandomEventsAreSealedToo(t *testing.T) {
	db := storetest.Open(t, store.DBOptions{Schema: boltbox.Schema()})
	box := openBox(t, db, boltbox.SmallRuns(boltbox.Options{}))
	known := appendKeys(t, box, "known")
	var last outbox.Seq
	for i := range 40 {
		var evs []outbox.Event
		for j := range 10 {
			e := event(fmt.Sprint(i, "-", j))
			e.Random = true
			evs = append(evs, e)
		}
		seqs, err := box.Append(t.Context(), evs...)
		if err != nil {
			t.Fatal(err)
		}
		last = seqs[9]
	}
	var sealed outbox.Seq
	raw(t, db, func(tx *bbolt.Tx) error {
		sealed = outbox.Seq(binary.BigEndian.Uint64(tx.Bucket([]byte("meta")).Get([]byte("sealed"))))
		return nil
	})
	if unsealed := last - sealed; unsealed > 8*8+20 { // eight times a run, and what two appends add
		t.Errorf("%d of %d events are not sealed", unsealed, last)
	}
	box = openBox(t, db, boltbox.SmallRuns(boltbox.Options{}))
	if again := appendKeys(t, box, "known"); again[0] != known[0] {
		t.Errorf("a known key is %d, and was %d", again[0], known[0])
	}
}

// The key of an event whose body is damaged is still known. Before, it was appended a second time.
func TestTheKeyOfADamagedBodyIsKnown(t *testing.T) {
	db := storetest.Open(t, store.DBOptions{Schema: boltbox.Schema()})
	box := openBox(t, db, boltbox.Options{})
	seqs := appendKeys(t, box, "a", "b")
	raw(t, db, func(tx *bbolt.Tx) error {
		events := tx.Bucket([]byte("events"))
		v := append([]byte(nil), events.Get(seqKey(seqs[1]))...)
		v[len(v)-1] ^= 1
		return events.Put(seqKey(seqs[1]), v)
	})
	box = openBox(t, db, boltbox.Options{})
	if again := appendKeys(t, box, "b", "a"); again[0] != seqs[1] || again[1] != seqs[0] {
		t.Errorf("known keys are %v, and were %v", again, seqs)
	}
}
