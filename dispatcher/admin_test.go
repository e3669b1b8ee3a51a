package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"waoutbox/outbox"
)

// switchable is an endpoint that fails until told otherwise.
func switchable() (*atomic.Bool, func(context.Context, Request) Result) {
	works := new(atomic.Bool)
	return works, func(ctx context.Context, q Request) Result {
		if works.Load() {
			return ok(ctx, q)
		}
		return status(503)
	}
}

// Mutation of deadletters.go: the last attempts of a dead letter count when it is replayed.
// Mutation of dispatcher/scheduler/scheduler.go: after a restart a retry does not hold back its
// chat.
// Mutation of dispatcher/scheduler/scheduler.go: a dead letter lets its chat go on before it is
// stored.
func TestReplayInOrderKeepsIdBodyAndLog(t *testing.T) {
	for _, running := range []bool{true, false} {
		everywhere(t, func(t *testing.T) {
			works, reply := switchable()
			r := newRig(t, reply)
			r.run()
			seqs := r.append("alice", "bob", "alice", "alice")
			r.idle(2 * time.Minute)
			if r.letters() != 4 {
				t.Fatalf("dead %+v", r.dead())
			}
			old := len(r.end.all())
			works.Store(true)
			if !running {
				r.stop()
				r.d = New(r.opt)
			}
			queued, missing, err := r.d.Replay(t.Context(), subA, []outbox.Seq{seqs[3], seqs[0], 999, seqs[2], seqs[0]})
			if queued != 3 || !slices.Equal(missing, []outbox.Seq{999}) || err != nil {
				t.Fatalf("running %v: queued %d, missing %v, %v", running, queued, missing, err)
			}
			if !running {
				if p := r.pending(); len(p) != 3 || p[0].Attempts != 0 || p[0].Replay != 1 || p[0].Reason != "503" || len(p[0].Log) == 0 {
					t.Errorf("pending %+v", p)
				}
				again, missing, err := r.d.Replay(t.Context(), subA, seqs[:1])
				if again != 0 || len(missing) != 0 || err != nil {
					t.Errorf("a pending one: queued %d, missing %v, %v", again, missing, err)
				}
				r.run()
			}
			r.idle(time.Second)
			got := r.end.all()[old:]
			if len(got) != 3 {
				t.Fatalf("replayed %+v", got)
			}
			for i, s := range got {
				if s.Seq != []outbox.Seq{seqs[0], seqs[2], seqs[3]}[i] || s.Attempt != 1 || s.Replay != 1 || s.Body != "alice" {
					t.Errorf("replay %d: %+v", i, s)
				}
			}
			if d := r.dead(); len(d) != 1 || d[0].Seq != seqs[1] || len(r.pending()) != 0 {
				t.Errorf("left dead %+v, pending %+v", d, r.pending())
			}
			r.stop()
		})
	}
}

func TestAReplayThatFailsIsDeadLetteredAgainWithItsHistory(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, fails)
		r.run()
		seqs := r.append("alice")
		r.idle(time.Minute)
		if _, _, err := r.d.Replay(t.Context(), subA, seqs); err != nil {
			t.Fatal(err)
		}
		r.idle(time.Minute)
		d := r.dead()
		if len(d) != 1 || d[0].Replay != 1 || d[0].Attempts != 4 {
			t.Fatalf("dead %+v", d)
		}
		log, err := outbox.DecodeLog(d[0].Log)
		if err != nil || len(log.Attempts) != 8 || log.Attempts[4].N != 1 {
			t.Errorf("log %+v, %v", log, err)
		}
	})
}

func TestPurge(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, fails)
		r.run()
		seqs := r.append("alice", "bob")
		r.idle(time.Minute)
		purged, missing, err := r.d.Purge(t.Context(), subA, []outbox.Seq{seqs[1], 77})
		if purged != 1 || !slices.Equal(missing, []outbox.Seq{77}) || err != nil {
			t.Errorf("purged %d, missing %v, %v", purged, missing, err)
		}
		if d := r.dead(); len(d) != 1 || d[0].Seq != seqs[0] {
			t.Errorf("dead %+v", d)
		}
	})
}

func TestTooManyInOneCall(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, ok)
		if _, _, err := r.d.Replay(t.Context(), subA, make([]outbox.Seq, outbox.MaxBatch+1)); !errors.Is(err, outbox.ErrTooLarge) {
			t.Errorf("got %v", err)
		}
		if _, _, err := r.d.Replay(t.Context(), "wh_none", nil); !errors.Is(err, outbox.ErrNotFound) {
			t.Errorf("got %v", err)
		}
	})
}

// The whole life: a backlog, removal, dead letters, revival, replay out of the run.
//
// Mutation of backlog.go: the unread rest of a removed webhook's backlog is forgotten.
// Mutation of backlog.go: the pending backlog of a removed webhook is forgotten.
func TestRemoveReviveReplay(t *testing.T) {
	for _, running := range []bool{true, false} {
		everywhere(t, func(t *testing.T) {
			works, reply := switchable()
			r := newRig(t, reply, func(o *Options) { o.MaxInFlight = 2 })
			r.run()
			var seqs []outbox.Seq
			for i := range 10 {
				seqs = append(seqs, r.append(fmt.Sprintf("chat%d", i))...)
			}
			r.idle(500 * time.Millisecond) // all failed once: ten pending records
			r.must(r.d.Pause(t.Context(), subA, "by its user"))
			for i := range 300 {
				seqs = append(seqs, r.append(fmt.Sprintf("chat%d", i%7))...)
			}
			if !running {
				r.stop()
				r.d = New(r.opt)
			}
			r.remove()
			count, err := r.d.DeadLetterBacklog(t.Context(), subA)
			if count != 310 || err != nil {
				t.Fatalf("running %v: dead-lettered %d, %v", running, count, err)
			}
			again, err := r.d.DeadLetterBacklog(t.Context(), subA)
			if again != 0 || err != nil {
				t.Errorf("dead-lettered again: %d, %v", again, err)
			}
			dead := r.dead()
			if r.letters() != 310 || len(dead) != 11 || !dead[10].IsRun() || dead[10].Reason != ReasonUnregistered || len(r.pending()) != 0 {
				t.Fatalf("running %v: %d letters in %d records, last %+v", running, r.letters(), len(dead), dead[len(dead)-1])
			}
			if _, _, err := r.d.Replay(t.Context(), subA, seqs[:1]); err == nil || !strings.Contains(err.Error(), "removed") {
				t.Errorf("replay of a removed webhook: %v", err)
			}
			r.append("chat1") // while it is removed: owed to nobody
			r.revive()
			r.must(r.d.Sync(t.Context(), subA))
			r.must(r.d.Resume(t.Context(), subA))
			works.Store(true)
			old := len(r.end.all())
			want := append([]outbox.Seq{seqs[0], seqs[10], seqs[309]}, seqs[100:200]...)
			queued, missing, err := r.d.Replay(t.Context(), subA, append([]outbox.Seq{seqs[309] + 1}, want...))
			if queued != len(want) || len(missing) != 1 || err != nil {
				t.Fatalf("running %v: queued %d, missing %v, %v", running, queued, missing, err)
			}
			if !running {
				r.run()
			}
			fresh := r.append("new")
			r.idle(time.Minute)
			var got []outbox.Seq
			for _, s := range r.end.all()[old:] {
				got = append(got, s.Seq)
				if (s.Replay == 1) == (s.Seq == fresh[0]) {
					t.Errorf("replay number of %+v", s)
				}
			}
			want = append(want, fresh...)
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("running %v: sent %v, want %v", running, got, want)
			}
			if n := r.letters(); n != 310-len(want)+1 {
				t.Errorf("%d letters left, want %d: %+v", n, 310-len(want)+1, r.dead())
			}
			// Purge the rest, in several calls, until nothing is left: the fragments cover exactly
			// what they say.
			total := 0
			for i := 0; i < len(seqs); i += 256 {
				n, _, err := r.d.Purge(t.Context(), subA, seqs[i:min(len(seqs), i+256)])
				r.must(err)
				total += n
			}
			if total != 310-len(want)+1 || len(r.dead()) != 0 {
				t.Errorf("purged %d, left %+v", total, r.dead())
			}
			r.stop()
		})
	}
}

func TestDeadLetteringABacklogGoesOnAfterACrashAtAnyStep(t *testing.T) {
	for step := range 5 {
		everywhere(t, func(t *testing.T) {
			r := newRig(t, fails, func(o *Options) { o.MaxInFlight = 512 })
			r.hookSub(outbox.Webhook{HoldAfter: new(0)}) // 300 of them are to fail
			r.run()
			for i := range 300 {
				r.append(fmt.Sprintf("chat%d", i))
			}
			r.idle(500 * time.Millisecond)
			r.must(r.d.Pause(t.Context(), subA, "so that a backlog grows"))
			for range 20 {
				r.append("alice")
			}
			r.stop()
			r.remove()
			commits := 0
			r.fake.Hook(func(op string) error {
				if op == "Commit" {
					if commits == step {
						return outbox.ErrClosed
					}
					commits++
				}
				return nil
			})
			r.d = New(r.opt)
			first, err := r.d.DeadLetterBacklog(t.Context(), subA)
			if (err != nil) != (step < 3) {
				t.Fatalf("step %d: dead-lettered %d, %v", step, first, err)
			}
			r.fake.Hook(nil)
			// the lane of a removed subscription does the rest at its start
			r.run()
			r.idle(time.Second + 400*r.delay) // their logs are read one by one
			if n := r.letters(); n != 320 || len(r.pending()) != 0 {
				t.Errorf("step %d: %d letters, pending %d", step, n, len(r.pending()))
			}
			if r.hasLane(subA) {
				t.Errorf("step %d: a lane still runs: %+v", step, r.d.State(subA))
			}
			if !slices.Contains(r.end.forgot, subA) {
				t.Errorf("step %d: the sender was not told", step)
			}
			r.stop()
		})
	}
}

func TestDeadLetteringABacklogCutsOffWhatIsInFlight(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, after(9*time.Second, ok))
		r.run()
		r.append("alice", "alice", "bob")
		r.idle(time.Second)
		r.remove()
		begin := time.Now()
		count, err := r.d.DeadLetterBacklog(t.Context(), subA)
		if count != 3 || err != nil || time.Since(begin) > time.Second {
			t.Errorf("dead-lettered %d in %v, %v", count, time.Since(begin), err)
		}
		if _, err := r.d.DeadLetterBacklog(t.Context(), "wh_none"); !errors.Is(err, outbox.ErrNotFound) {
			t.Errorf("unknown webhook: %v", err)
		}
	})
}

func TestTheBacklogOfAWebhookInUseIsNotDeadLettered(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, ok)
		if _, err := r.d.DeadLetterBacklog(t.Context(), subA); err == nil {
			t.Error("the backlog of a webhook in use was dead-lettered")
		}
	})
}

func TestSyncMakesALaneAppearAndReread(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		var urls []string
		r := newRig(t, func(ctx context.Context, q Request) Result {
			if q.Sub == "wh_new" {
				urls = append(urls, q.Webhook.URL)
			}
			return ok(ctx, q)
		})
		r.must(r.d.Sync(t.Context(), subA)) // without Run it does nothing
		r.run()
		put := func(url string) {
			cfg, err := outbox.EncodeWebhook(outbox.Webhook{URL: url})
			r.must(err)
			r.put(outbox.Subscription{ID: "wh_new", Config: cfg, Epochs: []outbox.Epoch{{From: 1, Filter: outbox.Filter{Events: []string{outbox.Any}}}}})
			r.must(r.d.Sync(t.Context(), "wh_new"))
		}
		put("http://one/")
		if s := r.d.State("wh_new"); s.Status != StatusActive {
			t.Errorf("state %+v", s)
		}
		r.append("alice")
		r.idle(time.Second)
		put("http://two/")
		r.append("alice")
		r.idle(time.Second)
		if want := []string{"http://one/", "http://two/"}; !slices.Equal(urls, want) {
			t.Errorf("sent to %v, want %v", urls, want)
		}
		if err := r.d.Sync(t.Context(), "wh_none"); !errors.Is(err, outbox.ErrNotFound) {
			t.Errorf("unknown webhook: %v", err)
		}
	})
}

func TestSyncTriesAgainWhatWasHeld(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		var fixed atomic.Bool
		r := newRig(t, func(ctx context.Context, q Request) Result {
			if !fixed.Load() {
				return Result{Class: outbox.ClassLocal, Message: "no key"}
			}
			return ok(ctx, q)
		})
		r.run()
		r.append("alice")
		r.idle(40 * time.Second) // the wait has grown to 32 s
		fixed.Store(true)
		old := len(r.end.all())
		r.must(r.d.Sync(t.Context(), subA))
		r.idle(time.Millisecond)
		if n := len(r.end.all()) - old; n != 1 {
			t.Errorf("%d attempts right after Sync, want 1", n)
		}
	})
}

func TestPauseAndResumeWithAndWithoutRun(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, ok)
		r.must(r.d.Pause(t.Context(), subA, "holiday"))
		_, raw, _, err := r.fake.Load(t.Context(), subA)
		r.must(err)
		if s, err := DecodeLaneState(raw, outbox.Webhook{}); err != nil || s.Status != StatusPaused || s.Reason != "holiday" {
			t.Errorf("on disk %+v, %v", s, err)
		}
		r.run()
		r.append("alice")
		r.idle(time.Hour)
		if n := len(r.end.all()); n != 0 {
			t.Errorf("%d attempts while paused", n)
		}
		r.must(r.d.Resume(t.Context(), subA))
		r.idle(time.Second)
		if n := len(r.end.all()); n != 1 {
			t.Errorf("%d attempts after resume", n)
		}
	})
}

func TestNothingIsLostOverCrashesInTheMiddleOfEverything(t *testing.T) {
	for round := range 8 {
		everywhere(t, func(t *testing.T) {
			r := newRig(t, func(ctx context.Context, q Request) Result {
				if q.Event.Seq%7 == 0 && q.Attempt == 1 {
					return status(500)
				}
				return after(time.Duration(q.Event.Seq%5)*time.Millisecond, ok)(ctx, q)
			}, func(o *Options) { o.Drain = time.Nanosecond })
			r.run()
			var want []outbox.Seq
			for i := range 10 {
				for j := range 20 {
					want = append(want, r.append(fmt.Sprintf("chat%d", (i+j)%6))...)
				}
				r.idle(time.Duration(round*3+i) * max(time.Millisecond, r.delay/2))
				r.crash()
				r.run()
			}
			r.idle(time.Minute)
			first := map[outbox.Seq]bool{}
			last := map[string]outbox.Seq{} // chat → highest sequence that was delivered first
			for _, s := range r.end.all() {
				if s.Seq%7 == 0 && s.Attempt == 1 {
					continue // a failure
				}
				if !first[s.Seq] && s.Seq < last[s.Chat] && s.Seq%7 != 0 {
					t.Errorf("round %d: %d of %s first came after %d", round, s.Seq, s.Chat, last[s.Chat])
				}
				first[s.Seq] = true
				last[s.Chat] = max(last[s.Chat], s.Seq)
			}
			for _, s := range want {
				if !first[s] {
					t.Errorf("round %d: %d is lost", round, s)
				}
			}
			if r.end.overlap {
				t.Errorf("round %d: two attempts of one chat at once", round)
			}
			r.stop()
		})
	}
}

func TestRunTwiceIsRefused(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, ok)
		r.run()
		if err := r.d.Run(t.Context()); err == nil {
			t.Error("a second Run was accepted")
		}
		r.stop()
		r.fake.Hook(func(op string) error {
			if op == "Subs" {
				return outbox.ErrClosed
			}
			return nil
		})
		if err := r.d.Run(t.Context()); err == nil {
			t.Error("Run without a list of webhooks reported no error")
		}
		r.fake.Hook(nil)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := r.d.Run(ctx); err == nil {
			t.Error("Run that was stopped before it had a list of webhooks reported no error")
		}
	})
}
