package dispatcher

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"waoutbox/outbox"
)

func TestHappyPathDeliversInOrderAndLeavesNothing(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, ok)
		r.append("alice", "bob", "alice") // before the start
		r.run()
		seqs := r.append("alice", "bob", "alice")
		r.idle(time.Second)
		got := r.end.all()
		if alice, bob := r.end.of("alice"), r.end.of("bob"); len(got) != 6 || !slices.Equal(alice, []outbox.Seq{1, 3, 4, 6}) || !slices.Equal(bob, []outbox.Seq{2, 5}) {
			t.Fatalf("got %+v", got)
		}
		if len(r.pending()) != 0 || len(r.dead()) != 0 || r.next() != seqs[2]+1 {
			t.Errorf("pending %v, dead %v, next %d", r.pending(), r.dead(), r.next())
		}
		r.restart()
		r.idle(time.Second)
		if n := len(r.end.all()); n != len(got) {
			t.Errorf("a restart repeated %d settled deliveries", n-len(got))
		}
	})
}

func TestNothingIsWrittenPerDeliveryOnTheHappyPath(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		var records atomic.Int64
		r := newRig(t, after(time.Millisecond, ok))
		r.opt.Source = countRecords{r.opt.Source, &records}
		r.d = New(r.opt)
		r.run()
		for range 50 {
			r.append("alice", "bob", "carol")
			r.idle(10 * time.Millisecond)
		}
		r.idle(time.Second)
		if len(r.end.all()) != 150 || records.Load() != 0 {
			t.Errorf("%d deliveries wrote %d records", len(r.end.all()), records.Load())
		}
	})
}

type countRecords struct {
	Source
	n *atomic.Int64
}

func (c countRecords) Commit(ctx context.Context, ch outbox.Change) error {
	c.n.Add(int64(len(ch.Set)))
	return c.Source.Commit(ctx, ch)
}

func TestOrderPerChatThroughRetries(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, func(ctx context.Context, q Request) Result {
			if q.Event.Chat == "alice" && q.Event.Seq == 1 && q.Attempt < 4 {
				return status(500)
			}
			return after(20*time.Millisecond, ok)(ctx, q)
		})
		r.run()
		r.append("alice", "bob", "alice", "bob", "alice")
		r.idle(time.Second / 2)
		for _, s := range r.end.all() {
			if s.Chat == "alice" && s.Seq != 1 {
				t.Errorf("%d of alice was sent while 1 waits for its retry", s.Seq)
			}
		}
		r.idle(time.Minute)
		alice, bob := r.end.of("alice"), r.end.of("bob")
		if want := []outbox.Seq{1, 1, 1, 1, 3, 5}; !slices.Equal(alice, want) {
			t.Errorf("alice: %v, want %v", alice, want)
		}
		if want := []outbox.Seq{2, 4}; !slices.Equal(bob, want) {
			t.Errorf("bob: %v, want %v", bob, want)
		}
		if r.end.overlap {
			t.Error("two attempts of one chat at once")
		}
	})
}

// Mutation of finish.go: a delivery that has spent its schedule counts as delivered.
func TestADeadLetterDoesNotBlockItsChat(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, func(ctx context.Context, q Request) Result {
			if q.Event.Seq == 1 {
				return status(500)
			}
			return ok(ctx, q)
		})
		r.run()
		r.append("alice", "alice")
		r.idle(13 * time.Second)
		if got := r.end.seqs(); slices.Contains(got, 2) {
			t.Fatalf("2 overtook 1: %v", got)
		}
		r.idle(5 * time.Second)
		if want := []outbox.Seq{1, 1, 1, 1, 2}; !slices.Equal(r.end.seqs(), want) {
			t.Errorf("sent %v, want %v", r.end.seqs(), want)
		}
		if d := r.dead(); len(d) != 1 || d[0].Reason != "500" || d[0].At.IsZero() {
			t.Errorf("dead %+v", d)
		}
		if s := r.d.State(subA); s.Deaths != 0 {
			t.Errorf("deaths in a row %d after a 2xx", s.Deaths)
		}
	})
}

// Mutation of dispatcher/scheduler/scheduler.go: a restart begins again at attempt 1.
func TestARestartGoesOnAtAttempt3(t *testing.T) {
	for name, end := range map[string]func(*rig){
		"stop": func(r *rig) { r.restart() },
		"kill": func(r *rig) { r.crash(); r.run() },
	} {
		everywhere(t, func(t *testing.T) {
			r := newRig(t, fails)
			r.run()
			r.append("alice")
			r.idle(2 * time.Second) // attempts 1 and 2 are over, 3 is due at 4 s
			end(r)
			if p := r.pending(); len(p) != 1 || p[0].Attempts != 2 {
				t.Fatalf("%s: on disk %+v", name, p)
			}
			r.idle(time.Minute)
			var at []time.Duration
			for i, s := range r.end.all() {
				at = append(at, s.At)
				if s.Attempt != i+1 {
					t.Errorf("%s: attempt %d has number %d", name, i+1, s.Attempt)
				}
			}
			if want := []time.Duration{0, 1e9, 4e9, 14e9}; !r.times(at, want) {
				t.Errorf("%s: attempts at %v, want %v", name, at, want)
			}
			r.stop()
		})
	}
}

func TestACrashRepeatsTheAttemptInFlightUnderItsNumber(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, func(ctx context.Context, q Request) Result {
			if q.Attempt == 1 {
				return status(500)
			}
			return after(8*time.Second, ok)(ctx, q)
		}, func(o *Options) { o.Drain = time.Second })
		r.run()
		r.append("alice")
		r.idle(3 * time.Second) // attempt 2 is in flight since 1 s
		r.restart()             // cut off after a second
		r.idle(time.Minute)
		var n []int
		for _, s := range r.end.all() {
			n = append(n, s.Attempt)
		}
		if want := []int{1, 2, 2}; !slices.Equal(n, want) {
			t.Errorf("attempt numbers %v, want %v", n, want)
		}
	})
}

func TestDrainFinishesWhatIsInFlightAndTakesNothingNew(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, after(5*time.Second, ok))
		r.run()
		r.append("alice", "alice")
		r.idle(time.Second)
		begin := time.Now()
		r.stop()
		if took := time.Since(begin); !r.at(took, 4*time.Second) {
			t.Errorf("drained in %v, want 4 s", took)
		}
		if got := r.end.seqs(); !slices.Equal(got, []outbox.Seq{1}) {
			t.Errorf("sent %v", got)
		}
		if r.next() != 2 || len(r.pending()) != 0 {
			t.Errorf("next %d, pending %v: the delivery was not settled", r.next(), r.pending())
		}
	})
}

// Mutation of lane.go: a stop waits for attempts longer than it may.
func TestDrainAbortsAtItsDeadline(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, after(time.Hour, ok), func(o *Options) { o.Drain = 3 * time.Second })
		r.run()
		r.append("alice")
		r.idle(time.Second)
		begin := time.Now()
		r.stop()
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("stopped after %v, want 3 s", took)
		}
		if r.next() > 1 || len(r.dead()) != 0 {
			t.Errorf("next %d, dead %v: an attempt that was cut off cost something", r.next(), r.dead())
		}
	})
}

func TestRetryAfterGatesTheWholeLane(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, func(ctx context.Context, q Request) Result {
			if q.Event.Seq == 1 && q.Attempt == 1 {
				return Result{Class: outbox.ClassHTTP, Status: 429, RetryAfter: 30 * time.Second}
			}
			return ok(ctx, q)
		})
		r.run()
		r.append("alice")
		r.idle(time.Second)
		r.append("bob")
		r.idle(time.Second)
		if s := r.d.State(subA); s.Status != StatusHeld || !r.at(s.Until.Sub(r.end.start), 30*time.Second) {
			t.Errorf("state %+v", s)
		}
		r.restart() // the gate is on disk
		r.idle(time.Minute)
		got := r.end.all()
		if len(got) != 3 {
			t.Fatalf("sent %+v", got)
		}
		for _, s := range got[1:] {
			if late := s.At - 30*time.Second; late < 0 || late > 12*r.delay {
				t.Errorf("%d at %v, want 30 s", s.Seq, s.At)
			}
			if s.Seq == 2 && s.Attempt != 1 {
				t.Error("waiting cost bob's event an attempt")
			}
		}
	})
}

// Mutation of finish.go: an endpoint may ask for any wait.
func TestRetryAfterNeverShortensAndIsCapped(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, func(_ context.Context, q Request) Result {
			return Result{Class: outbox.ClassHTTP, Status: 503, RetryAfter: []time.Duration{time.Millisecond, time.Hour, 0, 0}[q.Attempt-1]}
		})
		r.run()
		r.append("alice")
		r.idle(time.Hour)
		var at []time.Duration
		for _, s := range r.end.all() {
			at = append(at, s.At)
		}
		if want := []time.Duration{0, time.Second, 301 * time.Second, 311 * time.Second}; !r.times(at, want) {
			t.Errorf("attempts at %v, want %v", at, want)
		}
	})
}

// Mutation of outcome.go: an endpoint that says it is gone for good is asked again.
func TestGoneDeadLettersAtOnceAndPauses(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		gone := true
		r := newRig(t, func(ctx context.Context, q Request) Result {
			if gone {
				return status(410)
			}
			return ok(ctx, q)
		})
		r.run()
		r.append("alice")
		r.idle(time.Second)
		r.append("bob")
		r.idle(time.Minute)
		if got := r.end.seqs(); len(got) != 1 {
			t.Errorf("sent %v", got)
		}
		if d := r.dead(); len(d) != 1 || d[0].Attempts != 1 || d[0].Reason != "410" {
			t.Errorf("dead %+v", d)
		}
		r.restart() // a pause survives
		r.idle(time.Minute)
		if s := r.d.State(subA); s.Status != StatusPaused || !strings.Contains(s.Reason, "410") {
			t.Errorf("state %+v", s)
		}
		gone = false
		r.must(r.d.Resume(t.Context(), subA))
		r.idle(time.Second)
		if got := r.end.seqs(); !slices.Equal(got, []outbox.Seq{1, 2}) || r.d.State(subA).Status != StatusActive {
			t.Errorf("after resume: sent %v, %+v", got, r.d.State(subA))
		}
	})
}

func TestOurFailuresHoldAndCostNothing(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, func(ctx context.Context, q Request) Result {
			if time.Now().Before(q.Event.Time.Add(4 * time.Minute)) {
				return Result{Class: outbox.ClassAddress, Message: "169.254.169.254 is a link-local address"}
			}
			return ok(ctx, q)
		})
		r.run()
		r.append("alice", "bob")
		r.idle(2 * time.Second)
		first := r.d.State(subA)
		if first.Status != StatusHeld || !strings.Contains(first.Reason, "link-local") {
			t.Errorf("state %+v", first)
		}
		// It is one trouble: its alarm does not begin anew with every wait. Before, the second was
		// 62 s younger than the first.
		r.idle(98 * time.Second)
		if s := r.d.State(subA); s.Status != StatusHeld || !s.Since.Equal(first.Since) {
			t.Errorf("held since %v, then since %v", first.Since, s.Since)
		}
		r.idle(10 * time.Minute)
		var at []time.Duration
		for _, s := range r.end.all() {
			if s.Attempt != 1 {
				t.Fatalf("an attempt was spent: %+v", s)
			}
			if s.Chat == "alice" {
				at = append(at, s.At)
			}
		}
		want := []time.Duration{0, 1e9, 3e9, 7e9, 15e9, 31e9, 63e9, 123e9, 183e9, 243e9}
		if !r.times(at, want) {
			t.Errorf("tried at %v, want %v", at, want)
		}
		if len(r.dead()) != 0 || r.next() != 3 {
			t.Errorf("dead %v, next %d", r.dead(), r.next())
		}
	})
}

// Mutation of attempt.go: a panic of one webhook's sender ends the process of all.
func TestAPanicWhileSendingCountsAndEndsDead(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, func(ctx context.Context, q Request) Result {
			if q.Event.Chat == "poison" {
				panic("poison event")
			}
			return ok(ctx, q)
		})
		r.run()
		r.append("poison", "alice")
		r.idle(time.Minute)
		d := r.dead()
		if len(d) != 1 || d[0].Reason != string(outbox.ClassInternal) || d[0].Attempts != 4 || r.next() != 3 {
			t.Errorf("dead %+v, next %d", d, r.next())
		}
	})
}

// Mutation of lane.go: while settlements cannot be written, deliveries go on and will be repeated.
func TestWhileSettlementsFailNothingIsClaimed(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, ok)
		r.run()
		var broken atomic.Bool
		broken.Store(true)
		r.fake.Hook(func(op string) error {
			if op == "Commit" && broken.Load() {
				return outbox.ErrFull
			}
			return nil
		})
		r.append("alice")
		r.idle(100*time.Millisecond + 10*r.delay)
		r.append("bob")
		r.idle(30 * time.Second)
		if got := r.end.seqs(); !slices.Equal(got, []outbox.Seq{1}) {
			t.Errorf("sent %v while nothing could be settled", got)
		}
		// Before: "Since:0001-01-01".
		if s := r.d.State(subA); s.Status != StatusHeld || !strings.Contains(s.Reason, "full") || s.Since.IsZero() || s.Since.Sub(r.end.start) > time.Second+8*r.delay {
			t.Errorf("state %+v", s)
		}
		broken.Store(false)
		r.idle(2 * time.Minute)
		if got := r.end.seqs(); !slices.Equal(got, []outbox.Seq{1, 2}) || r.next() != 3 {
			t.Errorf("sent %v, next %d", got, r.next())
		}
	})
}

// TestWhatOurStopCutsOffCostsNothing: whatever a sender makes of an attempt that our stop ended, a
// reset here, it is sent again under the same number, and no failure of the endpoint's: before, the
// log warned of it at each stop.
//
// Mutation of finish.go: what our stop cuts off costs an attempt.
func TestWhatOurStopCutsOffCostsNothing(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		var out bytes.Buffer
		r := newRig(t, func(ctx context.Context, _ Request) Result {
			<-ctx.Done()
			return Result{Class: outbox.ClassReset, Message: "connection reset"}
		}, func(o *Options) { o.Drain = 3 * time.Second }, logInto(&out))
		r.run()
		r.append("alice")
		r.idle(time.Second)
		r.stop()
		r.run()
		r.idle(time.Second)
		r.stop()
		got := r.end.all()
		if len(got) != 2 || got[0].Attempt != 1 || got[1].Attempt != 1 {
			t.Errorf("sent %+v, want attempt 1 twice", got)
		}
		if strings.Contains(out.String(), `"WARN","msg":"delivery attempted"`) {
			t.Errorf("a stop is a warning:\n%s", out.String())
		}
	})
}

// TestWhatComesInDoesNotHoldUpWhatIsThere: a lane reads, and sends what it has read, before it
// reads again. Before, far away, the first was sent when nothing more came in: "sent 0 of 100".
func TestWhatComesInDoesNotHoldUpWhatIsThere(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, ok)
		r.run()
		for range 100 {
			r.append("alice")
			r.idle(20 * time.Millisecond)
		}
		if n := len(r.end.all()); n < 5 {
			t.Errorf("sent %d of 100", n)
		}
	})
}
