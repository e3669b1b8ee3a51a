//go:build unix

package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.etcd.io/bbolt"

	"waoutbox/store"
	"waoutbox/store/storetest"
)

// A page that cannot be read (here: the file was cut under our feet) stops the store with a reason,
// and not the process.
//
// Mutation of db.go: a part of the file that cannot be read ends the process.
func TestFaultStopsTheStore(t *testing.T) {
	read := func(db *store.DB) error {
		return db.View(func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte("items")).ForEach(func(k, v []byte) error { return nil })
		})
	}
	write := func(db *store.DB) error { return db.Do(t.Context(), put("b")) }
	for name, c := range map[string]struct {
		touch func(db *store.DB) error
		pages int // that are left
	}{
		"in a read":  {read, 2},
		"in a write": {write, 2},
		// not even its header can be read. Before, a write ended the process, and Close waited for
		// ever for a lock that the fault left behind
		"at the beginning of a read":  {read, 0},
		"at the beginning of a write": {write, 0},
	} {
		touch := c.touch
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), store.OutboxFile)
			db, err := store.Open(path, store.DBOptions{Schema: storetest.Schema(), MinFree: 1})
			if err != nil {
				t.Fatal(err)
			}
			big := put("a")
			big.Apply = func(tx *bbolt.Tx) error { return tx.Bucket([]byte("items")).Put([]byte("a"), make([]byte, 1<<20)) }
			if err := db.Do(t.Context(), big); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(path, int64(c.pages*os.Getpagesize())); err != nil {
				t.Fatal(err)
			}
			if err := touch(db); err == nil {
				t.Fatal("nothing was noticed")
			}
			<-db.Done()
			if s := db.Stats(); causes(s) != "stopped" || !strings.Contains(s.Faults[0].Message, "cannot be read") || s.Faults[0].Since.IsZero() {
				t.Errorf("Stats = %+v", s)
			}
			if err := db.Do(t.Context(), put("c")); !errors.Is(err, store.Closed) || !strings.Contains(err.Error(), "cannot be read") {
				t.Errorf("a write after the fault: %v", err)
			}
			if err := db.View(func(*bbolt.Tx) error { return nil }); !errors.Is(err, store.Closed) {
				t.Errorf("a read after the fault: %v", err)
			}
			if err := db.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
}

// A file that may not grow is a full disk, and the outcome is known: bbolt hides what the system
// said in a text. Before: "commit outcome unknown: commit: file resize error: truncate …: file too
// large", and the alarm outbox_commit, which does not ask for space.
func TestAFileThatMayNotGrowIsAFullDisk(t *testing.T) {
	db := storetest.Open(t, store.DBOptions{})
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	limit := was
	// it holds for go test's own log too, which grows to more than 1 MiB here
	limit.Cur = 16 << 20
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	big := appendOf("a")
	big.Apply = func(tx *bbolt.Tx) error { return tx.Bucket([]byte("items")).Put([]byte("a"), make([]byte, 17<<20)) }
	err, stats := db.Do(t.Context(), big), db.Stats()
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(err, store.Full) || errors.Is(err, store.Unknown) {
		t.Errorf("a file that may not grow gives %v", err)
	}
	if causes(stats) != "disk_full" {
		t.Errorf("faults: %v", stats.Faults)
	}
	if err := db.Do(t.Context(), appendOf("b")); err != nil {
		t.Errorf("without the limit: %v", err)
	}
}
