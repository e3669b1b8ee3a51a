package boltbox_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"waoutbox/outbox"
	"waoutbox/outbox/boltbox"
	"waoutbox/outbox/outboxtest"
	"waoutbox/store"
	"waoutbox/store/storetest"
)

// memoryDir is a directory on a memory file system where there is one: the model is about meaning,
// not about durability.
func memoryDir(t *testing.T) string {
	if dir, err := os.MkdirTemp("/dev/shm", "waoutbox-model"); err == nil {
		t.Cleanup(func() { os.RemoveAll(dir) })
		return dir
	}
	return t.TempDir()
}

// Random histories mean the same to the engine and to the engine in memory, through closing and
// opening too.
func TestModel(t *testing.T) {
	dir := memoryDir(t)
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		m := &model{T: rt, t: t, fake: outboxtest.NewFake(), oracle: newOracle(), path: filepath.Join(dir, fmt.Sprintf("%d.db", run))}
		m.open()
		defer func() {
			if err := m.db.Close(); err != nil {
				rt.Error(err)
			}
			storetest.Check(t, m.path)
			os.Remove(m.path)
		}()
		rt.Repeat(map[string]func(*rapid.T){
			"":        func(rt *rapid.T) { m.T = rt; m.same() },
			"append":  func(rt *rapid.T) { m.T = rt; m.append() },
			"put":     func(rt *rapid.T) { m.T = rt; m.put() },
			"commit":  func(rt *rapid.T) { m.T = rt; m.commit() },
			"commit2": func(rt *rapid.T) { m.T = rt; m.commit() },
			"trim":    func(rt *rapid.T) { m.T = rt; m.trim() },
			"forget":  func(rt *rapid.T) { m.T = rt; m.forget() },
			"compact": func(rt *rapid.T) {
				m.T = rt
				if err := m.db.Compact(m.t.Context()); err != nil {
					rt.Fatal(err)
				}
			},
			"reopen": func(rt *rapid.T) {
				m.T = rt
				if err := m.db.Close(); err != nil {
					rt.Fatal(err)
				}
				m.open()
			},
		})
	})
}

type model struct {
	*rapid.T
	t    *testing.T
	path string
	db   *store.DB
	box  *boltbox.Box
	fake *outboxtest.Fake

	oracle *oracle
	last   outbox.Seq
	n      int
}

func (m *model) open() {
	var err error
	if m.db, err = store.Open(m.path, store.DBOptions{Schema: boltbox.Schema(), MinFree: 1}); err != nil {
		m.Fatal(err)
	}
	ring := rapid.SampledFrom([]int{1, 700, 1 << 20}).Draw(m.T, "ring")
	if m.box, err = boltbox.Open(m.t.Context(), m.db, boltbox.SmallRuns(boltbox.Options{RingBytes: ring})); err != nil {
		m.Fatal(err)
	}
}

// both runs an operation on the two engines and wants the same result.
func both[V any](m *model, what string, op func(e outboxtest.Engine) (V, error)) V {
	m.Helper()
	got, err := op(m.box)
	want, wantErr := op(m.fake)
	if (err == nil) != (wantErr == nil) || errors.Is(err, outbox.ErrNotFound) != errors.Is(wantErr, outbox.ErrNotFound) {
		m.Fatalf("%s: error %v, want %v", what, err, wantErr)
	}
	if err == nil && !reflect.DeepEqual(got, want) {
		m.Fatalf("%s: got %+v, want %+v", what, got, want)
	}
	return want
}

func (m *model) append() {
	var evs []outbox.Event
	for range rapid.IntRange(1, 5).Draw(m.T, "events") {
		m.n++
		// some are repeated
		n := rapid.OneOf(rapid.IntRange(max(1, m.n-6), m.n), rapid.IntRange(1, m.n)).Draw(m.T, "key")
		e := event(fmt.Sprint(n))
		e.Name = []string{"message.received", "presence.update"}[n%2]
		e.Chat = []string{"a", "b", "c"}[n%3]
		e.Random = n%7 == 0
		e.Stamp = rapid.SampledFrom([]uint32{0, e.Stamp, e.Stamp + 1}).Draw(m.T, "stamp")
		e.Time = time.UnixMilli(int64(1_700_000_000_000 + m.n)).UTC() // the log is in order of time
		e.Body = e.Body[:n%50]
		evs = append(evs, e)
	}
	seqs := both(m, "Append", func(e outboxtest.Engine) ([]outbox.Seq, error) { return e.Append(m.t.Context(), evs...) })
	m.oracle.appended(evs, seqs)
	m.last = max(m.last, slices.Max(seqs))
}

func (m *model) sub() outbox.SubID {
	return rapid.SampledFrom([]outbox.SubID{"wh_a", "wh_ab", "wh_b"}).Draw(m.T, "sub")
}

func (m *model) put() {
	id := m.sub()
	s := outbox.Subscription{ID: id}
	if old, err := m.fake.Sub(m.t.Context(), id); err == nil {
		s = old
	}
	f := rapid.SampledFrom([]outbox.Filter{{Events: []string{outbox.Any}}, {Events: []string{"message.received"}}, {Events: []string{outbox.Any}, Chats: []string{"a"}}, {}}).Draw(m.T, "filter")
	s.Epochs = append(s.Epochs, outbox.Epoch{Filter: f})
	s.Removed = len(f.Events) == 0
	s.Config = fmt.Append(nil, m.n)
	both(m, "PutSub", func(e outboxtest.Engine) (outbox.Subscription, error) { return e.PutSub(m.t.Context(), s) })
	m.oracle.put(id, f, s.Removed)
}

// commit moves next and sets some records below it, as a lane does.
func (m *model) commit() {
	id := m.sub()
	next, _, _, err := m.fake.Load(m.t.Context(), id)
	if err != nil {
		return
	}
	c := outbox.Change{Sub: id, Next: rapid.Custom(func(t *rapid.T) outbox.Seq {
		return outbox.Seq(rapid.Uint64Range(uint64(next), uint64(m.last)+1).Draw(t, "n"))
	}).Draw(m.T, "next")}
	var below []outbox.Seq
	for seq := outbox.Seq(1); seq < c.Next; seq++ {
		if r, err := m.fake.CountOwed(m.t.Context(), id, seq, seq); err == nil && r.Count == 1 && !m.inRun(id, seq) {
			below = append(below, seq)
		}
	}
	// what is unread: below the cursor filters are not kept for ever
	unread := slices.DeleteFunc(slices.Clone(below), func(seq outbox.Seq) bool { return seq < next })
	if len(unread) > 2 && rapid.IntRange(0, 3).Draw(m.T, "backlog") == 0 {
		m.deadLetterBacklog(&c, unread)
	} else if len(below) > 0 {
		for range rapid.IntRange(0, 4).Draw(m.T, "records") {
			r := outbox.Record{Seq: rapid.SampledFrom(below).Draw(m.T, "seq"), State: outbox.State(rapid.IntRange(0, 2).Draw(m.T, "state")),
				Attempts: rapid.IntRange(0, 4).Draw(m.T, "attempts"), Reason: rapid.SampledFrom([]string{"http", "timeout", outbox.ReasonExpired}).Draw(m.T, "reason"), Log: []byte("log")}
			if old, err := m.fake.RecordAt(m.t.Context(), id, r.Seq); err == nil && rapid.IntRange(0, 7).Draw(m.T, "stale") > 0 {
				r.Replay = old.Replay + 1 // else both refuse it, unless attempts rise
			}
			c.Set = append(c.Set, r)
		}
	}
	if dead, err := m.fake.Dead(m.t.Context(), id, 0, 1); err == nil && len(dead) == 1 && rapid.Bool().Draw(m.T, "purge") {
		dead[0].State = outbox.Done
		c.Set = append(c.Set, dead[0])
	}
	if rapid.Bool().Draw(m.T, "lane") {
		c.Lane = fmt.Append(nil, m.n)
	}
	taken := m.oracle.commit(c)
	both(m, "Commit", func(e outboxtest.Engine) (int, error) {
		err := e.Commit(m.t.Context(), c)
		if _, refused := errors.AsType[*outbox.TransitionError](err); refused == taken {
			m.Fatalf("Commit of %+v: %v; the oracle takes it: %v", c, err, taken)
		}
		return 0, err
	})
}

func (m *model) inRun(id outbox.SubID, seq outbox.Seq) bool {
	r, err := m.fake.RecordAt(m.t.Context(), id, seq)
	return err == nil && r.IsRun()
}

// deadLetterBacklog makes one run of neighbours without records of their own, as removal does.
func (m *model) deadLetterBacklog(c *outbox.Change, owed []outbox.Seq) {
	_, _, pending, err := m.fake.Load(m.t.Context(), c.Sub)
	if err != nil {
		m.Fatal(err)
	}
	free := func(seq outbox.Seq) bool {
		_, err := m.fake.RecordAt(m.t.Context(), c.Sub, seq)
		return err != nil && !slices.ContainsFunc(pending, func(r outbox.Record) bool { return r.Seq == seq })
	}
	from := rapid.IntRange(0, len(owed)-2).Draw(m.T, "from")
	to := from
	for to < len(owed) && free(owed[to]) {
		to++
	}
	if to-from < 2 {
		return
	}
	r, err := m.fake.CountOwed(m.t.Context(), c.Sub, owed[from], owed[to-1])
	if err != nil || r.Count != to-from { // another run lies between
		return
	}
	c.Set = append(c.Set, outbox.Record{Seq: r.First, Last: r.Last, Count: r.Count, State: outbox.Dead,
		Reason: rapid.SampledFrom([]string{"unregistered", outbox.ReasonExpired}).Draw(m.T, "reason")})
}

func (m *model) trim() {
	before := time.UnixMilli(int64(1_700_000_000_000 + rapid.IntRange(0, m.n+1).Draw(m.T, "before")))
	limit := rapid.IntRange(1, 10).Draw(m.T, "limit")
	both(m, "Trim", func(e outboxtest.Engine) (int, error) {
		n, _, err := e.Trim(m.t.Context(), before, limit)
		return n, err
	})
}

func (m *model) forget() {
	id := m.sub()
	both(m, "Forget", func(e outboxtest.Engine) (int, error) {
		err := e.Forget(m.t.Context(), id)
		if s, ok := m.oracle.subs[id]; err == nil && (!ok || m.oracle.left(s) || len(s.records) > 0) {
			m.Fatalf("%s was forgotten, of which something is left", id)
		}
		return 0, err
	})
	if _, err := m.fake.Sub(m.t.Context(), id); errors.Is(err, outbox.ErrNotFound) {
		delete(m.oracle.subs, id)
	}
}

// same compares everything the two engines can be asked.
func (m *model) same() {
	ctx := m.t.Context()
	m.oracle.check(m, m.box)
	removed := both(m, "Removed", func(e outboxtest.Engine) ([]outbox.Subscription, error) { return e.Removed(ctx, "", 0) })
	both(m, "WithDead", func(e outboxtest.Engine) ([]outbox.Subscription, error) { return e.WithDead(ctx, "", 0) })
	subs := both(m, "Subs", func(e outboxtest.Engine) ([]outbox.Subscription, error) { return e.Subs(ctx) })
	both(m, "Stats", func(e outboxtest.Engine) (outbox.Stats, error) {
		s, err := e.Stats(ctx)
		s.Bytes, s.LiveBytes = 0, 0
		return s, err
	})
	from := outbox.Seq(rapid.Uint64Range(0, uint64(m.last)+2).Draw(m.T, "from"))
	both(m, "FirstSince", func(e outboxtest.Engine) (outbox.Seq, error) {
		next, _, err := e.FirstSince(ctx, from, time.UnixMilli(int64(1_700_000_000_000+m.n/2)))
		return next, err
	})
	both(m, "Event", func(e outboxtest.Engine) (outbox.Event, error) { return body(e.Event(ctx, from)) })
	for _, s := range append(subs, removed...) {
		both(m, "Load", func(e outboxtest.Engine) ([]any, error) {
			next, lane, pending, err := e.Load(ctx, s.ID)
			return []any{next, string(lane), pending}, err
		})
		both(m, "DeadReasons", func(e outboxtest.Engine) (map[string]int64, error) { return e.DeadReasons(ctx, s.ID) })
		dead := both(m, "Dead", func(e outboxtest.Engine) ([]outbox.Record, error) { return e.Dead(ctx, s.ID, 0, 256) })
		both(m, "DeadHeads", func(e outboxtest.Engine) ([]outbox.DeadHead, error) { return e.DeadHeads(ctx, s.ID, 0, 256) })
		both(m, "RecordAt", func(e outboxtest.Engine) (outbox.Record, error) { return e.RecordAt(ctx, s.ID, from) })
		for _, f := range []outbox.Seq{0, from} {
			both(m, "Read", func(e outboxtest.Engine) ([]outbox.Event, error) { return everything(m, e, s.ID, f) })
		}
		for _, r := range dead {
			got := both(m, "CountOwed", func(e outboxtest.Engine) (outbox.OwedRange, error) { return e.CountOwed(ctx, s.ID, r.Seq, r.KeySeq()) })
			if r.IsRun() && !r.Expired() && got.Count != r.Count {
				m.Fatalf("run %+v has %d owed events", r, got.Count)
			}
		}
	}
}

func everything(m *model, e outboxtest.Engine, id outbox.SubID, from outbox.Seq) ([]outbox.Event, error) {
	var out []outbox.Event
	for {
		evs, next, err := e.Read(m.t.Context(), id, from, 100)
		if err != nil || next == from {
			return out, err
		}
		for _, ev := range evs {
			ev, _ = body(ev, nil)
			out = append(out, ev)
		}
		from = next
	}
}

// body makes empty bodies equal, nil or not.
func body(e outbox.Event, err error) (outbox.Event, error) {
	if len(e.Body) == 0 {
		e.Body = nil
	}
	return e, err
}
