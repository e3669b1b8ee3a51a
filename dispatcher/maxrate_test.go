package dispatcher

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"waoutbox/outbox"
)

// TestMaxRate: no more a second than that, retries included, no less while there is something to
// send, and as much as there is after a pause.
//
// Mutation of dispatcher/pace/rate.go: an attempt counts for nothing in a webhook's --max-rate.
func TestMaxRate(t *testing.T) {
	for _, perSecond := range []float64{0.5, 5, 50, 1000} {
		everywhere(t, func(t *testing.T) {
			r := newRig(t, func(ctx context.Context, q Request) Result {
				if q.Event.Seq%5 == 0 && q.Attempt == 1 {
					return status(500)
				}
				return ok(ctx, q)
			})
			r.hookSub(outbox.Webhook{MaxRate: perSecond})
			r.run()
			n := int(min(perSecond*10, 3000)) // of ten seconds, or of three
			for round := range 2 {
				var chats []string
				for i := range n {
					chats = append(chats, fmt.Sprintf("chat %d", i))
				}
				begin := time.Since(r.end.start)
				r.append(chats...)
				r.idle(time.Minute + 6000*r.delay)
				sent := slices.DeleteFunc(r.end.all(), func(s sent) bool { return s.At < begin })
				if len(sent) < n {
					t.Fatalf("%v/s, round %d: %d sent of %d", perSecond, round, len(sent), n)
				}
				burst := max(1, int(perSecond/100))
				j := 0 // the first that is not within a second from i
				for i := range sent {
					for j < len(sent) && sent[j].At < sent[i].At+time.Second {
						j++
					}
					if limit := max(1, int(perSecond)) + burst + int(perSecond*2*r.delay.Seconds()); j-i > limit {
						t.Fatalf("%v/s, round %d: %d within a second from %v", perSecond, round, j-i, sent[i].At-begin)
					}
				}
				rate := perSecond
				// what waits is read one by one, by each slot, and an uncertain write costs a
				// second
				if r.delay > 0 {
					rate = min(rate*0.6, 0.5*defaultInFlight/r.delay.Seconds())
				}
				if took, want := sent[len(sent)-1].At-begin, time.Duration(float64(len(sent))/rate*float64(time.Second)); took > want+11*time.Second/10 {
					t.Errorf("%v/s, round %d: %d took %v, want about %v", perSecond, round, len(sent), took, want)
				}
			}
			r.stop()
		})
	}
}

// TestAChangeOfTheRateHoldsAtOnce: whatever wait the old one had begun.
func TestAChangeOfTheRateHoldsAtOnce(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, ok)
		r.hookSub(outbox.Webhook{MaxRate: 0.01})
		r.run()
		r.append("a", "b", "c", "d", "e", "f")
		r.idle(10 * time.Second)
		if n := len(r.end.all()); n != 1 {
			t.Errorf("%d sent at one in 100 s", n)
		}
		r.hookSub(outbox.Webhook{MaxRate: 1})
		r.idle(3500 * time.Millisecond)
		if n := len(r.end.all()); n < 3 || n > 5 {
			t.Errorf("%d sent, three seconds after it became one a second", n)
		}
		r.hookSub(outbox.Webhook{})
		r.idle(time.Millisecond)
		if n := len(r.end.all()); n != 6 {
			t.Errorf("%d sent without a bound", n)
		}
	})
}

// TestAScheduleOfItsOwn: the waits are those of the webhook, as they are when an attempt fails; a
// restart knows them too.
//
// Mutation of supervisor.go: a webhook's own schedule is forgotten by a restart.
func TestAScheduleOfItsOwn(t *testing.T) {
	own := outbox.Webhook{Schedule: []time.Duration{0, 5 * time.Second, 20 * time.Minute}}
	for name, c := range map[string]struct {
		meanwhile func(r *rig) // 30 s after the second attempt
		want      []time.Duration
	}{
		"nothing":   {func(*rig) {}, []time.Duration{0, 5e9, 1205e9}},
		"a restart": {(*rig).restart, []time.Duration{0, 5e9, 1205e9}},
		"a shorter one": {func(r *rig) { r.hookSub(outbox.Webhook{Schedule: []time.Duration{0}}) },
			[]time.Duration{0, 5e9, 1205e9}}, // the wait had begun
		"a shorter one, and a restart": {func(r *rig) { r.hookSub(outbox.Webhook{Schedule: []time.Duration{0}}); r.restart() },
			[]time.Duration{0, 5e9, 35e9}},
		"a longer one": {func(r *rig) {
			r.hookSub(outbox.Webhook{Schedule: []time.Duration{0, 0, 0, time.Second, 2 * time.Second}})
		}, []time.Duration{0, 5e9, 1205e9, 1206e9, 1208e9}},
	} {
		everywhere(t, func(t *testing.T) {
			r := newRig(t, fails)
			r.hookSub(own)
			r.run()
			r.append("a")
			r.idle(35 * time.Second)
			c.meanwhile(r)
			r.idle(time.Hour)
			var at []time.Duration
			for _, s := range r.end.all() {
				at = append(at, s.At)
			}
			if !r.times(at, c.want) || r.letters() != 1 {
				t.Errorf("%s: attempts at %v, want %v; %d dead", name, at, c.want, r.letters())
			}
			r.stop()
		})
	}
}
