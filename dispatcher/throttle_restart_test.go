package dispatcher

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// TestEverySecondRefused: an endpoint that refuses every second request, or half of them by chance,
// whatever it gets. As long as it is not known that this does not depend on how much it gets, one
// in sixteen could die by chance, and then nothing does. Before, less than one in three seconds was
// accepted.
//
// Mutation of dispatcher/pace/free.go: what it refuses by chance is dead by chance.
func TestEverySecondRefused(t *testing.T) {
	for name, kind := range map[string]struct {
		allow func(n int, chance *rand.Rand) bool
		dead  int
	}{
		"by turns":  {func(n int, _ *rand.Rand) bool { return n%2 == 0 }, 2},
		"by chance": {func(_ int, chance *rand.Rand) bool { return chance.IntN(2) == 0 }, 5},
	} {
		everywhere(t, func(t *testing.T) {
			n, chance := 0, rand.New(rand.NewPCG(1, 1))
			end := &receiver{allow: func(time.Time) bool { n++; return kind.allow(n, chance) }, status: 429, took: 3 * time.Millisecond}
			// Of what is sent at once the older comes first: were it whose goroutine runs first,
			// which ones are refused would differ from run to run, and two died in one of many.
			r := newRig(t, func(ctx context.Context, q Request) Result {
				return after(time.Duration(q.Event.Seq)*time.Microsecond, end.reply)(ctx, q)
			})
			r.run()
			for i := range 200 {
				r.append(fmt.Sprintf("chat %d", i%20))
			}
			r.idle(5 * time.Minute)
			_, accepted := end.counts()
			if dead := r.letters(); dead > kind.dead || accepted+dead != 200 {
				t.Errorf("%s: %d accepted, %d dead", name, accepted, dead)
			}
			r.stop()
		})
	}
}

// TestARestartForgetsTheRate, which costs no dead letter, and no more refused requests than there
// are slots and a few to find it again: less than what a rate would cost that is kept, and is not
// true any more.
func TestARestartForgetsTheRate(t *testing.T) {
	for name, allow := range map[string]func() func(time.Time) bool{
		"bucket of 5": func() func(time.Time) bool { return bucket(5) },
		"bucket of 1": func() func(time.Time) bool { return bucket(1) },
		"window":      window,
		"sliding":     sliding,
	} {
		for _, after := range []time.Duration{0, time.Second} {
			everywhere(t, func(t *testing.T) {
				end := &receiver{allow: allow(), after: after, status: 429, took: 3 * time.Millisecond}
				r := newRig(t, end.reply)
				r.run()
				for i := range 400 {
					r.append(fmt.Sprintf("chat %d", i%20))
				}
				r.idle(30 * time.Second)
				refused, accepted := end.counts()
				r.restart()
				r.idle(30 * time.Second)
				refusedThen, acceptedThen := end.counts()
				if n := refusedThen - refused; n > 2*defaultInFlight {
					t.Errorf("%s, Retry-After %v: %d refused after the restart", name, after, n)
				}
				least := 100
				// far away, each call of 50 ms and each wait for an outcome is a gap
				if isFar(t) {
					least = 60
				}
				if n := acceptedThen - accepted; n < least {
					t.Errorf("%s, Retry-After %v: %d accepted in 30 s after the restart, of 150; want %d", name, after, n, least)
				}
				r.idle(5 * time.Minute)
				_, all := end.counts()
				if dead := r.letters(); dead != 0 || all != 400 {
					t.Errorf("%s, Retry-After %v: %d dead, %d of 400 accepted", name, after, dead, all)
				}
			})
		}
	}
}
