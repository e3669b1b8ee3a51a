package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"go.etcd.io/bbolt"

	"waoutbox/store"
)

// A copy is whole as of one moment while writes go on: of two keys that are always written
// together it has both or none.
func TestCopyWhileWritesGoOn(t *testing.T) {
	t.Parallel()
	db, path := wasteful(t, store.DBOptions{})
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	began := make(chan struct{})
	wg.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			err := db.Do(context.Background(), store.Op{Apply: func(tx *bbolt.Tx) error {
				b := tx.Bucket([]byte("meta"))
				return errors.Join(b.Put([]byte("left"), fmt.Appendf(nil, "%d", i)), b.Put([]byte("right"), fmt.Appendf(nil, "%d", i)))
			}})
			if err != nil {
				t.Error(err)
			}
			if i == 0 {
				close(began)
			}
		}
	})
	<-began
	to := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(to, []byte("a leftover"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := db.CopyTo(t.Context(), to)
	stop()
	wg.Wait()
	if err != nil {
		t.Fatal(err)
	}
	got, err := bbolt.Open(to, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	err = got.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte("meta"))
		if l, r := string(b.Get([]byte("left"))), string(b.Get([]byte("right"))); l != r || l == "" {
			t.Errorf("left is %q, right is %q", l, r)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	before, err := os.Stat(path)
	after, cerr := os.Stat(to)
	if err != nil || cerr != nil || after.Size() >= before.Size() {
		t.Errorf("the copy has its free pages too: %v, %v", err, cerr)
	}
}

// A copy that cannot be made leaves no file, and the database as it was.
//
// Mutation of copy.go: a copy that was given up and stays.
func TestCopyThatFails(t *testing.T) {
	t.Parallel()
	free := uint64(1 << 40)
	db, _ := wasteful(t, store.DBOptions{FreeSpace: func(string) (uint64, error) { return free, nil }, MinFree: 1 << 20})
	to := filepath.Join(t.TempDir(), "copy.db")
	free = 2 << 20
	if err := db.CopyTo(t.Context(), to); !errors.Is(err, store.Full) {
		t.Errorf("a disk without room: %v", err)
	}
	free = 1 << 40
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.CopyTo(ctx, to); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that went away: %v", err)
	}
	if err := db.CopyTo(t.Context(), filepath.Join(to, "below", "nothing")); err == nil {
		t.Error("it was copied to nowhere")
	}
	if _, err := os.Lstat(to); err == nil {
		t.Error("a file was left")
	}
	if faults := db.Stats().Faults; len(faults) > 0 {
		t.Errorf("the outbox has faults: %v", faults)
	}
	if err := db.Do(t.Context(), put("x")); err != nil {
		t.Error(err)
	}
}

// Check reads everything and says what is damaged.
func TestCheck(t *testing.T) {
	t.Parallel()
	db, _ := wasteful(t, store.DBOptions{})
	buckets := map[string]bool{}
	n, err := db.Check(t.Context(), func(bucket string, _, _ []byte) { buckets[bucket] = true })
	if err != nil || n == 0 || !buckets["meta"] {
		t.Errorf("%d keys of %v, %v", n, buckets, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Check(t.Context(), nil); !errors.Is(err, store.Closed) {
		t.Errorf("closed: %v", err)
	}
}
