package scheduler

import (
	"time"

	"pgregory.net/rapid"

	"waoutbox/outbox"
)

// check runs after every step: what is below the cursor on disk was delivered, is dead, or has a
// record.
func (w *world) check(t *rapid.T) {
	lowest := w.s.Lowest()
	if lowest > w.read {
		t.Fatalf("all below %d is finished, and read up to %d", lowest, w.read)
	}
	for _, m := range w.events {
		if _, stored := w.dead[m.seq]; m.seq < lowest && (m.open || m.ended == outbox.Dead && !stored) {
			t.Fatalf("%d is below %d, which says that all below is finished", m.seq, lowest)
		}
	}
	for _, m := range w.events {
		if m.seq >= w.next {
			break
		}
		_, pending := w.pending[m.seq]
		_, dead := w.dead[m.seq]
		if !pending && !dead && !m.arrived {
			t.Fatalf("%d is lost: below the cursor %d, not delivered, without a record", m.seq, w.next)
		}
		if pending && dead {
			t.Fatalf("%d is pending and dead", m.seq)
		}
	}
	retries := 0
	for _, m := range w.inFlight() {
		if m.attempts+m.replays > 0 {
			retries++
		}
	}
	if w.s.retriesInFlight != retries {
		t.Fatalf("%d retries in flight, want %d", w.s.retriesInFlight, retries)
	}
	if n := len(w.inFlight()); w.s.InFlight() != n {
		t.Fatalf("in flight %d, want %d", w.s.InFlight(), n)
	}
	for _, d := range w.s.all {
		if d.stage == waiting && len(d.log()) > 0 {
			t.Fatalf("%d waits and holds a log", d.Seq)
		}
	}
}

// drain lets everything succeed: in the end every event is delivered or dead, nothing is left, and
// no record remains.
func (w *world) drain(t *rapid.T) {
	w.Commit(t)
	for range 10_000 {
		w.Read(t)
		w.Start(t)
		w.Probe(t) // it may end held back
		for _, m := range w.inFlight() {
			w.s.Deliver(m.inFlight, w.now)
			m.inFlight, m.open, m.ended, m.arrived = nil, false, outbox.Done, true
		}
		w.now = w.now.Add(20 * time.Second)
		w.Begin(t)
		w.Commit(t)
		w.check(t)
		if n := len(w.events); w.s.Unfinished() == 0 && w.s.Unsettled() == 0 && (n == 0 || w.read > w.events[n-1].seq) {
			break
		}
	}
	for _, m := range w.events {
		if _, dead := w.dead[m.seq]; m.open || !m.arrived && !dead {
			t.Fatalf("%d was neither delivered nor is it dead", m.seq)
		}
	}
	if len(w.pending) != 0 || w.s.held != 0 || w.s.chats.last.used != 0 || len(w.s.above()) != 0 || w.s.mustStore != 0 {
		t.Fatalf("left behind: pending %v, bytes %d, queues %d, window %d, to store %d", w.pending, w.s.held, w.s.chats.last.used, len(w.s.above()), w.s.mustStore)
	}
}
