package store_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"go.etcd.io/bbolt"

	"waoutbox/store"
	"waoutbox/store/storetest"
)

// A disk of a few MiB that fills up: appends are refused as full and not as of unknown outcome,
// what frees space goes on, an alarm tells, and with space again work resumes without what was
// refused and with all that was acknowledged. The copy of a compaction does not fit either, and
// harms nothing.
func TestARealDiskThatIsFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("waoutbox-test", dir, "tmpfs", 0, "size=8m,mode=0700"); err != nil {
		t.Skipf("a small disk cannot be mounted here, which needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	filler, path := filepath.Join(dir, "filler"), filepath.Join(dir, store.OutboxFile)
	if err := os.WriteFile(filler, make([]byte, 3<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(path, store.DBOptions{Schema: storetest.Schema()})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"sequence": "0"}
	piece := string(make([]byte, 100<<10))
	for i := 0; err == nil && i < 1000; i++ {
		key := fmt.Sprintf("k%04d", i)
		op := appendOf(key)
		op.Apply = func(tx *bbolt.Tx) error { return tx.Bucket([]byte("items")).Put([]byte(key), []byte(piece)) }
		if err = db.Do(t.Context(), op); err == nil {
			want[key] = piece
		}
	}
	if !errors.Is(err, store.Full) || errors.Is(err, store.Unknown) || len(want) < 20 {
		t.Fatalf("after %d appends of 100 KiB: %v", len(want)-1, err)
	}
	if got := causes(db.Stats()); got != "disk_full" {
		t.Errorf("faults: %s", got)
	}
	if got := content(t, db); !maps.Equal(got, want) {
		t.Errorf("%d keys are there, want %d", len(got), len(want))
	}
	if err := db.Compact(t.Context()); !errors.Is(err, store.Full) {
		t.Errorf("compaction of a full disk: %v", err)
	}
	remove := store.Op{Urgent: true, Frees: true, Apply: func(tx *bbolt.Tx) error { return tx.Bucket([]byte("items")).Delete([]byte("k0000")) }}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	do(t, db, remove, appendOf("again"))
	delete(want, "k0000")
	want["again"] = "again"
	if s := db.Stats(); len(s.Faults) != 0 {
		t.Errorf("with space again: %v", s.Faults)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	storetest.Check(t, path)
	db, err = store.Open(path, store.DBOptions{Schema: storetest.Schema()})
	if err != nil {
		t.Fatal(err)
	}
	if got := content(t, db); !maps.Equal(got, want) {
		t.Errorf("opened again %d keys are there, want %d", len(got), len(want))
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// A file system that takes no writes: what is there is not harmed, and the sentence says so.
func TestAReadOnlyDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("waoutbox-test", dir, "tmpfs", 0, "size=8m,mode=0700"); err != nil {
		t.Skipf("a disk of its own cannot be mounted here, which needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	path := filepath.Join(dir, store.OutboxFile)
	if err := os.WriteFile(path, good(t), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("waoutbox-test", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, "size=8m"); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, filepath.Join(dir, "new.db")} {
		db, err := store.Open(p, store.DBOptions{Schema: storetest.Schema()})
		if err == nil {
			db.Close()
			t.Errorf("%s was opened", filepath.Base(p))
		}
		if e, ok := errors.AsType[*store.Error](err); !ok || e.Kind != store.System || !errors.Is(err, syscall.EROFS) {
			t.Errorf("%s: %v", filepath.Base(p), err)
		}
	}
}
