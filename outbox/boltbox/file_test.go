package boltbox_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
	"waoutbox/store/storetest"
)

// raw writes into the file behind the engine's back.
func raw(t *testing.T, db *store.DB, fn func(tx *bbolt.Tx) error) {
	t.Helper()
	if err := db.Do(t.Context(), store.Op{Urgent: true, Apply: fn}); err != nil {
		t.Fatal(err)
	}
}

func appendKeys(t testing.TB, box *boltbox.Box, keys ...string) []outbox.Seq {
	t.Helper()
	var evs []outbox.Event
	for _, k := range keys {
		evs = append(evs, event(k))
	}
	seqs, err := box.Append(t.Context(), evs...)
	if err != nil {
		t.Fatal(err)
	}
	return seqs
}

func commit(t testing.TB, box *boltbox.Box, c outbox.Change) {
	t.Helper()
	if err := box.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

func readAll(t *testing.T, box *boltbox.Box, sub outbox.SubID, from outbox.Seq) []outbox.Seq {
	t.Helper()
	var out []outbox.Seq
	for {
		evs, next, err := box.Read(t.Context(), sub, from, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range evs {
			out = append(out, e.Seq)
		}
		if next == from {
			return out
		}
		from = next
	}
}

func subKey(id string, seq outbox.Seq) []byte {
	return binary.BigEndian.AppendUint64([]byte(id+"\x00"), uint64(seq))
}

// Everything is found again by another process, the counts included.
func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), store.OutboxFile)
	db := storetest.OpenAt(t, path, store.DBOptions{Schema: boltbox.Schema()})
	box := openBox(t, db, boltbox.Options{})
	s := subscribe(t, box, "wh_a", "message.received")
	var keys []string
	for i := range 250 {
		keys = append(keys, fmt.Sprint(i))
	}
	seqs := appendKeys(t, box, keys...)
	commit(t, box, outbox.Change{Sub: "wh_a", Next: seqs[100], Lane: []byte("gate"), Set: []outbox.Record{
		{Seq: seqs[3], State: outbox.Pending, Attempts: 2}, {Seq: seqs[4], Last: seqs[9], Count: 6, State: outbox.Dead, Reason: "expired"}}})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := box.Wait(t.Context(), 1); !errors.Is(err, outbox.ErrClosed) {
		t.Errorf("Wait after Close: %v", err)
	}
	box = openBox(t, storetest.OpenAt(t, path, store.DBOptions{Schema: boltbox.Schema()}), boltbox.Options{})
	subs, err := box.Subs(t.Context())
	if err != nil || len(subs) != 1 || subs[0].Epochs[0].From != s.Epochs[0].From {
		t.Errorf("Subs = %+v, %v", subs, err)
	}
	next, lane, pending, err := box.Load(t.Context(), "wh_a")
	if err != nil || next != seqs[100] || string(lane) != "gate" || len(pending) != 1 || pending[0].Attempts != 2 {
		t.Errorf("Load = %d, %q, %+v, %v", next, lane, pending, err)
	}
	fresh := appendKeys(t, box, "fresh", "7")
	if fresh[0] <= seqs[249] || fresh[1] != seqs[7] {
		t.Errorf("appended after opening: %v", fresh)
	}
	if got := readAll(t, box, "wh_a", next); !slices.Equal(got, append(seqs[100:], fresh[0])) {
		t.Errorf("read %v", got)
	}
	st, err := box.Stats(t.Context())
	if ss := st.Subs["wh_a"]; err != nil || ss.Pending != 152 || ss.Dead != 6 || st.Events != 251 || st.Last != fresh[0] {
		t.Errorf("Stats = %+v, %v", st, err)
	}
}

// Counts stay exact when a backlog from before is counted late, while the cursor moves, and after a
// filter's past changed.
func TestCountsOfAnOldBacklog(t *testing.T) {
	path := filepath.Join(t.TempDir(), store.OutboxFile)
	db := storetest.OpenAt(t, path, store.DBOptions{Schema: boltbox.Schema()})
	box := openBox(t, db, boltbox.Options{})
	s := subscribe(t, box, "wh_a", outbox.Any)
	n := 0
	for range 20 {
		var keys []string
		for range 250 {
			keys = append(keys, fmt.Sprint(n))
			n++
		}
		appendKeys(t, box, keys...)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	box = openBox(t, storetest.OpenAt(t, path, store.DBOptions{Schema: boltbox.Schema()}), boltbox.Options{})
	want := func(pending int64) {
		t.Helper()
		st, err := box.Stats(t.Context())
		if err != nil || st.Subs["wh_a"].Pending != pending {
			t.Fatalf("pending %d, %v; want %d", st.Subs["wh_a"].Pending, err, pending)
		}
	}
	commit(t, box, outbox.Change{Sub: "wh_a", Next: 1501})
	appendKeys(t, box, "new")
	want(5000 - 1500 + 1)
	commit(t, box, outbox.Change{Sub: "wh_a", Next: 4001})
	want(1001)
	// not how filters are changed, but it must not break the count
	s.Epochs[0].Filter.Events = []string{"group.update"}
	if _, err := box.PutSub(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	want(0)
	s.Epochs[0].Filter.Events = []string{outbox.Any}
	if _, err := box.PutSub(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	want(1001)
	commit(t, box, outbox.Change{Sub: "wh_a", Next: 5002})
	want(0)
}

// A record that cannot be decoded is reported and never stops the rest.
//
// Mutation of scan.go: a damaged event is passed over, and nobody who is owed it hears of it.
// Mutation of trim.go: nobody knows what a damaged subscription is owed, and its events are
// removed.
func TestUndecodable(t *testing.T) {
	path := filepath.Join(t.TempDir(), store.OutboxFile)
	db := storetest.OpenAt(t, path, store.DBOptions{Schema: boltbox.Schema()})
	box := openBox(t, db, boltbox.Options{RingBytes: 1})
	subscribe(t, box, "wh_a", outbox.Any)
	subscribe(t, box, "wh_b", outbox.Any)
	seqs := appendKeys(t, box, "0", "1", "2", "3", "4", "5")
	set := func(state outbox.State, s ...outbox.Seq) (out []outbox.Record) {
		for _, q := range s {
			out = append(out, outbox.Record{Seq: q, State: state, Reason: "http"})
		}
		return out
	}
	commit(t, box, outbox.Change{Sub: "wh_a", Next: seqs[4], Set: append(set(outbox.Pending, seqs[0], seqs[1]), set(outbox.Dead, seqs[2], seqs[3])...)})
	raw(t, db, func(tx *bbolt.Tx) error {
		return errors.Join(
			tx.Bucket([]byte("pending")).Put(subKey("wh_a", seqs[0]), []byte{99}),
			tx.Bucket([]byte("dead")).Put(subKey("wh_a", seqs[2]), []byte{1, 2}),
			tx.Bucket([]byte("events")).Put(binary.BigEndian.AppendUint64(nil, uint64(seqs[4])), []byte("??")),
			tx.Bucket([]byte("subs")).Put([]byte("wh_b"), []byte{0}),
			tx.Bucket([]byte("sends")).Put([]byte("mX"), []byte{7}),
		)
	})
	_, _, pending, err := box.Load(t.Context(), "wh_a")
	if err != nil || len(pending) != 2 || pending[0].Seq != seqs[0] || pending[0].Reason != "undecodable" || pending[0].State != outbox.Pending || pending[1].Reason != "http" {
		t.Errorf("Load = %+v, %v", pending, err)
	}
	dead, err := box.Dead(t.Context(), "wh_a", 0, 0)
	if err != nil || len(dead) != 2 || dead[0].Seq != seqs[2] || dead[0].Reason != "undecodable" || dead[1].Reason != "http" {
		t.Errorf("Dead = %+v, %v", dead, err)
	}
	evs, _, err := box.Read(t.Context(), "wh_a", seqs[3], 1<<20)
	if err != nil || len(evs) != 3 || evs[0].Corrupt || !evs[1].Corrupt || evs[1].Seq != seqs[4] || evs[1].Body != nil || evs[2].Corrupt {
		t.Errorf("Read around an event that cannot be decoded = %+v, %v", evs, err)
	}
	if ev, err := box.Event(t.Context(), seqs[4]); !errors.Is(err, outbox.ErrCorrupt) || ev.Seq != seqs[4] || ev.Body != nil {
		t.Errorf("Event that cannot be decoded: %+v, %v", ev, err)
	}
	if list, err := box.Unsettled(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("Unsettled = %v, %v", list, err)
	}
	commit(t, box, outbox.Change{Sub: "wh_a", Set: set(outbox.Done, seqs[0], seqs[2])})
	st, err := box.Stats(t.Context())
	// 1 pending, and two events unread, of which one becomes a dead letter
	if ss := st.Subs["wh_a"]; err != nil || st.Undecodable == 0 || st.Corrupt != 1 || ss.Dead != 1 || ss.Pending != 3 {
		t.Errorf("Stats = %+v, %v", st, err)
	}
	raw(t, db, func(tx *bbolt.Tx) error { return tx.Bucket([]byte("cursors")).Put([]byte("wh_a"), []byte{42}) })
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	box = openBox(t, storetest.OpenAt(t, path, store.DBOptions{Schema: boltbox.Schema()}), boltbox.Options{})
	next, _, pending, err := box.Load(t.Context(), "wh_a")
	if err != nil || next != seqs[0] || len(pending) != 1 {
		t.Errorf("with a cursor that cannot be decoded: next %d, %d pending, %v; want everything again", next, len(pending), err)
	}
	if subs, err := box.Subs(t.Context()); err != nil || len(subs) != 1 || subs[0].ID != "wh_a" {
		t.Errorf("Subs = %v, %v", subs, err)
	}
	commit(t, box, outbox.Change{Sub: "wh_a", Next: seqs[5]})
	if st, err := box.Stats(t.Context()); err != nil || st.Subs["wh_a"].Dead != 1 {
		t.Errorf("counts made anew: %+v, %v", st, err)
	}
	// it says why, else retention would make room by letting everything expire, and win nothing:
	// before, it returned no error
	if n, _, err := box.Trim(t.Context(), time.Now(), 256); err == nil || !strings.Contains(err.Error(), "wh_b") || n != 0 {
		t.Errorf("Trim = %d, %v; nothing may go while a subscription cannot be decoded", n, err)
	}
}

// An append of unknown outcome is told so; repeating it gives one event, and lanes go on from what
// is in the file.
//
// Mutation of store/reopen.go: readers see the file while it is not known what a failed commit left
// in it.
func TestUnknownOutcome(t *testing.T) {
	for name, written := range map[string]bool{"not written": false, "written": true} {
		t.Run(name, func(t *testing.T) {
			var fail atomic.Bool
			db := storetest.Open(t, store.DBOptions{Schema: boltbox.Schema(), CommitHook: func(commit func() error) error {
				if !fail.CompareAndSwap(true, false) {
					return commit()
				}
				if written {
					return errors.Join(commit(), syscall.EIO)
				}
				return syscall.EIO
			}})
			box := openBox(t, db, boltbox.Options{})
			subscribe(t, box, "wh_a", outbox.Any)
			first := appendKeys(t, box, "a")
			waited := make(chan error, 1)
			go func() { waited <- box.Wait(t.Context(), first[0]+1) }()
			fail.Store(true)
			_, err := box.Append(t.Context(), event("b"))
			if !errors.Is(err, outbox.ErrUnknown) {
				t.Fatalf("Append = %v", err)
			}
			again := appendKeys(t, box, "b", "a")
			if again[1] != first[0] {
				t.Errorf("sequences %v after %v", again, first)
			}
			if err := soon(t, waited); err != nil {
				t.Errorf("Wait: %v", err)
			}
			for _, from := range []outbox.Seq{0, first[0]} {
				if got := readAll(t, box, "wh_a", from); !slices.Equal(got, []outbox.Seq{first[0], again[0]}) {
					t.Errorf("read from %d: %v", from, got)
				}
			}
			if st, err := box.Stats(t.Context()); err != nil || st.Events != 2 || st.Subs["wh_a"].Pending != 2 {
				t.Errorf("Stats = %+v, %v", st, err)
			}
		})
	}
}

// What is in the file but not published yet is not read: its filters are not known to the reader.
func TestReadStopsAtThePublished(t *testing.T) {
	var between atomic.Pointer[func()]
	db := storetest.Open(t, store.DBOptions{Schema: boltbox.Schema(), CommitHook: func(commit func() error) error {
		err := commit()
		if fn := between.Load(); fn != nil {
			(*fn)()
		}
		return err
	}})
	box := openBox(t, db, boltbox.Options{RingBytes: 1})
	subscribe(t, box, "wh_a", outbox.Any)
	first := appendKeys(t, box, "a")
	looked := func() {
		evs, next, err := box.Read(t.Context(), "wh_a", 0, 1<<20)
		if err != nil || len(evs) != 1 || next != first[0]+1 {
			t.Errorf("between commit and publishing: %d events, goes on at %d, %v", len(evs), next, err)
		}
		if _, err := box.Event(t.Context(), first[0]+1); !errors.Is(err, outbox.ErrNotFound) {
			t.Errorf("between commit and publishing: Event gives %v", err)
		}
		if r, err := box.CountOwed(t.Context(), "wh_a", 0, 100); err != nil || r.Count != 1 {
			t.Errorf("between commit and publishing: CountOwed gives %+v, %v", r, err)
		}
		if evs, _, err := box.Owed(t.Context(), "wh_a", 0, 100, 0); err != nil || len(evs) != 1 {
			t.Errorf("between commit and publishing: Owed gives %d events, %v", len(evs), err)
		}
	}
	between.Store(&looked)
	appendKeys(t, box, "b")
	between.Store(nil)
	if got := readAll(t, box, "wh_a", 0); len(got) != 2 {
		t.Errorf("afterwards: %v", got)
	}
}

// A short disk refuses appends; a lane settles on.
func TestShortDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), store.OutboxFile)
	db := storetest.OpenAt(t, path, store.DBOptions{Schema: boltbox.Schema()})
	box := openBox(t, db, boltbox.Options{})
	subscribe(t, box, "wh_a", outbox.Any)
	seqs := appendKeys(t, box, "a")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	box = openBox(t, storetest.OpenAt(t, path, store.DBOptions{Schema: boltbox.Schema(), MinFree: math.MaxUint64}), boltbox.Options{})
	if _, err := box.Append(t.Context(), event("b")); !errors.Is(err, outbox.ErrFull) {
		t.Errorf("Append = %v", err)
	}
	if err := box.PutSend(t.Context(), outbox.Send{MessageID: "A"}); !errors.Is(err, outbox.ErrFull) {
		t.Errorf("PutSend = %v", err)
	}
	commit(t, box, outbox.Change{Sub: "wh_a", Next: seqs[0] + 1})
	if st, err := box.Stats(t.Context()); err != nil || len(st.Faults) != 1 || st.Faults[0].Cause != outbox.FaultDiskLow || st.Subs["wh_a"].Pending != 0 {
		t.Errorf("Stats = %+v, %v", st, err)
	}
}

// A record that cannot be decoded is counted and logged once. Before, every statistics and every
// load counted it again: "10 undecodable".
func TestUndecodableIsReportedOnce(t *testing.T) {
	db := storetest.Open(t, store.DBOptions{Schema: boltbox.Schema()})
	box := openBox(t, db, boltbox.Options{RingBytes: 1})
	subscribe(t, box, "wh_a", outbox.Any)
	appendKeys(t, box, "0", "1")
	raw(t, db, func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("events")).Put(binary.BigEndian.AppendUint64(nil, 1), []byte("??"))
	})
	for range 10 {
		if _, err := box.Stats(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if st, err := box.Stats(t.Context()); err != nil || st.Undecodable != 1 {
		t.Errorf("%d undecodable, %v", st.Undecodable, err)
	}
}
