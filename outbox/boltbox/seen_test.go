package boltbox_test

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"waoutbox/outbox"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
	"waoutbox/store/storetest"
)

const day = 24 * time.Hour

// dedupeModel is an outbox whose dedupe index seals and merges at every turn, under a clock of its
// own, and what must be known of it.
type dedupeModel struct {
	t    testing.TB
	path string
	db   *store.DB
	box  *boltbox.Box
	now  time.Time
	fail atomic.Int32 // 1: the next commit fails, 2: it is written, and its confirmation fails
	keys map[string]*knownKey
	last outbox.Seq
}

type knownKey struct {
	seq      outbox.Seq
	at       time.Time
	timeless bool
}

func (m *dedupeModel) open() {
	db, err := store.Open(m.path, store.DBOptions{Schema: boltbox.Schema(), MinFree: 1, CommitHook: func(commit func() error) error {
		switch m.fail.Swap(0) {
		case 1:
			return syscall.EIO
		case 2:
			return errors.Join(commit(), syscall.EIO)
		}
		return commit()
	}})
	if err != nil {
		m.t.Fatal(err)
	}
	m.db = db
	m.box = openBox(m.t, db, boltbox.At(boltbox.SmallRuns(boltbox.Options{RingBytes: 1}), func() time.Time { return m.now }))
}

func (m *dedupeModel) close() {
	if err := m.db.Close(); err != nil {
		m.t.Fatal(err)
	}
}

// append appends a key, again if the outcome is not known, and compares with what is known.
func (m *dedupeModel) append(rt *rapid.T, key string, stamp uint32) {
	e := event(key)
	e.Stamp, e.Time, e.Body = stamp, m.now, nil
	seqs, err := m.box.Append(m.t.Context(), e)
	if errors.Is(err, outbox.ErrUnknown) {
		seqs, err = m.box.Append(m.t.Context(), e)
	}
	if err != nil {
		rt.Fatal(err)
	}
	seq, known := seqs[0], m.keys[key]
	switch {
	case known != nil && seq == known.seq:
	case known != nil && (known.timeless || m.now.Sub(known.at) < outbox.SeenKept):
		rt.Fatalf("%s, appended as %d at %v, is appended as %d at %v", key, known.seq, known.at, seq, m.now)
	case seq <= m.last:
		rt.Fatalf("%s is new, and has sequence %d; the newest was %d", key, seq, m.last)
	default:
		m.keys[key] = &knownKey{seq, m.now, stamp == 0}
		m.last = seq
	}
}

// No key is forgotten before its time, whatever stanza time it comes with, through sealing,
// merging, expiry, trimming, opening again and commits that fail.
//
// Mutation of trim.go: events are removed before their keys are in a run.
// Mutation of seen_merge.go: a part of a merge that is done is looked for where it is no longer.
func TestDedupeModel(t *testing.T) {
	dir := memoryDir(t)
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		m := &dedupeModel{t: t, path: filepath.Join(dir, fmt.Sprintf("%d.db", run)), now: time.Unix(1_800_000_000, 0), keys: map[string]*knownKey{}}
		m.open()
		defer func() {
			m.close()
			storetest.Check(t, m.path)
			os.Remove(m.path)
		}()
		some := func(rt *rapid.T) {
			for range rapid.IntRange(1, 40).Draw(rt, "count") {
				n := rapid.IntRange(0, 400).Draw(rt, "key")
				stamp := uint32(m.now.Unix()) - uint32(rapid.IntRange(0, 3000).Draw(rt, "ago"))
				if n%9 == 0 {
					stamp = 0
				}
				m.append(rt, fmt.Sprint(n), stamp)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"append": some, "append2": some, "append3": some,
			"fail": func(rt *rapid.T) {
				m.fail.Store(int32(rapid.IntRange(1, 2).Draw(rt, "how")))
				m.append(rt, fmt.Sprint(rapid.IntRange(0, 400).Draw(rt, "key")), uint32(m.now.Unix()))
				m.fail.Store(0)
			},
			"trim": func(rt *rapid.T) {
				if _, _, err := m.box.Trim(t.Context(), m.now.Add(time.Second), rapid.IntRange(1, 200).Draw(rt, "limit")); err != nil {
					rt.Fatal(err)
				}
			},
			"reopen": func(*rapid.T) { m.close(); m.open() },
			"later": func(rt *rapid.T) {
				m.now = m.now.Add(time.Duration(rapid.IntRange(1, 9*24).Draw(rt, "hours")) * time.Hour)
			},
		})
		for key, k := range m.keys {
			if k.timeless || m.now.Sub(k.at) < outbox.SeenKept {
				m.append(rt, key, 7)
			}
		}
	})
}

// count returns how many entries the named bucket has; -1 when there is no such bucket.
func count(t testing.TB, db *store.DB, bucket string) (n int) {
	t.Helper()
	err := db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(bucket))
		if b == nil {
			n = -1
			return nil
		}
		n = 0
		return b.ForEach(func(_, _ []byte) error { n++; return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Runs go, whole, 30 days after their newest key; keys without a time stay; and nothing is left of
// what went. What is kept stays few runs, whatever came before.
//
// Mutation of seen.go: a dedupe key is forgotten before its 30 days.
func TestSeenExpires(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	db := storetest.Open(t, store.DBOptions{Schema: boltbox.Schema()})
	box := openBox(t, db, boltbox.At(boltbox.SmallRuns(boltbox.Options{}), func() time.Time { return now }))
	put := func(key string, stamp uint32) outbox.Seq {
		e := event(key)
		e.Stamp = stamp
		seqs, err := box.Append(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		return seqs[0]
	}
	forever := put("forever", 0)
	first := put("old", uint32(now.Unix()))
	var seqs []outbox.Seq
	for n := range 3000 {
		now = now.Add(time.Hour)
		seqs = append(seqs, put(fmt.Sprint(n), uint32(now.Unix())))
		if n == 28*24 && put("old", 1) != first {
			t.Error("a key was forgotten after 28 days")
		}
	}
	if runs := count(t, db, "seenruns"); runs > 40 {
		t.Errorf("%d runs for a key an hour", runs)
	}
	if blocks := count(t, db, "seenkeys"); blocks*4 > 45*24*4 {
		t.Errorf("%d blocks are left after 125 days", blocks)
	}
	if put("forever", 5) != forever {
		t.Error("a key without a time was forgotten")
	}
	if seq := put("old", uint32(now.Unix())); seq == first {
		t.Error("a key of 125 days ago is still known")
	}
	now = now.Add(5000 * day) // a clock that leaps
	for n := 2500; n < 3000; n += 20 {
		if put(fmt.Sprint(n), 1) != seqs[n] {
			t.Error("a key was forgotten because the clock leapt")
		}
	}
	now = now.Add(-10_000 * day)
	last := put("with a clock far behind", uint32(time.Unix(1_800_000_000, 0).Add(3001*time.Hour).Unix()))
	for n := range 50 {
		put(fmt.Sprint("more", n), 1_800_000_000+3002*3600)
	}
	now = time.Unix(1_800_000_000, 0).Add(3010 * time.Hour)
	if put("with a clock far behind", 2) != last {
		t.Error("a key that came while the clock was behind was forgotten when it was put right")
	}
}

// What formats 1 and 2 kept is known while it is made into runs, and by its hash alone afterwards;
// what was old goes.
//
// Mutation of schema.go: the keys in a file of an older format are forgotten.
func TestSeenOfOldFormats(t *testing.T) {
	path := filepath.Join(t.TempDir(), store.OutboxFile)
	copyFile(t, formatV1, path)
	now := time.Now()
	recent, old := uint32(now.Add(-time.Hour).Unix()), uint32(now.Add(-31*day).Unix())
	type entry struct {
		key       string
		stamp, at uint32
		kept      bool
	}
	entries := map[string]entry{}
	for n := range 300 {
		for _, e := range []entry{
			{"recent", recent + uint32(n%3), recent, true}, {"old", old, old, false}, {"late", old, recent, true}, {"timeless", 0, old, true}} {
			e.key = fmt.Sprint("evt_", e.key, n)
			entries[e.key] = e
		}
	}
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	seqs, n := map[string]outbox.Seq{}, outbox.Seq(1_000_000)
	err = db.Update(func(tx *bbolt.Tx) error {
		var errs []error
		for key, e := range entries {
			n++
			seqs[key] = n
			sum := sha256.Sum256([]byte(key))
			k := append(binary.BigEndian.AppendUint32(nil, e.stamp), sum[:12]...)
			errs = append(errs, tx.Bucket([]byte("seen")).Put(k, binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(nil, uint64(n)), e.at)))
		}
		return errors.Join(errs...)
	})
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	var box *boltbox.Box
	var in *store.DB
	open := func() {
		if in != nil {
			if err := in.Close(); err != nil {
				t.Fatal(err)
			}
		}
		in = storetest.OpenAt(t, path, store.DBOptions{Schema: boltbox.Schema()})
		box = openBox(t, in, boltbox.SmallRuns(boltbox.Options{}))
	}
	open()
	put := func(key string, stamp uint32) outbox.Seq {
		got, err := box.Append(t.Context(), outbox.Event{Key: key, Stamp: stamp, Name: "x"})
		if err != nil {
			t.Fatal(err)
		}
		return got[0]
	}
	steps := 0
	for key, e := range entries { // while it is made into runs
		if e.kept && put(key, e.stamp) != seqs[key] {
			t.Fatalf("%+v is not known", e)
		}
		if steps++; steps%50 == 0 {
			open()
		}
	}
	for n := range 200 {
		put(fmt.Sprint("more", n), recent)
	}
	if n := count(t, in, "seen"); n != -1 {
		t.Fatalf("%d entries lie as in older formats", n)
	}
	for key, e := range entries {
		if got := put(key, e.stamp+7) == seqs[key]; got != e.kept {
			t.Fatalf("%+v, with another time: known %v", e, got)
		}
	}
}

// What a commit that is rolled back did to the index is forgotten with it: operations that fail in
// the middle of a batch make it start over, with trims beside appends.
func TestSeenRolledBack(t *testing.T) {
	var hold atomic.Pointer[sync.WaitGroup]
	db := storetest.Open(t, store.DBOptions{Schema: boltbox.Schema(), CommitHook: func(commit func() error) error {
		if wg := hold.Swap(nil); wg != nil {
			wg.Wait()
		}
		return commit()
	}})
	box := openBox(t, db, boltbox.SmallRuns(boltbox.Options{}))
	failed := errors.New("fails")
	var all []string
	first := map[string]outbox.Seq{}
	for round := range 60 {
		var queue, done sync.WaitGroup
		queue.Add(1)
		hold.Store(&queue)
		done.Go(func() { appendKeys(t, box, fmt.Sprint("hold", round)) })
		var mu sync.Mutex
		for i := range 6 {
			done.Go(func() {
				key := fmt.Sprintf("%d-%d", round, i)
				seqs := appendKeys(t, box, key, key+"b")
				mu.Lock()
				defer mu.Unlock()
				all = append(all, key, key+"b")
				first[key], first[key+"b"] = seqs[0], seqs[1]
			})
		}
		for i := range 2 {
			done.Go(func() {
				err := db.Do(t.Context(), store.Op{Urgent: true, Apply: func(*bbolt.Tx) error { return failed }})
				if !errors.Is(err, failed) {
					t.Errorf("Do = %v", err)
				}
			})
			if round%3 == i {
				done.Go(func() {
					if _, _, err := box.Trim(t.Context(), time.Now(), 50); err != nil {
						t.Error(err)
					}
				})
			}
		}
		// until most wait for one commit: how many came into the first is chance
		for end := time.Now().Add(10 * time.Millisecond); db.Queued() < 7 && time.Now().Before(end); {
			runtime.Gosched()
		}
		queue.Done()
		done.Wait()
	}
	for _, key := range all {
		e := event(key)
		e.Stamp++
		if seqs, err := box.Append(t.Context(), e); err != nil || seqs[0] != first[key] {
			t.Fatalf("%s, appended as %d, is appended again as %v, %v", key, first[key], seqs, err)
		}
	}
}

// A key that was entered by a write that failed is not known, when only a trim came with it.
func TestSeenOfFailedWrite(t *testing.T) {
	began, hold := make(chan error), make(chan struct{})
	var holds atomic.Bool
	db := storetest.Open(t, store.DBOptions{Schema: boltbox.Schema(), CommitHook: func(commit func() error) error {
		if holds.CompareAndSwap(true, false) {
			close(began)
			<-hold
		}
		return commit()
	}})
	box := openBox(t, db, boltbox.Options{})
	appendKeys(t, box, "first")
	appendKeys(t, box, "second")
	if n, _, err := box.Trim(t.Context(), time.Now(), 1); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	var done sync.WaitGroup
	holds.Store(true)
	done.Go(func() { raw(t, db, func(*bbolt.Tx) error { return nil }) })
	if err := soon(t, began); err != nil {
		t.Fatal(err)
	}
	failed := errors.New("fails")
	done.Go(func() {
		if err := db.Do(t.Context(), boltbox.FailedEntry(box, "evt_ghost", failed)); !errors.Is(err, failed) {
			t.Errorf("Do = %v", err)
		}
	})
	done.Go(func() {
		if n, _, err := box.Trim(t.Context(), time.Now(), 1); n != 1 || err != nil {
			t.Errorf("Trim = %d, %v", n, err)
		}
	})
	for end := time.Now().Add(time.Minute); db.Queued() < 2; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("they are not queued")
		}
	}
	close(hold)
	done.Wait()
	// before, with every trim taking over what is kept apart: 999, and the event was lost
	if seqs := appendKeys(t, box, "ghost"); seqs[0] != 3 {
		t.Errorf("a key of a write that failed is known as %d", seqs[0])
	}
}

// Damaged pieces of the index are reported, lose their own keys at most, and stop nothing.
func TestSeenUndecodable(t *testing.T) {
	for _, bucket := range []string{"seenruns", "seenkeys", "seenfilters"} {
		path := filepath.Join(t.TempDir(), store.OutboxFile)
		db := storetest.OpenAt(t, path, store.DBOptions{Schema: boltbox.Schema()})
		box := openBox(t, db, boltbox.SmallRuns(boltbox.Options{}))
		var keys []string
		for n := range 100 {
			keys = append(keys, fmt.Sprint(n))
		}
		seqs := appendKeys(t, box, keys...)
		appendKeys(t, box, "next") // seals
		raw(t, db, func(tx *bbolt.Tx) error {
			b := tx.Bucket([]byte(bucket))
			k, v := b.Cursor().First()
			v = slices.Clone(v)
			v[0] ^= 1
			return b.Put(slices.Clone(k), v)
		})
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		box = openBox(t, storetest.OpenAt(t, path, store.DBOptions{Schema: boltbox.Schema()}), boltbox.SmallRuns(boltbox.Options{}))
		again := appendKeys(t, box, keys...)
		lost := 0
		for i := range seqs {
			if again[i] != seqs[i] {
				lost++
			}
		}
		limit := map[string]int{"seenruns": 100, "seenkeys": 12, "seenfilters": 0}[bucket]
		if st, err := box.Stats(t.Context()); err != nil || st.Undecodable == 0 || lost > limit {
			t.Errorf("%s: %d keys are lost, at most %d may be; %d reports, %v", bucket, lost, limit, st.Undecodable, err)
		}
	}
}

// Opening reads the heads of few runs and the newest events, however many keys are known, and an
// append of new keys, which loads every filter, holds less than two bytes for each.
func TestSeenWork(t *testing.T) {
	path := filepath.Join(t.TempDir(), store.OutboxFile)
	db := storetest.OpenAt(t, path, store.DBOptions{Schema: boltbox.Schema()})
	box := openBox(t, db, boltbox.Options{})
	const known = 100 << 10
	boltbox.EnterKeys(t, db, box, known)
	for n := range 12 {
		var keys []string
		for i := range 200 {
			keys = append(keys, fmt.Sprintf("%d-%d", n, i))
		}
		appendKeys(t, box, keys...)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = storetest.OpenAt(t, path, store.DBOptions{Schema: boltbox.Schema()})
	box = openBox(t, db, boltbox.Options{RingBytes: 1})
	last := appendKeys(t, box, "first")
	bytes, runs, tail := boltbox.SeenWork(box)
	// one filter of each run, of 1.3 KiB
	if runs > 40 || tail > 1024+256 || bytes > 60<<10 {
		t.Errorf("the first append read %d runs and %d keys, and holds %d bytes", runs, tail, bytes)
	}
	for n := range 100 {
		var keys []string
		for i := range 100 {
			keys = append(keys, fmt.Sprintf("new%d-%d", n, i))
		}
		last = appendKeys(t, box, keys...)
	}
	bytes, _, _ = boltbox.SeenWork(box)
	if n := known + int(last[99]); bytes > 2*n || bytes < n {
		t.Errorf("%d keys hold %d bytes in memory", n, bytes)
	}
}
