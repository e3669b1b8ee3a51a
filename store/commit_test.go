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
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"

	"waoutbox/store"
	"waoutbox/store/storetest"
)

// put is a write of one key in the events bucket.
func put(key string) store.Op {
	return store.Op{Urgent: true, Apply: func(tx *bbolt.Tx) error { return tx.Bucket([]byte("items")).Put([]byte(key), []byte(key)) }}
}

// appendOf is a put that is refused while the disk is short.
func appendOf(key string) store.Op {
	op := put(key)
	op.IsAppend = true
	return op
}

// causes are the causes of a store's faults, in order.
func causes(s store.DBStats) string {
	var out []string
	for _, f := range s.Faults {
		out = append(out, string(f.Cause))
	}
	return strings.Join(out, " ")
}

func keys(t *testing.T, db *store.DB) string {
	t.Helper()
	var out []string
	err := db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("items")).ForEach(func(k, _ []byte) error { out = append(out, string(k)); return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, " ")
}

// gate holds the first commit until it is opened, so that what is queued meanwhile becomes one
// batch.
type gate struct {
	entered chan struct{}
	open    chan struct{}
	once    sync.Once
	commits atomic.Int64
}

func newGate() *gate { return &gate{entered: make(chan struct{}), open: make(chan struct{})} }

func (g *gate) hold(commit func() error) error {
	g.commits.Add(1)
	g.once.Do(func() { close(g.entered); <-g.open })
	return commit()
}

// together runs ops so that all of them are in one batch, in order, and returns their errors.
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
	db := storetest.Open(t, store.DBOptions{CommitHook: g.hold})
	var order []string
	var ops []store.Op
	for i := range 20 {
		op := put(fmt.Sprintf("%02d", i))
		// the committer's goroutine alone
		op.Publish = func() { order = append(order, fmt.Sprint(i)) }
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
	db := storetest.Open(t, store.DBOptions{CommitHook: g.hold})
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
	db := storetest.Open(t, store.DBOptions{CommitHook: g.hold})
	boom := errors.New("boom")
	bad := put("bad")
	bad.Apply = func(tx *bbolt.Tx) error {
		return errors.Join(tx.Bucket([]byte("items")).Put([]byte("bad"), nil), boom)
	}
	panics := put("panics")
	panics.Apply = func(tx *bbolt.Tx) error {
		_ = tx.Bucket([]byte("items")).Put([]byte("panics"), nil)
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
	if s := db.Stats(); len(s.Faults) != 0 {
		t.Errorf("a panic in one operation became a fault: %v", s.Faults)
	}
}

// A commit whose outcome is unknown: every waiter hears so, the file is opened again, and work goes
// on.
//
// Mutation of commit.go: the committer reports before it commits.
func TestUnknownOutcome(t *testing.T) {
	boom := errors.New("input/output error")
	for name, written := range map[string]bool{"not written": false, "written": true} {
		t.Run(name, func(t *testing.T) {
			g := newGate()
			var fail atomic.Bool
			db := storetest.Open(t, store.DBOptions{CommitHook: func(commit func() error) error {
				return g.hold(func() error {
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
			// of the second commit
			second.Apply = func(tx *bbolt.Tx) error { fail.Store(true); return published.Apply(tx) }
			for i, err := range together(t, db, g, put("a"), second) {
				if !errors.Is(err, store.Unknown) || !errors.Is(err, boom) {
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
			if s := db.Stats(); len(s.Faults) != 0 {
				t.Errorf("faults stay: %v", s.Faults)
			}
		})
	}
}

// broken is a database whose first commit fails and whose file then cannot be opened again until
// heal is called. first is what the waiter of that commit was told.
func broken(t *testing.T, o store.DBOptions) (db *store.DB, heal func(), first error) {
	t.Helper()
	var fail, down atomic.Bool
	fail.Store(true)
	down.Store(true)
	o.CommitHook = func(commit func() error) error {
		if fail.CompareAndSwap(true, false) {
			return errors.New("input/output error")
		}
		return commit()
	}
	db = storetest.Open(t, o)
	db.OnReload(func() error {
		if down.Load() {
			return errors.New("no such luck")
		}
		return nil
	})
	return db, func() { down.Store(false) }, db.Do(t.Context(), appendOf("a"))
}

// While the file cannot be opened again, everything is refused with the reason, at once; then work
// goes on. The waiter of the failed commit is not kept until then.
//
// Before, an operation that was not urgent hung for the whole pause (1 s, doubling up to 60 s), and
// so did the waiter.
func TestReopeningIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		db, heal, first := broken(t, store.DBOptions{})
		if !errors.Is(first, store.Unknown) {
			t.Errorf("the waiter got %v", first)
		}
		lazy := put("b")
		lazy.Urgent = false
		for name, op := range map[string]store.Op{"an append": appendOf("b"), "a settlement": lazy} {
			if err := db.Do(t.Context(), op); !errors.Is(err, store.Closed) || !strings.Contains(err.Error(), "no such luck") {
				t.Errorf("%s while the file is down: %v", name, err)
			}
		}
		if err := db.View(func(*bbolt.Tx) error { return nil }); !errors.Is(err, store.Closed) || !strings.Contains(err.Error(), "no such luck") {
			t.Errorf("a read while the file is down: %v", err)
		}
		if s := db.Stats(); causes(s) != "commit reopening" {
			t.Errorf("faults while the file is down: %v", s.Faults)
		}
		if took := time.Since(start); took >= time.Second {
			t.Errorf("all of this took %v: the pause was waited for", took)
		}
		heal()
		within(t, func() bool { return db.View(func(*bbolt.Tx) error { return nil }) == nil })
		if err := db.Do(t.Context(), appendOf("c")); err != nil {
			t.Errorf("afterwards: %v", err)
		}
		if s := db.Stats(); len(s.Faults) != 0 {
			t.Errorf("faults stay: %v", s.Faults)
		}
		if got := keys(t, db); got != "c" {
			t.Errorf("the file holds %q", got)
		}
	})
}

// within waits until ok reports true, at most a minute.
func within(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("it did not come true within a minute")
		}
	}
}

func TestDiskFullDuringCommit(t *testing.T) {
	var fail atomic.Bool
	fail.Store(true)
	db := storetest.Open(t, store.DBOptions{CommitHook: func(commit func() error) error {
		if fail.Load() {
			return fmt.Errorf("write: %w", syscall.ENOSPC)
		}
		return commit()
	}})
	if err := db.Do(t.Context(), put("a")); !errors.Is(err, store.Full) || errors.Is(err, store.Unknown) {
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
//
// Mutation of space.go: appends are taken although the disk is short.
// Mutation of space.go: settlements are refused as well.
func TestShortDiskRefusesAppendsOnly(t *testing.T) {
	g := newGate()
	db := storetest.Open(t, store.DBOptions{MinFree: math.MaxUint64, CommitHook: g.hold})
	errs := together(t, db, g, put("a"), appendOf("grows"), put("b"))
	if errs[0] != nil || errs[2] != nil || !errors.Is(errs[1], store.Full) {
		t.Errorf("a short disk gives %v", errs)
	}
	if got := keys(t, db); got != "a b first" {
		t.Errorf("the file holds %q", got)
	}
	if s := db.Stats(); !strings.Contains(causes(s), "disk_low") || !strings.Contains(s.Faults[0].Message, "make space") || s.Faults[0].Since.IsZero() || s.Bytes == 0 || s.LiveBytes == 0 || s.LiveBytes > s.Bytes {
		t.Errorf("Stats = %+v", s)
	}
}

// A context withdraws an operation that waits. One that is being written is waited for, whatever
// the context does, so that its outcome is known. Before, the second was told "context canceled,
// commit outcome unknown" while its write was still to come.
//
// Mutation of db.go: a caller that leaves is told before its write has ended.
func TestCancelledWaiter(t *testing.T) {
	g := newGate()
	db := storetest.Open(t, store.DBOptions{CommitHook: g.hold})
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
	if err := <-errQueued; !errors.Is(err, context.Canceled) || errors.Is(err, store.Unknown) {
		t.Errorf("a waiter whose operation was queued got %v", err)
	}
	cancelTaken()
	select {
	case err := <-errTaken:
		close(g.open)
		t.Fatalf("a waiter whose operation is being written got %v before the verdict", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(g.open)
	if err := <-errTaken; err != nil {
		t.Errorf("a waiter whose operation was written got %v", err)
	}
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

// One that is to come soon waits less, also behind one that may wait longer and goes along then;
// and appends are known to come while one is written and for a moment afterwards.
func TestSoonOperations(t *testing.T) {
	path := filepath.Join(t.TempDir(), store.OutboxFile)
	synctest.Test(t, func(t *testing.T) {
		const writes, within = 5 * time.Millisecond, 10 * time.Millisecond
		var db *store.DB
		appending := false
		hook := func(commit func() error) error {
			<-time.After(writes) // of the simulated clock
			appending = db.Appending(2 * store.SettleDelay)
			return commit()
		}
		var err error
		if db, err = store.Open(path, store.DBOptions{Schema: storetest.Schema(), CommitHook: hook}); err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		<-time.After(time.Second)
		lazy, soon := put("lazy"), put("soon")
		lazy.Urgent, soon.Urgent, soon.Soon = false, false, true
		start := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := db.Do(t.Context(), lazy); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		if err := db.Do(t.Context(), soon); err != nil {
			t.Error(err)
		}
		wg.Wait()
		if waited := time.Since(start); waited != store.ShareDelay+writes {
			t.Errorf("both were committed after %v, want %v", waited, store.ShareDelay+writes)
		}
		if appending || db.Appending(2*store.SettleDelay) {
			t.Error("appends come, where there was none")
		}
		one := put("append")
		one.IsAppend = true
		if err := db.Do(t.Context(), one); err != nil {
			t.Fatal(err)
		}
		if !appending || !db.Appending(2*store.SettleDelay) {
			t.Errorf("while an append was written: %v, just after it: %v, want that appends come", appending, db.Appending(2*store.SettleDelay))
		}
		<-time.After(3 * store.SettleDelay)
		if db.Appending(2 * store.SettleDelay) {
			t.Error("appends come for ever")
		}
	})
}

func TestCloseDrains(t *testing.T) {
	g := newGate()
	path := filepath.Join(t.TempDir(), store.OutboxFile)
	db := storetest.OpenAt(t, path, store.DBOptions{CommitHook: g.hold})
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
	if err := db.Do(t.Context(), put("late")); !errors.Is(err, store.Closed) {
		t.Errorf("Do after Close: %v", err)
	}
	if err := db.View(func(*bbolt.Tx) error { return nil }); !errors.Is(err, store.Closed) {
		t.Errorf("View after Close: %v", err)
	}
	if got := keys(t, storetest.OpenAt(t, path, store.DBOptions{})); got != "first lazy" {
		t.Errorf("the file holds %q", got)
	}
}
