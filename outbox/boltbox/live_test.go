//go:build unix

package boltbox_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"waoutbox/outbox"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
)

// A lane that is not behind is fed from memory: it reads on although nothing of the file can be
// read.
func TestTheLivePathDoesNotReadTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), store.OutboxFile)
	db, err := store.Open(path, store.DBOptions{Schema: boltbox.Schema()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	box := openBox(t, db, boltbox.Options{})
	subscribe(t, box, "wh_a", outbox.Any)
	var seqs []outbox.Seq
	for i := range 50 {
		seqs = append(seqs, appendKeys(t, box, fmt.Sprint(i))...)
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, box, "wh_a", seqs[0]); len(got) != len(seqs) {
		t.Errorf("read %d of %d events", len(got), len(seqs))
	}
	for _, seq := range seqs {
		if e, err := box.Event(t.Context(), seq); err != nil || e.Seq != seq {
			t.Errorf("event %d: %v", seq, err)
		}
	}
	select {
	case <-db.Done():
		t.Error("the file was read")
	default:
	}
}

// BenchmarkRead reads 256 KiB of events as a lane does: from memory, and from the file.
func BenchmarkRead(b *testing.B) {
	for name, ring := range map[string]int{"live": 0, "lagging": 1} {
		b.Run(name, func(b *testing.B) {
			db, err := store.Open(filepath.Join(b.TempDir(), store.OutboxFile), store.DBOptions{Schema: boltbox.Schema()})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			box := openBox(b, db, boltbox.Options{RingBytes: ring})
			subscribe(b, box, "wh_a", outbox.Any)
			for i := range 20 {
				var evs []outbox.Event
				for j := range 100 {
					e := event(fmt.Sprint(i, "-", j))
					e.Body = make([]byte, 1<<10)
					evs = append(evs, e)
				}
				if _, err := box.Append(b.Context(), evs...); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(256 << 10)
			for b.Loop() {
				if evs, _, err := box.Read(b.Context(), "wh_a", 1, 256<<10); err != nil || len(evs) < 200 {
					b.Fatalf("%d events, %v", len(evs), err)
				}
			}
		})
	}
}
