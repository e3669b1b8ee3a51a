package dispatcher

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"waoutbox/outbox"
)

// redriveRig has an endpoint that is down, whose webhook is redriven, and lets n of its events die.
func redriveRig(t *testing.T, n int, h outbox.Webhook) (*rig, *downUntil) {
	r, down := newDownRig(t)
	r.hookSub(h)
	r.run()
	for i := range n {
		r.append(fmt.Sprintf("chat %d", i%5))
	}
	for r.letters() < n {
		r.idle(3 * time.Minute)
	}
	return r, down
}

// replayNumbers of everything sent, by sequence.
func (r *rig) replayNumbers() map[outbox.Seq][]int {
	out := map[outbox.Seq][]int{}
	for _, s := range r.end.all() {
		if s.Attempt == 1 {
			out[s.Seq] = append(out[s.Seq], s.Replay)
		}
	}
	return out
}

// TestRedrive: after the outage its letters come by themselves, once, in order, as replays; without
// it they stay. A poison event dies a second time and stays dead.
func TestRedrive(t *testing.T) {
	for _, redrive := range []bool{true, false} {
		everywhere(t, func(t *testing.T) {
			const n = 30
			r, down := redriveRig(t, n, outbox.Webhook{Redrive: redrive, HoldAfter: new(3)})
			if s := r.d.State(subA); s.Status != StatusFailing {
				t.Fatalf("state %+v", s)
			}
			reply := r.end.reply
			r.end.reply = func(ctx context.Context, q Request) Result {
				if q.Event.Seq == 7 {
					return status(500)
				}
				return reply(ctx, q)
			}
			down.up.Store(true)
			r.append("chat 0") // the probe
			r.idle(10 * time.Minute)
			want, replays := 1, 0
			if redrive {
				want, replays = n, 1
			}
			if got := down.arrived(); len(got) != want || r.letters() != n+1-want {
				t.Errorf("redrive %v: %d arrived, %d dead: %v", redrive, len(got), r.letters(), got)
			} else {
				r.inOrder(got[1:], 5)
			}
			for seq, numbers := range r.replayNumbers() {
				if seq <= n && numbers[len(numbers)-1] != replays {
					t.Errorf("redrive %v: replay numbers of %d: %v", redrive, seq, numbers)
				}
			}
			if s := r.d.State(subA); s.Status != StatusActive || s.Reason != "" || s.Unfinished != 0 {
				t.Errorf("redrive %v: state %+v", redrive, s)
			}
			r.stop()
		})
	}
}

// TestRedriveTakesTheLettersOfTheOutageAlone: not those of before, not those that died of what does
// not pass, not what was replayed once already.
//
// Mutation of redrive.go: a letter that died again after a redrive is redriven for ever.
// Mutation of redrive.go: a redrive takes letters from before the outage.
func TestRedriveTakesTheLettersOfTheOutageAlone(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		var answer atomic.Int64
		answer.Store(500)
		r := newRig(t, func(context.Context, Request) Result {
			if code := int(answer.Load()); code != 200 {
				return status(code)
			}
			return Result{Class: outbox.ClassOK, Status: 200}
		})
		r.hookSub(outbox.Webhook{Redrive: true, HoldAfter: new(3)})
		r.run()
		lets := func(code int, replay ...outbox.Seq) outbox.Seq {
			answer.Store(int64(code))
			if len(replay) > 0 {
				if _, _, err := r.d.Replay(t.Context(), subA, replay); err != nil {
					t.Fatal(err)
				}
			} else {
				replay = r.append("chat")
			}
			r.idle(3 * time.Minute)
			return replay[0]
		}
		old := lets(500)
		lets(200)
		notFound, unavailable := lets(404), lets(503)
		again := lets(503)
		tooMany := lets(429)
		if s := r.d.State(subA); s.Status != StatusFailing {
			t.Fatalf("state %+v", s)
		}
		lets(502, again)
		lets(200)
		var dead []outbox.Seq
		for _, d := range r.dead() {
			dead = append(dead, d.Seq)
		}
		if want := []outbox.Seq{old, notFound, again}; !slices.Equal(dead, want) {
			t.Errorf("still dead %v, want %v", dead, want)
		}
		got := r.end.seqs()
		if got = got[len(got)-2:]; !slices.Equal(got, []outbox.Seq{unavailable, tooMany}) {
			t.Errorf("redriven %v", got)
		}
	})
}

// TestRedriveSurvivesAKill at any of its writes: nothing is redriven a second time.
//
// Mutation of gate.go: a redrive that a crash cut off is forgotten.
func TestRedriveSurvivesAKill(t *testing.T) {
	for kill := range 12 {
		everywhere(t, func(t *testing.T) {
			const n = 300 // three steps
			r, down := redriveRig(t, n, outbox.Webhook{Redrive: true, HoldAfter: new(1), Schedule: []time.Duration{0}})
			down.up.Store(true)
			commits := 0
			var killed atomic.Bool
			r.fake.Hook(func(op string) error {
				if op == "Commit" {
					if commits++; commits > kill {
						killed.Store(true)
						return outbox.ErrClosed
					}
				}
				return nil
			})
			r.append("chat 0")
			r.idle(5 * time.Minute)
			if killed.Load() {
				r.crash()
				r.run()
			} else {
				r.fake.Hook(nil)
			}
			r.append("chat 0")
			r.idle(5 * time.Minute)
			if r.letters() != 0 || len(r.pending()) != 0 {
				t.Errorf("kill at write %d: %d dead, %d pending", kill, r.letters(), len(r.pending()))
			}
			for seq, numbers := range r.replayNumbers() {
				if slices.Max(numbers) > 1 {
					t.Errorf("kill at write %d: %d was replayed twice: %v", kill, seq, numbers)
				}
			}
			r.restart()
			sent := len(r.end.all())
			r.idle(5 * time.Minute)
			if len(r.end.all()) != sent {
				t.Errorf("kill at write %d: a second round after a restart", kill)
			}
			r.stop()
		})
	}
}

// TestRedriveInASecondOutage waits for its end, and takes the letters of both; what dies in it a
// second time stays dead.
func TestRedriveInASecondOutage(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		const n = 300
		r, down := redriveRig(t, n, outbox.Webhook{Redrive: true, HoldAfter: new(3), Schedule: []time.Duration{0, time.Second}})
		reply := r.end.reply
		var left atomic.Int64 // how many more it takes
		r.end.reply = func(ctx context.Context, q Request) Result {
			if left.Add(-1) < 0 {
				down.up.Store(false)
			}
			return after(10*time.Millisecond, reply)(ctx, q)
		}
		left.Store(50)
		down.up.Store(true)
		r.append("chat 0")
		r.idle(10 * time.Minute)
		if s := r.d.State(subA); s.Status != StatusFailing {
			t.Fatalf("state %+v, %d letters", s, r.letters())
		}
		again := 0
		for _, d := range r.dead() {
			again += d.Replay
		}
		if again < 3 {
			t.Fatalf("%d died again", again)
		}
		left.Store(1 << 40)
		down.up.Store(true)
		r.append("chat 0")
		r.idle(10 * time.Minute)
		if got := r.letters(); got != again {
			t.Errorf("%d are still dead, %d died again", got, again)
		}
		for _, d := range r.dead() {
			if d.Replay != 1 {
				t.Errorf("still dead %+v", d)
			}
		}
	})
}

// TestWhatEndsAnOutageForARedrive: a test that succeeds starts it, resume does not until the next
// 2xx; without the setting nothing does, and switched off it stops.
func TestWhatEndsAnOutageForARedrive(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		const n = 6
		r, down := redriveRig(t, n, outbox.Webhook{Redrive: true, HoldAfter: new(3)})
		r.must(r.d.Resume(context.Background(), subA))
		r.idle(time.Minute)
		if r.letters() != n {
			t.Errorf("resume alone redrives: %d letters", r.letters())
		}
		down.up.Store(true)
		r.must(r.d.Recovered(context.Background(), subA))
		r.idle(time.Minute)
		if got := down.arrived(); len(got) != n || r.letters() != 0 {
			t.Errorf("a test that succeeded: %d arrived, %d letters", len(got), r.letters())
		}
	})
	everywhere(t, func(t *testing.T) {
		const n = 6
		r, down := redriveRig(t, n, outbox.Webhook{Redrive: true, HoldAfter: new(3)})
		r.must(r.d.Pause(context.Background(), subA, "holiday"))
		down.up.Store(true)
		r.must(r.d.Recovered(context.Background(), subA))
		r.idle(time.Minute)
		if len(down.arrived()) != 0 {
			t.Error("a paused webhook is redriven")
		}
		r.hookSub(outbox.Webhook{HoldAfter: new(3)})
		r.must(r.d.Resume(context.Background(), subA))
		r.hookSub(outbox.Webhook{Redrive: true, HoldAfter: new(3)})
		r.idle(time.Minute)
		if len(down.arrived()) != 0 || r.letters() != n {
			t.Error("it is redriven although that was switched off")
		}
	})
}

// TestRedriveWaitsWhenLettersCannotBeRead, and goes on.
func TestRedriveWaitsWhenLettersCannotBeRead(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		const n = 6
		r, down := redriveRig(t, n, outbox.Webhook{Redrive: true, HoldAfter: new(3)})
		asked := 0
		r.fake.Hook(func(op string) error {
			if op == "Dead" {
				asked++
				return fmt.Errorf("the disk is gone")
			}
			return nil
		})
		down.up.Store(true)
		r.append("chat 0")
		r.idle(30 * time.Second)
		if asked < 4 || asked > 6 {
			t.Errorf("asked %d times in 30 s", asked)
		}
		r.fake.Hook(nil)
		r.idle(time.Minute)
		if r.letters() != 0 {
			t.Errorf("%d letters", r.letters())
		}
	})
}

func TestPassingReasons(t *testing.T) {
	for reason, want := range map[string]bool{
		"500": true, "503": true, "599": true, "429": true, "408": true, "timeout": true, "refused": true, "reset": true, "dns": true, "tls": true, "network": true,
		"400": false, "401": false, "404": false, "410": false, "302": false, "redirect": false, "internal": false, "http": false,
		"corrupt": false, ReasonExpired: false, ReasonSkipped: false, ReasonUnregistered: false, "": false, "ok": false, "address": false, "local": false,
	} {
		if got := passing(reason); got != want {
			t.Errorf("%q: %v", reason, got)
		}
	}
}

// TestStopRedrive: what is not pending yet stays dead, what is goes on, and it is counted.
func TestStopRedrive(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		const n = 300
		r, down := redriveRig(t, n, outbox.Webhook{Redrive: true, HoldAfter: new(1), Schedule: []time.Duration{0}})
		r.end.reply = func(ctx context.Context, q Request) Result {
			return after(time.Second, down.reply)(ctx, q)
		}
		if stopped, err := r.d.StopRedrive(t.Context(), subA); stopped || err != nil {
			t.Errorf("stopped %v before there was one, %v", stopped, err)
		}
		down.up.Store(true)
		r.append("chat 0") // the probe
		for r.d.State(subA).Redrive.Delivered == 0 {
			r.idle(time.Second)
		}
		if d := r.d.State(subA).Redrive; d.Begun.IsZero() || !d.Ended.IsZero() || d.Queued == 0 || d.Delivered == 0 {
			t.Errorf("while it runs: %+v", d)
		}
		stopped := false
		r.untilDone("stop", func() (err error) { s, err := r.d.StopRedrive(t.Context(), subA); stopped = stopped || s; return err })
		if !stopped {
			t.Error("nothing was stopped")
		}
		r.idle(10 * time.Minute)
		d := r.d.State(subA).Redrive
		if !d.Stopped || d.Ended.IsZero() || d.Queued != 0 || d.Failed != 0 || int(d.Delivered) != n-r.letters() || r.letters() == 0 {
			t.Errorf("when it has ended: %+v, %d dead", d, r.letters())
		}
	})
}

// TestASpanHasItsEnds, also when the clock was set by a little between a death and its writing. By
// the nanosecond the first letter of an outage, which begins with it, was left dead every other
// time.
//
// Mutation of redrive.go: the first letter of an outage is left dead, since the clock was set by a
// nanosecond meanwhile.
func TestASpanHasItsEnds(t *testing.T) {
	from := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	s := span{from: from, until: from.Add(time.Minute)}
	for after, want := range map[time.Duration]bool{
		-1: true, 0: true, time.Second: true, time.Minute + 1: true, -time.Second: false, time.Minute + time.Second: false,
	} {
		if s.has(from.Add(after)) != want {
			t.Errorf("%v after its begin: %v", after, !want)
		}
	}
}
