package dispatcher

import (
	"context"
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
