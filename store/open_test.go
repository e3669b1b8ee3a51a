package store_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
	"waoutbox/store"
	"waoutbox/store/storetest"
)

// good is the content of a fresh outbox file.
func good(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), store.OutboxFile)
	db, err := store.Open(path, store.DBOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// edited is a fresh bbolt file after fn.
func edited(t *testing.T, from []byte, fn func(tx *bbolt.Tx) error) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "edited.db")
	if from != nil {
		if err := os.WriteFile(path, from, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(fn); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func format(t *testing.T, n uint32) []byte {
	return edited(t, good(t), func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("meta")).Put([]byte("format"), binary.BigEndian.AppendUint32(nil, n))
	})
}

func TestOpenRefusesWhatIsNotItsOwn(t *testing.T) {
	whole := good(t)
	page := os.Getpagesize()
	noHeader := bytes.Clone(whole)
	clear(noHeader[:2*page])
	rootGone := bytes.Clone(whole)
	clear(rootGone[2*page : len(rootGone)/4*4])
	for name, c := range map[string]struct {
		content []byte
		words   string
	}{
		"text":               {[]byte(strings.Repeat("not a database\n", 5000)), "not an outbox database. Restore it from a backup, or move it away to start with an empty outbox"},
		"zeros":              {make([]byte, 4*page), "header cannot be read"},
		"short":              {[]byte("x"), "header cannot be read"},
		"sqlite":             {append([]byte("SQLite format 3\x00"), make([]byte, 1<<16)...), "header cannot be read"},
		"unreadable header":  {noHeader, "header cannot be read"},
		"cut off":            {whole[:len(whole)/2], "are needed. Restore it from a backup"},
		"cut after header":   {whole[:2*page], "cut off"},
		"zeroed pages":       {rootGone, ""},
		"another bbolt file": {edited(t, nil, func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("x")); return err }), "not an outbox database"},
		"a newer format":     {format(t, 2), "format 2"},
		"format zero":        {format(t, 0), "format 0"},
		"a format that is no number": {edited(t, whole, func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte("meta")).Put([]byte("format"), []byte("1"))
		}), "format number"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), store.OutboxFile)
			if err := os.WriteFile(path, c.content, 0o600); err != nil {
				t.Fatal(err)
			}
			db, err := store.Open(path, store.DBOptions{})
			if err == nil {
				db.Close()
				t.Fatal("it was opened")
			}
			if !strings.Contains(err.Error(), c.words) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
				t.Errorf("it was refused with %q, want one sentence with %q and the path", err, c.words)
			}
			after, err := os.ReadFile(path)
			if err != nil || !bytes.Equal(after, c.content) {
				t.Errorf("a refused file was changed (%d bytes, %d before, %v)", len(after), len(c.content), err)
			}
			if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
				t.Errorf("refusing left %v", entries)
			}
		})
	}
}

// A crash may leave the first of the two header pages torn, or a half-made new file: both are normal.
func TestOpenGetsOverCrashes(t *testing.T) {
	whole := good(t)
	clear(whole[16:64]) // behind the page header
	path := filepath.Join(t.TempDir(), store.OutboxFile)
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	storetest.OpenAt(t, path, store.DBOptions{})

	fresh := filepath.Join(t.TempDir(), store.OutboxFile)
	if err := os.WriteFile(fresh+".new", []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	storetest.OpenAt(t, fresh, store.DBOptions{})
	if entries, _ := os.ReadDir(filepath.Dir(fresh)); len(entries) != 1 {
		t.Errorf("beside the database lies %v", entries)
	}
}

// A kill during the first creation leaves, beside no file or an empty one, any part of the new one: every such state is got over.
func TestOpenGetsOverAKilledCreation(t *testing.T) {
	whole := good(t)
	page := os.Getpagesize()
	for name, half := range map[string][]byte{
		"nothing": nil, "empty": {}, "a byte": whole[:1], "one page": whole[:page], "zeros": make([]byte, 4*page), "half": whole[:len(whole)/2],
		"no buckets yet": edited(t, nil, func(*bbolt.Tx) error { return nil }), "all": whole,
	} {
		for _, empty := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, empty file %v", name, empty), func(t *testing.T) {
				path := filepath.Join(t.TempDir(), store.OutboxFile)
				if half != nil {
					if err := os.WriteFile(path+".new", half, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				if empty {
					if err := os.WriteFile(path, nil, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				db := storetest.OpenAt(t, path, store.DBOptions{MinFree: 1})
				if err := db.Do(t.Context(), put("a")); err != nil {
					t.Error(err)
				}
				if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
					t.Errorf("beside the database lies %v", entries)
				}
			})
		}
	}
}

// An empty file that is not a file of ours is left alone.
func TestOpenLeavesWhatOnlyLooksEmpty(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "empty")
	if err := os.WriteFile(target, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, store.OutboxFile)
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
	if db, err := store.Open(path, store.DBOptions{}); err == nil {
		db.Close()
		t.Error("an empty file behind a link was taken for ours")
	}
	if info, err := os.Stat(target); err != nil || info.Size() != 0 {
		t.Errorf("it was changed: %v, %v", info, err)
	}
}

// Opening a current file writes nothing.
func TestOpenWritesNothing(t *testing.T) {
	whole := good(t)
	path := filepath.Join(t.TempDir(), store.OutboxFile)
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(path, store.DBOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, whole) {
		t.Errorf("opening changed the file (%v)", err)
	}
}

func TestOpenTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), store.OutboxFile)
	storetest.OpenAt(t, path, store.DBOptions{})
	db, err := store.Open(path, store.DBOptions{})
	if err == nil {
		db.Close()
		t.Fatal("one file was opened twice")
	}
	if !strings.Contains(err.Error(), "open in another program") {
		t.Errorf("a file that is open gives %v", err)
	}
	if !strings.HasSuffix(err.Error(), "; close that one") || errors.Is(err, outbox.ErrOwned) {
		t.Errorf("a file that is open gives %q: the state is not owned, and this is the whole sentence", err)
	}
}
