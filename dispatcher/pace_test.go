package dispatcher

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"waoutbox/outbox"
)

// appendEvery appends an event each interval for as long as d, to the given number of chats in
// turn.
func (r *rig) appendEvery(interval, d time.Duration, chats int) (n int) {
	for begin := time.Now(); time.Since(begin) < d; n++ {
		r.append(fmt.Sprintf("chat %d", n%chats))
		r.idle(interval)
	}
	return n
}

// hookSub writes the subscription with the given configuration and has a running lane take it over.
func (r *rig) hookSub(h outbox.Webhook) {
	r.t.Helper()
	h.URL = "http://127.0.0.1/"
	cfg, err := outbox.EncodeWebhook(h)
	r.must(err)
	sub, err := r.fake.Sub(context.Background(), subA)
	r.must(err)
	sub.Config = cfg
	r.put(sub)
	r.must(r.d.Sync(context.Background(), subA))
}

// inOrder fails the test unless every chat's events arrived, each of them once, in order.
func (r *rig) inOrder(arrived []outbox.Seq, chats int) {
	r.t.Helper()
	last := map[outbox.Seq]outbox.Seq{}
	for _, seq := range arrived {
		chat := seq % outbox.Seq(chats)
		if seq <= last[chat] {
			r.t.Errorf("%d arrived after %d of the same chat", seq, last[chat])
		}
		last[chat] = seq
	}
}

// downUntil is an endpoint that is down until up is set, and what arrived.
type downUntil struct {
	up  atomic.Bool
	mu  sync.Mutex
	got []outbox.Seq
}

// arrived returns what arrived, in order.
func (d *downUntil) arrived() []outbox.Seq {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.got)
}

func (d *downUntil) reply(ctx context.Context, q Request) Result {
	if !d.up.Load() {
		return Result{Class: outbox.ClassRefused, Message: "connection refused"}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.got = append(d.got, q.Event.Seq)
	return ok(ctx, q)
}

func newDownRig(t *testing.T, change ...func(*Options)) (*rig, *downUntil) {
	d := &downUntil{}
	return newRig(t, d.reply, change...), d
}

// TestAnOutageOf32SecondsCostsFewLetters: an endpoint that refuses at once, at 10 events a second.
// Without holding new deliveries back 180 of the 320 died, the whole of the first 18 seconds.
//
// Mutation of dispatcher/pace/outage.go: an endpoint that refuses at once gets everything until the
// first deliveries have spent their schedule.
func TestAnOutageOf32SecondsCostsFewLetters(t *testing.T) {
	for _, chats := range []int{1, 7, 1000} {
		everywhere(t, func(t *testing.T) {
			r, down := newDownRig(t)
			r.run()
			n := r.appendEvery(100*time.Millisecond, 32*time.Second, chats)
			if s := r.d.State(subA); chats > 20 && (s.Status != StatusFailing || s.Failure.LastError != "connection refused" ||
				s.Failure.Since.Before(r.end.start.Add(14*time.Second)) || s.Failure.Since.After(r.end.start.Add(20*time.Second))) {
				t.Errorf("%d chats: state %+v", chats, s)
			}
			down.up.Store(true)
			r.idle(2 * time.Minute)
			dead := r.letters()
			if dead > 20+defaultInFlight || dead+len(down.arrived()) != n {
				t.Errorf("%d chats: %d of %d dead, %d arrived", chats, dead, n, len(down.arrived()))
			}
			r.inOrder(down.arrived(), chats)
			if s := r.d.State(subA); s.Status != StatusActive || s.Failure != (Failure{}) || s.Unfinished != 0 {
				t.Errorf("%d chats: state afterwards %+v", chats, s)
			}
			r.stop()
		})
	}
}

// TestAnOutageOfADay: at one event a second, all but a probe a minute waits.
func TestAnOutageOfADay(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r, down := newDownRig(t)
		r.run()
		const day = 24 * 60 * 60
		for i := range day {
			r.append(fmt.Sprintf("chat %d", i%50))
			r.idle(time.Second)
		}
		dead := r.letters()
		if dead > 1300 || dead < 1000 {
			t.Errorf("%d dead letters after a day", dead)
		}
		if s := r.d.State(subA); s.Unfinished > 50 {
			t.Errorf("%d deliveries are unfinished: the reader does not stand still", s.Unfinished)
		}
		down.up.Store(true)
		r.idle(3*time.Minute + 12_000*r.delay)
		if got := len(down.arrived()); got+r.letters() != day {
			t.Errorf("%d arrived, %d dead of %d", got, r.letters(), day)
		}
		r.inOrder(down.arrived(), 50)
	})
}

// TestWhatWasAttemptedFinishesItsSchedule, at its own times, while new events wait.
func TestWhatWasAttemptedFinishesItsSchedule(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, fails)
		r.hookSub(outbox.Webhook{HoldAfter: new(2)})
		r.run()
		r.append("a", "b")
		r.idle(time.Second / 2)
		r.append("c", "a", "d")
		r.idle(14*time.Second + 10*r.delay)
		if s := r.d.State(subA); s.Status != StatusFailing || !r.at(s.Failure.Since.Sub(r.end.start), 14*time.Second) {
			t.Errorf("state %+v", s)
		}
		var at []time.Duration
		for _, s := range r.end.all() {
			at = append(at, s.At)
			if s.Seq > 2 {
				t.Errorf("%d was sent at %v", s.Seq, s.At)
			}
		}
		if want := []time.Duration{0, 0, 1e9, 1e9, 4e9, 4e9, 14e9, 14e9}; !r.times(at, want) {
			t.Errorf("attempts at %v, want %v", at, want)
		}
	})
}

// TestARestartOfAReceiverIsNoOutage: after many failures one retry that succeeds lets everything
// go, and the webhook never was failing.
func TestARestartOfAReceiverIsNoOutage(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r, down := newDownRig(t)
		r.run()
		n := r.appendEvery(10*time.Millisecond, 3*time.Second, 100)
		if s := r.d.State(subA); s.Status != StatusActive || s.Reason == "" {
			t.Errorf("state %+v", s)
		}
		down.up.Store(true)
		r.idle(1100*time.Millisecond + 40*r.delay) // the second retries come 4 s after the start
		if len(down.arrived()) < n-20-defaultInFlight {
			t.Errorf("%d of %d arrived", len(down.arrived()), n)
		}
		r.idle(time.Minute)
		if len(down.arrived()) != n || r.letters() != 0 {
			t.Errorf("%d of %d arrived, %d dead", len(down.arrived()), n, r.letters())
		}
		r.inOrder(down.arrived(), 100)
		if s := r.d.State(subA); s.Reason != "" {
			t.Errorf("state afterwards %+v", s)
		}
	})
}

// TestFailingSurvivesARestart: derived from the deaths in a row, with the error and since when. At
// the start one event probes at once, and no more than one.
//
// Mutation of lane.go: a restart forgets that the endpoint is down.
func TestFailingSurvivesARestart(t *testing.T) {
	for name, end := range map[string]func(*rig){
		"stop": func(r *rig) { r.restart() },
		"kill": func(r *rig) { r.crash(); r.run() },
	} {
		everywhere(t, func(t *testing.T) {
			r := newRig(t, fails)
			r.run()
			r.appendEvery(100*time.Millisecond, 30*time.Second, 300)
			before := r.d.State(subA)
			sent := len(r.end.all())
			end(r)
			r.idle(500 * time.Millisecond)
			after := r.d.State(subA)
			if before.Status != StatusFailing || after.Status != StatusFailing || after.Failure.LastError != "no" || !after.Failure.Since.Equal(before.Failure.Since) {
				t.Errorf("%s: before %+v, after %+v", name, before, after)
			}
			if n := len(r.end.all()) - sent; n > 1 {
				t.Errorf("%s: %d attempts at once after the start", name, n)
			}
			_, raw, _, err := r.fake.Load(context.Background(), subA)
			r.must(err)
			if s, err := DecodeLaneState(raw, outbox.Webhook{}); err != nil || s.Status != StatusFailing || s.Failure.LastError != "no" {
				t.Errorf("%s: on disk %+v, %v", name, s, err)
			}
			if s, _ := DecodeLaneState(raw, outbox.Webhook{HoldAfter: new(0)}); s.Status != StatusActive {
				t.Errorf("%s: with --hold-after 0 it is %+v", name, s)
			}
			r.stop()
		})
	}
}

// TestWhatEndsAnOutage: a 2xx, a test that succeeded, and resume; not a pause, nor the end of a
// wait.
//
// Mutation of gate.go: the end of a pause, or a pause, ends the outage with it.
// Mutation of admin.go: a webhook test that succeeds leaves the webhook failing.
func TestWhatEndsAnOutage(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(r *rig) error
		ends bool
	}{
		"nothing":  {func(*rig) error { return nil }, false},
		"resume":   {func(r *rig) error { return r.d.Resume(context.Background(), subA) }, true},
		"recovery": {func(r *rig) error { return r.d.Recovered(context.Background(), subA) }, true},
		"a pause that ends by recovery": {func(r *rig) error {
			r.must(r.d.Pause(context.Background(), subA, "holiday"))
			if s := r.d.State(subA); s.Status != StatusPaused || s.Failure.LastError == "" {
				r.t.Errorf("paused while failing: %+v", s)
			}
			r.must(r.d.Recovered(context.Background(), subA))
			if s := r.d.State(subA); s.Status != StatusPaused || s.Failure != (Failure{}) {
				r.t.Errorf("recovered while paused: %+v", s)
			}
			return r.d.Resume(context.Background(), subA)
		}, true},
		"hold-after 0": {func(r *rig) error { r.hookSub(outbox.Webhook{HoldAfter: new(0)}); return nil }, true},
	} {
		everywhere(t, func(t *testing.T) {
			r := newRig(t, fails)
			r.run()
			r.appendEvery(time.Second/2, 5*time.Minute, 1000)
			if s := r.d.State(subA); s.Status != StatusFailing {
				t.Fatalf("%s: state %+v", name, s)
			}
			before := len(r.end.all())
			r.must(c.do(r))
			r.idle(time.Second / 2)
			n := len(r.end.all()) - before
			if c.ends != (n >= 20) {
				t.Errorf("%s: %d attempts at once", name, n)
			}
			if s := r.d.State(subA); c.ends == (s.Status == StatusFailing) {
				t.Errorf("%s: state %+v", name, s)
			}
			r.stop()
		})
	}
}

// TestWaitsLieOnTopOfFailing: a failing endpoint that asks for time gets it, and is failing all the
// same.
func TestWaitsLieOnTopOfFailing(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		var asks atomic.Bool
		r := newRig(t, func(context.Context, Request) Result {
			if asks.Load() {
				return Result{Class: outbox.ClassHTTP, Status: 503, RetryAfter: time.Minute, Message: "503"}
			}
			return Result{Class: outbox.ClassHTTP, Status: 500, Message: "500"}
		})
		r.hookSub(outbox.Webhook{HoldAfter: new(1)})
		r.run()
		r.append("a")
		r.idle(time.Second)
		r.append("b", "c")
		r.idle(13500 * time.Millisecond)
		asks.Store(true)
		r.idle(2 * time.Second) // the probe at 15 s was answered
		s := r.d.State(subA)
		if s.Status != StatusFailing || !r.at(s.Until.Sub(r.end.start), 75*time.Second) || s.Failure.LastError != "500" {
			t.Errorf("state %+v", s)
		}
		r.idle(50 * time.Second)
		if got := r.end.all(); got[len(got)-1].At > 16*time.Second+4*r.delay {
			t.Errorf("sent at %v", got[len(got)-1].At)
		}
	})
}

// TestHoldAfter: how many in a row, per webhook; 0 is never, and everything dies.
//
// Mutation of dispatcher/pace/outage.go: --hold-after 0 holds everything back instead of nothing.
func TestHoldAfter(t *testing.T) {
	for _, n := range []int{0, 3, 40} {
		everywhere(t, func(t *testing.T) {
			r := newRig(t, fails)
			r.hookSub(outbox.Webhook{HoldAfter: &n})
			r.run()
			events := r.appendEvery(100*time.Millisecond, 30*time.Second, 1000)
			r.idle(20 * time.Second)
			s := r.d.State(subA)
			switch dead := r.letters(); {
			case n == 0 && (dead != events || s.Status != StatusActive):
				t.Errorf("never: %d of %d dead, state %+v", dead, events, s)
			case n > 0 && (dead < n || dead > n+defaultInFlight || s.Status != StatusFailing):
				t.Errorf("after %d: %d dead, state %+v", n, dead, s)
			}
			r.stop()
		})
	}
}

// TestDeathsOfWhatFailedBeforeA2xxCount: the failures were forgotten with the 2xx, and those
// deliveries die all the same.
func TestDeathsOfWhatFailedBeforeA2xxCount(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, func(ctx context.Context, q Request) Result {
			if q.Event.Chat == "well" {
				return after(50*time.Millisecond, ok)(ctx, q)
			}
			return status(500)
		})
		r.hookSub(outbox.Webhook{HoldAfter: new(2)})
		r.run()
		r.append("a", "well", "b") // both fail at once, and the 2xx comes after them
		r.idle(500 * time.Millisecond)
		r.append("well")
		r.idle(14 * time.Second)
		if s := r.d.State(subA); s.Status != StatusFailing || s.Deaths != 2 {
			t.Errorf("state %+v", s)
		}
		before := len(r.end.all())
		r.append("c", "d", "e", "f")
		r.idle(900 * time.Millisecond)
		if n := len(r.end.all()) - before; n > 1 {
			t.Errorf("%d new events were sent while it was failing", n)
		}
	})
}

// TestARestartInAnOutageStartsNoSecondRound: what failed before is still there, so one more failure
// holds the rest back. Before, 20 more were attempted after each restart: it printed "37 events
// were attempted after the restart".
//
// Mutation of lane.go: a restart in an outage forgets what has failed.
func TestARestartInAnOutageStartsNoSecondRound(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r, _ := newDownRig(t)
		r.hookSub(outbox.Webhook{Schedule: []time.Duration{0, 10 * time.Minute}})
		r.run()
		r.appendEvery(10*time.Millisecond, time.Second, 1000)
		before := map[outbox.Seq]bool{}
		for _, s := range r.end.all() {
			before[s.Seq] = true
		}
		r.crash()
		r.run()
		r.appendEvery(10*time.Millisecond, time.Second, 1000)
		fresh := map[outbox.Seq]bool{}
		for _, s := range r.end.all() {
			if !before[s.Seq] {
				fresh[s.Seq] = true
			}
		}
		if len(before) < 20 || len(fresh) > defaultInFlight+3 { // and probes
			t.Errorf("%d events were attempted after the restart, %d before", len(fresh), len(before))
		}
	})
}

// TestOurOwnFailuresOfOneMomentCountOnce, also while another wait lies over them. Before, the next
// hold was a minute, since each of the fifteen had doubled it: it printed "attempts at [32.2s]".
func TestOurOwnFailuresOfOneMomentCountOnce(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		begun := time.Now()
		r := newRig(t, func(ctx context.Context, q Request) Result {
			if q.Event.Seq == 1 && time.Since(begun) < time.Second {
				return after(100*time.Millisecond, func(context.Context, Request) Result {
					return Result{Class: outbox.ClassHTTP, Status: 429, RetryAfter: 30 * time.Second}
				})(ctx, q)
			}
			return after(200*time.Millisecond, func(context.Context, Request) Result {
				return Result{Class: outbox.ClassLocal, Message: "no descriptors"}
			})(ctx, q)
		})
		r.run()
		for i := range defaultInFlight {
			r.append(fmt.Sprintf("chat %d", i))
		}
		r.idle(time.Minute)
		var at []time.Duration
		for _, s := range r.end.all()[defaultInFlight:] {
			at = append(at, s.At)
		}
		if len(at) < 3 || at[1]-at[0] > 3*time.Second {
			t.Errorf("attempts at %v", at)
		}
	})
}
