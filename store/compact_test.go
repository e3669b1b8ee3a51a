package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"waoutbox/store"
	"waoutbox/store/storetest"
)

// bulk is a write of n keys of a prefix, a kilobyte each.
func bulk(prefix string, n int) store.Op {
	return store.Op{Urgent: true, IsAppend: true, Bytes: n << 10, Apply: func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte("items"))
		for i := range n {
			if err := b.Put(fmt.Appendf(nil, "%s%06d", prefix, i), bytes.Repeat([]byte{byte(i)}, 1000)); err != nil {
				return err
			}
		}
		return nil
	}}
}

// drop removes what a bulk wrote, and gives the bucket a sequence.
func drop(prefix string) store.Op {
	return store.Op{Urgent: true, Frees: true, Apply: func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte("items"))
		var keys [][]byte
		c := b.Cursor()
		for k, _ := c.Seek([]byte(prefix)); bytes.HasPrefix(k, []byte(prefix)); k, _ = c.Next() {
			keys = append(keys, k)
		}
		for _, k := range keys {
			if err := b.Delete(k); err != nil {
				return err
			}
		}
		return b.SetSequence(77)
	}}
}

func do(t *testing.T, db *store.DB, ops ...store.Op) {
	t.Helper()
	for _, op := range ops {
		if err := db.Do(t.Context(), op); err != nil {
			t.Fatal(err)
		}
	}
}

// content is what the bucket items holds.
func content(t *testing.T, db *store.DB) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte("items"))
		out["sequence"] = fmt.Sprint(b.Sequence())
		return b.ForEach(func(k, v []byte) error { out[string(k)] = string(v); return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// wasteful is a database of which nine tenths are free pages.
func wasteful(t *testing.T, o store.DBOptions) (db *store.DB, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), store.OutboxFile)
	db = storetest.OpenAt(t, path, o)
	do(t, db, bulk("kept", 2000), bulk("gone", 20_000), drop("gone"))
	return db, path
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return strings.Join(out, " ")
}

// A compacted file is small, and holds what the old one held: what was written during the copy, and
// at every step of it, included. Reads go on.
//
// Mutation of compact.go: what is appended while the file is compacted is not in the new one.
func TestCompact(t *testing.T) {
	var db *store.DB
	written := map[string]bool{}
	n := 0
	step := func(name string) {
		if name != "chunk" && name != "begun" && name != "copied" {
			return // the committer's own steps: nothing can be written in them
		}
		n++
		key := fmt.Sprint("during", n)
		if err := db.Do(context.Background(), put(key)); err != nil {
			t.Errorf("a write at the step %q: %v", name, err)
		}
		if err := db.View(func(tx *bbolt.Tx) error { return nil }); err != nil {
			t.Errorf("a read at the step %q: %v", name, err)
		}
		written[key] = true
	}
	db, path := wasteful(t, store.DBOptions{StepHook: func(s string) { step(s) }})
	before := db.Stats()
	old := content(t, db)
	if before.LiveBytes > 5<<20 || before.FreeBytes < 18<<20 {
		t.Fatalf("before: %+v", before)
	}
	txid := func() (id int) {
		_ = db.View(func(tx *bbolt.Tx) error { id = tx.ID(); return nil })
		return id
	}
	number := txid()
	if err := db.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	if now := txid(); now < number {
		t.Errorf("transactions are counted from %d on, they had come to %d", now, number)
	}
	after := db.Stats()
	if after.Bytes > 20<<20 || after.Bytes >= before.Bytes || after.FreeBytes > 1<<20 || after.LiveBytes > before.LiveBytes+1<<20 {
		t.Errorf("it had %+v, now %+v", before, after)
	}
	for k := range written {
		old[k] = k
	}
	if now := content(t, db); !maps.Equal(now, old) || len(written) < 3 {
		t.Errorf("the compacted file has %d keys, it had %d (%d written meanwhile)", len(now), len(old), len(written))
	}
	do(t, db, put("later"))
	if got := names(t, filepath.Dir(path)); got != store.OutboxFile {
		t.Errorf("in the directory lies %s", got)
	}
	if err := db.Compact(t.Context()); err != nil {
		t.Errorf("again: %v", err)
	}
	if len(db.Stats().Faults) != 0 {
		t.Errorf("faults: %v", db.Stats().Faults)
	}
}

// A compaction that cannot be done leaves the old file in use and says why.
func TestCompactionThatFails(t *testing.T) {
	var free atomic.Uint64
	free.Store(1 << 40)
	steal := atomic.Bool{}
	var path string
	o := store.DBOptions{MinFree: 100 << 20, FreeSpace: func(string) (uint64, error) { return free.Load(), nil }}
	o.StepHook = func(s string) {
		if s == "closed" && steal.Load() {
			if err := os.Remove(path + ".compact"); err != nil {
				t.Error(err)
			}
		}
	}
	db, at := wasteful(t, o)
	path = at
	before := content(t, db)
	unchanged := func(name string) {
		t.Helper()
		if got := content(t, db); !maps.Equal(got, before) {
			t.Errorf("%s: the file has changed", name)
		}
		if got := names(t, filepath.Dir(path)); got != store.OutboxFile {
			t.Errorf("%s: in the directory lies %s", name, got)
		}
	}
	free.Store(110 << 20)
	if err := db.Compact(t.Context()); !errors.Is(err, store.Full) || !strings.Contains(err.Error(), "a copy of the outbox takes 20 MiB") {
		t.Errorf("without space for a copy: %v", err)
	}
	unchanged("no space")
	if got := causes(db.Stats()); got != "" {
		t.Errorf("no space for a copy is the fault %s", got)
	}
	free.Store(1 << 40)

	steal.Store(true)
	err := db.Compact(t.Context())
	if e, ok := errors.AsType[*store.Error](err); !ok || e.Kind != store.System || !strings.Contains(err.Error(), "is used as it is") {
		t.Errorf("without the new file: %v", err)
	}
	unchanged("no new file")
	if got := causes(db.Stats()); got != "compaction" {
		t.Errorf("a failed compaction is the fault %q", got)
	}
	do(t, db, put("w"))
	before["w"] = "w"
	steal.Store(false)

	over, end := context.WithCancel(t.Context())
	end()
	if err := db.Compact(over); !errors.Is(err, context.Canceled) {
		t.Errorf("without patience: %v", err)
	}
	unchanged("no patience")
	if err := db.Compact(t.Context()); err != nil {
		t.Error(err)
	}
	unchanged("in the end")
	if got := causes(db.Stats()); got != "" {
		t.Errorf("after one that succeeded there is the fault %q", got)
	}
}

// The service compacts when it is worth it and no event comes, and not before.
func TestRunCompaction(t *testing.T) {
	db, _ := wasteful(t, store.DBOptions{})
	before := db.Stats().Bytes
	p := store.CompactPolicy{Free: 1 << 20, Ratio: 2, Quiet: time.Hour, Patience: time.Hour, Every: time.Millisecond}
	ctx, end := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- db.RunCompaction(ctx, p) }()
	select {
	case <-time.After(50 * time.Millisecond):
	case err := <-over:
		t.Fatalf("it ended with %v", err)
	}
	if now := db.Stats().Bytes; now != before {
		t.Errorf("it was compacted from %d to %d bytes a moment after an append", before, now)
	}
	end()
	if err := <-over; err != nil {
		t.Error(err)
	}
	p.Quiet = 0
	ctx, end = context.WithCancel(t.Context())
	go func() { over <- db.RunCompaction(ctx, p) }()
	within(t, func() bool { return db.Stats().FreeBytes < 1<<20 })
	end()
	if err := <-over; err != nil {
		t.Error(err)
	}
	if now := db.Stats().Bytes; now >= before {
		t.Errorf("the file has %d bytes, it had %d", now, before)
	}
}

func TestCompactPolicy(t *testing.T) {
	const mib = 1 << 20
	for name, c := range map[string]struct {
		live, free      int64
		worthFor, quiet time.Duration
		want            bool
	}{
		"nothing free":                {100 * mib, 0, 0, time.Hour, false},
		"little free":                 {0, 64 * mib, 0, time.Hour, false},
		"much free, little in use":    {30 * mib, 65 * mib, 0, 10 * time.Second, true},
		"much free, more in use":      {40 * mib, 65 * mib, 0, time.Hour, false},
		"twice as much":               {40 * mib, 80 * mib, 0, time.Hour, false},
		"a moment after an append":    {mib, 65 * mib, time.Minute, 9 * time.Second, false},
		"for an hour, and they come":  {mib, 65 * mib, time.Hour, 0, true},
		"a gibibyte in use, two free": {1 << 30, 2<<30 + 1, 0, 10 * time.Second, true},
	} {
		p := store.DefaultCompactPolicy()
		if got := store.CompactNow(p, c.live, c.free, c.worthFor, c.quiet); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
