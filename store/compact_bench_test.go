package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"waoutbox/store"
	"waoutbox/store/storetest"
)

// BenchmarkCompact compacts a file of 64 MiB in use while one writer appends, and says how long the
// slowest append took. With WAOUTBOX_COMPACT_MIB=1024 in the environment it is as large as that.
func BenchmarkCompact(b *testing.B) {
	mib := 64
	if text := os.Getenv("WAOUTBOX_COMPACT_MIB"); text != "" {
		if _, err := fmt.Sscan(text, &mib); err != nil {
			b.Fatal(err)
		}
	}
	var turn time.Time
	var waited time.Duration
	step := func(name string) {
		switch name {
		case "last chunk":
			turn = time.Now()
		case "synced":
			waited = max(waited, time.Since(turn))
		}
	}
	db, err := store.Open(filepath.Join(b.TempDir(), store.OutboxFile), store.DBOptions{Schema: storetest.Schema(), StepHook: step})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	n := 0
	for range mib {
		err := db.Do(b.Context(), store.Op{Urgent: true, Apply: func(tx *bbolt.Tx) error {
			items := tx.Bucket([]byte("items"))
			items.FillPercent = 1
			for range 1024 {
				n++
				if err := items.Put(fmt.Appendf(nil, "%010d", n), make([]byte, 960)); err != nil {
					return err
				}
			}
			return nil
		}})
		if err != nil {
			b.Fatal(err)
		}
	}
	var slowest, appends atomic.Int64
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for i := 0; ; i++ {
			select {
			case <-over:
				return
			default:
			}
			start := time.Now()
			if err := db.Do(b.Context(), appendOf(fmt.Sprint("live", i))); err != nil {
				b.Error(err)
				return
			}
			slowest.Store(max(slowest.Load(), int64(time.Since(start))))
			appends.Add(1)
		}
	}()
	b.SetBytes(db.Stats().LiveBytes)
	for b.Loop() {
		if err := db.Compact(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	close(over)
	<-ended
	b.ReportMetric(float64(slowest.Load())/1e6, "slowest-append-ms")
	b.ReportMetric(float64(waited)/1e6, "turn-ms")
	b.ReportMetric(float64(appends.Load())/float64(b.N), "appends/op")
}
