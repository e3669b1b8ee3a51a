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

// leaseOf is the configuration of a lease for the rig's events.
func leaseOf(change ...func(*outbox.Lease)) outbox.Webhook {
	l := outbox.Lease{ID: "sub_1", Principal: "local", Name: "message.received", Ends: time.Now().Add(outbox.MaxLease), Generation: 1}
	for _, c := range change {
		c(&l)
	}
	return outbox.Webhook{Lease: &l}
}

// leaseReceiver is the receiver of a lease: it knows what was appended, and checks what each
// request says is behind it.
type leaseReceiver struct {
	reply func(r Request) Result // nil: 2xx

	mu       sync.Mutex
	appended []outbox.Seq
	ended    map[outbox.Seq]bool // delivered, or refused for good
	got      []outbox.Seq        // delivered, in order
	chats    map[outbox.Seq]string
	attempts int
	gaps     []outbox.Seq
	ahead    []string
}

func (e *leaseReceiver) send(_ context.Context, r Request) Result {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.attempts++
	for _, seq := range e.appended {
		if seq < r.Watermark && !e.ended[seq] {
			e.ahead = append(e.ahead, fmt.Sprintf("the request of %d says that %d is behind it", r.Event.Seq, seq))
		}
	}
	if r.Watermark > r.Event.Seq || r.Watermark == 0 {
		e.ahead = append(e.ahead, fmt.Sprintf("the request of %d has the watermark %d", r.Event.Seq, r.Watermark))
	}
	res := Result{Class: outbox.ClassOK, Status: 204}
	if e.reply != nil {
		res = e.reply(r)
	}
	if res.Class == outbox.ClassOK {
		e.got = append(e.got, r.Event.Seq)
		e.ended[r.Event.Seq] = true
	}
	if refused(res) {
		e.ended[r.Event.Seq] = true
	}
	return res
}

func (e *leaseReceiver) said() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.attempts
}

func (e *leaseReceiver) arrived() []outbox.Seq {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.got)
}

// leaseSender has the half of a Sender that leases need.
type leaseSender struct {
	*endpoint
	e *leaseReceiver
	// what a gap envelope comes to
	gap func() Result
}

func (s leaseSender) Gap(_ context.Context, r Request) Result {
	s.e.mu.Lock()
	s.e.gaps = append(s.e.gaps, r.Watermark)
	s.e.mu.Unlock()
	if s.gap != nil {
		return s.gap()
	}
	return Result{Class: outbox.ClassOK, Status: 200}
}

// newLeaseRig is a rig whose subscription is a lease.
func newLeaseRig(t *testing.T, reply func(Request) Result, w outbox.Webhook, change ...func(*Options)) (*rig, *leaseReceiver) {
	t.Helper()
	e := &leaseReceiver{reply: reply, ended: map[outbox.Seq]bool{}, chats: map[outbox.Seq]string{}}
	r := newRig(t, e.send, append([]func(*Options){func(o *Options) { o.Sender = leaseSender{endpoint: o.Sender.(*endpoint), e: e} }}, change...)...)
	r.hookSub(w)
	t.Cleanup(func() {
		for _, s := range e.ahead {
			t.Error(s)
		}
	})
	return r, e
}

// bring appends events that the receiver then knows of.
func (e *leaseReceiver) bring(r *rig, chats ...string) []outbox.Seq {
	seqs := r.append(chats...)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.appended = append(e.appended, seqs...)
	for i, s := range seqs {
		e.chats[s] = chats[i]
	}
	return seqs
}

// want fails the test unless everything arrived, in order in each chat; again may be repeats.
func (e *leaseReceiver) want(t *testing.T, all []outbox.Seq) {
	t.Helper()
	got, last, seen := e.arrived(), map[string]outbox.Seq{}, map[outbox.Seq]bool{}
	for _, s := range got {
		if !seen[s] && s < last[e.chats[s]] {
			t.Errorf("%d arrived after %d of its chat", s, last[e.chats[s]])
		}
		seen[s] = true
		last[e.chats[s]] = max(last[e.chats[s]], s)
	}
	for _, s := range all {
		if !seen[s] {
			t.Errorf("%d never arrived", s)
		}
	}
}

// TestALeaseOutlivesAnOutage: the receiver of a lease is down for hours, in one of the ways that
// pass, and the service restarts meanwhile. Nothing dies, the receiver is tried once a minute, and
// then all arrives, in order.
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
				seqs := e.bring(r, fmt.Sprintf("chat %d", i%3))
				if i == 10 {
					bad.Store(int64(seqs[0]))
				} else {
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
				t.Errorf("%d: dead %+v", code, dead)
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

// TestARefusalAmidAnOutage: a receiver that comes up refuses for a moment what it takes a moment
// later. One refusal of a delivery that has failed for hours kills nothing.
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
		for e.said() < before+3 {
			r.idle(time.Second)
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

// TestALossOfALeaseIsTold: what a lease was owed expires. Its receiver is told before the next
// event, once, and the next refresh tells its client, also after a restart, and only once.
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
func TestAGapThatCannotBeTold(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r, e := newLeaseRig(t, nil, leaseOf(func(l *outbox.Lease) { l.Ends = time.Time{} }))
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
	})
}

// TestARefreshWakesALease: whatever made it wait is over, but a pause of its owner's.
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
