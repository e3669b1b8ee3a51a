package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"waoutbox/store"
	"waoutbox/store/storetest"
)

// Whoever queues an operation is given its outcome: with urgent and patient ones from many
// goroutines, some of which give up, none is forgotten, none is written twice, and what was
// withdrawn is not written.
func TestEveryOperationEnds(t *testing.T) {
	const writers, each = 16, 40
	db := storetest.Open(t, store.DBOptions{})
	var mu sync.Mutex
	want := map[string]bool{}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				key := fmt.Sprint(w, " ", i)
				op := store.Op{Urgent: (w+i)%3 == 0, Soon: (w+i)%3 == 1, Apply: func(tx *bbolt.Tx) error {
					b := tx.Bucket([]byte("items"))
					if b.Get([]byte(key)) != nil {
						return errors.New("written twice")
					}
					return b.Put([]byte(key), []byte("v"))
				}}
				ctx, cancel := context.WithCancel(t.Context())
				if i%4 == 0 {
					ctx, cancel = context.WithTimeout(t.Context(), time.Duration(w)*100*time.Microsecond)
				}
				err := db.Do(ctx, op)
				cancel()
				if err != nil && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s: %v", key, err)
				}
				mu.Lock()
				want[key] = err == nil
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if n := db.Queued(); n != 0 {
		t.Errorf("%d operations are queued when all have ended", n)
	}
	got := map[string]bool{}
	err := db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("items")).ForEach(func(k, _ []byte) error { got[string(k)] = true; return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	for key, written := range want {
		if got[key] != written {
			t.Errorf("%s: in the file %v, as its caller was told %v", key, got[key], written)
		}
	}
}

// What cannot be made visible in memory stops the store: what is in memory is not what is in the
// file any more. Nobody waits for ever, and the file keeps what was written.
func TestPanicInPublish(t *testing.T) {
	db := storetest.Open(t, store.DBOptions{})
	op := put("a")
	op.Publish = func() { panic("no room") }
	if err := db.Do(t.Context(), op); !errors.Is(err, store.Unknown) {
		t.Errorf("the caller got %v", err)
	}
	if err := db.Do(t.Context(), put("b")); !errors.Is(err, store.Closed) {
		t.Errorf("the next write got %v", err)
	}
	if got := causes(db.Stats()); !strings.Contains(got, "stopped") {
		t.Errorf("faults: %q", got)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

// After a commit that many shared the next one waits for them to come again, but not for ever: a
// single write goes on, and the one after it finds nobody to wait for.
func TestASingleWriteAfterMany(t *testing.T) {
	g := newGate()
	db := storetest.Open(t, store.DBOptions{CommitHook: g.hold})
	var ops []store.Op
	for n := range 40 {
		ops = append(ops, put(fmt.Sprintf("many%02d", n)))
	}
	for _, err := range together(t, db, g, ops...) {
		if err != nil {
			t.Fatal(err)
		}
	}
	before := g.commits.Load()
	for n := range 3 {
		if err := db.Do(t.Context(), put(fmt.Sprint("single", n))); err != nil {
			t.Fatal(err)
		}
	}
	if got := g.commits.Load() - before; got != 3 {
		t.Errorf("3 writes one after the other took %d commits", got)
	}
	if got := len(strings.Fields(keys(t, db))); got != 44 { // together puts one of its own
		t.Errorf("the file has %d keys, want 44", got)
	}
}
