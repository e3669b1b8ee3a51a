package dispatcher

import (
	"bytes"
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"waoutbox/outbox"
)

// TestALossOfALeaseIsTold: what a lease was owed expires. Its receiver is told before the next
// event, once, and the next refresh tells its client, also after a restart, and only once.
//
// Mutation of lease.go: a loss is not stored with what was lost.
func TestALossOfALeaseIsTold(t *testing.T) {
	for _, unread := range []bool{false, true} {
		everywhere(t, func(t *testing.T) {
			var up atomic.Bool
			r, e := newLeaseRig(t, func(Request) Result {
				if up.Load() {
					return Result{Class: outbox.ClassOK, Status: 204}
				}
				return Result{Class: outbox.ClassRefused}
			}, leaseOf(func(l *outbox.Lease) { l.Ends = time.Time{} }))
			r.run()
			lost := e.bring(r, "a", "b")
			r.idle(time.Minute)
			if unread {
				for range 50 {
					lost = append(lost, e.bring(r, "a")...)
				}
			}
			r.idle(time.Hour)
			kept := e.bring(r, "a")
			n, _, err := r.d.Expire(t.Context(), subA, time.Now().Add(-30*time.Minute), 0)
			if n != len(lost) || err != nil {
				t.Fatalf("expired %d, %v; want %d", n, err, len(lost))
			}
			e.mu.Lock()
			for _, s := range lost {
				e.ended[s] = true
			}
			e.mu.Unlock()
			if st := r.d.State(subA); !st.Lease.Truncated {
				t.Errorf("after a loss: %+v", st)
			}
			r.restart()
			up.Store(true)
			r.idle(2 * time.Minute)
			e.want(t, kept)
			if len(e.gaps) == 0 || e.gaps[len(e.gaps)-1] <= lost[len(lost)-1] || e.gaps[len(e.gaps)-1] > kept[0] {
				t.Errorf("gaps %v of %v, with %v kept", e.gaps, lost, kept)
			}
			told := len(e.gaps)
			kept = append(kept, e.bring(r, "a")...)
			r.idle(time.Minute)
			e.want(t, kept)
			if len(e.gaps) != told {
				t.Errorf("a gap was told again: %v", e.gaps)
			}
			for i, want := range []bool{true, false} {
				r.hookSub(leaseOf())
				if truncated, err := r.d.Refreshed(t.Context(), subA); truncated != want || err != nil {
					t.Errorf("refresh %d: truncated %v, %v; want %v", i+1, truncated, err, want)
				}
			}
			r.stop()
		})
	}
}

// TestAGapThatCannotBeTold holds nothing, and is tried once before each delivery until somebody has
// responded.
//
// Mutation of leasebytes.go: or which were lost, before its client knows.
func TestAGapThatCannotBeTold(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		var out bytes.Buffer
		r, e := newLeaseRig(t, nil, leaseOf(func(l *outbox.Lease) { l.Ends = time.Time{} }), logInto(&out))
		s := r.opt.Sender.(leaseSender)
		var responds atomic.Bool
		s.gap = func() Result {
			if responds.Load() {
				return status(400)
			}
			return Result{Class: outbox.ClassRefused}
		}
		r.opt.Sender = s
		r.d = New(r.opt)
		r.run()
		r.must(r.d.Pause(t.Context(), subA, "holiday"))
		lost := e.bring(r, "a", "a")
		r.idle(time.Hour)
		if n, _, err := r.d.Expire(t.Context(), subA, time.Now(), 0); n != 2 || err != nil {
			t.Fatalf("expired %d, %v of %v", n, err, lost)
		}
		r.must(r.d.Resume(t.Context(), subA)) // what is lost is not behind anything that follows
		var all []outbox.Seq
		for i := range 5 {
			responds.Store(i > 2)
			all = append(all, e.bring(r, "a")...)
			r.idle(time.Minute)
		}
		e.want(t, all)
		if len(e.gaps) != 4 {
			t.Errorf("%d gap envelopes, want 4: %v", len(e.gaps), e.gaps)
		}
		r.stop()
		// those that reached nobody are not logged as told
		if n := strings.Count(out.String(), "events are lost"); n != 1 {
			t.Errorf("%d lines say that a gap was told\n%s", n, out.String())
		}
	})
}

// TestARefreshWakesALease: whatever made it wait is over, but a pause of its owner's.
//
// Mutation of lease.go: a client resumes what its user has paused.
func TestARefreshWakesALease(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		var up atomic.Bool
		r, e := newLeaseRig(t, func(Request) Result {
			if up.Load() {
				return Result{Class: outbox.ClassOK, Status: 204}
			}
			return Result{Class: outbox.ClassHTTP, Status: 503, RetryAfter: time.Hour}
		}, leaseOf())
		r.run()
		all := e.bring(r, "a", "b")
		r.idle(10 * time.Second)
		if st := r.d.State(subA); !st.Lease.Throttled || st.Lease.RetryAfter == 0 || st.Lease.Active || st.Lease.LastError != "http_5xx" {
			t.Errorf("while it waits: %+v", st)
		}
		up.Store(true)
		r.must(r.d.Pause(t.Context(), subA, "holiday"))
		if _, err := r.d.Refreshed(t.Context(), subA); err != nil {
			t.Fatal(err)
		}
		if r.idle(time.Minute); len(e.arrived()) != 0 || r.d.State(subA).Status != StatusPaused {
			t.Errorf("a refresh resumed what its owner paused")
		}
		r.must(r.d.Resume(t.Context(), subA))
		r.idle(30 * time.Second)
		e.want(t, all)
		up.Store(false)
		all = append(all, e.bring(r, "a")...)
		r.idle(5 * time.Second)
		up.Store(true)
		if _, err := r.d.Refreshed(t.Context(), subA); err != nil {
			t.Fatal(err)
		}
		r.idle(5 * time.Second)
		e.want(t, all)
		// an ordinary webhook has no refresh
		r.hookSub(outbox.Webhook{})
		if _, err := r.d.Refreshed(t.Context(), subA); err == nil {
			t.Error("an ordinary webhook was refreshed")
		}
		r.stop()
	})
}

// TestAnAttemptOfAnotherSecretSaysNothing: an attempt that was signed with the secret before a
// refresh ends after it. It costs nothing, and refuses nothing.
//
// Mutation of lease.go: a response to the secret before counts against a delivery.
func TestAnAttemptOfAnotherSecretSaysNothing(t *testing.T) {
	for _, code := range []int{401, 410, 500} {
		everywhere(t, func(t *testing.T) {
			slow := after(5*time.Second, func(_ context.Context, r Request) Result {
				if r.Webhook.Lease.Generation == 1 {
					return status(code)
				}
				return Result{Class: outbox.ClassOK, Status: 204}
			})
			r := newRig(t, slow)
			r.hookSub(leaseOf())
			r.run()
			r.append("a")
			r.idle(time.Second)
			r.hookSub(leaseOf(func(l *outbox.Lease) { l.Generation = 2 }))
			r.idle(20 * time.Second)
			got := r.end.all()
			if len(got) != 2 || got[0].Attempt != 1 || got[1].Attempt != 1 || len(r.dead()) != 0 {
				t.Errorf("%d: sent %+v, dead %v", code, got, r.dead())
			}
			r.stop()
		})
	}
}
