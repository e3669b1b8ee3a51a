package store_test

import (
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"waoutbox/store"
	"waoutbox/store/storetest"
)

// commits keeps what an Observer is told.
type commits struct {
	mu   sync.Mutex
	list []store.Commit
}

func (c *commits) Committed(one store.Commit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, one)
}

func (c *commits) all() []store.Commit {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]store.Commit(nil), c.list...)
}

// TestAnObserverIsToldOfEveryCommit: with how many writes shared it, those that failed by
// themselves left out, and of one that the disk did not take with its error.
func TestAnObserverIsToldOfEveryCommit(t *testing.T) {
	told := &commits{}
	broken := errors.New("input/output error")
	var fail bool
	db, err := store.Open(filepath.Join(t.TempDir(), "db"), store.DBOptions{Schema: storetest.Schema(), Observer: told, CommitHook: func(commit func() error) error {
		if fail {
			fail = false
			return broken
		}
		return commit()
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	write := store.Op{Urgent: true, Apply: func(tx *bbolt.Tx) error { return nil }}
	if err := db.Do(t.Context(), write); err != nil {
		t.Fatal(err)
	}
	if err := db.Do(t.Context(), store.Op{Urgent: true, Apply: func(*bbolt.Tx) error { return errors.New("not this one") }}); err == nil {
		t.Fatal("it was written")
	}
	fail = true
	_ = db.Do(t.Context(), write) // its outcome is another test's
	if err := db.Do(t.Context(), write); err != nil {
		t.Fatal(err)
	}
	got := told.all()
	if len(got) != 3 {
		t.Fatalf("told of %d commits: %+v", len(got), got)
	}
	for i, c := range got {
		if c.Writes != 1 || c.Took <= 0 || c.Took > time.Minute || (c.Err != nil) != (i == 1) {
			t.Errorf("commit %d: %+v", i, c)
		}
	}
	if !errors.Is(got[1].Err, broken) {
		t.Errorf("why it failed: %v", got[1].Err)
	}
}
