package dispatcher

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"waoutbox/outbox"
)

// One chat that floods keeps no other one waiting: while thousands of its events wait for a slow
// endpoint, one after another, what comes in other chats starts at once. All attempts of the flood
// time out here, which holds a slot for 10 s each and then has it tried again.
//
// Mutation of dispatcher.go: a flood of one chat fills what a webhook reads ahead, and all other
// chats wait for it.
func TestAFloodOfOneChatKeepsNoOtherWaiting(t *testing.T) {
	const flood, others = 8_000, 20
	for name, reply := range map[string]func(context.Context, Request) Result{
		"slow":  after(time.Second, ok),
		"hangs": after(time.Hour, ok),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, func(ctx context.Context, q Request) Result {
					if q.Event.Chat != "flood" {
						return ok(ctx, q)
					}
					return reply(ctx, q)
				})
				r.run()
				chats := make([]string, flood)
				for i := range chats {
					chats[i] = "flood"
				}
				r.append(chats...)
				came := map[outbox.Seq]time.Duration{}
				for range others {
					came[r.append("bob")[0]] = time.Since(r.end.start)
					r.idle(5 * time.Second)
				}
				waited, started := time.Duration(0), 0
				for _, s := range r.end.all() {
					if s.Chat == "bob" {
						started++
						waited = max(waited, s.At-came[s.Seq])
					}
				}
				left := flood - len(r.end.of("flood"))
				t.Logf("%d events of the flood wait, the other chat's waited %v at most", left, waited)
				if started != others || waited > 100*time.Millisecond || left < flood-200 {
					t.Errorf("%d of %d events of the other chat were sent, after %v at most; %d of the flood wait", started, others, waited, left)
				}
				r.stop()
			})
		})
	}
}

// Beyond the most deliveries that may be unfinished the log is not read on: what comes in another
// chat then waits for as many deliveries of the flood as there are above that, and a 32nd of it;
// not for all of them, and without anybody's help. This is the bound that docs/SECURITY.md states.
//
// Mutation of lane.go: a reader that stood still reads on only when the flood is over.
func TestAFloodBeyondTheLimitDelaysOthersByItsExcess(t *testing.T) {
	const flood, limit = 1_000, 512
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(ctx context.Context, q Request) Result {
			if q.Event.Chat == "flood" {
				return after(time.Second, ok)(ctx, q)
			}
			return ok(ctx, q)
		}, func(o *Options) { o.MaxUnfinished = limit })
		r.run()
		chats := slices.Repeat([]string{"flood"}, flood)
		r.append(append(chats, "bob")...)
		r.idle((flood + 10) * time.Second)
		before, came := 0, false
		for _, s := range r.end.all() {
			if came = s.Chat == "bob"; came {
				break
			}
			before++
		}
		if most := flood - limit + limit/32 + 1; !came || before > most {
			t.Errorf("the other chat's event was sent: %v, after %d of the flood, at most %d", came, before, most)
		}
		if n := len(r.end.of("flood")); n != flood {
			t.Errorf("%d of the flood were sent", n)
		}
		r.stop()
	})
}
