package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"waoutbox/outbox"
)

// skipRig has 300 deliveries that failed once, one that hangs for five seconds more, and 20 that
// are unread.
func skipRig(t *testing.T) (r *rig, works func(), all []outbox.Seq) {
	up, reply := switchable()
	r = newRig(t, func(ctx context.Context, q Request) Result {
		if q.Event.Chat == "slow" {
			return after(5*time.Second, ok)(ctx, q)
		}
		return reply(ctx, q)
	}, func(o *Options) { o.MaxInFlight = 512 })
	r.hookSub(outbox.Webhook{HoldAfter: new(0)})
	r.run()
	all = r.append("slow")
	for i := range 300 {
		all = append(all, r.append(fmt.Sprintf("chat %d", i))...)
	}
	r.idle(500 * time.Millisecond)
	r.must(r.d.Pause(t.Context(), subA, "holiday"))
	for i := range 20 {
		all = append(all, r.append(fmt.Sprintf("chat %d", i))...)
	}
	r.idle(500 * time.Millisecond)
	return r, func() { up.Store(true) }, all
}

// TestSkipToNow: what is in flight ends in its own way, the rest becomes dead letters with the
// attempts they had, the unread ones as one run; what comes now is delivered, and letters can be
// replayed.
//
// Mutation of backlog.go: what is unread is dropped when a webhook is resumed with --skip-to-now.
func TestSkipToNow(t *testing.T) {
	for _, running := range []bool{true, false} {
		everywhere(t, func(t *testing.T) {
			r, works, all := skipRig(t)
			if !running {
				r.stop()
				r.d = New(r.opt)
			}
			begun := time.Now()
			n, err := r.d.SkipToNow(t.Context(), subA)
			if n != 320 || err != nil {
				t.Fatalf("running %v: skipped %d, %v", running, n, err)
			}
			if took := time.Since(begun); running && took <= 3*time.Second || !running && took > 2*300*r.delay {
				t.Errorf("running %v: it took %v, what was in flight ends after 4 s", running, took)
			}
			dead := r.dead()
			if len(dead) != 301 || len(r.pending()) != 0 || r.next() != all[len(all)-1]+1 {
				t.Fatalf("running %v: %d dead records, pending %d, next %d", running, len(dead), len(r.pending()), r.next())
			}
			for i, d := range dead {
				log, err := outbox.DecodeLog(d.Log)
				if run := i == 300; d.Reason != ReasonSkipped || err != nil || d.At.IsZero() ||
					run != d.IsRun() || !run && (len(log.Attempts) != 1 || d.Attempts != 1) || run && d.Count != 20 {
					t.Fatalf("running %v: dead %+v, log %+v", running, d, log)
				}
			}
			works()
			if !running {
				r.run()
			}
			old := len(r.end.all())
			fresh := r.append("chat 7")
			r.idle(time.Minute)
			if got := r.end.seqs()[old:]; !slices.Equal(got, fresh) {
				t.Errorf("running %v: sent %v, want %v", running, got, fresh)
			}
			if s := r.d.State(subA); s.Status != StatusActive || s.Unfinished != 0 {
				t.Errorf("running %v: state %+v", running, s)
			}
			again := []outbox.Seq{all[5], all[310]}
			if queued, missing, err := r.d.Replay(t.Context(), subA, again); queued != 2 || len(missing) != 0 || err != nil {
				t.Errorf("running %v: replayed %d, missing %v, %v", running, queued, missing, err)
			}
			r.idle(time.Minute)
			if got := slices.Sorted(slices.Values(r.end.seqs()[old+1:])); !slices.Equal(got, again) || r.letters() != 318 {
				t.Errorf("running %v: replayed %v, %d letters left", running, got, r.letters())
			}
			r.stop()
		})
	}
}

// TestSkippingGoesOnAfterACrashAtAnyStep: nothing is lost and nothing resumed before all of it is
// done; the call repeated does the rest.
//
// Mutation of admin.go: a webhook is resumed though not everything was skipped.
func TestSkippingGoesOnAfterACrashAtAnyStep(t *testing.T) {
	for step := range 5 {
		for _, crash := range []bool{true, false} {
			everywhere(t, func(t *testing.T) {
				r, works, all := skipRig(t)
				r.idle(5 * time.Second)
				commits := 0
				r.fake.Hook(func(op string) error {
					if op == "Commit" {
						if commits++; commits == step+1 {
							return fmt.Errorf("no: %w", outbox.ErrFull)
						}
					}
					return nil
				})
				first, err := r.d.SkipToNow(t.Context(), subA)
				if (err == nil) != (step == 4) {
					t.Fatalf("step %d: skipped %d, %v", step, first, err)
				}
				if crash {
					r.crash()
					r.run()
				}
				r.fake.Hook(nil)
				r.idle(time.Minute)
				if err != nil {
					if s := r.d.State(subA); s.Status != StatusPaused {
						t.Errorf("step %d: state %+v", step, s)
					}
					second, err := r.d.SkipToNow(t.Context(), subA)
					if err != nil || first+second != 320 {
						t.Errorf("step %d: skipped %d and %d, %v", step, first, second, err)
					}
				}
				works()
				r.append("chat 7")
				r.idle(time.Minute)
				if n := r.letters(); n != 320 || len(r.pending()) != 0 || len(r.end.of("slow")) != 1 {
					t.Errorf("step %d: %d letters, pending %d", step, n, len(r.pending()))
				}
				if s := r.d.State(subA); s.Unfinished != 0 || s.Status != StatusActive || r.next() != all[len(all)-1]+2 {
					t.Errorf("step %d: state %+v, next %d", step, s, r.next())
				}
				r.stop()
			})
		}
	}
}

// TestSkippingARemovedWebhookIsRefused.
func TestSkippingARemovedWebhookIsRefused(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, ok)
		r.append("alice")
		r.remove()
		if _, err := r.d.SkipToNow(t.Context(), subA); !errors.Is(err, ErrRemoved) {
			t.Errorf("got %v", err)
		}
	})
}
