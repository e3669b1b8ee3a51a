package dispatcher

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"waoutbox/outbox"
)

// receiver takes 5 requests a second and refuses the others.
type receiver struct {
	mu       sync.Mutex
	allow    func(now time.Time) bool
	after    time.Duration // Retry-After, 0 for none
	status   int
	took     time.Duration
	accepted []time.Time
	refused  int
}

func (r *receiver) reply(ctx context.Context, q Request) Result {
	return after(r.took, func(context.Context, Request) Result {
		r.mu.Lock()
		defer r.mu.Unlock()
		if now := time.Now(); r.allow(now) {
			r.accepted = append(r.accepted, now)
			return Result{Class: outbox.ClassOK, Status: 200}
		}
		r.refused++
		return Result{Class: outbox.ClassHTTP, Status: r.status, RetryAfter: r.after, Message: "too many"}
	})(ctx, q)
}

func (r *receiver) counts() (refused, accepted int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refused, len(r.accepted)
}

// bucket lets 5 a second through, and so many at once.
func bucket(burst int) func(time.Time) bool {
	b := rate.NewLimiter(5, burst)
	return func(now time.Time) bool { return b.AllowN(now, 1) }
}

// window lets the first 5 of every second through.
func window() func(time.Time) bool {
	var second int64
	var n int
	return func(now time.Time) bool {
		if s := now.Unix(); s != second {
			second, n = s, 0
		}
		n++
		return n <= 5
	}
}

// sliding lets 5 through in any second.
func sliding() func(time.Time) bool {
	var last [5]time.Time
	i := 0
	return func(now time.Time) bool {
		if now.Sub(last[i]) < time.Second {
			return false
		}
		last[i] = now
		i = (i + 1) % len(last)
		return true
	}
}

// TestAThrottledReceiver: 20 chats with 10 messages each at once, to receivers of 5 requests a
// second. Nothing dies, the rate is found within 10 s, and what is refused is little. Before, 6 of
// 200 died with Retry-After and 34 without.
//
// Mutation of dispatcher/pace/throttle.go: a throttled lane stays as wide as it was.
// Mutation of dispatcher/pace/throttle.go: the rate that an endpoint takes is not searched for.
func TestAThrottledReceiver(t *testing.T) {
	type receiverKind struct {
		allow func() func(time.Time) bool
		// of the 100 that it takes in 20 s, when it responds at once and in 300 ms, less some for
		// chance
		fast, slow int
	}
	for name, kind := range map[string]receiverKind{
		"bucket of 5": {func() func(time.Time) bool { return bucket(5) }, 90, 80},
		"window":      {window, 90, 65},
		"sliding":     {sliding, 90, 60},
		// one that takes no two in a row: 19 before the rate was learned
		"bucket of 1": {func() func(time.Time) bool { return bucket(1) }, 85, 70},
	} {
		for _, after := range []time.Duration{0, time.Second} {
			for _, took := range []time.Duration{0, 3 * time.Millisecond, 300 * time.Millisecond} {
				everywhere(t, func(t *testing.T) {
					end := &receiver{allow: kind.allow(), after: after, status: 429, took: took}
					r := newRig(t, end.reply)
					r.run()
					var chats []string
					for i := range 200 {
						chats = append(chats, fmt.Sprintf("chat %d", i%20))
					}
					begin := time.Now()
					r.append(chats...)
					r.idle(5 * time.Minute)
					if n := r.letters(); n != 0 || len(end.accepted) != 200 {
						t.Errorf("%s, Retry-After %v, %v a request: %d dead, %d accepted", name, after, took, n, len(end.accepted))
					}
					n := 0
					for _, at := range end.accepted {
						if d := at.Sub(begin); d >= 10*time.Second && d < 30*time.Second {
							n++
						}
					}
					floor := kind.fast
					if took > 100*time.Millisecond {
						floor = kind.slow
					}
					if r.delay > 0 { // a quarter of the time between two requests is one call
						floor = floor * 6 / 10
					}
					if n < floor {
						t.Errorf("%s, Retry-After %v, %v a request: %d accepted from second 10 to 30, want %d", name, after, took, n, floor)
					}
					r.stop()
				})
			}
		}
	}
}

// TestWhatWasSentTooFastCostsNothing: of eight at once all are refused, and tried again one by one;
// only a request that was alone costs an attempt.
//
// Mutation of finish.go: what was sent too fast costs an attempt.
func TestWhatWasSentTooFastCostsNothing(t *testing.T) {
	for name, refusal := range map[string]Result{
		"429":                  {Class: outbox.ClassHTTP, Status: 429},
		"429 with Retry-After": {Class: outbox.ClassHTTP, Status: 429, RetryAfter: time.Second},
		"503 with Retry-After": {Class: outbox.ClassHTTP, Status: 503, RetryAfter: time.Second},
	} {
		everywhere(t, func(t *testing.T) {
			var refusing atomic.Bool
			refusing.Store(true)
			r := newRig(t, func(ctx context.Context, q Request) Result {
				if refusing.Load() {
					return after(50*time.Millisecond, func(context.Context, Request) Result { return refusal })(ctx, q)
				}
				return after(50*time.Millisecond, ok)(ctx, q)
			})
			r.run()
			r.append("a", "b", "c", "d", "e", "f", "g", "h")
			r.idle(500 * time.Millisecond)
			if s := r.d.State(subA); len(r.end.all()) != 8 || s.Reason == "" {
				t.Errorf("%s: %d attempts, state %+v", name, len(r.end.all()), s)
			}
			r.idle(time.Second) // one alone was refused too
			refusing.Store(false)
			if got := r.end.all(); len(got) != 9 || !r.at(got[8].At, 1050*time.Millisecond) {
				t.Errorf("%s: attempts %+v", name, got)
			}
			if p := r.pending(); len(p) != 1 || p[0].Attempts != 1 {
				t.Errorf("%s: pending %+v", name, p)
			}
			r.idle(time.Minute)
			attempts := map[int]int{}
			for _, s := range r.end.all()[9:] {
				attempts[s.Attempt]++
			}
			if attempts[1] != 7 || attempts[2] != 1 || len(attempts) != 2 {
				t.Errorf("%s: attempts by number %v", name, attempts)
			}
			r.stop()
		})
	}
}

// TestAnEndpointThatOnlyRefusesEndsInDeadLetters: what costs nothing is what was sent too fast, not
// everything; and the waits double.
func TestAnEndpointThatOnlyRefusesEndsInDeadLetters(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, func(context.Context, Request) Result { return status(429) })
		r.run()
		r.append("a")
		r.idle(5 * time.Minute)
		var at []time.Duration
		for _, s := range r.end.all() {
			at = append(at, s.At)
		}
		if want := []time.Duration{0, time.Second, 4 * time.Second, 14 * time.Second}; !r.times(at, want) || r.letters() != 1 {
			t.Errorf("attempts at %v, want %v; %d dead", at, want, r.letters())
		}
		r.append("b")
		r.idle(5 * time.Minute)
		at = at[:0]
		for _, s := range r.end.all()[4:] {
			at = append(at, s.At-r.end.all()[4].At)
		}
		if want := []time.Duration{0, 16 * time.Second, 48 * time.Second, 108 * time.Second}; !r.times(at, want) || r.letters() != 2 {
			t.Errorf("attempts at %v, want %v; %d dead", at, want, r.letters())
		}
	})
}

// TestAServerThatIsDownIsNotThrottled: a 503 without Retry-After costs an attempt, and the lane
// stays as wide as it is.
func TestAServerThatIsDownIsNotThrottled(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, func(context.Context, Request) Result { return status(503) })
		r.run()
		r.append("a", "b", "c")
		r.idle(20 * time.Second)
		if n := len(r.end.all()); n != 12 || r.letters() != 3 {
			t.Errorf("%d attempts, %d dead", n, r.letters())
		}
	})
}

// What an endpoint asked for with a date is shown to the second. Before: "wait 1m36.80854987s".
func TestAWaitIsShownToTheSecond(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		asks := func(context.Context, Request) Result {
			return Result{Class: outbox.ClassHTTP, Status: 429, RetryAfter: 96808549870 * time.Nanosecond, Message: "too many"}
		}
		r := newRig(t, asks)
		r.run()
		r.append("alice")
		r.idle(time.Second)
		if got, want := r.d.State(subA).Reason, "the endpoint asked to wait 1 m 37 s (Retry-After)"; got != want {
			t.Errorf("it is shown as %q, want %q", got, want)
		}
	})
	for d, want := range map[time.Duration]string{0: "0 s", 400 * time.Millisecond: "0 s", 10 * time.Minute: "10 m", time.Hour + time.Second: "1 h 1 s", 24 * time.Hour: "24 h"} {
		if got := waitText(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}
