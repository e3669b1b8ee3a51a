package boltbox

import (
	"fmt"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
	"waoutbox/store"
)

// SmallRuns returns o with a dedupe index that seals, merges and cuts at a few keys, so that a test
// of some hundred events meets everything.
func SmallRuns(o Options) Options {
	o.seen.seal, o.seen.step, o.seen.part = 8, 16, 4
	return o
}

// At returns o with a clock of the dedupe index's own.
func At(o Options, now func() time.Time) Options {
	o.seen.now = now
	return o
}

// EnterKeys makes n keys known without events, a thousand in each run, as appends would.
func EnterKeys(t testing.TB, db *store.DB, box *Box, n int) {
	t.Helper()
	for i := 0; i < n; {
		err := db.Do(t.Context(), store.Op{Urgent: true, Publish: box.seen.commit, Apply: func(tx *bbolt.Tx) error {
			if err := box.seen.begin(tx); err != nil {
				return err
			}
			for end := i + seenSeal; i < end; i++ {
				box.seen.enter(hashKey(fmt.Sprint("known", i)), seenKey{seq: outbox.Seq(i + 1), stamp: 1_700_000_000})
			}
			return box.seen.sealAll(tx)
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// SeenWork says what the index holds in memory of runs, in bytes, how many heads of runs it read
// from the file, and how many keys from events. box must be idle.
func SeenWork(box *Box) (bytes, runs, tail int) {
	s := box.seen.cur
	all := append(append([]*seenRun(nil), s.live...), s.gone...)
	for _, m := range s.merges {
		all = append(append(all, m.out), m.inputs...)
	}
	for _, r := range all {
		for _, f := range r.filters {
			bytes += len(f) + 24
		}
	}
	return bytes, len(all), len(s.tail)
}

// FailedEntry is a write that enters a key as the event 999 and then fails with err.
func FailedEntry(box *Box, key string, err error) store.Op {
	return store.Op{Urgent: true, Publish: box.seen.commit, Apply: func(tx *bbolt.Tx) error {
		if err := box.seen.begin(tx); err != nil {
			return err
		}
		box.seen.enter(hashKey(key), seenKey{seq: 999, stamp: 1})
		return err
	}}
}

// Uncounted is how many sequences the next Stats walks because their counts are not kept.
func Uncounted(t testing.TB, box *Box) (n int) {
	jobs, from, to := box.uncounted()
	if err := box.takeKept(jobs); err != nil {
		t.Fatal(err)
	}
	for from <= to {
		first, last := unkept(jobs, from, to)
		if first > to {
			break
		}
		n += int(last-first) + 1
		from = last + 1
	}
	return n
}

// BeginTrim is a Trim that has found what may go, and has not removed it yet.
func BeginTrim(t testing.TB, box *Box) (remove func() int) {
	tr := &trim{box: box, before: time.Now(), limit: outbox.MaxBatch, now: time.Now(), age: box.journal.age.Load()}
	if err := box.view(tr.search); err != nil {
		t.Fatal(err)
	}
	return func() int {
		if err := box.do(t.Context(), store.Op{Apply: tr.apply, Publish: tr.publish}); err != nil {
			t.Fatal(err)
		}
		return tr.gone
	}
}

// SeenFound looks for the keys of events, "evt_" left out, in one transaction, with and without
// what callers are told beforehand. It returns the sequences (0: new), how many keys were new for
// the view already, and of which keys the two looks differ.
func SeenFound(t testing.TB, db *store.DB, box *Box, keys []string) (seqs []outbox.Seq, told int, differ []string) {
	var views []uint64
	for _, k := range keys {
		views = append(views, box.seen.view.Load().absent(hashKey("evt_"+k)))
	}
	err := db.Do(t.Context(), store.Op{Urgent: true, Publish: box.seen.commit, Apply: func(tx *bbolt.Tx) error {
		if err := box.seen.begin(tx); err != nil {
			return err
		}
		seqs, told, differ = nil, 0, nil
		for i, k := range keys {
			seq, _ := box.seen.find(tx, hashKey("evt_"+k), 1, 0)
			if views[i] != 0 {
				told++
			}
			if by, _ := box.seen.find(tx, hashKey("evt_"+k), 1, views[i]); by != seq {
				differ = append(differ, k)
			}
			seqs = append(seqs, seq)
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return seqs, told, differ
}

// StatsAround is Stats with a moment between what it takes from memory and what it reads from the
// file.
func StatsAround(t testing.TB, box *Box, between func()) outbox.Stats {
	t.Helper()
	if err := box.countOld(t.Context()); err != nil {
		t.Fatal(err)
	}
	st := outbox.Stats{Subs: map[outbox.SubID]outbox.SubStats{}}
	views := box.snapshot(&st)
	between()
	if err := box.count(&st, views); err != nil {
		t.Fatal(err)
	}
	return st
}

// Summed returns a value of the file with its checksum.
func Summed(v, at []byte) []byte { return appendSum(v, at) }
