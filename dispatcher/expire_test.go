package dispatcher

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"waoutbox/outbox"
)

const expiryDay = 24 * time.Hour

// expireRig has ten deliveries that failed once and twenty that are unread, all a month old, and of
// today one that waits behind them and five that are unread. The webhook is paused.
func expireRig(t *testing.T) (r *rig, old, young []outbox.Seq) {
	r = newRig(t, fails)
	r.hookSub(outbox.Webhook{HoldAfter: new(0)})
	r.run()
	for i := range 10 {
		old = append(old, r.append(fmt.Sprintf("chat %d", i))...)
	}
	r.idle(500 * time.Millisecond)
	r.must(r.d.Pause(t.Context(), subA, "holiday"))
	for i := range 20 {
		old = append(old, r.append(fmt.Sprintf("chat %d", i))...)
	}
	r.idle(30 * expiryDay)
	for i := range 6 {
		young = append(young, r.append(fmt.Sprintf("chat %d", i))...)
	}
	r.idle(time.Second)
	return r, old, young
}

func monthAgo() time.Time { return time.Now().Add(-30*expiryDay + time.Hour) }

// TestExpire: what waited for too long becomes dead letters that say so, with the attempts they
// had; what is younger goes on waiting, and is delivered in its time.
func TestExpire(t *testing.T) {
	for _, running := range []bool{true, false} {
		everywhere(t, func(t *testing.T) {
			r, old, young := expireRig(t)
			if !running {
				r.stop()
				r.d = New(r.opt)
			}
			n, more, err := r.d.Expire(t.Context(), subA, monthAgo(), 0)
			if n != len(old) || more || err != nil {
				t.Fatalf("expired %d, %v, %v; want %d", n, more, err, len(old))
			}
			dead := r.dead()
			if len(dead) != 11 || len(r.pending()) != 0 || r.next() != young[0] {
				t.Fatalf("%d dead records, pending %v, next %d", len(dead), r.pending(), r.next())
			}
			for i, d := range dead {
				log, err := outbox.DecodeLog(d.Log)
				if run := i == 10; !d.Expired() || err != nil || d.At.IsZero() || run != d.IsRun() || run != (len(log.Attempts) == 0) {
					t.Errorf("dead %+v, log %+v", d, log)
				}
			}
			if n, _, err := r.d.Expire(t.Context(), subA, monthAgo(), 0); n != 0 || err != nil {
				t.Errorf("again: %d, %v", n, err)
			}
			// what expired cannot be replayed, one by one or in a run
			if queued, missing, err := r.d.Replay(t.Context(), subA, []outbox.Seq{old[0], old[15]}); queued != 0 || len(missing) != 2 || err != nil {
				t.Errorf("replayed %d, missing %v, %v", queued, missing, err)
			}
			if queued, missing, err := r.d.Redeliver(t.Context(), subA, []outbox.Seq{old[0], old[15]}); queued != 0 || len(missing) != 2 || err != nil {
				t.Errorf("redelivered %d, missing %v, %v", queued, missing, err)
			}
			// more of it, on the same day, is counted in the same run
			if running {
				r.idle(2 * time.Hour)
				if n, _, err := r.d.Expire(t.Context(), subA, time.Time{}, young[2]); n != 2 || err != nil {
					t.Errorf("expired %d more, %v", n, err)
				}
				if dead := r.dead(); len(dead) != 11 || dead[10].Count != 22 || dead[10].Last != young[1] {
					t.Errorf("run %+v", dead[len(dead)-1])
				}
				r.idle(2 * expiryDay) // another day, another run
				if n, _, err := r.d.Expire(t.Context(), subA, time.Time{}, young[4]); n != 2 || err != nil {
					t.Errorf("expired %d more, %v", n, err)
				}
				if dead := r.dead(); len(dead) != 12 {
					t.Errorf("%d records", len(dead))
				}
				young = young[4:]
			}
			if purged, _, err := r.d.Purge(t.Context(), subA, []outbox.Seq{dead[0].Seq, old[15], r.dead()[10].Seq}); err != nil || purged != 1+r.dead0(20, running) {
				t.Errorf("purged %d, %v", purged, err)
			}
			r.end.reply = ok
			if !running {
				r.run()
			}
			sent := len(r.end.all())
			r.must(r.d.Resume(t.Context(), subA))
			r.idle(time.Minute)
			if got := r.end.seqs()[sent:]; !slices.Equal(slices.Sorted(slices.Values(got)), young) {
				t.Errorf("delivered %v, want %v", got, young)
			}
			r.stop()
		})
	}
}

// dead0 is the size of the first run, which grows by two where the lane goes on.
func (r *rig) dead0(n int, grown bool) int {
	if grown {
		return n + 2
	}
	return n
}

// TestExpireGoesOnAfterACrashAtAnyStep: every delivery ends once, whichever commit is the last.
func TestExpireGoesOnAfterACrashAtAnyStep(t *testing.T) {
	for step := range 4 {
		everywhere(t, func(t *testing.T) {
			r, old, young := expireRig(t)
			commits := 0
			r.fake.Hook(func(op string) error {
				if op == "Commit" {
					if commits++; commits > step {
						return fmt.Errorf("no: %w", outbox.ErrFull)
					}
				}
				return nil
			})
			first, _, err := r.d.Expire(t.Context(), subA, monthAgo(), 0)
			if (err == nil) != (step >= 2) {
				t.Fatalf("step %d: %d, %v", step, first, err)
			}
			r.crash()
			r.run()
			r.idle(time.Minute)
			second, _, err := r.d.Expire(t.Context(), subA, monthAgo(), 0)
			if err != nil || first+second != len(old) || r.letters() != len(old) || r.next() != young[0] {
				t.Errorf("step %d: expired %d and %d of %d, %v; %d letters", step, first, second, len(old), err, r.letters())
			}
			r.stop()
		})
	}
}

// TestExpireLeavesWhatIsInFlight: an attempt ends in its own way first, a lane with nothing old is
// not held up, and a replay waits since its replay.
//
// Mutation of expire.go: a delivery expires although it was replayed today.
func TestExpireLeavesWhatIsInFlight(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, fails)
		r.run()
		letters := r.append("a", "b")
		r.idle(20 * time.Second)
		r.end.reply = after(5*time.Second, ok)
		r.idle(31 * expiryDay)
		r.must(r.d.Pause(t.Context(), subA, "holiday"))
		if n, _, err := r.d.Replay(t.Context(), subA, letters); n != 2 || err != nil {
			t.Fatalf("replayed %d, %v", n, err)
		}
		began := time.Now()
		if n, _, err := r.d.Expire(t.Context(), subA, monthAgo(), 0); n != 0 || err != nil || time.Since(began) > 8*r.delay {
			t.Errorf("expired %d replays of today, %v, after %v", n, err, time.Since(began))
		}
		r.must(r.d.Resume(t.Context(), subA))
		r.idle(time.Second) // both are in flight
		if n, _, err := r.d.Expire(t.Context(), subA, time.Time{}, letters[1]+1); n != 0 || err != nil {
			t.Errorf("expired %d, %v; both were in flight", n, err)
		}
		r.idle(10 * time.Second)
		if n := r.letters(); n != 0 || len(r.pending()) != 0 {
			t.Errorf("%d letters, %d pending", n, len(r.pending()))
		}
		r.stop()
	})
}

// TestExpireKeepsTheYoung: of what has a record, only what is old expires.
//
// Mutation of expire.go: what is younger expires with the rest.
func TestExpireKeepsTheYoung(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, fails)
		r.hookSub(outbox.Webhook{HoldAfter: new(0)})
		r.run()
		old := r.append("a", "b")
		r.idle(500 * time.Millisecond)
		r.must(r.d.Pause(t.Context(), subA, "holiday"))
		r.idle(30 * expiryDay)
		r.must(r.d.Resume(t.Context(), subA))
		young := r.append("c", "d")
		r.idle(500 * time.Millisecond)
		r.must(r.d.Pause(t.Context(), subA, "holiday"))
		r.idle(time.Minute)
		if n := len(r.pending()); n != 4 {
			t.Fatalf("%d pending", n)
		}
		if n, _, err := r.d.Expire(t.Context(), subA, monthAgo(), 0); n != 2 || err != nil {
			t.Errorf("expired %d, %v", n, err)
		}
		pending := r.pending()
		if len(pending) != 2 || pending[0].Seq != young[0] || pending[1].Seq != young[1] || r.letters() != 2 || r.dead()[0].Seq != old[0] {
			t.Errorf("pending %v", pending)
		}
		r.stop()
	})
}

// TestExpirePassesWhatIsNotOwed: a paused webhook that wants little holds back no more than that.
func TestExpirePassesWhatIsNotOwed(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, ok)
		s, err := r.fake.Sub(t.Context(), subA)
		r.must(err)
		s.Epochs = append(s.Epochs, outbox.Epoch{Filter: outbox.Filter{Events: []string{"group.update"}}})
		r.put(s)
		r.run()
		r.must(r.d.Pause(t.Context(), subA, "holiday"))
		var last outbox.Seq
		for range 2000 {
			last = r.append("a")[0]
		}
		n, _, err := r.d.Expire(t.Context(), subA, time.Time{}, last)
		if n != 0 || err != nil || r.next() != last || r.letters() != 0 {
			t.Errorf("expired %d, %v; next %d, want %d", n, err, r.next(), last)
		}
		r.stop()
	})
}

// TestExpireDead: letters let go of their events from the first on, a run by and by, of a removed
// webhook too; what is left can be replayed.
func TestExpireDead(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, fails)
		r.hookSub(outbox.Webhook{HoldAfter: new(0)})
		r.run()
		var seqs []outbox.Seq
		for i := range 5 {
			seqs = append(seqs, r.append(fmt.Sprint(i))...)
		}
		r.idle(20 * time.Second)
		r.must(r.d.Pause(t.Context(), subA, "holiday"))
		for i := range 600 {
			seqs = append(seqs, r.append(fmt.Sprint(i))...)
		}
		r.remove()
		r.must(r.d.Sync(t.Context(), subA))
		want := func(expired, others int) {
			t.Helper()
			got, err := r.fake.DeadReasons(context.Background(), subA)
			r.must(err)
			n := 0
			for reason, c := range got {
				if reason != ReasonExpired {
					n += int(c)
				}
			}
			if int(got[ReasonExpired]) != expired || n != others {
				t.Fatalf("dead by reason: %v; want %d expired and %d others", got, expired, others)
			}
		}
		want(0, 605)
		n, next, err := r.d.ExpireDead(t.Context(), subA, 0, 3)
		if n != 3 || next != seqs[2] || err != nil {
			t.Fatalf("ExpireDead = %d, %d, %v", n, next, err)
		}
		want(3, 602)
		n, next, err = r.d.ExpireDead(t.Context(), subA, next, 500)
		if n != 500 || next != seqs[502] || err != nil {
			t.Fatalf("ExpireDead = %d, %d, %v", n, next, err)
		}
		want(503, 102)
		if _, err := r.fake.Event(t.Context(), seqs[503]); err != nil {
			t.Error(err)
		}
		r.revive()
		r.must(r.d.Sync(t.Context(), subA))
		r.must(r.d.Resume(t.Context(), subA))
		r.end.reply = ok
		if queued, missing, err := r.d.Replay(t.Context(), subA, []outbox.Seq{seqs[502], seqs[503]}); queued != 1 || !slices.Equal(missing, seqs[502:503]) || err != nil {
			t.Errorf("replayed %d, missing %v, %v", queued, missing, err)
		}
		r.idle(time.Minute)
		want(503, 101)
		n, next, err = r.d.ExpireDead(t.Context(), subA, next, 500)
		if n != 101 || next != 0 || err != nil {
			t.Fatalf("ExpireDead = %d, %d, %v", n, next, err)
		}
		want(604, 0)
		r.stop()
	})
}

// TestPurgeOld: dead letters go when they have been dead for long, whatever webhook they were of;
// the others stay, and it tells when to look again.
//
// Mutation of expire.go: a dead letter goes with the old ones though it died today.
func TestPurgeOld(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, fails)
		r.hookSub(outbox.Webhook{HoldAfter: new(0)})
		r.run()
		for i := range 300 {
			r.append(fmt.Sprint(i))
		}
		r.idle(time.Minute)
		r.must(r.d.Pause(t.Context(), subA, "holiday"))
		r.append("a", "b")
		r.idle(expiryDay)
		r.remove()
		r.must(r.d.Sync(t.Context(), subA)) // a run of today
		purged, oldest, err := r.d.PurgeOld(t.Context(), subA, time.Now().Add(-time.Hour))
		if purged != 300 || err != nil || time.Since(oldest) > time.Minute {
			t.Errorf("purged %d, oldest %v, %v", purged, oldest, err)
		}
		r.idle(expiryDay)
		purged, oldest, err = r.d.PurgeOld(t.Context(), subA, time.Now().Add(-time.Hour))
		if purged != 2 || err != nil || !oldest.IsZero() || r.letters() != 0 {
			t.Errorf("purged %d, oldest %v, %v", purged, oldest, err)
		}
		r.stop()
	})
}

// TestExpireOfACallerWhoLeft: the caller is gone while the lane still works for it, and the lane
// goes on. That the lane does not write into what the caller returns is seen by the race detector
// in real time alone: TestStartsAndStops of cmd/internal/crash printed "DATA RACE … Expire.func1".
func TestExpireOfACallerWhoLeft(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r, d, seqs := newDiskRig(t, after(3*time.Second, ok), "alice", "bob")
		r.append("carol") // in flight for 3 s, which an expiry waits for
		r.idle(time.Second)
		d.delay.Store(int64(20 * time.Millisecond))
		if _, _, err := r.d.Expire(r.leaving(10*time.Millisecond), subA, time.Time{}, seqs[0]+100); err == nil {
			t.Error("it was made in less time than it takes")
		}
		if _, _, err := r.d.ExpireDead(r.leaving(5*time.Millisecond), subA, 0, 100); err == nil {
			t.Error("dead letters let go in less time than a write takes")
		}
		r.idle(time.Minute)
		if s := r.d.State(subA); s.Status != StatusActive {
			t.Errorf("state %+v", s)
		}
	})
}
