package dispatcher

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"waoutbox/outbox"
)

// TestALaneThatCannotWriteIsNotHeldUp: an expiry, or a skip, that waits for a write which takes an
// hour, or for an attempt that does not end, gives up, and the lane goes on. Before, it waited as
// long as they took, and nothing was begun meanwhile.
//
// Mutation of operation.go: a lane that cannot write begins nothing any more.
func TestALaneThatCannotWriteIsNotHeldUp(t *testing.T) {
	for name, reply := range map[string]func(context.Context, Request) Result{
		"a write":    ok,
		"an attempt": func(_ context.Context, q Request) Result { return stuck(q) },
	} {
		for what, do := range map[string]func(r *rig) error{
			"expire": func(r *rig) error {
				_, _, err := r.d.Expire(r.t.Context(), subA, time.Now(), 0)
				return err
			},
			"skip": func(r *rig) error { _, err := r.d.SkipToNow(r.t.Context(), subA); return err },
		} {
			t.Run(name+" "+what, func(t *testing.T) {
				everywhere(t, func(t *testing.T) {
					r := newRig(t, reply, func(o *Options) { o.MaxInFlight = 1 })
					d := &disk{Source: r.opt.Source}
					r.opt.Source = d
					r.d = New(r.opt)
					r.run()
					if name == "a write" {
						d.delay.Store(int64(time.Hour))
					}
					first := r.append("alice", "bob", "stuck")
					r.idle(time.Second)
					begin := time.Now()
					if err := do(r); !errors.Is(err, errNotQuiet) || time.Since(begin) > 2*quietLimit {
						t.Errorf("%v after %v", err, time.Since(begin))
					}
					n := len(r.end.all())
					r.append("carol")
					r.idle(time.Minute)
					if name == "a write" && len(r.end.all()) == n {
						t.Error("nothing is sent any more")
					}
					d.delay.Store(0)
					r.idle(3 * time.Hour)
					if got := r.end.seqs(); !slices.Contains(got, first[2]+1) || len(r.pending()) != 0 || r.letters() != 0 {
						t.Errorf("sent %v, pending %+v, %d dead", got, r.pending(), r.letters())
					}
					r.stop()
				})
			})
		}
	}
}

// stuck is an attempt that minds no limit.
func stuck(q Request) Result {
	if q.Event.Chat == "stuck" {
		<-time.After(time.Hour)
	}
	return Result{Class: outbox.ClassOK, Status: 200}
}
