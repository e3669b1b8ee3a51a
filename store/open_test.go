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

	"waoutbox/store"
	"waoutbox/store/storetest"
)

// good is the content of a fresh outbox file.
func good(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), store.OutboxFile)
	db, err := store.Open(path, store.DBOptions{Schema: storetest.Schema()})
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

// Mutation of open.go: a file that is not ours, or damaged, is written to before anybody has looked
// at it.
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
		"text":               {[]byte(strings.Repeat("not a database\n", 5000)), "not an outbox database"},
		"zeros":              {make([]byte, 4*page), "header cannot be read"},
		"short":              {[]byte("x"), "header cannot be read"},
		"sqlite":             {append([]byte("SQLite format 3\x00"), make([]byte, 1<<16)...), "header cannot be read"},
		"unreadable header":  {noHeader, "header cannot be read"},
		"cut off":            {whole[:len(whole)/2], "are needed"},
		"cut after header":   {whole[:2*page], "cut off"},
		"zeroed pages":       {rootGone, ""},
		"another bbolt file": {edited(t, nil, func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("x")); return err }), "not an outbox database"},
		"a newer format":     {format(t, 2), "format 2"},
		"format zero":        {format(t, 0), "format 0"},
		// before, it was opened, and whoever looked into the bucket met a nil pointer
		"a bucket missing": {edited(t, whole, func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte("items")) }), "the bucket items is missing"},
		"a format that is no number": {edited(t, whole, func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte("meta")).Put([]byte("format"), []byte("1"))
		}), "format number"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), store.OutboxFile)
			if err := os.WriteFile(path, c.content, 0o600); err != nil {
				t.Fatal(err)
			}
			db, err := store.Open(path, store.DBOptions{Schema: storetest.Schema()})
			if err == nil {
				db.Close()
				t.Fatal("it was opened")
			}
			want := store.Damaged
			if strings.HasPrefix(c.words, "format ") && c.words != "format number" {
				want = store.NewerFormat
			}
			if e, ok := errors.AsType[*store.Error](err); !ok || e.Kind != want || e.Path != path {
				t.Errorf("%#v is not of kind %q for %s", err, want, path)
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

// A crash may leave the first of the two header pages torn, or a half-made new file: both are
// normal.
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

// A kill during the first creation leaves, beside no file or an empty one, any part of the new one:
// every such state is got over.
//
// Mutation of open.go: what a crash left of a file that was being made is taken for a whole one.
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
	if db, err := store.Open(path, store.DBOptions{Schema: storetest.Schema()}); err == nil {
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
	db, err := store.Open(path, store.DBOptions{Schema: storetest.Schema()})
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
	db, err := store.Open(path, store.DBOptions{Schema: storetest.Schema()})
	if err == nil {
		db.Close()
		t.Fatal("one file was opened twice")
	}
	if !errors.Is(err, store.InUse) || errors.Is(err, store.Owned) || !strings.HasSuffix(err.Error(), "is open in another program") {
		t.Errorf("a file that is open gives %q: it is in use, the state is not owned", err)
	}
}

// An outbox that is missing or empty beside what only lies beside one was lost: it is refused, and
// nothing is made. Before, it was begun anew, and nobody was told that webhooks and events were
// gone.
//
// Mutation of open.go: an outbox that was lost is begun anew, and nobody is told that webhooks and
// events are gone.
func TestALostOutboxIsNotBegunAnew(t *testing.T) {
	for _, companion := range []string{store.KeyFile, store.WhatsAppFile} {
		for _, empty := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, empty %v", companion, empty), func(t *testing.T) {
				dir := t.TempDir()
				path := filepath.Join(dir, store.OutboxFile)
				o := store.DBOptions{Schema: storetest.Schema(), Companions: []string{filepath.Join(dir, store.KeyFile), filepath.Join(dir, store.WhatsAppFile)}}
				want := companion
				if empty {
					want += " " + store.OutboxFile
					if err := os.WriteFile(path, nil, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				if err := store.CheckOutbox(dir); !errors.Is(err, store.Missing) {
					t.Errorf("without %s: %v", companion, err)
				}
				if err := os.WriteFile(filepath.Join(dir, companion), nil, 0o600); err != nil {
					t.Fatal(err)
				}
				if err := store.CheckOutbox(dir); err != nil {
					t.Errorf("with %s: %v", companion, err)
				}
				db, err := store.Open(path, o)
				if err == nil {
					db.Close()
				}
				if e, ok := errors.AsType[*store.Error](err); !ok || e.Kind != store.Lost || !strings.Contains(err.Error(), companion+" beside it shows that there was one") {
					t.Errorf("it was opened with %v", err)
				}
				entries, _ := os.ReadDir(dir)
				if len(entries) != len(strings.Fields(want)) {
					t.Errorf("in the directory lies %v", entries)
				}
				o.Companions = nil // somebody says so
				if db, err = store.Open(path, o); err != nil {
					t.Fatal(err)
				}
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// A link to the file is followed: compacting it leaves the link, and puts the new file where the
// old one was.
func TestALinkToTheFile(t *testing.T) {
	elsewhere, dir := t.TempDir(), t.TempDir()
	real, path := filepath.Join(elsewhere, "big.db"), filepath.Join(dir, store.OutboxFile)
	if err := errors.Join(os.WriteFile(real, good(t), 0o600), os.Symlink(real, path)); err != nil {
		t.Fatal(err)
	}
	db := storetest.OpenAt(t, path, store.DBOptions{})
	do(t, db, bulk("kept", 10), bulk("gone", 2000), drop("gone"))
	before, err := os.Stat(real)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	link, lerr := os.Lstat(path)
	after, err := os.Stat(real)
	if errors.Join(lerr, err) != nil || link.Mode().IsRegular() || os.SameFile(before, after) {
		t.Errorf("the link became %v, the file behind it is the old one: %v (%v, %v)", link.Mode(), os.SameFile(before, after), lerr, err)
	}
	if n := len(content(t, db)); n != 11 {
		t.Errorf("it holds %d keys", n)
	}
}

// A transaction whose commit failed does not count, whether or not its header was written; an older
// one is never taken away.
//
// Mutation of header.go: after a sync that failed, what is acknowledged stands on pages that never
// reached the disk.
func TestForgetCommit(t *testing.T) {
	path := filepath.Join(t.TempDir(), store.OutboxFile)
	ids := map[string]int{}
	edit := func(key string) {
		t.Helper()
		db, err := bbolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(func(tx *bbolt.Tx) error {
			ids[key] = tx.ID()
			return tx.Bucket([]byte("items")).Put([]byte(key), []byte(key))
		})
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
	}
	holds := func(want string) {
		t.Helper()
		db, err := store.Open(path, store.DBOptions{Schema: storetest.Schema()})
		if err != nil {
			t.Fatal(err)
		}
		if got := keys(t, db); got != want {
			t.Errorf("it holds %q, want %q", got, want)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		storetest.Check(t, path)
	}
	if err := os.WriteFile(path, good(t), 0o600); err != nil {
		t.Fatal(err)
	}
	edit("a")
	edit("b")
	for _, txid := range []int{ids["a"], ids["b"] + 1} {
		if err := store.ForgetCommit(path, uint64(txid)); err != nil {
			t.Error(err)
		}
		holds("a b")
	}
	if err := store.ForgetCommit(path, uint64(ids["b"])); err != nil {
		t.Error(err)
	}
	holds("a")
	edit("c")
	edit("d")
	holds("a c d")
}
