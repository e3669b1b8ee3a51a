package boltbox_test

import (
	"testing"
	"time"

	"waoutbox/outbox"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
	"waoutbox/store/storetest"
)

// An attempt that fails while the deliveries are counted leaves its delivery pending. Before, it
// was in none of both counts, "0 pending", and who waited for the last delivery waited no more.
//
// Mutation of stats.go: a delivery whose attempt fails while the deliveries are counted is counted
// neither as unread nor as waiting.
func TestADeliveryThatFailsWhileItIsCountedIsPending(t *testing.T) {
	box := openBox(t, storetest.Open(t, store.DBOptions{Schema: boltbox.Schema()}), boltbox.Options{})
	const id = outbox.SubID("wh_a")
	if _, err := box.PutSub(t.Context(), outbox.Subscription{ID: id, Config: []byte("{}"), Epochs: []outbox.Epoch{{Filter: outbox.Filter{Events: []string{outbox.Any}}}}}); err != nil {
		t.Fatal(err)
	}
	seqs, err := box.Append(t.Context(), event("1"))
	if err != nil {
		t.Fatal(err)
	}
	failed := outbox.Change{Sub: id, Next: seqs[0] + 1, Set: []outbox.Record{{Seq: seqs[0], State: outbox.Pending, Attempts: 1, Due: time.Now(), Order: 1}}}
	st := boltbox.StatsAround(t, box, func() {
		if err := box.Commit(t.Context(), failed); err != nil {
			t.Fatal(err)
		}
	})
	if n := st.Subs[id].Pending; n != 1 {
		t.Errorf("%d pending while an attempt fails, want 1", n)
	}
	if st, err = box.Stats(t.Context()); err != nil || st.Subs[id].Pending != 1 {
		t.Errorf("%d pending afterwards, %v, want 1", st.Subs[id].Pending, err)
	}
}
