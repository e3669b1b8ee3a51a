package compact_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"waoutbox/store/compact"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, path string) *bbolt.DB {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, FreelistType: bbolt.FreelistMapType, NoSync: true,
		InitialMmapSize: 1 << 28, // it cannot grow while a copy is being made
	})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// dump is all that a database holds, and a count of what.
func dump(t testing.TB, db *bbolt.DB) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := db.View(func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			t.Errorf("check: %v", err)
		}
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			out[string(name)] = fmt.Sprint(b.Sequence())
			return b.ForEach(func(k, v []byte) error { out[string(name)+"/"+string(k)] = string(v); return nil })
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func same(t testing.TB, src, dst *bbolt.DB) {
	t.Helper()
	want, got := dump(t, src), dump(t, dst)
	for k, v := range want {
		if g, ok := got[k]; !ok || g != v {
			t.Errorf("%q: the copy has %d bytes (there: %v), want %d", k, len(g), ok, len(v))
		}
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			t.Errorf("%q is in the copy alone", k)
		}
	}
}

// work is a random history of a database: keys that rise and fall away at the front, keys that come
// and go anywhere, buckets that are born and removed, values from none to many pages.
func work(t *rapid.T, db *bbolt.DB, steps int) {
	for range steps {
		err := db.Update(func(tx *bbolt.Tx) error {
			for range rapid.IntRange(1, 30).Draw(t, "ops") {
				name := []byte(rapid.SampledFrom([]string{"log", "any", "small", "other"}).Draw(t, "bucket"))
				if rapid.IntRange(0, 60).Draw(t, "remove") == 0 && tx.Bucket(name) != nil {
					if err := tx.DeleteBucket(name); err != nil {
						return err
					}
					continue
				}
				b, err := tx.CreateBucketIfNotExists(name)
				if err != nil {
					return err
				}
				if err := change(t, string(name), b); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func change(t *rapid.T, name string, b *bbolt.Bucket) error {
	value := bytes.Repeat([]byte{byte(rapid.IntRange(0, 255).Draw(t, "byte"))}, rapid.SampledFrom([]int{0, 1, 40, 900, 3000, 20_000}).Draw(t, "size"))
	switch {
	case name == "log" && rapid.Bool().Draw(t, "trim"):
		c := b.Cursor()
		for range 20 {
			if k, _ := c.First(); k != nil {
				if err := c.Delete(); err != nil {
					return err
				}
			}
		}
		return nil
	case name == "log":
		b.FillPercent = 1
		for range rapid.IntRange(1, 40).Draw(t, "appended") {
			n, _ := b.NextSequence()
			if err := b.Put(fmt.Appendf(nil, "%08d", n), value); err != nil {
				return err
			}
		}
		return nil
	case name == "small":
		return b.Put([]byte("k"), value[:min(len(value), 40)])
	}
	key := fmt.Appendf(nil, "%04d", rapid.IntRange(0, 3000).Draw(t, "key"))
	if rapid.IntRange(0, 3).Draw(t, "delete") == 0 {
		return b.Delete(key)
	}
	return b.Put(key, value)
}

// Whatever is written between, the copy that has caught up holds what the source holds.
//
// Mutation of diff.go: a page that changed is taken for one that did not.
func TestTheCopyIsTheSource(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		path := filepath.Join(dir, fmt.Sprint(n, ".db"))
		src, dst := open(t, path), open(t, path+".copy")
		defer func() { _ = errors.Join(src.Close(), dst.Close()) }()
		work(rt, src, rapid.IntRange(0, 20).Draw(rt, "before"))
		c, err := compact.Begin(src, opened(t, path), dst, compact.Options{Rising: []string{"log"}})
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { _ = c.Close() }() // closed before, unless the test fails
		if err := c.All(t.Context()); err != nil {
			rt.Fatal(err)
		}
		for range rapid.IntRange(0, 3).Draw(rt, "rounds") {
			work(rt, src, rapid.IntRange(0, 10).Draw(rt, "between"))
			if _, err := c.CatchUp(t.Context()); err != nil {
				rt.Fatal(err)
			}
		}
		work(rt, src, rapid.IntRange(0, 2).Draw(rt, "last"))
		if _, err := c.CatchUp(t.Context()); err != nil {
			rt.Fatal(err)
		}
		if err := c.Close(); err != nil {
			rt.Fatal(err)
		}
		same(t, src, dst)
		if t.Failed() {
			rt.Fatal("they differ")
		}
	})
}

// Catching up costs what changed: of a thousand events one is read again, and its neighbours on the
// page.
func TestCatchingUpIsCheap(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	src, dst := open(t, path), open(t, path+".copy")
	defer func() { _ = errors.Join(src.Close(), dst.Close()) }()
	put := func(from, to int) {
		err := src.Update(func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists([]byte("log"))
			for i := from; i < to && err == nil; i++ {
				err = b.Put(fmt.Appendf(nil, "%08d", i), make([]byte, 1000))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	put(0, 20_000)
	c, err := compact.Begin(src, opened(t, path), dst, compact.Options{})
	if err == nil {
		err = c.All(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	put(20_000, 20_003)
	if n, err := c.CatchUp(t.Context()); err != nil || n != 3*1008 {
		t.Errorf("three events more were %d bytes, %v", n, err)
	}
	if n, err := c.CatchUp(t.Context()); err != nil || n != 0 {
		t.Errorf("nothing more was %d bytes, %v", n, err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	same(t, src, dst)
}

// A step that fails, or a context that ends, ends the copy; the source is as it was.
func TestACopyThatIsStopped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	src := open(t, path)
	defer src.Close()
	err := src.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket([]byte("log"))
		for i := 0; i < 10_000 && err == nil; i++ {
			err = b.Put(fmt.Appendf(nil, "%08d", i), make([]byte, 1000))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	before := dump(t, src)
	over, end := context.WithCancel(t.Context())
	end()
	boom := errors.New("boom")
	for want, run := range map[error]func(c *compact.Copy) error{
		boom:             func(c *compact.Copy) error { return c.All(t.Context()) },
		context.Canceled: func(c *compact.Copy) error { return c.All(over) },
	} {
		dst := open(t, filepath.Join(t.TempDir(), "copy"))
		o := compact.Options{}
		if errors.Is(want, boom) {
			o.Step = func() error { return boom }
		}
		c, err := compact.Begin(src, opened(t, path), dst, o)
		if err != nil {
			t.Fatal(err)
		}
		if err := run(c); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
		if err := errors.Join(c.Close(), dst.Close()); err != nil {
			t.Error(err)
		}
	}
	if after := dump(t, src); len(after) != len(before) {
		t.Errorf("the source has %d entries, it had %d", len(after), len(before))
	}
	if n := src.Stats().OpenTxN; n != 0 {
		t.Errorf("%d transactions stay open", n)
	}
}

// opened returns the file at path, closed with the test.
func opened(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// TestACopyBeginsBesideAGrowingMap: a copy that begins while a commit maps the file anew looks at
// the map only once it holds it. Before, it read the size of a page when there was no map, which
// panicked: "database file isn't correctly mapped".
func TestACopyBeginsBesideAGrowingMap(t *testing.T) {
	path := filepath.Join(t.TempDir(), "src.db")
	src, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	grown := make(chan error, 1)
	go func() {
		var err error
		for size := 1 << 15; size <= 1<<23 && err == nil; size *= 2 { // each needs a larger map
			err = src.Update(func(tx *bbolt.Tx) error {
				b, err := tx.CreateBucketIfNotExists([]byte("any"))
				if err != nil {
					return err
				}
				return b.Put([]byte("k"), make([]byte, size))
			})
		}
		grown <- err
	}()
	for {
		c, err := compact.Begin(src, nil, nil, compact.Options{})
		if err := errors.Join(err, c.Close()); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-grown:
			if err != nil {
				t.Error(err)
			}
			return
		default:
		}
	}
}
