package boltbox_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
)

// BenchmarkOldIndex is what an append of 256 events took with the dedupe index of before: an entry
// for each, stanza time and hash → sequence and time (docs/adr/0002-dedupe-runs.md). Events and
// entries alone are written, as BenchmarkAppendKnown writes them; no lookup by callers, no queue.
func BenchmarkOldIndex(b *testing.B) {
	for _, known := range []int{0, 3_000_000} {
		for name, spread := range map[string]int{"second": 1, "days": 20 * 24 * 3600} {
			b.Run(fmt.Sprint(known, "/", name), func(b *testing.B) {
				db, err := bbolt.Open(filepath.Join(b.TempDir(), "old.db"), 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType})
				if err != nil {
					b.Fatal(err)
				}
				defer db.Close()
				key := func(n int, kind string) []byte {
					sum := sha256.Sum256(fmt.Append(nil, kind, n))
					return append(binary.BigEndian.AppendUint32(nil, 1_700_000_000-uint32(n*7919%spread)), sum[:12]...)
				}
				n, body := 0, make([]byte, 1024)
				put := func(kind string, count int, bodies bool) {
					err := db.Update(func(tx *bbolt.Tx) error {
						events, err := tx.CreateBucketIfNotExists([]byte("events"))
						if err != nil {
							return err
						}
						seen, err := tx.CreateBucketIfNotExists([]byte("seen"))
						if err != nil {
							return err
						}
						events.FillPercent, seen.FillPercent = 1, 0.9
						for range count {
							n++
							k, seq := key(n, kind), binary.BigEndian.AppendUint64(nil, uint64(n))
							if seen.Get(k) != nil {
								return fmt.Errorf("%x is there", k)
							}
							if err := seen.Put(k, append(seq, 0, 0, 0, 0)); err != nil {
								return err
							}
							if bodies {
								if err := events.Put(seq, body); err != nil {
									return err
								}
							}
						}
						return nil
					})
					if err != nil {
						b.Fatal(err)
					}
				}
				db.NoSync = true
				for n < known {
					put("known", 100_000, false)
				}
				db.NoSync = false
				if err := db.Sync(); err != nil {
					b.Fatal(err)
				}
				before, longest := db.Stats().TxStats, time.Duration(0)
				for b.Loop() {
					began := time.Now()
					put("new", outbox.MaxBatch, true)
					longest = max(longest, time.Since(began))
				}
				after := db.Stats().TxStats
				b.ReportMetric(float64(b.N*outbox.MaxBatch)/b.Elapsed().Seconds(), "events/s")
				b.ReportMetric(float64(longest.Microseconds()), "longest-µs")
				b.ReportMetric(float64(after.GetPageAlloc()-before.GetPageAlloc())/float64(b.N*outbox.MaxBatch), "B-pages/event")
			})
		}
	}
}
