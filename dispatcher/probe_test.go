package dispatcher

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"waoutbox/outbox"
)

// TestProbesOneAtATimeWithDoublingPauses: every probe has the whole schedule; the pauses between
// them are 1, 2, 4, … 60 s.
//
// Mutation of dispatcher/pace/outage.go: the pause between probes does not grow.
func TestProbesOneAtATimeWithDoublingPauses(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, fails)
		r.hookSub(outbox.Webhook{HoldAfter: new(1)})
		r.run()
		r.append("a", "b", "c", "d", "e", "f", "g", "h", "i", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t", "u", "v", "w", "x", "y")
		r.idle(10 * time.Minute)
		var first []time.Duration
		for _, s := range r.end.all() {
			if s.Attempt == 1 && s.At > 8*r.delay {
				first = append(first, s.At)
			}
		}
		var want []time.Duration
		at, pause := time.Duration(0), time.Second
		for range first {
			at += 14*time.Second + pause
			want = append(want, at)
			pause = min(2*pause, time.Minute)
		}
		if len(first) < 8 || !r.late(first, want, 4*6) {
			t.Errorf("probes at %v, want %v", first, want)
		}
	})
}

// TestOneChatThatFailsDoesNotKeepTheOthers: its events alone make the webhook failing; the next
// probe is of another chat.
//
// Mutation of dispatcher/scheduler/keys.go: all chats wait for each other.
func TestOneChatThatFailsDoesNotKeepTheOthers(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, func(ctx context.Context, q Request) Result {
			if q.Event.Chat == "poison" {
				return status(404)
			}
			return ok(ctx, q)
		})
		r.hookSub(outbox.Webhook{HoldAfter: new(3)})
		r.run()
		for range 20 {
			r.append("poison")
		}
		r.idle(44 * time.Second) // three are dead, the fourth is the first probe
		r.append("alice", "bob", "alice")
		r.idle(20 * time.Second)
		if alice, bob := r.end.of("alice"), r.end.of("bob"); len(alice) != 2 || len(bob) != 1 {
			t.Errorf("alice %v, bob %v: %+v", alice, bob, r.d.State(subA))
		}
	})
}

// TestAReplayWhileFailingProbes: replayed letters are new deliveries, and wait like them; a letter
// replayed in front of one that was attempted lets nothing stand still for ever.
func TestAReplayWhileFailingProbes(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r, down := newDownRig(t)
		var running, together atomic.Int64
		r.end.reply = func(ctx context.Context, q Request) Result {
			if n := running.Add(1); r.d.State(subA).Status == StatusFailing {
				together.Store(max(n, together.Load()))
			}
			defer running.Add(-1)
			return after(50*time.Millisecond, down.reply)(ctx, q)
		}
		r.hookSub(outbox.Webhook{HoldAfter: new(2)})
		r.run()
		r.append("a", "b")
		r.idle(20 * time.Second)
		r.append("a", "a", "b") // 3 probes since 15 s, or waits
		r.idle(time.Second)
		if n, _, err := r.d.Replay(context.Background(), subA, []outbox.Seq{1, 2}); n != 2 || err != nil {
			t.Fatal(n, err)
		}
		r.idle(30 * time.Second)
		if n := together.Load(); n != 1 {
			t.Errorf("%d attempts at once while it was failing", n)
		}
		down.up.Store(true)
		r.idle(3 * time.Minute)
		if n := len(down.arrived()) + r.letters(); n != 5 || len(r.pending()) != 0 {
			t.Errorf("%d arrived, %d dead, pending %v", len(down.arrived()), r.letters(), r.pending())
		}
	})
}

// TestAScheduleWithLongWaitsProbesMeanwhile: the retries come in an hour; the endpoint is back
// after ten minutes, and new events find that out within one more.
func TestAScheduleWithLongWaitsProbesMeanwhile(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r, down := newDownRig(t)
		r.hookSub(outbox.Webhook{Schedule: []time.Duration{0, time.Hour}})
		r.run()
		n := r.appendEvery(time.Second, 10*time.Minute, 1000)
		if sent := len(r.end.all()); sent > 40 {
			t.Errorf("%d events were attempted in 10 minutes", sent)
		}
		down.up.Store(true)
		r.idle(time.Minute)
		if len(down.arrived()) < n-40 {
			t.Errorf("%d of %d arrived", len(down.arrived()), n)
		}
		r.idle(2 * time.Hour)
		if len(down.arrived()) != n || r.letters() != 0 {
			t.Errorf("%d of %d arrived in the end, %d dead", len(down.arrived()), n, r.letters())
		}
	})
}

// TestAChangeWhileFailingIsTriedAtOnce: it may be the cure, whatever is left of the pause.
func TestAChangeWhileFailingIsTriedAtOnce(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r, down := newDownRig(t)
		r.run()
		n := r.appendEvery(time.Second/2, 10*time.Minute, 1000)
		for sent := -1; sent != len(r.end.all()); { // until a pause of a minute has begun
			sent = len(r.end.all())
			r.idle(20 * time.Second)
		}
		down.up.Store(true)
		r.hookSub(outbox.Webhook{})
		r.idle(time.Millisecond)
		if s := r.d.State(subA); s.Status != StatusActive {
			t.Errorf("state %+v", s)
		}
		r.idle(time.Minute)
		if len(down.arrived())+r.letters() != n {
			t.Errorf("%d arrived, %d dead of %d", len(down.arrived()), r.letters(), n)
		}
	})
}
