package dispatcher

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"waoutbox/outbox"
)

// witness keeps what an Observer is told.
type witness struct {
	mu       sync.Mutex
	attempts []AttemptEnd
	ends     []DeliveryEnd
}

func (w *witness) Attempted(a AttemptEnd) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.attempts = append(w.attempts, a)
}

func (w *witness) Ended(e DeliveryEnd) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ends = append(w.ends, e)
}

// outcomes lists the attempts of a sequence as "replay/attempt outcome class".
func (w *witness) outcomes(seq outbox.Seq) (out []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.attempts {
		if a.Seq == seq {
			out = append(out, fmt.Sprintf("%d/%d %s %s", a.Replay, a.Attempt, a.Outcome, a.Result.Class))
		}
	}
	return out
}

func (w *witness) endsOf(seq outbox.Seq) (out []DeliveryEnd) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.ends {
		if e.Seq == seq {
			out = append(out, e)
		}
	}
	return out
}

// panics is an Observer that does nothing else.
type panics struct{}

func (panics) Attempted(AttemptEnd) { panic("observer") }
func (panics) Ended(DeliveryEnd)    { panic("observer") }

// TestAnObserverIsToldOfEveryEnd: attempts with their outcome, deliveries once each, replays with
// their number; one that panics changes nothing.
func TestAnObserverIsToldOfEveryEnd(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		works, reply := switchable()
		w := &witness{}
		r := newRig(t, func(ctx context.Context, q Request) Result {
			switch {
			case q.Event.Chat == "local" && q.Attempt == 1 && !works.Load():
				return Result{Class: outbox.ClassLocal, Message: "no descriptors"}
			case q.Event.Chat == "down":
				return after(time.Second, reply)(ctx, q)
			}
			return after(time.Second, ok)(ctx, q)
		}, func(o *Options) { o.Observers = []Observer{panics{}, w} })
		r.hookSub(outbox.Webhook{Schedule: []time.Duration{0, time.Second}})
		r.run()
		seqs := r.append("good", "down", "local")
		r.idle(1500 * time.Millisecond)
		works.Store(false)
		r.idle(10 * time.Second)
		works.Store(true)
		if _, _, err := r.d.Replay(t.Context(), subA, seqs[1:2]); err != nil {
			t.Fatal(err)
		}
		r.idle(10 * time.Second)
		for seq, want := range map[outbox.Seq][]string{
			seqs[0]: {"0/1 delivered ok"},
			seqs[1]: {"0/1 retry http", "0/2 dead http", "1/1 delivered ok"},
		} {
			if got := w.outcomes(seq); !slices.Equal(got, want) {
				t.Errorf("attempts of %d: %q, want %q", seq, got, want)
			}
		}
		if got := w.outcomes(seqs[2]); got[0] != "0/1 not attempted local" || got[len(got)-1] != "0/1 delivered ok" {
			t.Errorf("attempts of our own failure: %q", got)
		}
		for seq, want := range map[outbox.Seq][]DeliveryEnd{
			seqs[0]: {{Sub: subA, Seq: seqs[0], Count: 1, Class: outbox.ClassOK}},
			seqs[1]: {
				{Sub: subA, Seq: seqs[1], Count: 1, Dead: true, Reason: "503", Class: outbox.ClassHTTP},
				{Sub: subA, Seq: seqs[1], Count: 1, Replay: 1, Class: outbox.ClassOK},
			},
			seqs[2]: {{Sub: subA, Seq: seqs[2], Count: 1, Class: outbox.ClassOK}},
		} {
			if got := w.endsOf(seq); !slices.Equal(got, want) {
				t.Errorf("ends of %d: %+v, want %+v", seq, got, want)
			}
		}
		first := w.attempts[slices.IndexFunc(w.attempts, func(a AttemptEnd) bool { return a.Seq == seqs[0] })]
		if first.Sub != subA || first.Event != "message.received" || first.Took != time.Second || !r.at(first.Start.Sub(r.end.start), 0) || first.Result.Status != 200 {
			t.Errorf("attempt %+v", first)
		}
	})
}

// TestAnObserverIsToldOfDeathsWithoutAnAttempt: skipped, removed, and no longer kept, in a running
// lane and without one.
func TestAnObserverIsToldOfDeathsWithoutAnAttempt(t *testing.T) {
	for _, running := range []bool{true, false} {
		everywhere(t, func(t *testing.T) {
			w := &witness{}
			r := newRig(t, fails, func(o *Options) { o.Observers = []Observer{w} })
			r.run()
			seqs := r.append("a", "a", "a", "a")
			r.idle(time.Second / 2)
			r.must(r.d.Pause(t.Context(), subA, "holiday"))
			r.idle(time.Second)
			if !running {
				r.stop()
				r.d = New(r.opt)
			}
			if _, err := r.d.SkipToNow(t.Context(), subA); err != nil {
				t.Fatal(err)
			}
			r.must(r.d.Pause(t.Context(), subA, "holiday"))
			later := r.append("a", "a")
			r.remove()
			if _, err := r.d.DeadLetterBacklog(t.Context(), subA); err != nil {
				t.Fatal(err)
			}
			want := []DeliveryEnd{
				{Sub: subA, Seq: seqs[0], Count: 1, Dead: true, Reason: ReasonSkipped},
				{Sub: subA, Seq: seqs[1], Count: 3, Dead: true, Reason: ReasonSkipped},
				{Sub: subA, Seq: later[0], Count: 2, Dead: true, Reason: ReasonUnregistered},
			}
			if !slices.Equal(w.ends, want) {
				t.Errorf("running %v: %+v, want %+v", running, w.ends, want)
			}
			r.stop()
		})
	}
}

// TestAReplayIsToldHowEachDeliveryEnded: what runs a replay counts by these ends alone.
//
// Mutation of finish.go: a replay is not told how its deliveries ended.
func TestAReplayIsToldHowEachDeliveryEnded(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		works, reply := switchable()
		w := &witness{}
		r := newRig(t, func(ctx context.Context, q Request) Result {
			if q.Event.Chat == "poison" {
				return status(500)
			}
			return reply(ctx, q)
		}, func(o *Options) { o.Observers = []Observer{w} })
		r.run()
		seqs := r.append("poison", "a", "b", "c")
		r.idle(time.Minute)
		works.Store(true)
		if _, _, err := r.d.Replay(t.Context(), subA, seqs); err != nil {
			t.Fatal(err)
		}
		r.idle(5 * time.Second)
		r.restart() // in the middle of the poison's schedule
		r.idle(time.Minute)
		for _, seq := range seqs {
			ends := w.endsOf(seq)
			if len(ends) != 2 || ends[1].Replay != 1 || ends[1].Dead != (seq == seqs[0]) {
				t.Errorf("%d ended %+v", seq, ends)
			}
		}
	})
}

// laneWitness keeps which lanes have ended, and what it was told after that.
type laneWitness struct {
	witness
	ended []outbox.SubID
	late  int
}

func (w *laneWitness) Attempted(a AttemptEnd) { w.note(); w.witness.Attempted(a) }
func (w *laneWitness) Ended(e DeliveryEnd)    { w.note(); w.witness.Ended(e) }

func (w *laneWitness) note() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.ended) > 0 {
		w.late++
	}
}

func (w *laneWitness) LaneEnded(id outbox.SubID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = append(w.ended, id)
}

// TestAnObserverIsToldThatALaneEnded: after everything else, what the removal dead-letters
// included; one that does not ask for it, and one that panics, change nothing.
func TestAnObserverIsToldThatALaneEnded(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		w := &laneWitness{}
		r := newRig(t, fails, func(o *Options) { o.Observers = []Observer{panics{}, &witness{}, w} })
		r.run()
		r.append("a", "a", "b")
		r.idle(time.Second / 2)
		r.remove()
		r.must(r.d.Sync(t.Context(), subA))
		r.idle(time.Minute)
		if !slices.Equal(w.ended, []outbox.SubID{subA}) || w.late > 0 || len(w.ends) == 0 || len(w.attempts) == 0 {
			t.Errorf("ended %q, %d calls after it, %d ends, %d attempts", w.ended, w.late, len(w.ends), len(w.attempts))
		}
		r.stop()
	})
}

// TestAnObserverIsToldOfAnOutage: the dead letters with which a webhook is failing are marked.
func TestAnObserverIsToldOfAnOutage(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		w := &witness{}
		r := newRig(t, fails, func(o *Options) { o.Observers = []Observer{w} })
		r.hookSub(outbox.Webhook{HoldAfter: new(3), Schedule: []time.Duration{0}})
		r.run()
		r.append("a", "a", "a", "a", "a")
		r.idle(time.Minute)
		if len(w.ends) < 4 {
			t.Fatalf("%d ends", len(w.ends))
		}
		for i, e := range w.ends {
			if !e.Dead || e.Failing != (i >= 2) {
				t.Errorf("dead letter %d: %+v", i+1, e)
			}
		}
	})
}
