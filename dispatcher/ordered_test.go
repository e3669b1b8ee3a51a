package dispatcher

import (
	"context"
	"slices"
	"testing"
	"time"

	"waoutbox/outbox"
)

// setOrdered stores the webhook anew, as `webhook add` does.
func (r *rig) setOrdered(ordered bool) {
	r.t.Helper()
	cfg, err := outbox.EncodeWebhook(outbox.Webhook{URL: "http://127.0.0.1/", Unordered: !ordered})
	r.must(err)
	s, err := r.fake.Sub(context.Background(), subA)
	r.must(err)
	s.Config = cfg
	r.put(s)
}

// failsFirst fails the first two attempts of sequence 1.
func failsFirst(ctx context.Context, q Request) Result {
	if q.Event.Seq == 1 && q.Attempt < 3 {
		return status(500)
	}
	return ok(ctx, q)
}

// Before: "sent [1 1 2 1]": the retry kept the key it was made with.
//
// Mutation of dispatcher/scheduler/checkpoint.go: a record keeps the key of an unordered webhook,
// so that made ordered it overtakes.
func TestMadeOrderedANewerEventDoesNotOvertakeAWaitingRetry(t *testing.T) {
	for name, change := range map[string]func(r *rig){
		"while it runs": func(r *rig) { r.setOrdered(true); r.must(r.d.Sync(context.Background(), subA)) },
		"while stopped": func(r *rig) { r.stop(); r.setOrdered(true); r.d = New(r.opt); r.run() },
		"and back": func(r *rig) { // twice: what is known follows each time
			for _, ordered := range []bool{true, false, true} {
				r.setOrdered(ordered)
				r.must(r.d.Sync(context.Background(), subA))
			}
		},
	} {
		everywhere(t, func(t *testing.T) {
			r := newRig(t, failsFirst)
			r.setOrdered(false)
			r.run()
			r.append("alice")
			r.idle(2 * time.Second) // two attempts failed, the third is due at 4 s
			change(r)
			r.append("alice", "bob")
			r.idle(time.Second)
			if got := r.end.of("bob"); len(got) != 1 {
				t.Errorf("%s: bob waits for alice: %v", name, got)
			}
			r.idle(time.Minute)
			if got := r.end.of("alice"); !slices.Equal(got, []outbox.Seq{1, 1, 1, 2}) {
				t.Errorf("%s: sent %v", name, got)
			}
			r.stop()
		})
	}
}

// The other way round, what waited for its chat need not wait any more.
func TestMadeUnorderedEventsDoNotWaitForTheirChat(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, failsFirst)
		r.run()
		r.append("alice", "alice", "alice")
		r.idle(2 * time.Second)
		r.setOrdered(false)
		r.must(r.d.Sync(t.Context(), subA))
		r.idle(time.Second)
		if got := slices.Sorted(slices.Values(r.end.seqs())); !slices.Equal(got, []outbox.Seq{1, 1, 2, 3}) {
			t.Errorf("sent %v", got)
		}
		r.setOrdered(true)
		r.must(r.d.Sync(t.Context(), subA))
		r.append("alice")
		r.idle(time.Minute)
		if got := r.end.seqs()[4:]; !slices.Equal(got, []outbox.Seq{1, 4}) {
			t.Errorf("made ordered again: sent %v", got)
		}
	})
}
