package dispatcher

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"waoutbox/outbox"
)

// oddReceiver responds as reply says to the n-th request, from 1, at a time since its beginning.
type oddReceiver struct {
	begun time.Time
	reply func(n int, at time.Duration, q Request) Result

	mu   sync.Mutex
	n    int
	last map[oddTry]oddAttempt
	got  map[outbox.Seq]int // 2xx
	bad  []string
}

type oddTry struct {
	seq    outbox.Seq
	replay int
}

type oddAttempt struct {
	number int
	free   bool // it may have cost nothing
	ended  time.Time
	ok     bool
}

func (o *oddReceiver) send(ctx context.Context, q Request) Result {
	o.mu.Lock()
	o.n++
	n := o.n
	k := oddTry{q.Event.Seq, q.Replay}
	before, again := o.last[k]
	say := func(what string) {
		o.bad = append(o.bad, fmt.Sprintf("%d, replay %d: attempt %d %s: %+v", q.Event.Seq, q.Replay, q.Attempt, what, before))
	}
	switch {
	case q.Attempt > len(DefaultSchedule()):
		say("is beyond the schedule")
	case q.Replay > 1:
		say("of a second replay")
	case before.ok:
		say("after a 2xx")
	case !again && q.Attempt != 1:
		say("is the first one")
	case again && q.Attempt == before.number && !before.free:
		say("is repeated")
	case again && q.Attempt != before.number && q.Attempt != before.number+1:
		say("does not follow")
	case again && q.Attempt > before.number && time.Since(before.ended) < DefaultSchedule()[q.Attempt-1]:
		say("comes too early")
	}
	o.mu.Unlock()
	res := after(20*time.Millisecond, func(context.Context, Request) Result { return o.reply(n, time.Since(o.begun), q) })(ctx, q)
	o.mu.Lock()
	defer o.mu.Unlock()
	if res.Class == outbox.ClassOK {
		o.got[q.Event.Seq]++
	}
	o.last[k] = oddAttempt{q.Attempt, throttled(res), time.Now(), res.Class == outbox.ClassOK}
	return res
}

// TestOddReceivers for an hour, each with and without a redrive, then well again: everything is
// delivered once, or is a dead letter that had all its attempts; nothing is attempted beyond its
// schedule, nor redriven twice, and no chat is out of order. Of those that refuse one in two
// whatever they get, more than 3,500 were left, and went out at "about 0.007 a second for now".
func TestOddReceivers(t *testing.T) {
	busy := func(retryAfter time.Duration) Result {
		return Result{Class: outbox.ClassHTTP, Status: 429, RetryAfter: retryAfter}
	}
	good := Result{Class: outbox.ClassOK, Status: 200}
	refused := Result{Class: outbox.ClassRefused, Message: "connection refused"}
	for name, reply := range map[string]func(n int, at time.Duration, q Request) Result{
		"429 to everything": func(int, time.Duration, Request) Result { return busy(0) },
		"429 to every second": func(n int, _ time.Duration, _ Request) Result {
			return []Result{good, busy(0)}[n%2]
		},
		"429 to every fifth": func(n int, _ time.Duration, _ Request) Result {
			return []Result{busy(0), good, good, good, good}[n%5]
		},
		"429 to every twentieth": func(n int, _ time.Duration, _ Request) Result {
			if n%20 == 0 {
				return busy(0)
			}
			return good
		},
		"429 to every first attempt": func(_ int, _ time.Duration, q Request) Result {
			return []Result{good, busy(0)}[q.Attempt%2]
		},
		"429 that asks for a day": func(n int, _ time.Duration, _ Request) Result {
			return []Result{good, good, busy(24 * time.Hour)}[n%3]
		},
		"503 beside 200": func(n int, _ time.Duration, _ Request) Result { return []Result{good, status(503)}[n%2] },
		"503 that asks for a second beside 200": func(n int, _ time.Duration, _ Request) Result {
			return []Result{good, {Class: outbox.ClassHTTP, Status: 503, RetryAfter: time.Second}}[n%2]
		},
		"up and down every 25 s": func(_ int, at time.Duration, _ Request) Result {
			return []Result{good, refused}[int(at/(25*time.Second))%2]
		},
		"up for 5 s, down for 5 min": func(_ int, at time.Duration, _ Request) Result {
			if at%(305*time.Second) < 5*time.Second {
				return good
			}
			return refused
		},
		"up and throttled every 25 s": func(_ int, at time.Duration, _ Request) Result {
			return []Result{good, busy(0)}[int(at/(25*time.Second))%2]
		},
		"one chat that fails": func(_ int, _ time.Duration, q Request) Result {
			if q.Event.Chat == "chat 3" {
				return status(500)
			}
			return good
		},
	} {
		for _, redrive := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, redrive %v", name, redrive), func(t *testing.T) {
				everywhere(t, func(t *testing.T) {
					const hour, chats = time.Hour, 7
					o := &oddReceiver{begun: time.Now(), last: map[oddTry]oddAttempt{}, got: map[outbox.Seq]int{}}
					o.reply = func(n int, at time.Duration, q Request) Result {
						if at > hour {
							return good
						}
						return reply(n, at, q)
					}
					r := newRig(t, o.send)
					r.hookSub(outbox.Webhook{Redrive: redrive})
					r.run()
					n := r.appendEvery(time.Second, hour, chats)
					r.idle(20 * time.Minute)
					if s := r.d.State(subA); s.Status != StatusActive || s.Unfinished != 0 || len(r.pending()) != 0 {
						t.Errorf("state %+v, %d pending", s, len(r.pending()))
					}
					dead := map[outbox.Seq]bool{}
					for _, d := range r.dead() {
						dead[d.Seq] = true
						if d.IsRun() || d.Attempts != len(DefaultSchedule()) {
							t.Errorf("dead %+v", d)
						}
					}
					for seq := range outbox.Seq(n) {
						if times := o.got[seq+1]; times > 1 || (times == 1) == dead[seq+1] {
							t.Errorf("%d was accepted %d times, dead %v", seq+1, times, dead[seq+1])
						}
					}
					for _, b := range o.bad[:min(len(o.bad), 10)] {
						t.Errorf("%s", b)
					}
					if r.end.overlap {
						t.Errorf("two of one chat at once")
					}
					r.stop()
				})
			})
		}
	}
}
