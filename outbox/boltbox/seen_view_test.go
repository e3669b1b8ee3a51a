package boltbox_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"waoutbox/outbox/boltbox"
	"waoutbox/store"
	"waoutbox/store/storetest"
)

// What callers are told of a key before they queue an append changes nothing in what is found,
// while runs are sealed and merged and after a restart; and nearly every new key is told to be new.
func TestKeysAreToldBeforehand(t *testing.T) {
	path := filepath.Join(t.TempDir(), store.OutboxFile)
	var known []string
	for restart := range 2 {
		db := storetest.OpenAt(t, path, store.DBOptions{Schema: boltbox.Schema()})
		box := openBox(t, db, boltbox.SmallRuns(boltbox.Options{}))
		var fresh, told int
		for step := range 24 {
			var keys []string
			for n := range 40 {
				keys = append(keys, fmt.Sprint(restart, step, n))
			}
			seqs, n, differ := boltbox.SeenFound(t, db, box, keys)
			if len(differ) > 0 {
				t.Fatalf("step %d: new keys are found in another way: %q", step, differ)
			}
			for i, seq := range seqs {
				if seq != 0 {
					t.Fatalf("step %d: %s was never appended and is known as %d", step, keys[i], seq)
				}
			}
			if step >= 12 { // all filters were read
				fresh, told = fresh+len(keys), told+n
			}
			appendKeys(t, box, keys...)
			known = append(known, keys...)
			seqs, _, differ = boltbox.SeenFound(t, db, box, known)
			if len(differ) > 0 {
				t.Fatalf("step %d: of %d known keys %d are not found by who was told beforehand", step, len(known), len(differ))
			}
			for i, seq := range seqs {
				if int(seq) != i+1 {
					t.Fatalf("step %d: %s is known as %d, want %d", step, known[i], seq, i+1)
				}
			}
		}
		if told < fresh*9/10 {
			t.Errorf("after %d restarts %d of %d new keys were told to be new", restart, told, fresh)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
