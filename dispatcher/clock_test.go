package dispatcher

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"waoutbox/outbox"
)

// offClock is a clock of the machine that somebody sets.
type offClock struct{ off atomic.Int64 }

func (c *offClock) set(d time.Duration) { c.off.Store(int64(d)) }
func (c *offClock) now() time.Time      { return time.Now().Add(time.Duration(c.off.Load())) }

// TestRedriveAfterTheClockWasSetBack: an outage ends at a time that is before that of its letters.
// Before, they stayed dead.
//
// Mutation of gate.go: the letters of an outage stay dead when the clock was set back in it.
func TestRedriveAfterTheClockWasSetBack(t *testing.T) {
	for _, restart := range []bool{false, true} {
		everywhere(t, func(t *testing.T) {
			const n = 10
			var clock offClock
			clock.set(2 * time.Hour)
			r, down := newDownRig(t, func(o *Options) { o.Now = clock.now })
			r.hookSub(outbox.Webhook{Redrive: true, HoldAfter: new(3)})
			r.run()
			for i := range n {
				r.append(fmt.Sprintf("chat %d", i%5))
			}
			for r.letters() < n {
				r.idle(20 * time.Second)
			}
			clock.set(0)
			if restart {
				r.restart()
			}
			down.up.Store(true)
			r.append("chat 0") // the probe
			r.idle(3 * time.Hour)
			if got := down.arrived(); len(got) != n+1 || r.letters() != 0 {
				t.Errorf("restart %v: %d arrived, %d dead: %v", restart, len(got), r.letters(), got)
			}
			r.stop()
		})
	}
}

// TestExpireOfAReplayLeavesTheYoung: a replayed letter of a month ago waits beside deliveries of
// today, which are recorded and stay. Before, all of them expired with it.
//
// Mutation of expire.go: where what has a record is young, it is as old as what comes behind it.
func TestExpireOfAReplayLeavesTheYoung(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, fails)
		r.hookSub(outbox.Webhook{HoldAfter: new(0)})
		r.run()
		old := r.append("chat 0")
		r.idle(time.Minute)
		r.must(r.d.Pause(t.Context(), subA, "holiday"))
		if n, _, err := r.d.Replay(t.Context(), subA, old); n != 1 || err != nil {
			t.Fatalf("replayed %d, %v", n, err)
		}
		r.idle(31 * expiryDay)
		r.must(r.d.Resume(t.Context(), subA))
		young := r.append("chat 1", "chat 2")
		r.idle(500 * time.Millisecond) // all three failed once, and wait
		r.must(r.d.Pause(t.Context(), subA, "holiday"))
		r.idle(time.Second)
		if n, _, err := r.d.Expire(t.Context(), subA, monthAgo(), 0); n != 0 || err != nil {
			t.Errorf("expired %d, %v: the replay was tried just now", n, err)
		}
		if p := r.pending(); len(p) != 1+len(young) {
			t.Errorf("pending %v", p)
		}
		r.stop()
	})
}

// TestALetterIsNotOlderThanItsEvent: it died while the clock was behind by years, before the time
// of its event. Before, it was purged as soon as the clock was right.
//
// Mutation of expire.go: a dead letter that died while the clock was behind is taken for older than
// its event.
func TestALetterIsNotOlderThanItsEvent(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		var clock offClock
		r := newRig(t, fails, func(o *Options) { o.Now = clock.now })
		r.hookSub(outbox.Webhook{HoldAfter: new(0)})
		r.append("chat 0")
		clock.set(-1000 * expiryDay)
		r.run()
		r.idle(time.Minute)
		clock.set(0)
		if n, _, err := r.d.PurgeOld(t.Context(), subA, monthAgo()); n != 0 || err != nil || r.letters() != 1 {
			t.Errorf("purged %d, %v; %d letters", n, err, r.letters())
		}
		r.idle(31 * expiryDay)
		if n, _, err := r.d.PurgeOld(t.Context(), subA, monthAgo()); n != 1 || err != nil {
			t.Errorf("a month later: purged %d, %v", n, err)
		}
		r.stop()
	})
}
