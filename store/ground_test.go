package store_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"go.etcd.io/bbolt"

	"waoutbox/store"
	"waoutbox/store/storetest"
)

// Pages that small commits one after the other will take next were written before, and the file is
// none the longer for it. Large commits write nothing twice.
func TestGroundIsPrepared(t *testing.T) {
	path := filepath.Join(t.TempDir(), store.OutboxFile)
	db := storetest.OpenAt(t, path, store.DBOptions{})
	do := func(n, size int) {
		t.Helper()
		key, value := fmt.Appendf(nil, "%06d", n), bytes.Repeat([]byte{byte(n)}, size)
		err := db.Do(t.Context(), store.Op{Urgent: true, Bytes: size, Apply: func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte("items")).Put(key, value)
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	n, prepared := 0, 0
	for ; n < 2000 && prepared < 3; n++ {
		_, before := store.Ground(db)
		do(n, 1<<10)
		end, until := store.Ground(db)
		if until > before {
			prepared++
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if until > info.Size() || until > end+256<<10 {
			t.Fatalf("up to %d was written of a file of %d bytes of which %d are in use", until, info.Size(), end)
		}
	}
	if runtime.GOOS == "linux" && prepared == 0 {
		t.Errorf("in %d small commits no page was prepared", n)
	}
	_, before := store.Ground(db)
	for range 20 {
		do(n, 64<<10)
		n++
	}
	if _, until := store.Ground(db); until != before {
		t.Errorf("pages were prepared for large commits: up to %d, before %d", until, before)
	}
	if err := db.View(func(tx *bbolt.Tx) error {
		for i := range n {
			v := tx.Bucket([]byte("items")).Get(fmt.Appendf(nil, "%06d", i))
			if len(v) == 0 || bytes.Count(v, []byte{byte(i)}) != len(v) {
				t.Fatalf("value %d is not what was written", i)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// What is there already is left alone: were the place ever wrong, nothing would be lost by it.
func TestGroundLeavesWhatIsThere(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // nothing is prepared elsewhere
	}
	path := filepath.Join(t.TempDir(), store.OutboxFile)
	db := storetest.OpenAt(t, path, store.DBOptions{})
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	at := int64(0)
	for n := range 2000 {
		err := db.Do(t.Context(), store.Op{Urgent: true, Bytes: 1 << 10, Apply: func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte("items")).Put(fmt.Appendf(nil, "%06d", n), make([]byte, 1<<10))
		}})
		if err != nil {
			t.Fatal(err)
		}
		end, until := store.Ground(db)
		if info, err := f.Stat(); at == 0 && err == nil && end+400<<10 < info.Size() {
			at = max(end, until) + 40<<10
			if _, err := f.WriteAt([]byte{7}, at); err != nil {
				t.Fatal(err)
			}
		}
		if at == 0 || until <= at {
			continue
		}
		b := make([]byte, 1)
		if _, err := f.ReadAt(b, at); err != nil || (b[0] != 7 && end <= at) {
			t.Errorf("after %d commits the byte is %d, %v", n, b[0], err)
		}
		return
	}
	t.Error("the place was never reached")
}
