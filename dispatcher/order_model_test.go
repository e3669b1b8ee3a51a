package dispatcher

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"waoutbox/outbox"
)

// world drives an Order by random steps beside a model of the disk and of the endpoint, and checks the promises at each step.
type world struct {
	t     *rapid.T
	o     *Order
	now   time.Time
	slots int

	events []outbox.Event // the log; Seq has gaps
	keys   map[outbox.Seq]uint64

	next    outbox.Seq // on disk
	pending map[outbox.Seq]outbox.Record
	dead    map[outbox.Seq]outbox.Record

	flying    map[outbox.Seq]*Delivery
	delivered map[outbox.Seq]bool // the endpoint has it
	cp        *Checkpoint         // being written
}

func newWorld(t *rapid.T) *world {
	w := &world{t: t, now: time.Unix(1_700_000_000, 0), next: 1, slots: rapid.IntRange(1, 6).Draw(t, "slots"),
		keys: map[outbox.Seq]uint64{}, pending: map[outbox.Seq]outbox.Record{}, dead: map[outbox.Seq]outbox.Record{}, delivered: map[outbox.Seq]bool{}}
	w.load()
	return w
}

// load is what a lane does at its start.
func (w *world) load() {
	w.o = NewOrder(w.next, w.now)
	w.flying, w.cp = map[outbox.Seq]*Delivery{}, nil
	for _, r := range w.pending {
		w.o.AddStored(r, DefaultSchedule().onLoad(r.Attempts, r.Due, w.now))
	}
}

// Append writes an event, sometimes after a gap.
func (w *world) Append(t *rapid.T) {
	seq := outbox.Seq(1)
	if n := len(w.events); n > 0 {
		seq = w.events[n-1].Seq + outbox.Seq(rapid.IntRange(1, 3).Draw(t, "gap"))
	}
	w.events = append(w.events, outbox.Event{Seq: seq, Body: []byte("x")})
	w.keys[seq] = rapid.Uint64Range(1, 4).Draw(t, "key")
}

// Read brings a few events into the Order.
func (w *world) Read(t *rapid.T) {
	for range rapid.IntRange(1, 5).Draw(t, "n") {
		i := slices.IndexFunc(w.events, func(e outbox.Event) bool { return e.Seq >= w.o.Read() })
		if i < 0 {
			if n := len(w.events); n > 0 {
				w.o.SetRead(w.events[n-1].Seq + 1)
			}
			return
		}
		w.o.Add(w.events[i], w.keys[w.events[i].Seq])
	}
}

// Claim starts attempts, as many as may.
func (w *world) Claim(t *rapid.T) {
	late := 0
	for _, d := range w.flying {
		if d.Attempts > 0 || d.Replay > 0 {
			late++
		}
	}
	for d := w.o.Claim(w.now, w.slots); d != nil; d = w.o.Claim(w.now, w.slots) {
		if len(w.flying) >= w.slots {
			t.Fatalf("%d in flight on %d slots", len(w.flying)+1, w.slots)
		}
		if d.Attempts > 0 || d.Replay > 0 {
			if late++; late > max(1, w.slots/2) {
				t.Fatalf("%d retries in flight on %d slots", late, w.slots)
			}
			if w.pending[d.Seq].Attempts != d.Attempts || w.pending[d.Seq].Replay != d.Replay {
				t.Fatalf("%d flies as attempt %d, replay %d; on disk %+v", d.Seq, d.Attempts+1, d.Replay, w.pending[d.Seq])
			}
			if d.Due.After(w.now) {
				t.Fatalf("%d flies %v too early", d.Seq, d.Due.Sub(w.now))
			}
		}
		w.checkOrder(t, d)
		w.flying[d.Seq] = d
	}
}

// checkOrder: no other of the key in flight, and no lower one unfinished (dead ones on disk do not block).
func (w *world) checkOrder(t *rapid.T, d *Delivery) {
	for s := range w.flying {
		if w.keys[s] == w.keys[d.Seq] {
			t.Fatalf("%d flies beside %d of the same key", d.Seq, s)
		}
	}
	for _, e := range w.events {
		if e.Seq >= d.Seq {
			break
		}
		_, dead := w.dead[e.Seq]
		r, pending := w.pending[e.Seq]
		replayed := pending && r.Replay > 0
		if w.keys[e.Seq] == w.keys[d.Seq] && !dead && (!w.delivered[e.Seq] || replayed && w.o.Has(e.Seq)) {
			t.Fatalf("%d flies before %d of the same key", d.Seq, e.Seq)
		}
	}
}

// Land ends one attempt in a random way.
func (w *world) Land(t *rapid.T) {
	if len(w.flying) == 0 {
		return
	}
	seqs := []outbox.Seq{}
	for s := range w.flying {
		seqs = append(seqs, s)
	}
	slices.Sort(seqs)
	d := w.flying[rapid.SampledFrom(seqs).Draw(t, "which")]
	delete(w.flying, d.Seq)
	switch rapid.IntRange(0, 5).Draw(t, "how") {
	case 0:
		w.o.Release(d)
	case 1: // a reject
		w.o.Kill(d, d.Attempts+1, "410", w.now, nil)
	case 2:
		if wait, more := DefaultSchedule().after(d.Attempts + 1); more {
			w.o.Fail(d, w.now.Add(wait), nil)
		} else {
			w.o.Kill(d, d.Attempts+1, "http", w.now, nil)
		}
	default:
		w.delivered[d.Seq] = true
		w.o.Deliver(d, w.now)
	}
}

// Wait lets time pass.
func (w *world) Wait(t *rapid.T) {
	w.now = w.now.Add(time.Duration(rapid.SampledFrom([]int{1, 5, 1000, 11000}).Draw(t, "ms")) * time.Millisecond)
}

// Begin starts a checkpoint when one is due.
func (w *world) Begin(t *rapid.T) {
	at, due := w.o.CheckpointAt()
	if w.cp != nil || !due || at.After(w.now) {
		return
	}
	c := w.o.Checkpoint(w.now, rapid.Bool().Draw(t, "force"))
	if c.Empty() {
		t.Fatalf("a checkpoint is due and there is nothing to write")
	}
	if len(c.Set) > outbox.MaxChange {
		t.Fatalf("%d records in one Change", len(c.Set))
	}
	w.cp = &c
}

// Commit finishes the checkpoint being written.
func (w *world) Commit(*rapid.T) {
	if w.cp == nil {
		return
	}
	w.write(*w.cp)
	w.o.Committed(*w.cp, w.now)
	w.cp = nil
}

// Unknown writes the checkpoint although its writer is told nothing: it will be written again.
func (w *world) Unknown(*rapid.T) {
	if w.cp != nil {
		w.write(*w.cp)
	}
}

func (w *world) write(c Checkpoint) {
	if c.Next != 0 && c.Next < w.next {
		w.t.Fatalf("the cursor goes back from %d to %d", w.next, c.Next)
	}
	w.next = max(w.next, c.Next)
	for _, r := range c.Set {
		delete(w.pending, r.Seq)
		delete(w.dead, r.Seq)
		switch r.State {
		case outbox.Pending:
			w.pending[r.Seq] = r
		case outbox.Dead:
			w.dead[r.Seq] = r
		case outbox.Done:
			if !w.delivered[r.Seq] {
				w.t.Fatalf("%d is done on disk and was never delivered", r.Seq)
			}
		}
	}
}

// Crash loses everything that is not on disk; a checkpoint being written may be there or not.
func (w *world) Crash(t *rapid.T) {
	if w.cp != nil && rapid.Bool().Draw(t, "written") {
		w.write(*w.cp)
	}
	w.load()
}

// Replay makes one dead letter pending, as a lane does: when nothing else is being written.
func (w *world) Replay(t *rapid.T) {
	if w.cp != nil || len(w.dead) == 0 {
		return
	}
	for w.o.Unsettled() > 0 {
		c := w.o.Checkpoint(w.now, true)
		w.write(c)
		w.o.Committed(c, w.now)
	}
	seqs := []outbox.Seq{}
	for s := range w.dead {
		seqs = append(seqs, s)
	}
	if len(seqs) == 0 {
		return
	}
	slices.Sort(seqs)
	r := w.dead[rapid.SampledFrom(seqs).Draw(t, "letter")]
	delete(w.dead, r.Seq)
	r.State, r.Attempts, r.Due, r.Replay = outbox.Pending, 0, w.now, r.Replay+1
	w.pending[r.Seq] = r
	w.o.AddStored(r, r.Due)
}

// check runs after every step: what is below the cursor on disk was delivered, is dead, or has a record.
func (w *world) check(t *rapid.T) {
	for _, e := range w.events {
		if e.Seq >= w.next {
			break
		}
		_, pending := w.pending[e.Seq]
		_, dead := w.dead[e.Seq]
		if !pending && !dead && !w.delivered[e.Seq] {
			t.Fatalf("%d is lost: below the cursor %d, not delivered, without a record", e.Seq, w.next)
		}
		if pending && dead {
			t.Fatalf("%d is pending and dead", e.Seq)
		}
	}
	if w.o.InFlight() != len(w.flying) {
		t.Fatalf("in flight %d, want %d", w.o.InFlight(), len(w.flying))
	}
}

// drain lets everything succeed: in the end every event is delivered or dead, nothing is left, and no record remains.
func (w *world) drain(t *rapid.T) {
	w.Commit(t)
	for range 10_000 {
		w.Read(t)
		w.Claim(t)
		for s, d := range w.flying {
			w.delivered[s] = true
			w.o.Deliver(d, w.now)
			delete(w.flying, s)
		}
		w.now = w.now.Add(20 * time.Second)
		w.Begin(t)
		w.Commit(t)
		w.check(t)
		if n := len(w.events); w.o.Unfinished() == 0 && w.o.Unsettled() == 0 && (n == 0 || w.o.Read() > w.events[n-1].Seq) {
			break
		}
	}
	for _, e := range w.events {
		if _, dead := w.dead[e.Seq]; !w.delivered[e.Seq] && !dead {
			t.Fatalf("%d was neither delivered nor is it dead", e.Seq)
		}
	}
	if len(w.pending) != 0 || w.o.held != 0 || len(w.o.lines) != 0 || len(w.o.window) != 0 || w.o.urgent != 0 {
		t.Fatalf("left behind: pending %v, held %d, lines %d, window %d, urgent %d", w.pending, w.o.held, len(w.o.lines), len(w.o.window), w.o.urgent)
	}
}

func TestOrderKeepsItsPromisesUnderRandomSteps(t *testing.T) {
	steps := func(t *rapid.T) {
		w := newWorld(t)
		t.Repeat(map[string]func(*rapid.T){
			"": w.check, "append": w.Append, "append2": w.Append, "read": w.Read, "claim": w.Claim, "claim2": w.Claim, "land": w.Land, "land2": w.Land,
			"wait": w.Wait, "begin": w.Begin, "commit": w.Commit, "unknown": w.Unknown, "crash": w.Crash, "replay": w.Replay,
		})
		w.drain(t)
	}
	for i := range 15 { // some faults show up once in a thousand runs
		t.Run(strconv.Itoa(i), func(t *testing.T) { rapid.Check(t, steps) })
	}
}
