package boltbox_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
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
			box := openBox(b, storetest.Open(b, store.DBOptions{Schema: boltbox.Schema()}), boltbox.Options{})
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

// BenchmarkAppendKnown is an append of 256 events with stanza times of one second or of days, none
// of them known, while no key or 3 million are known. It reports the longest of them too, beside
// what the index holds in memory.
func BenchmarkAppendKnown(b *testing.B) {
	for _, known := range []int{0, 3_000_000} {
		path := filepath.Join(b.TempDir(), store.OutboxFile)
		db := storetest.OpenAt(b, path, store.DBOptions{Schema: boltbox.Schema()})
		box := openBox(b, db, boltbox.Options{RingBytes: 1})
		boltbox.EnterKeys(b, db, box, known)
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		db = storetest.OpenAt(b, path, store.DBOptions{Schema: boltbox.Schema()})
		box = openBox(b, db, boltbox.Options{RingBytes: 1})
		opened := time.Since(began)
		before := heap()
		n := 0
		for name, spread := range map[string]int{"second": 1, "days": 20 * 24 * 3600} {
			b.Run(fmt.Sprint(known, "/", name), func(b *testing.B) {
				var longest time.Duration
				for b.Loop() {
					evs := make([]outbox.Event, outbox.MaxBatch)
					for i := range evs {
						n++
						evs[i] = event(fmt.Sprint("new", n))
						evs[i].Stamp -= uint32(n * 7919 % spread)
					}
					began := time.Now()
					if _, err := box.Append(b.Context(), evs...); err != nil {
						b.Fatal(err)
					}
					longest = max(longest, time.Since(began))
				}
				b.ReportMetric(float64(b.N*outbox.MaxBatch)/b.Elapsed().Seconds(), "events/s")
				b.ReportMetric(float64(longest.Microseconds()), "longest-µs")
				b.ReportMetric(float64(heap()-before)/(1<<20), "MiB")
				b.ReportMetric(float64(opened.Microseconds()), "open-µs")
			})
		}
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// filled is an engine with one subscription and n unread events.
func filled(b *testing.B, n int, o boltbox.Options) *boltbox.Box {
	box := openBox(b, storetest.Open(b, store.DBOptions{Schema: boltbox.Schema()}), o)
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

// BenchmarkSettle writes 64 records a commit and takes them away again; one operation is one
// record.
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

// BenchmarkRemoved is an append of 256 events, a start and statistics of an outbox in which many
// subscriptions were removed: as fast as in one with none.
func BenchmarkRemoved(b *testing.B) {
	for _, removed := range []int{0, 1000, 4000} {
		o := &outboxAt{path: filepath.Join(b.TempDir(), store.OutboxFile)}
		o.open(b)
		removeMany(b, o.box, removed, false)
		if _, err := o.box.PutSub(b.Context(), outbox.Subscription{ID: "wh_live", Epochs: []outbox.Epoch{wants(outbox.Any)}}); err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprint(removed), func(b *testing.B) {
			var sum price
			for b.Loop() {
				var p price
				o.measure(b, &p)
				sum.append += p.append
				sum.stats += p.stats
				sum.open += p.open
			}
			b.ReportMetric(float64(sum.append.Nanoseconds())/float64(b.N), "append-ns")
			b.ReportMetric(float64(sum.stats.Nanoseconds())/float64(b.N), "stats-ns")
			b.ReportMetric(float64(sum.open.Nanoseconds())/float64(b.N), "open-ns")
		})
		o.close(b)
	}
}
