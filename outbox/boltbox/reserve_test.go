package boltbox_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
	"waoutbox/store/storetest"
)

// When the file holds so much that even its reserve is used up, everything that leads to something
// being removed still goes through: deliveries that are done, whether they had a record or not,
// what expires, sends that are forgotten, and trims. Before, a cursor that moved was refused: "the
// outbox may hold 1 MiB, and its reserve is used up".
//
// Mutation of change.go: deliveries that are done are not settled when the reserve is used up, so
// nothing is ever removed.
func TestTheReserveIsUsedUp(t *testing.T) {
	db := storetest.OpenAt(t, filepath.Join(memoryDir(t), store.OutboxFile), store.DBOptions{Schema: boltbox.Schema(), MaxBytes: 1 << 20})
	box := openBox(t, db, boltbox.Options{})
	subscribe(t, box, "wh_a", outbox.Any)
	seqs := appendKeys(t, box, "0", "1", "2", "3")
	commit(t, box, outbox.Change{Sub: "wh_a", Next: seqs[2], Set: []outbox.Record{{Seq: seqs[0], State: outbox.Pending}, {Seq: seqs[1], State: outbox.Pending}}})
	old := time.Now().Add(-2 * outbox.SendKept)
	if err := box.PutSend(t.Context(), outbox.Send{MessageID: "3EB0", State: outbox.SendFailed, CreatedAt: old, SettledAt: old}); err != nil {
		t.Fatal(err)
	}
	for i := range byte(store.Reserve>>20 + 2) {
		fill := func(tx *bbolt.Tx) error { return tx.Bucket([]byte("meta")).Put([]byte{'x', i}, make([]byte, 1<<20)) }
		if err := db.Do(t.Context(), store.Op{Urgent: true, Frees: true, Apply: fill}); err != nil {
			t.Fatal(err)
		}
	}
	more := outbox.Change{Sub: "wh_a", Set: []outbox.Record{{Seq: seqs[0], State: outbox.Pending, Attempts: 1}}}
	if err := box.Commit(t.Context(), more); !errors.Is(err, outbox.ErrFull) {
		t.Fatalf("what needs more room: %v", err)
	}
	for _, c := range []outbox.Change{
		{Sub: "wh_a", Next: seqs[3]},
		{Sub: "wh_a", Set: []outbox.Record{{Seq: seqs[0], State: outbox.Done}}},
		{Sub: "wh_a", Set: []outbox.Record{{Seq: seqs[1], State: outbox.Dead, Reason: outbox.ReasonExpired}}},
	} {
		if err := box.Commit(t.Context(), c); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if n, _, err := box.Trim(t.Context(), time.Now().Add(time.Hour), 0); n != 3 || err != nil {
		t.Errorf("Trim = %d, %v", n, err)
	}
	if _, err := box.ForgetSends(t.Context(), time.Now().Add(-outbox.SendKept)); err != nil {
		t.Error(err)
	}
	if _, err := box.Send(t.Context(), "3EB0"); !errors.Is(err, outbox.ErrNotFound) {
		t.Errorf("the send that is forgotten: %v", err)
	}
}
