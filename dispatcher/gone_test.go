package dispatcher

import (
	"context"
	"slices"
	"testing"
	"time"

	"waoutbox/outbox"
)

// What is in flight when an endpoint responds with 410 settles as it ends: delivered, failed with
// its attempt spent, or dead by a 410 of its own. Nothing else is sent until the webhook is
// resumed.
func TestAttemptsInFlightSettleAfterA410(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		resumed := false
		r := newRig(t, func(ctx context.Context, q Request) Result {
			switch {
			case resumed:
				return ok(ctx, q)
			case q.Event.Chat == "first":
				return status(410)
			case q.Event.Chat == "good":
				return after(2*time.Second, ok)(ctx, q)
			case q.Event.Chat == "bad":
				return after(2*time.Second, fails)(ctx, q)
			}
			return after(2*time.Second, func(context.Context, Request) Result { return status(410) })(ctx, q)
		})
		r.append("first", "good", "bad", "gone too", "good")
		r.run()
		r.idle(time.Hour)
		if got := len(r.end.seqs()); got != 4 {
			t.Errorf("%d attempts, want 4: the second event of a chat waits", got)
		}
		var dead []outbox.Seq
		for _, d := range r.dead() {
			dead = append(dead, d.Seq)
			if d.Reason != "410" || d.Attempts != 1 {
				t.Errorf("dead %+v", d)
			}
		}
		if !slices.Equal(dead, []outbox.Seq{1, 4}) {
			t.Errorf("dead %v, want 1 and 4", dead)
		}
		resumed = true
		r.must(r.d.Resume(t.Context(), subA))
		r.idle(time.Minute)
		last := r.end.all()[4:]
		slices.SortFunc(last, func(a, b sent) int { return int(a.Seq) - int(b.Seq) })
		if len(last) != 2 || last[0].Seq != 3 || last[0].Attempt != 2 || last[1].Seq != 5 || last[1].Attempt != 1 {
			t.Errorf("after resume %+v: want attempt 2 of 3 and attempt 1 of 5", last)
		}
	})
}
