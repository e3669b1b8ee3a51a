package scheduler

import (
	"bytes"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"waoutbox/outbox"
)

// what the model knows of one event's delivery. The rules here are its own: nothing is taken from
// the Scheduler but what it returns.
type modelDelivery struct {
	seq      outbox.Seq
	chat     uint64
	open     bool // read, and neither delivered nor dead
	inFlight *Delivery
	ended    outbox.State // while not open: Done (delivered) or Dead
	arrived  bool         // the endpoint has it, whatever was lost since
	attempts int          // spent since it was last made pending
	replays  int
	failures []byte    // one byte an attempt that failed, ever
	due      time.Time // of the next attempt
	stored   bool      // its last failure is on disk
}

// world drives a Scheduler by random steps beside a model of the disk and of the endpoint, and
// checks the promises at each step.
type world struct {
	t         *rapid.T
	s         *Scheduler
	now       time.Time
	slots     int
	unordered bool
	patient   int  // after how many attempts a delivery waits for the end of an outage; 0: never
	holds     bool // new deliveries are held back
	read      outbox.Seq

	events []*modelDelivery // the log; sequences have gaps

	next    outbox.Seq // on disk
	pending map[outbox.Seq]outbox.Record
	dead    map[outbox.Seq]outbox.Record

	cp *Checkpoint // being written
}

func newWorld(t *rapid.T) *world {
	w := &world{t: t, now: time.Unix(1_700_000_000, 0), next: 1, slots: rapid.IntRange(1, 6).Draw(t, "slots"),
		patient: rapid.IntRange(0, 3).Draw(t, "patient"), pending: map[outbox.Seq]outbox.Record{}, dead: map[outbox.Seq]outbox.Record{}}
	w.load()
	return w
}

// load is what a lane does at its start. The model forgets what is not on disk.
func (w *world) load() {
	w.s = New(w.next, w.now)
	w.s.SetUnordered(w.unordered)
	w.s.HoldNew(w.holds)
	w.read, w.cp = w.next, nil
	for _, m := range w.events {
		m.inFlight, m.open, m.ended = nil, false, outbox.Done
		if r, ok := w.pending[m.seq]; ok {
			m.open, m.stored = true, true
			m.attempts, m.replays, m.failures = r.Attempts, r.Replay, r.Log
			m.due = w.now.Add(min(max(0, r.Due.Sub(w.now)), []time.Duration{0, 1e9, 3e9, 10e9}[min(r.Attempts, 3)]))
			w.s.AddStored(r, m.due)
		} else if _, ok := w.dead[m.seq]; ok {
			m.ended = outbox.Dead
		} else if m.seq >= w.next {
			m.attempts, m.failures = 0, nil // it will be read again
		}
	}
	w.s.SetPatient(w.patient)
}

// spent reports whether a delivery has failed so often that, held back, it waits for a probe.
func (w *world) spent(m *modelDelivery) bool { return w.patient > 0 && m.attempts >= w.patient }

func (w *world) of(seq outbox.Seq) *modelDelivery {
	for _, m := range w.events {
		if m.seq == seq {
			return m
		}
	}
	w.t.Fatalf("%d was never appended", seq)
	return nil
}

func (w *world) inFlight() (out []*modelDelivery) {
	for _, m := range w.events {
		if m.inFlight != nil {
			out = append(out, m)
		}
	}
	return out
}

// Append writes an event, sometimes after a gap.
func (w *world) Append(t *rapid.T) {
	seq := outbox.Seq(1)
	if n := len(w.events); n > 0 {
		seq = w.events[n-1].seq + outbox.Seq(rapid.IntRange(1, 3).Draw(t, "gap"))
	}
	w.events = append(w.events, &modelDelivery{seq: seq, chat: rapid.Uint64Range(1, 4).Draw(t, "chat")})
}

// Read brings a few events into the Scheduler.
func (w *world) Read(t *rapid.T) {
	for range rapid.IntRange(1, 5).Draw(t, "n") {
		i := slices.IndexFunc(w.events, func(m *modelDelivery) bool { return m.seq >= w.read })
		if i < 0 {
			if n := len(w.events); n > 0 {
				w.s.SetRead(w.events[n-1].seq + 1)
			}
			return
		}
		m := w.events[i]
		w.read = m.seq + 1
		w.s.Add(outbox.Event{Seq: m.seq, Body: []byte("x")}, m.chat)
		m.open = true
	}
}

// Start starts attempts, as many as may.
func (w *world) Start(t *rapid.T) {
	for d := w.s.Start(w.now, w.slots); d != nil; d = w.s.Start(w.now, w.slots) {
		m := w.of(d.Seq)
		retries := 0
		for _, o := range w.inFlight() {
			if o.attempts+o.replays > 0 {
				retries++
			}
		}
		switch {
		case m.inFlight != nil || !m.open:
			t.Fatalf("%d starts although it is in flight, delivered or dead", d.Seq)
		case len(w.inFlight()) >= w.slots:
			t.Fatalf("%d in flight on %d slots", len(w.inFlight())+1, w.slots)
		case w.holds && (m.attempts == 0 || w.spent(m)):
			t.Fatalf("%d starts although new deliveries are held back", d.Seq)
		case d.Attempts() != m.attempts || d.Replay() != m.replays:
			t.Fatalf("%d starts as attempt %d, replay %d; want %d and %d", d.Seq, d.Attempts()+1, d.Replay(), m.attempts+1, m.replays)
		}
		if m.attempts+m.replays > 0 {
			if retries+1 > max(1, w.slots/2) {
				t.Fatalf("%d retries in flight on %d slots", retries+1, w.slots)
			}
			if r := w.pending[d.Seq]; !m.stored || r.Attempts != m.attempts || !bytes.Equal(r.Log, m.failures) {
				t.Fatalf("%d starts as attempt %d; on disk %+v", d.Seq, d.Attempts()+1, r)
			}
			if m.due.After(w.now) {
				t.Fatalf("%d starts %v too early", d.Seq, m.due.Sub(w.now))
			}
		}
		w.checkOrder(t, m)
		m.inFlight = d
	}
}

// Hold holds new deliveries back, one time in four, or no longer.
func (w *world) Hold(t *rapid.T) {
	w.holds = rapid.IntRange(0, 3).Draw(t, "hold") == 0
	w.s.HoldNew(w.holds)
	if w.holds {
		return
	}
	w.s.Hurry(w.now)
	for _, m := range w.events {
		if w.spent(m) && m.due.After(w.now) {
			m.due = w.now
		}
	}
}

// Probe starts one of the deliveries that are held back. It must not while anything that was
// attempted before is under way, and must when nothing else can happen.
func (w *world) Probe(t *rapid.T) {
	var candidates []*modelDelivery
	underWay := false
	for _, m := range w.events {
		first := m.open && m.seq < w.read || m.open && m.replays+m.attempts > 0
		for _, o := range w.events {
			_, stored := w.dead[o.seq]
			unstored := o.ended == outbox.Dead && !o.open && !stored && o.attempts > 0
			first = first && (o.seq >= m.seq || w.unordered || o.chat != m.chat || !o.open && !unstored)
		}
		underWay = underWay || m.inFlight != nil || first && m.attempts > 0 && !w.spent(m) && !m.due.After(w.now.Add(time.Minute))
		if first && (m.attempts == 0 || w.spent(m)) {
			candidates = append(candidates, m)
		}
	}
	d := w.s.Probe(w.now)
	switch {
	case d == nil:
		if w.holds && !underWay && len(candidates) > 0 && w.s.mustStore == 0 {
			t.Fatalf("nothing is under way, and %d does not probe", candidates[0].seq)
		}
		return
	case !w.holds || underWay:
		t.Fatalf("%d probes; held back %v, others under way %v", d.Seq, w.holds, underWay)
	}
	m := w.of(d.Seq)
	if !slices.Contains(candidates, m) {
		t.Fatalf("%d probes and is not one of %d that may", d.Seq, len(candidates))
	}
	w.checkOrder(t, m)
	m.inFlight = d
}

// checkOrder: in an ordered webhook no other of the chat is in flight, and no lower one is open, or
// dead and not on disk yet.
func (w *world) checkOrder(t *rapid.T, m *modelDelivery) {
	if w.unordered {
		return
	}
	for _, o := range w.events {
		if o == m || o.chat != m.chat {
			continue
		}
		if o.inFlight != nil {
			t.Fatalf("%d starts beside %d of the same chat", m.seq, o.seq)
		}
		if _, stored := w.dead[o.seq]; o.seq < m.seq && o.seq < w.read && (o.open || o.ended == outbox.Dead && !stored) {
			t.Fatalf("%d starts before %d of the same chat", m.seq, o.seq)
		}
	}
}

// End ends one attempt in a random way.
func (w *world) End(t *rapid.T) {
	flying := w.inFlight()
	if len(flying) == 0 {
		return
	}
	m := rapid.SampledFrom(flying).Draw(t, "which")
	d := m.inFlight
	m.inFlight = nil
	how := rapid.IntRange(0, 5).Draw(t, "how")
	if how == 0 {
		w.s.Release(d)
		return
	}
	if how > 2 {
		m.open, m.ended, m.arrived = false, outbox.Done, true
		w.s.Deliver(d, w.now)
		return
	}
	// The lane reads what is on disk of the attempts before; a delivery without any has no record.
	log := slices.Clone(w.pending[d.Seq].Log)
	log = append(log, byte(m.attempts))
	m.failures = append(slices.Clone(m.failures), byte(m.attempts))
	m.attempts++
	m.stored = false
	if waits := []time.Duration{0, 1e9, 3e9, 10e9}; how == 2 && (m.attempts < len(waits) || w.patient > 0) {
		m.due = w.now.Add(waits[min(m.attempts, len(waits)-1)])
		w.s.Fail(d, m.due, log)
		return
	}
	m.open, m.ended = false, outbox.Dead
	w.s.DeadLetter(d, m.attempts, "http", w.now, log)
}

// Wait lets time pass.
func (w *world) Wait(t *rapid.T) {
	w.now = w.now.Add(time.Duration(rapid.SampledFrom([]int{1, 5, 1000, 11000}).Draw(t, "ms")) * time.Millisecond)
}

// Begin starts a checkpoint when one is due.
func (w *world) Begin(t *rapid.T) {
	at, due := w.s.CheckpointAt()
	if w.cp != nil || !due || at.After(w.now) {
		return
	}
	c := w.s.Checkpoint(w.now, rapid.Bool().Draw(t, "force"))
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
	w.s.Committed(*w.cp, w.now)
	w.cp = nil
}

// Unknown writes the checkpoint although its writer is told nothing: it will be written again.
func (w *world) Unknown(*rapid.T) {
	if w.cp != nil {
		w.write(*w.cp)
	}
}

// write is the disk, with its own rules of what may follow what.
func (w *world) write(c Checkpoint) {
	if c.Next != 0 && c.Next < w.next {
		w.t.Fatalf("the cursor goes back from %d to %d", w.next, c.Next)
	}
	w.next = max(w.next, c.Next)
	for _, r := range c.Set {
		m := w.of(r.Seq)
		old, wasPending := w.pending[r.Seq]
		if _, wasDead := w.dead[r.Seq]; wasDead && r.State != outbox.Dead {
			w.t.Fatalf("%d was dead on disk and is made %s without a replay", r.Seq, r.State)
		}
		if r.State != outbox.Done && (r.Order != m.chat || r.Seq >= w.next) {
			w.t.Fatalf("record %+v of chat %d, cursor %d", r, m.chat, w.next)
		}
		if r.State != outbox.Done && !bytes.Equal(r.Log, m.failures[:min(len(m.failures), len(r.Log))]) {
			w.t.Fatalf("the log of %d is %v, want %v", r.Seq, r.Log, m.failures)
		}
		delete(w.pending, r.Seq)
		delete(w.dead, r.Seq)
		switch r.State {
		case outbox.Pending:
			if wasPending && r.Attempts < old.Attempts {
				w.t.Fatalf("%d goes back from %d attempts to %d", r.Seq, old.Attempts, r.Attempts)
			}
			w.pending[r.Seq] = r
			m.stored = m.stored || r.Attempts == m.attempts
		case outbox.Dead:
			if m.open || m.ended != outbox.Dead {
				w.t.Fatalf("%d is dead on disk, and not in truth", r.Seq)
			}
			if len(r.Log) != len(m.failures) {
				w.t.Fatalf("the log of the dead %d has %v, want %v", r.Seq, r.Log, m.failures)
			}
			w.dead[r.Seq] = r
		case outbox.Done:
			if m.open || !m.arrived {
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

// Replay makes one dead letter pending, as a lane does: between two checkpoints, whatever else is
// unsettled.
func (w *world) Replay(t *rapid.T) {
	if w.cp != nil || len(w.dead) == 0 {
		return
	}
	seqs := []outbox.Seq{}
	for s := range w.dead {
		seqs = append(seqs, s)
	}
	slices.Sort(seqs)
	r := w.dead[rapid.SampledFrom(seqs).Draw(t, "letter")]
	if w.s.Has(r.Seq) {
		t.Fatalf("%d is dead on disk and unfinished", r.Seq)
	}
	delete(w.dead, r.Seq)
	r.State, r.Attempts, r.Due, r.Replay = outbox.Pending, 0, w.now, r.Replay+1
	w.pending[r.Seq] = r
	w.s.AddStored(r, r.Due)
	m := w.of(r.Seq)
	m.open, m.arrived, m.attempts, m.replays, m.due, m.stored = true, false, 0, r.Replay, w.now, true
}

// Skip makes dead letters of the first deliveries that wait, and sometimes of all that is unread,
// as a lane does when nothing is under way.
func (w *world) Skip(t *rapid.T) {
	if w.cp != nil || len(w.inFlight()) > 0 || !w.s.Settled() {
		return
	}
	ds := w.s.Recorded()
	if n := rapid.IntRange(0, 3).Draw(t, "skipped"); len(ds) > n {
		ds = ds[:n]
	}
	dies := func(m *modelDelivery) {
		delete(w.pending, m.seq)
		w.dead[m.seq] = outbox.Record{Seq: m.seq, State: outbox.Dead, Attempts: m.attempts, Replay: m.replays, Order: m.chat, Log: m.failures}
		m.open, m.ended = false, outbox.Dead
	}
	for _, d := range ds {
		if m := w.of(d.Seq); !m.open {
			t.Fatalf("%d is skipped, and not open", d.Seq)
		}
		dies(w.of(d.Seq))
	}
	w.s.Skip(ds)
	if n := len(w.events); n > 0 && rapid.IntRange(0, 3).Draw(t, "all unread") == 0 {
		for _, m := range w.events {
			if m.seq >= w.next {
				dies(m)
			}
		}
		w.next = max(w.next, w.events[n-1].seq+1)
		w.read = max(w.read, w.next)
		w.s.SkipTo(w.next, w.now)
	}
}

// Switch makes an ordered webhook unordered or the reverse.
func (w *world) Switch(*rapid.T) {
	w.unordered = !w.unordered
	w.s.SetUnordered(w.unordered)
}

// Mutation of probe.go: probes start beside others.
// Mutation of chats.go: two of one chat at once.
// Mutation of patient.go: or which are in flight, or dead letters that are not on disk yet.
func TestSchedulerKeepsItsPromisesUnderRandomSteps(t *testing.T) {
	steps := func(t *rapid.T) {
		w := newWorld(t)
		t.Repeat(map[string]func(*rapid.T){
			"": w.check, "append": w.Append, "append2": w.Append, "read": w.Read, "start": w.Start, "start2": w.Start, "end": w.End, "end2": w.End,
			"wait": w.Wait, "begin": w.Begin, "commit": w.Commit, "unknown": w.Unknown, "crash": w.Crash, "replay": w.Replay, "switch": w.Switch,
			"hold": w.Hold, "probe": w.Probe, "skip": w.Skip,
		})
		w.drain(t)
	}
	for i := range 60 { // some faults show up once in a thousand runs
		t.Run(strconv.Itoa(i), func(t *testing.T) { rapid.Check(t, steps) })
	}
}
