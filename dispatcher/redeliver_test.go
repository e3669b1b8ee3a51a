package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"waoutbox/outbox"
)

// refilter gives the subscription another filter from now on.
func (r *rig) refilter(f outbox.Filter) {
	r.t.Helper()
	s, err := r.fake.Sub(context.Background(), subA)
	r.must(err)
	s.Epochs = append(s.Epochs, outbox.Epoch{Filter: f})
	r.put(s)
	r.must(r.d.Sync(context.Background(), subA))
}

// TestRedeliver: what was delivered comes once more, in order, as a replay, under the filter in
// force now; what is pending or unread is left alone; a dead letter is replayed with its history.
//
// Mutation of deadletters.go: a redelivery sends what the filter in force does not want.
func TestRedeliver(t *testing.T) {
	for _, running := range []bool{true, false} {
		everywhere(t, func(t *testing.T) {
			works, reply := switchable()
			r := newRig(t, func(ctx context.Context, q Request) Result {
				if q.Event.Chat == "down" {
					return reply(ctx, q)
				}
				return ok(ctx, q)
			})
			r.run()
			seqs := r.append("alice", "bob", "alice", "down", "group", "alice")
			r.idle(time.Minute)
			r.refilter(outbox.Filter{Events: []string{outbox.Any}, NotChats: []string{"group"}})
			r.must(r.d.Pause(t.Context(), subA, "holiday"))
			later := r.append("alice", "group")
			if !running {
				r.stop()
				r.d = New(r.opt)
			}
			old := len(r.end.all())
			all := append(slices.Clone(seqs), later...)
			queued, missing, err := r.d.Redeliver(t.Context(), subA, append(all, 999))
			if want := []outbox.Seq{seqs[4], later[1], 999}; queued != 5 || !slices.Equal(missing, want) || err != nil {
				t.Fatalf("running %v: queued %d, missing %v, %v", running, queued, missing, err)
			}
			if again, missing, err := r.d.Redeliver(t.Context(), subA, seqs[:4]); again != 0 || len(missing) != 0 || err != nil {
				t.Errorf("running %v: again %d, missing %v, %v", running, again, missing, err)
			}
			for _, p := range r.pending() {
				if dead := p.Seq == seqs[3]; p.Replay != 1 || p.Attempts != 0 || p.Order == 0 || dead != (p.Reason == "503") || dead != (len(p.Log) > 0) {
					t.Errorf("running %v: pending %+v", running, p)
				}
			}
			works.Store(true)
			r.must(r.d.Resume(t.Context(), subA))
			if !running {
				r.run()
			}
			r.idle(time.Minute)
			got := r.end.all()[old:]
			if len(got) != 6 || len(r.pending()) != 0 || r.letters() != 0 {
				t.Errorf("running %v: sent %+v, pending %+v, %d dead", running, got, r.pending(), r.letters())
			}
			for _, s := range got {
				if want := 1; s.Seq != later[0] && s.Replay != want || s.Seq == later[0] && s.Replay != 0 || s.Attempt != 1 {
					t.Errorf("running %v: %+v", running, s)
				}
			}
			if of := r.end.of("alice")[3:]; !slices.Equal(of, []outbox.Seq{seqs[0], seqs[2], seqs[5], later[0]}) {
				t.Errorf("running %v: alice got %v", running, of)
			}
			r.stop()
		})
	}
}

// TestRedeliverOfWhatWasDeliveredAMomentAgo waits until that is settled: a pending record beside an
// unsettled delivery would be taken for its own.
//
// Mutation of deadletters.go: a redelivery does not wait until the deliveries before it are
// settled.
func TestRedeliverOfWhatWasDeliveredAMomentAgo(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, func(ctx context.Context, q Request) Result {
			if q.Event.Chat == "slow" && q.Replay == 0 {
				return after(5*time.Second, ok)(ctx, q)
			}
			return ok(ctx, q)
		})
		r.run()
		seqs := r.append("slow", "bob", "slow", "carol")
		r.idle(2 * r.delay) // until they are read
		if r.next() != seqs[0] {
			t.Fatalf("settled already: next %d", r.next())
		}
		queued, missing, err := r.d.Redeliver(t.Context(), subA, seqs)
		if queued != 2 || len(missing) != 0 || err != nil {
			t.Fatalf("queued %d, missing %v, %v", queued, missing, err)
		}
		r.idle(time.Minute)
		if got := r.end.of("bob"); len(got) != 2 {
			t.Errorf("bob got %v", got)
		}
		if got := r.end.of("slow"); len(got) != 2 || r.end.overlap || len(r.pending()) != 0 {
			t.Errorf("slow got %v, overlap %v, pending %v", got, r.end.overlap, r.pending())
		}
	})
}

// TestRedeliverOfWhatTheFilterDidNotWant: a webhook whose filter grew gets what it missed, also
// what the cursor has only just passed.
func TestRedeliverOfWhatTheFilterDidNotWant(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, ok)
		r.refilter(outbox.Filter{Events: []string{outbox.Any}, Chats: []string{"bob"}})
		r.run()
		seqs := r.append("alice", "bob", "alice")
		synctest.Wait()
		r.refilter(outbox.Filter{Events: []string{outbox.Any}})
		if queued, missing, err := r.d.Redeliver(t.Context(), subA, seqs); queued != 3 || len(missing) != 0 || err != nil {
			t.Fatalf("queued %d, missing %v, %v", queued, missing, err)
		}
		r.idle(time.Second)
		if got := r.end.of("alice"); !slices.Equal(got, []outbox.Seq{seqs[0], seqs[2]}) {
			t.Errorf("alice got %v", got)
		}
	})
}

// TestRedeliverRefuses what a replay refuses, and says so when settlements cannot be written.
func TestRedeliverRefuses(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, ok)
		if _, _, err := r.d.Redeliver(t.Context(), subA, make([]outbox.Seq, outbox.MaxBatch+1)); !errors.Is(err, outbox.ErrTooLarge) {
			t.Errorf("too many: %v", err)
		}
		r.run()
		seqs := r.append("alice")
		r.fake.Hook(func(op string) error {
			if op == "Commit" {
				return fmt.Errorf("the disk is full: %w", outbox.ErrFull)
			}
			return nil
		})
		r.idle(time.Second / 2)
		if _, _, err := r.d.Redeliver(t.Context(), subA, seqs); !errors.Is(err, outbox.ErrFull) {
			t.Errorf("a full disk: %v", err)
		}
		r.fake.Hook(nil)
		r.idle(time.Minute)
		r.remove()
		if _, _, err := r.d.Redeliver(t.Context(), subA, seqs); !errors.Is(err, ErrRemoved) {
			t.Errorf("removed: %v", err)
		}
	})
}
