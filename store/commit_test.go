package store_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
	"waoutbox/store"
	"waoutbox/store/storetest"
)

// put is a write of one key in the events bucket.
func put(key string) store.Op {
	return store.Op{Urgent: true, Apply: func(tx *bbolt.Tx) error { return tx.Bucket([]byte("events")).Put([]byte(key), []byte(key)) }}
}

func keys(t *testing.T, db *store.DB) string {
	t.Helper()
	var out []string
	err := db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("events")).ForEach(func(k, _ []byte) error { out = append(out, string(k)); return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, " ")
}

// gate holds the first commit until it is opened, so that what is queued meanwhile becomes one batch.
type gate struct {
	entered chan struct{}
	open    chan struct{}
	once    sync.Once
	commits atomic.Int64
}

func newGate() *gate { return &gate{entered: make(chan struct{}), open: make(chan struct{})} }

func (g *gate) around(commit func() error) error {
	g.commits.Add(1)
	g.once.Do(func() { close(g.entered); <-g.open })
	return commit()
}

// together runs ops so that all of them are in one batch, in order, and answers their errors.
func together(t *testing.T, db *store.DB, g *gate, ops ...store.Op) []error {
	t.Helper()
	errs := make([]error, len(ops))
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := db.Do(t.Context(), put("first")); err != nil {
			t.Errorf("first: %v", err)
		}
	})
	<-g.entered
	for i, op := range ops {
		queued := db.Queued()
		wg.Go(func() { errs[i] = db.Do(t.Context(), op) })
		for db.Queued() == queued {
			runtime.Gosched()
		}
	}
	close(g.open)
	wg.Wait()
	return errs
}

func TestOneBatchOneCommit(t *testing.T) {
	g := newGate()
	db := storetest.Open(t, store.DBOptions{Commit: g.around})
	var order []string
	var ops []store.Op
	for i := range 20 {
		op := put(fmt.Sprintf("%02d", i))
		op.Publish = func() { order = append(order, fmt.Sprint(i)) } // the committer's goroutine alone
		ops = append(ops, op)
	}
	for i, err := range together(t, db, g, ops...) {
		if err != nil {
			t.Errorf("op %d: %v", i, err)
		}
	}
	if n := g.commits.Load(); n != 2 {
		t.Errorf("%d commits, want the first and one for the rest", n)
	}
	if got := strings.Join(order, " "); got != "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19" {
		t.Errorf("published in the order %s", got)
	}
}

func TestBatchIsBounded(t *testing.T) {
	g := newGate()
	db := storetest.Open(t, store.DBOptions{Commit: g.around})
	var ops []store.Op
	for i := range 4 {
		op := put(fmt.Sprint(i))
		op.Bytes = store.MaxBatch/2 + 1
		ops = append(ops, op)
	}
	together(t, db, g, ops...)
	if n := g.commits.Load(); n != 5 {
		t.Errorf("%d commits, want the first and one for each of four", n)
	}
}

// An operation that fails takes nothing with it, and leaves nothing behind.
func TestFailuresAreAlone(t *testing.T) {
	g := newGate()
	db := storetest.Open(t, store.DBOptions{Commit: g.around})
	boom := errors.New("boom")
	bad := put("bad")
	bad.Apply = func(tx *bbolt.Tx) error {
		return errors.Join(tx.Bucket([]byte("events")).Put([]byte("bad"), nil), boom)
	}
	panics := put("panics")
	panics.Apply = func(tx *bbolt.Tx) error {
		_ = tx.Bucket([]byte("events")).Put([]byte("panics"), nil)
		panic("at the disco")
	}
	bad.Publish = func() { t.Error("a failed operation was published") }
	panics.Publish = bad.Publish
	errs := together(t, db, g, put("a"), bad, put("b"), panics, put("c"))
	if errs[0] != nil || errs[2] != nil || errs[4] != nil {
		t.Errorf("good neighbours got %v, %v, %v", errs[0], errs[2], errs[4])
	}
	if !errors.Is(errs[1], boom) {
		t.Errorf("the failing one got %v", errs[1])
	}
	if errs[3] == nil || !strings.Contains(errs[3].Error(), "at the disco") {
		t.Errorf("the panicking one got %v", errs[3])
	}
	if got := keys(t, db); got != "a b c first" {
		t.Errorf("the file holds %q", got)
	}
	if s := db.Stats(); s.Fault != "" {
		t.Errorf("a panic in one operation became a fault: %s", s.Fault)
	}
}

// A commit whose outcome is unknown: every waiter hears so, the file is opened again, and work goes on.
func TestUnknownOutcome(t *testing.T) {
	boom := errors.New("input/output error")
	for name, written := range map[string]bool{"not written": false, "written": true} {
		t.Run(name, func(t *testing.T) {
			g := newGate()
			var fail atomic.Bool
			db := storetest.Open(t, store.DBOptions{Commit: func(commit func() error) error {
				return g.around(func() error {
					if !fail.CompareAndSwap(true, false) {
						return commit()
					}
					if written {
						return errors.Join(commit(), boom)
					}
					return boom
				})
			}})
			reloads := 0
			db.OnReload(func() error { reloads++; return nil })
			published := put("b")
			published.Publish = func() { t.Error("an unknown outcome was published") }
			fail.Store(false)
			second := published
			second.Apply = func(tx *bbolt.Tx) error { fail.Store(true); return published.Apply(tx) } // of the second commit
			for i, err := range together(t, db, g, put("a"), second) {
				if !errors.Is(err, outbox.ErrUnknown) || !errors.Is(err, boom) {
					t.Errorf("waiter %d got %v", i, err)
				}
			}
			if reloads != 1 {
				t.Errorf("%d reloads", reloads)
			}
			want := "c first"
			if written {
				want = "a b c first"
			}
			if err := db.Do(t.Context(), put("c")); err != nil {
				t.Errorf("work does not go on: %v", err)
			}
			if got := keys(t, db); got != want {
				t.Errorf("the file holds %q, want %q", got, want)
			}
			if s := db.Stats(); s.Fault != "" {
				t.Errorf("fault %q stays", s.Fault)
			}
		})
	}
}

// While the file cannot be opened again, everything is refused with the reason; then work goes on.
func TestReopeningIsRepeated(t *testing.T) {
	var fail atomic.Bool
	fail.Store(true)
	db := storetest.Open(t, store.DBOptions{Commit: func(commit func() error) error {
		if fail.CompareAndSwap(true, false) {
			return errors.New("input/output error")
		}
		return commit()
	}})
	down := make(chan struct{})
	tries := 0
	db.OnReload(func() error {
		if tries++; tries == 1 {
			close(down)
			return errors.New("no such luck")
		}
		return nil
	})
	first := make(chan error, 1)
	go func() { first <- db.Do(t.Context(), put("a")) }()
	<-down
	if err := db.Do(t.Context(), put("b")); !errors.Is(err, outbox.ErrClosed) || !strings.Contains(err.Error(), "no such luck") {
		t.Errorf("while the file is down: %v", err)
	}
	if err := <-first; !errors.Is(err, outbox.ErrUnknown) {
		t.Errorf("the waiter got %v", err)
	}
	if err := db.Do(t.Context(), put("c")); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestDiskFullDuringCommit(t *testing.T) {
	var fail atomic.Bool
	fail.Store(true)
	db := storetest.Open(t, store.DBOptions{Commit: func(commit func() error) error {
		if fail.Load() {
			return fmt.Errorf("write: %w", syscall.ENOSPC)
		}
		return commit()
	}})
	if err := db.Do(t.Context(), put("a")); !errors.Is(err, outbox.ErrFull) || errors.Is(err, outbox.ErrUnknown) {
		t.Errorf("a full disk gives %v", err)
	}
	fail.Store(false)
	if err := db.Do(t.Context(), put("b")); err != nil {
		t.Errorf("with space again: %v", err)
	}
	if got := keys(t, db); got != "b" {
		t.Errorf("the file holds %q", got)
	}
}

// A short disk refuses what grows, and says so; everything else goes on.
func TestShortDiskRefusesAppendsOnly(t *testing.T) {
	g := newGate()
	db := storetest.Open(t, store.DBOptions{MinFree: math.MaxUint64, Commit: g.around})
	grows := put("grows")
	grows.Grows = true
	errs := together(t, db, g, put("a"), grows, put("b"))
	if errs[0] != nil || errs[2] != nil || !errors.Is(errs[1], outbox.ErrFull) {
		t.Errorf("a short disk gives %v", errs)
	}
	if got := keys(t, db); got != "a b first" {
		t.Errorf("the file holds %q", got)
	}
	if s := db.Stats(); !strings.Contains(s.Fault, "make space") || s.FaultAt.IsZero() || s.Bytes == 0 || s.LiveBytes == 0 || s.LiveBytes > s.Bytes {
		t.Errorf("Stats = %+v", s)
	}
}

func TestCancelledWaiter(t *testing.T) {
	g := newGate()
	db := storetest.Open(t, store.DBOptions{Commit: g.around})
	taken, cancelTaken := context.WithCancel(t.Context())
	queued, cancelQueued := context.WithCancel(t.Context())
	errTaken, errQueued := make(chan error, 1), make(chan error, 1)
	go func() { errTaken <- db.Do(taken, put("taken")) }()
	<-g.entered
	go func() { errQueued <- db.Do(queued, put("queued")) }()
	for db.Queued() == 0 {
		runtime.Gosched()
	}
	cancelQueued()
	if err := <-errQueued; !errors.Is(err, context.Canceled) || errors.Is(err, outbox.ErrUnknown) {
		t.Errorf("a waiter whose operation was queued got %v", err)
	}
	cancelTaken()
	if err := <-errTaken; !errors.Is(err, context.Canceled) || !errors.Is(err, outbox.ErrUnknown) {
		t.Errorf("a waiter whose operation was being written got %v", err)
	}
	close(g.open)
	if err := db.Do(t.Context(), put("later")); err != nil {
		t.Fatal(err)
	}
	if got := keys(t, db); got != "later taken" {
		t.Errorf("the file holds %q", got)
	}
}

// What is not urgent rides along, or waits a moment and is committed all the same.
func TestLazyOperations(t *testing.T) {
	db := storetest.Open(t, store.DBOptions{})
	lazy := put("lazy")
	lazy.Urgent = false
	start := time.Now()
	if err := db.Do(t.Context(), lazy); err != nil {
		t.Fatal(err)
	}
	if waited := time.Since(start); waited < store.SettleDelay/2 {
		t.Errorf("it was committed after %v, want it to wait for others", waited)
	}
}

func TestCloseDrains(t *testing.T) {
	g := newGate()
	path := filepath.Join(t.TempDir(), store.OutboxFile)
	db := storetest.OpenAt(t, path, store.DBOptions{Commit: g.around})
	var wg sync.WaitGroup
	wg.Go(func() { db.Do(t.Context(), put("first")) })
	<-g.entered
	lazy := put("lazy")
	lazy.Urgent = false
	var err error
	wg.Go(func() { err = db.Do(t.Context(), lazy) })
	for db.Queued() == 0 {
		runtime.Gosched()
	}
	closed := make(chan error, 1)
	go func() { closed <- db.Close() }()
	<-db.Done()
	close(g.open)
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if err != nil {
		t.Errorf("an operation queued before Close got %v", err)
	}
	if err := db.Do(t.Context(), put("late")); !errors.Is(err, outbox.ErrClosed) {
		t.Errorf("Do after Close: %v", err)
	}
	if err := db.View(func(*bbolt.Tx) error { return nil }); !errors.Is(err, outbox.ErrClosed) {
		t.Errorf("View after Close: %v", err)
	}
	if got := keys(t, storetest.OpenAt(t, path, store.DBOptions{})); got != "first lazy" {
		t.Errorf("the file holds %q", got)
	}
}
