package boltbox_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"waoutbox/outbox"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
	"waoutbox/store/storetest"
)

func event(key string) outbox.Event {
	return outbox.Event{Key: "evt_" + key, Stamp: 1_700_000_000, Time: time.UnixMilli(1_700_000_000_000), Name: "message.received", Chat: "c@lid", Body: make([]byte, 1024)}
}

// BenchmarkSync is the limit the others are read against: one 4 KiB overwrite and fsync.
func BenchmarkSync(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "f"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	page := make([]byte, 4096)
	for b.Loop() {
		if _, err := f.WriteAt(page, 0); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 256} {
		b.Run(fmt.Sprintf("%d", writers), func(b *testing.B) {
			box := openBox(b, storetest.Open(b, store.DBOptions{}), boltbox.Options{})
			var n atomic.Int64
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for range writers {
				wg.Go(func() {
					for i := n.Add(1); i <= int64(b.N); i = n.Add(1) {
						if _, err := box.Append(b.Context(), event(fmt.Sprint(i))); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

// filled is an engine with one subscription and n unread events.
func filled(b *testing.B, n int, o boltbox.Options) *boltbox.Box {
	box := openBox(b, storetest.Open(b, store.DBOptions{}), o)
	if _, err := box.PutSub(b.Context(), outbox.Subscription{ID: "wh_a", Epochs: []outbox.Epoch{{Filter: outbox.Filter{Events: []string{outbox.Any}}}}}); err != nil {
		b.Fatal(err)
	}
	for i := 0; i < n; {
		var evs []outbox.Event
		for ; i < n && len(evs) < outbox.MaxBatch; i++ {
			evs = append(evs, event(fmt.Sprint(i)))
		}
		if _, err := box.Append(b.Context(), evs...); err != nil {
			b.Fatal(err)
		}
	}
	return box
}

// BenchmarkDrain reads a backlog from the file in steps of 1 MiB; one operation is one event.
func BenchmarkDrain(b *testing.B) {
	const n = 20_000
	box := filled(b, n, boltbox.Options{RingBytes: 1})
	b.ResetTimer()
	for got := 0; got < b.N; {
		for from := outbox.Seq(1); from <= n && got < b.N; {
			evs, next, err := box.Read(b.Context(), "wh_a", from, 1<<20)
			if err != nil {
				b.Fatal(err)
			}
			got, from = got+len(evs), next
		}
	}
}

// BenchmarkSettle writes 64 records a commit and takes them away again; one operation is one record.
func BenchmarkSettle(b *testing.B) {
	box := filled(b, 64, boltbox.Options{})
	set := make([]outbox.Record, 64)
	b.ResetTimer()
	for n := 0; n < b.N; n += len(set) {
		state := outbox.Pending
		if n/len(set)%2 == 1 {
			state = outbox.Done
		}
		for i := range set {
			set[i] = outbox.Record{Seq: outbox.Seq(i + 1), State: state, Due: time.Unix(1, 0)}
		}
		if err := box.Commit(b.Context(), outbox.Change{Sub: "wh_a", Next: 65, Set: set}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStats asks for exact counts with a backlog.
func BenchmarkStats(b *testing.B) {
	box := filled(b, 20_000, boltbox.Options{})
	for b.Loop() {
		if _, err := box.Stats(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
