package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"waoutbox/outbox"
	"waoutbox/outbox/outboxtest"
)

// farAway puts the rig's engine far away: every call takes 50 ms, and one write in so many is of
// unknown outcome and lands late, or never.
func farAway(every int) func(*Options) {
	return func(o *Options) {
		slow := outboxtest.NewSlow(o.Source.(*outboxtest.Fake), outboxtest.SlowOptions{Every: every})
		o.Source, o.Subscriptions = slow, slow
	}
}

// untilDone repeats what an administrator wants for as long as its outcome is unknown.
func (r *rig) untilDone(what string, do func() error) {
	r.t.Helper()
	var err error
	for range 20 {
		if err = do(); err == nil || !errors.Is(err, outbox.ErrUnknown) && !errors.Is(err, errInterrupted) {
			break
		}
		r.idle(time.Second)
	}
	if err != nil {
		r.t.Fatalf("%s: %v", what, err)
	}
}

// TestEverythingHoldsFarAway: random histories with a slow and unsure engine. In the end every
// event was delivered or is a dead letter, chats came in order, no attempt ran beside another of
// its chat, and none restarted at 1.
//
// Mutation of settler.go: a write of unknown outcome is taken for one that failed, so that memory
// and disk part.
func TestEverythingHoldsFarAway(t *testing.T) {
	for seed := range uint64(30) {
		for _, every := range []int{50, 5} {
			synctest.Test(t, func(t *testing.T) { farAwayHistory(t, rand.New(rand.NewPCG(seed, 1)), every) })
		}
	}
}

func farAwayHistory(t *testing.T, rnd *rand.Rand, every int) {
	r := newRig(t, func(ctx context.Context, q Request) Result {
		roll := (uint64(q.Event.Seq)*7 + uint64(q.Attempt)*3 + uint64(q.Replay)) % 11
		switch {
		case q.Event.Seq%13 == 5 && q.Replay < 2:
			return status(500)
		case roll == 3:
			return Result{Class: outbox.ClassHTTP, Status: 429, Message: "slow down"}
		case roll < 3:
			return after(300*time.Millisecond, func(context.Context, Request) Result { return status(503) })(ctx, q)
		}
		return after(20*time.Millisecond, ok)(ctx, q)
	}, farAway(every))
	r.hookSub(outbox.Webhook{HoldAfter: new(5), Redrive: rnd.IntN(2) == 0})
	r.run()
	r.idle(time.Second)
	var all []outbox.Seq
	for range 25 {
		switch rnd.IntN(8) {
		case 0:
			r.restart()
			r.idle(time.Second)
		case 1:
			r.untilDone("pause", func() error { return r.d.Pause(t.Context(), subA, "for a while") })
			r.idle(time.Second)
			r.untilDone("resume", func() error { return r.d.Resume(t.Context(), subA) })
		case 2:
			if dead := r.dead(); len(dead) > 0 {
				d := dead[rnd.IntN(len(dead))]
				r.untilDone("replay", func() error { _, _, err := r.d.Replay(t.Context(), subA, []outbox.Seq{d.KeySeq()}); return err })
			}
		case 3:
			if len(all) > 0 {
				seq := all[rnd.IntN(len(all))]
				r.untilDone("redeliver", func() error { _, _, err := r.d.Redeliver(t.Context(), subA, []outbox.Seq{seq}); return err })
			}
		case 4:
			if rnd.IntN(3) == 0 {
				r.untilDone("skip", func() error { _, err := r.d.SkipToNow(t.Context(), subA); return err })
			}
		default:
			for range 1 + rnd.IntN(8) {
				all = append(all, r.append(fmt.Sprintf("chat %d", rnd.IntN(5)))...)
			}
		}
		r.idle(time.Duration(rnd.IntN(3000)) * time.Millisecond)
	}
	r.idle(10 * time.Minute)
	r.untilDone("resume", func() error { return r.d.Resume(t.Context(), subA) })
	r.idle(30 * time.Minute)
	r.checkHistory(all)
	r.stop()
}

// checkHistory: everything is delivered or dead, and in order.
func (r *rig) checkHistory(all []outbox.Seq) {
	r.t.Helper()
	if p := r.pending(); len(p) != 0 || r.d.State(subA).Unfinished != 0 {
		r.t.Errorf("still pending %+v, state %+v", p, r.d.State(subA))
	}
	if r.end.overlap {
		r.t.Error("two attempts of one chat ran at once")
	}
	type try struct {
		seq    outbox.Seq
		replay int
	}
	attempts, first := map[try]int{}, map[string]outbox.Seq{}
	sent := map[outbox.Seq]bool{}
	for _, s := range r.end.all() {
		sent[s.Seq] = true
		k := try{s.Seq, s.Replay}
		// redelivered twice it has the same number twice
		if s.Replay == 0 && s.Attempt < attempts[k] {
			r.t.Errorf("%d, replay %d: attempt %d after %d", s.Seq, s.Replay, s.Attempt, attempts[k])
		}
		if attempts[k] == 0 && s.Replay == 0 {
			if s.Seq < first[s.Chat] {
				r.t.Errorf("%d of %s was sent first after %d", s.Seq, s.Chat, first[s.Chat])
			}
			first[s.Chat] = s.Seq
		}
		attempts[k] = s.Attempt
	}
	dead := r.dead()
	for _, seq := range all {
		if !sent[seq] && !slices.ContainsFunc(dead, func(d outbox.Record) bool { return d.Seq <= seq && seq <= d.KeySeq() }) {
			r.t.Errorf("%d was neither sent nor is it dead", seq)
		}
	}
}
