package dispatcher

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"waoutbox/outbox"
)

// TestALeaseOutlivesAnOutage: the receiver of a lease is down for hours, in one of the ways that
// pass, and the service restarts meanwhile. Nothing dies, the receiver is tried once a minute, and
// then all arrives, in order.
//
// Mutation of finish.go: a delivery of a lease dies of an outage.
func TestALeaseOutlivesAnOutage(t *testing.T) {
	for name, down := range map[string]Result{
		"500":     status(500),
		"503":     status(503),
		"425":     status(425),
		"408":     status(408),
		"429":     status(429),
		"refused": {Class: outbox.ClassRefused},
		"timeout": {Class: outbox.ClassTimeout},
		"dns":     {Class: outbox.ClassDNS},
		"address": {Class: outbox.ClassAddress}, // a name that rebinds
	} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(t *testing.T) {
				var up atomic.Bool
				r, e := newLeaseRig(t, func(Request) Result {
					if up.Load() {
						return Result{Class: outbox.ClassOK, Status: 204}
					}
					return down
				}, leaseOf())
				r.run()
				var all []outbox.Seq
				bring := func(n int) {
					for i := range n {
						all = append(all, e.bring(r, fmt.Sprintf("chat %d", i%7))...)
						r.idle(5 * time.Second)
					}
				}
				bring(300)
				before := e.said()
				r.idle(2 * time.Hour)
				if n := e.said() - before; n > 2*60*7 || n == 0 {
					t.Errorf("%d attempts in two hours of an outage", n)
				}
				st := r.d.State(subA)
				if st.Lease.Active && name != "429" || len(r.dead()) != 0 || st.Lease.FailedSince.IsZero() && name != "address" {
					t.Errorf("in an outage: %+v, %d dead", st, len(r.dead()))
				}
				r.restart()
				r.idle(time.Hour)
				if n := len(r.pending()); n > 60 {
					t.Errorf("%d deliveries have a record in an outage", n)
				}
				up.Store(true)
				bring(10)
				r.idle(3 * time.Minute)
				e.want(t, all)
				if st := r.d.State(subA); !st.Lease.Active || st.Lease.LastError != "" || st.Unfinished != 0 || len(r.dead()) != 0 || st.Status != StatusActive {
					t.Errorf("after an outage: %+v, %d dead", st, len(r.dead()))
				}
				r.stop()
			})
		})
	}
}

// TestRefreshedTwice: each refresh has what has spent its schedule tried at once. Before, the first
// one amid an outage had it tried, and it then waited for up to a minute whoever came.
//
// Mutation of lease.go: a renewal has what the one before had tried wait for a minute.
func TestRefreshedTwice(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		var up atomic.Bool
		r, e := newLeaseRig(t, func(Request) Result {
			if up.Load() {
				return Result{Class: outbox.ClassOK, Status: 204}
			}
			return status(503)
		}, leaseOf())
		r.run()
		all := e.bring(r, "chat")
		r.idle(20 * time.Second) // its schedule is spent
		for _, works := range []bool{false, true} {
			up.Store(works)
			before := e.said()
			if truncated, err := r.d.Refreshed(t.Context(), subA); truncated || err != nil {
				t.Fatalf("refreshed: %v, %v", truncated, err)
			}
			r.idle(100 * time.Millisecond)
			if n := e.said() - before; n == 0 || n > 2 { // a probe may come beside it
				t.Errorf("%d attempts after a refresh", n)
			}
		}
		e.want(t, all)
		r.stop()
	})
}

// TestALeaseThatIsRefused: what a receiver refuses for good is a dead letter, at once by 410 and
// 413, else after its schedule; the lease goes on, and is not paused.
//
// Mutation of finish.go: a 410 pauses a lease.
func TestALeaseThatIsRefused(t *testing.T) {
	for code, attempts := range map[int]int{410: 1, 413: 1, 400: 4, 401: 4, 404: 4, 422: 4} {
		everywhere(t, func(t *testing.T) {
			var bad atomic.Int64
			r, e := newLeaseRig(t, func(r Request) Result {
				if int64(r.Event.Seq) == bad.Load() {
					return status(code)
				}
				return Result{Class: outbox.ClassOK, Status: 204}
			}, leaseOf())
			r.run()
			var all []outbox.Seq
			for i := range 30 {
				if i == 10 { // before it is there: it is tried at once
					bad.Store(int64(all[len(all)-1]) + 1)
				}
				seqs := e.bring(r, fmt.Sprintf("chat %d", i%3))
				if i != 10 {
					all = append(all, seqs...)
				}
			}
			if code != 410 && code != 413 { // ends with its last attempt: not what this is about
				e.mu.Lock()
				e.ended[outbox.Seq(bad.Load())] = true
				e.mu.Unlock()
			}
			r.idle(time.Minute)
			e.want(t, all)
			dead := r.dead()
			if len(dead) != 1 || dead[0].Attempts != attempts || dead[0].Seq != outbox.Seq(bad.Load()) {
				t.Fatalf("%d: dead %+v", code, dead)
			}
			if st := r.d.State(subA); st.Status != StatusActive || !st.Lease.Active {
				t.Errorf("%d: %+v", code, st)
			}
			// it can be replayed
			bad.Store(0)
			if n, _, err := r.d.Replay(t.Context(), subA, []outbox.Seq{dead[0].Seq}); n != 1 || err != nil {
				t.Errorf("Replay = %d, %v", n, err)
			}
			r.idle(time.Minute)
			if !slices.Contains(e.arrived(), dead[0].Seq) {
				t.Errorf("%d: what was replayed never arrived", code)
			}
			r.stop()
		})
	}
}

// TestALeaseFailsSinceItsFirstTrouble: a receiver refuses everything, and is then down. It has been
// failing since the former; before, the latter made it a new trouble.
func TestALeaseFailsSinceItsFirstTrouble(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		var code atomic.Int64
		code.Store(410)
		r, e := newLeaseRig(t, func(Request) Result { return status(int(code.Load())) }, leaseOf())
		r.run()
		for range outbox.DefaultHoldAfter {
			e.bring(r, "a")
			r.idle(time.Second)
		}
		since := r.d.State(subA).Failure.Since
		if since.IsZero() {
			t.Fatalf("after refusals: %+v", r.d.State(subA))
		}
		code.Store(503)
		e.bring(r, "a")
		r.idle(5 * time.Minute)
		if st := r.d.State(subA); !st.Failure.Since.Equal(since) || !strings.Contains(st.Reason, "spent its schedule") {
			t.Errorf("failing since %v, then %+v", since, st)
		}
		r.stop()
	})
}

// TestARefusalAmidAnOutage: a receiver that comes up refuses for a moment what it takes a moment
// later. One refusal of a delivery that has failed for hours kills nothing.
//
// Mutation of lease.go: what failed once for good reasons dies of one refusal amid an outage.
func TestARefusalAmidAnOutage(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		var code atomic.Int64
		code.Store(502)
		r, e := newLeaseRig(t, func(Request) Result {
			if c := int(code.Load()); c != 204 {
				return status(c)
			}
			return Result{Class: outbox.ClassOK, Status: 204}
		}, leaseOf())
		r.run()
		all := e.bring(r, "a", "b", "c", "a")
		r.idle(time.Hour)
		code.Store(404)
		before := e.said()
		for until := time.Now().Add(2 * time.Hour); e.said() < before+3; r.idle(time.Second) {
			if time.Now().After(until) { // all are dead
				t.Fatalf("%d dead letters, and no request in two hours", r.letters())
			}
		}
		code.Store(204)
		r.idle(5 * time.Minute)
		e.want(t, all)
		if n := r.letters(); n != 0 {
			t.Errorf("%d dead letters", n)
		}
		r.stop()
	})
}

// TestAPoisonEventOfALease: one event never succeeds, in a way that elsewhere would pass. The other
// chats go on, its own waits, and the watermark never passes it.
//
// Mutation of attempt.go: a request says that events are behind it which are unfinished.
func TestAPoisonEventOfALease(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		var poison atomic.Int64
		r, e := newLeaseRig(t, func(r Request) Result {
			if int64(r.Event.Seq) == poison.Load() {
				return status(500)
			}
			return Result{Class: outbox.ClassOK, Status: 204}
		}, leaseOf())
		poison.Store(int64(e.bring(r, "bad")[0]))
		r.run()
		behind := e.bring(r, "bad")
		var all []outbox.Seq
		for i := range 200 {
			all = append(all, e.bring(r, fmt.Sprintf("chat %d", i%5))...)
			r.idle(time.Second)
		}
		r.idle(30 * time.Second)
		e.want(t, all)
		if slices.Contains(e.arrived(), behind[0]) || len(r.dead()) != 0 {
			t.Errorf("what is behind it in its chat arrived, or something died: %v", r.dead())
		}
		r.restart()
		r.idle(10 * time.Minute)
		poison.Store(0)
		r.idle(3 * time.Minute)
		e.want(t, append(all, behind...))
		r.stop()
	})
}

// TestALeaseEnds: after its end nothing is sent; whoever is told removes it, and what it was owed
// becomes dead letters that say so.
//
// Mutation of lane.go: a lease goes on after its end.
// Mutation of backlog.go: what it leaves does not say why.
func TestALeaseEnds(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		down := func(Request) Result { return Result{Class: outbox.ClassRefused} }
		r, e := newLeaseRig(t, down, leaseOf(func(l *outbox.Lease) { l.Ends = time.Now().Add(30 * time.Minute) }))
		r.run()
		all := e.bring(r, "a", "b", "a")
		r.idle(29 * time.Minute)
		if st := r.d.State(subA); st.Lease.Ended {
			t.Fatalf("it ended early: %+v", st)
		}
		r.idle(2 * time.Minute)
		said := e.said()
		r.idle(time.Hour)
		if st := r.d.State(subA); e.said() != said || !st.Lease.Ended || st.Lease.Active || st.Reason == "" {
			t.Errorf("after its end: %d attempts, %+v", e.said()-said, st)
		}
		sub, err := r.fake.Sub(t.Context(), subA)
		r.must(err)
		w, err := outbox.DecodeWebhook(sub.Config)
		r.must(err)
		sub, w, err = outbox.EndLease(sub, w, outbox.ReasonLeaseExpired)
		r.must(err)
		sub.Config, err = outbox.EncodeWebhook(w)
		r.must(err)
		r.put(sub)
		if n, err := r.d.DeadLetterBacklog(t.Context(), subA); n != len(all) || err != nil {
			t.Errorf("DeadLetterBacklog = %d, %v", n, err)
		}
		for _, d := range r.dead() {
			if d.Reason != outbox.ReasonLeaseExpired {
				t.Errorf("dead %+v", d)
			}
		}
		e.bring(r, "a")
		if r.idle(time.Hour); e.said() != said || r.letters() != len(all) || r.hasLane(subA) {
			t.Errorf("after its removal: %d attempts, %d letters", e.said()-said, r.letters())
		}
		r.stop()
	})
}

// TestALeaseHasAGraceAtAStart: a lease that seems to have ended while nothing ran goes on for a
// moment, in which its client can refresh it.
//
// Mutation of lease.go: a clock that is ahead at a start ends all of them.
func TestALeaseHasAGraceAtAStart(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r, e := newLeaseRig(t, nil, leaseOf(func(l *outbox.Lease) { l.Ends = time.Now().Add(-24 * time.Hour) }))
		all := e.bring(r, "a", "b")
		r.run()
		r.idle(outbox.LeaseGrace - time.Minute)
		e.want(t, all)
		r.hookSub(leaseOf(func(l *outbox.Lease) { l.Ends = time.Now().Add(time.Hour) }))
		r.idle(30 * time.Minute)
		if r.d.Lease(subA).Ended {
			t.Error("a lease that was refreshed in its grace has ended")
		}
		r.idle(time.Hour)
		if !r.d.Lease(subA).Ended {
			t.Error("a lease has not ended")
		}
		r.stop()
	})
}

// TestOwnMessagesOfALeaseWait: of the messages that the account itself sent few are delivered
// within a while, in order, the rest waits and that is shown; a restart forgets none of them.
//
// Mutation of lease.go: an agent wakes itself without end.
func TestOwnMessagesOfALeaseWait(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r, e := newLeaseRig(t, nil, leaseOf(func(l *outbox.Lease) { l.Name = "message.sent" }))
		r.run()
		var all []outbox.Seq
		for i := range 20 {
			all = append(all, e.bring(r, fmt.Sprintf("chat %d", i))...)
		}
		r.idle(time.Minute)
		for i, want := range []int{6, 12, 18, 20} {
			if n := len(e.arrived()); n != want {
				t.Fatalf("%d of its own messages arrived after %d windows, want %d", n, i, want)
			}
			if st := r.d.State(subA); (want < len(all)) != (!st.Lease.OwnUntil.IsZero() && st.Reason != "") {
				t.Errorf("with %d of %d: %+v", want, len(all), st)
			}
			if i == 1 {
				r.restart()
				r.idle(10 * time.Second)
			}
			r.idle(outbox.OwnWindow)
		}
		e.want(t, all)
		r.stop()
	})
}
