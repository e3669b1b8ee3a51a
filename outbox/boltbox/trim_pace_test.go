package boltbox_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"waoutbox/outbox"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
)

// A trim waits for a commit to share while a lane settles, and hardly where nothing else is
// written. Before, a million delivered events took 58 s to go, nearly all of it the wait of each
// trim for somebody who did not come.
func TestATrimWaitsOnlyForWhoComes(t *testing.T) {
	path := filepath.Join(t.TempDir(), store.OutboxFile)
	synctest.Test(t, func(t *testing.T) {
		db, err := store.Open(path, store.DBOptions{Schema: boltbox.Schema(), MinFree: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		box, err := boltbox.Open(t.Context(), db, boltbox.Options{})
		if err != nil {
			t.Fatal(err)
		}
		subscribe(t, box, "wh_a", outbox.Any)
		for i := range 4 {
			if _, err := box.Append(t.Context(), event(fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
		took := func() time.Duration {
			began := time.Now()
			if n, _, err := box.Trim(t.Context(), time.Now().AddDate(100, 0, 0), 1); n != 1 || err != nil {
				t.Fatalf("removed %d, %v", n, err)
			}
			return time.Since(began)
		}
		<-time.After(time.Second) // of the simulated clock
		commit(t, box, outbox.Change{Sub: "wh_a", Next: 5})
		if d := took(); d != store.SettleDelay {
			t.Errorf("beside settlements a trim takes %v, want %v", d, store.SettleDelay)
		}
		<-time.After(time.Second)
		if d := took(); d != store.ShareDelay {
			t.Errorf("a trim by itself takes %v, want %v", d, store.ShareDelay)
		}
		if _, err := box.Append(t.Context(), event("more")); err != nil {
			t.Fatal(err)
		}
		if d := took(); d != store.SettleDelay {
			t.Errorf("beside appends a trim takes %v, want %v", d, store.SettleDelay)
		}
	})
}
