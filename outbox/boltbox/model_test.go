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

// memoryDir is a directory on a memory file system where there is one: the model is about meaning, not about durability.
func memoryDir(t *testing.T) string {
	if dir, err := os.MkdirTemp("/dev/shm", "waoutbox-model"); err == nil {
		t.Cleanup(func() { os.RemoveAll(dir) })
		return dir
	}
	return t.TempDir()
}

// Random histories mean the same to the engine and to the engine in memory, through closing and opening too.
func TestModel(t *testing.T) {
	dir := memoryDir(t)
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		m := &model{T: rt, t: t, fake: outboxtest.NewFake(), path: filepath.Join(dir, fmt.Sprintf("%d.db", run))}
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
	last outbox.Seq
	n    int
}

func (m *model) open() {
	var err error
	if m.db, err = store.Open(m.path, store.DBOptions{MinFree: 1}); err != nil {
		m.Fatal(err)
	}
	ring := rapid.SampledFrom([]int{1, 700, 1 << 20}).Draw(m.T, "ring")
	if m.box, err = boltbox.Open(m.t.Context(), m.db, boltbox.Options{RingBytes: ring}); err != nil {
		m.Fatal(err)
	}
}

// both runs an operation on the two engines and wants the same answer.
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
		n := rapid.IntRange(max(1, m.n-6), m.n).Draw(m.T, "key") // some are repeated
		e := event(fmt.Sprint(n))
		e.Name = []string{"message.received", "presence.update"}[n%2]
		e.Chat = []string{"a", "b", "c"}[n%3]
		e.Random = n%7 == 0
		e.Time = time.UnixMilli(int64(1_700_000_000_000 + n)).UTC()
		e.Body = e.Body[:n%50]
		evs = append(evs, e)
	}
	seqs := both(m, "Append", func(e outboxtest.Engine) ([]outbox.Seq, error) { return e.Append(m.t.Context(), evs...) })
	m.last = max(m.last, slices.Max(seqs))
}

func (m *model) sub() outbox.SubID {
	return rapid.SampledFrom([]outbox.SubID{"wh_a", "wh_ab", "wh_b"}).Draw(m.T, "sub")
}

func (m *model) put() {
	id := m.sub()
	s := outbox.Subscription{ID: id}
	subs, err := m.fake.Subs(m.t.Context())
	if err != nil {
		m.Fatal(err)
	}
	if i := slices.IndexFunc(subs, func(s outbox.Subscription) bool { return s.ID == id }); i >= 0 {
		s = subs[i]
	}
	f := rapid.SampledFrom([]outbox.Filter{{Events: []string{outbox.Any}}, {Events: []string{"message.received"}}, {Events: []string{outbox.Any}, Chats: []string{"a"}}, {}}).Draw(m.T, "filter")
	s.Epochs = append(s.Epochs, outbox.Epoch{Filter: f})
	s.Removed = len(f.Events) == 0
	s.Config = fmt.Append(nil, m.n)
	both(m, "PutSub", func(e outboxtest.Engine) (outbox.Subscription, error) { return e.PutSub(m.t.Context(), s) })
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
	if len(below) > 2 && rapid.IntRange(0, 3).Draw(m.T, "bury") == 0 {
		m.bury(&c, below)
	} else if len(below) > 0 {
		for range rapid.IntRange(0, 4).Draw(m.T, "records") {
			c.Set = append(c.Set, outbox.Record{Seq: rapid.SampledFrom(below).Draw(m.T, "seq"), State: outbox.State(rapid.IntRange(0, 2).Draw(m.T, "state")),
				Attempts: rapid.IntRange(0, 4).Draw(m.T, "attempts"), Reason: "http", Log: []byte("log")})
		}
	}
	if dead, err := m.fake.Dead(m.t.Context(), id, 0, 1); err == nil && len(dead) == 1 && rapid.Bool().Draw(m.T, "purge") {
		dead[0].State = outbox.Done
		c.Set = append(c.Set, dead[0])
	}
	if rapid.Bool().Draw(m.T, "lane") {
		c.Lane = fmt.Append(nil, m.n)
	}
	both(m, "Commit", func(e outboxtest.Engine) (int, error) { return 0, e.Commit(m.t.Context(), c) })
}

func (m *model) inRun(id outbox.SubID, seq outbox.Seq) bool {
	r, err := m.fake.DeadAt(m.t.Context(), id, seq)
	return err == nil && r.IsRun()
}

// bury makes one run of neighbours without records of their own, as removal does.
func (m *model) bury(c *outbox.Change, owed []outbox.Seq) {
	_, _, pending, err := m.fake.Load(m.t.Context(), c.Sub)
	if err != nil {
		m.Fatal(err)
	}
	free := func(seq outbox.Seq) bool {
		_, err := m.fake.DeadAt(m.t.Context(), c.Sub, seq)
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
	c.Set = append(c.Set, outbox.Record{Seq: r.First, Last: r.Last, Count: r.Count, State: outbox.Dead, Reason: "unregistered"})
}

func (m *model) trim() {
	before := time.UnixMilli(int64(1_700_000_000_000 + rapid.IntRange(0, m.n+1).Draw(m.T, "before")))
	limit := rapid.IntRange(1, 10).Draw(m.T, "limit")
	both(m, "Trim", func(e outboxtest.Engine) (int, error) { return e.Trim(m.t.Context(), before, limit) })
}

// same compares everything the two engines can be asked.
func (m *model) same() {
	ctx := m.t.Context()
	subs := both(m, "Subs", func(e outboxtest.Engine) ([]outbox.Subscription, error) { return e.Subs(ctx) })
	both(m, "Stats", func(e outboxtest.Engine) (outbox.Stats, error) {
		s, err := e.Stats(ctx)
		s.Bytes, s.LiveBytes = 0, 0
		return s, err
	})
	from := outbox.Seq(rapid.Uint64Range(0, uint64(m.last)+2).Draw(m.T, "from"))
	both(m, "Event", func(e outboxtest.Engine) (outbox.Event, error) { return body(e.Event(ctx, from)) })
	for _, s := range subs {
		both(m, "Load", func(e outboxtest.Engine) ([]any, error) {
			next, lane, pending, err := e.Load(ctx, s.ID)
			return []any{next, string(lane), pending}, err
		})
		dead := both(m, "Dead", func(e outboxtest.Engine) ([]outbox.Record, error) { return e.Dead(ctx, s.ID, 0, 256) })
		both(m, "DeadAt", func(e outboxtest.Engine) (outbox.Record, error) { return e.DeadAt(ctx, s.ID, from) })
		for _, f := range []outbox.Seq{0, from} {
			both(m, "Read", func(e outboxtest.Engine) ([]outbox.Event, error) { return everything(m, e, s.ID, f) })
		}
		for _, r := range dead {
			got := both(m, "CountOwed", func(e outboxtest.Engine) (outbox.OwedRange, error) { return e.CountOwed(ctx, s.ID, r.Seq, r.KeySeq()) })
			if r.IsRun() && got.Count != r.Count {
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
