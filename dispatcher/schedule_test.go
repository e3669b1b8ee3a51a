package dispatcher

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v4"

	"waoutbox/outbox"
)

func TestScheduleIsABackOffResumableAtAttemptN(t *testing.T) {
	waits := func(attempts int) (out []time.Duration) {
		for b := DefaultSchedule().BackOff(attempts); ; {
			w := b.NextBackOff()
			if w == backoff.Stop {
				return out
			}
			out = append(out, w)
		}
	}
	for attempts, want := range [][]time.Duration{{0, 1e9, 3e9, 10e9}, {1e9, 3e9, 10e9}, {3e9, 10e9}, {10e9}, nil, nil} {
		if got := waits(attempts); !slices.Equal(got, want) {
			t.Errorf("after %d attempts: %v, want %v", attempts, got, want)
		}
	}
	b := DefaultSchedule().BackOff(3)
	b.Reset()
	if got := b.NextBackOff(); got != 0 {
		t.Errorf("after Reset: %v, want 0", got)
	}
}

// Mutation of schedule.go: a clock that was set back holds a retry up.
func TestDueOnLoadIsClampedToItsOwnStep(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		attempts  int
		due, want time.Duration
	}{{1, 500 * time.Millisecond, 500 * time.Millisecond}, {1, -time.Hour, 0}, {1, time.Hour, time.Second}, {3, time.Hour, 10 * time.Second}, {0, time.Hour, 0}, {9, time.Hour, 0}} {
		if got := DefaultSchedule().onLoad(c.attempts, now.Add(c.due), now).Sub(now); got != c.want {
			t.Errorf("attempts %d, due in %v: waits %v, want %v", c.attempts, c.due, got, c.want)
		}
	}
}

// attemptTimes runs one event against an endpoint and returns when its attempts began.
func attemptTimes(t *testing.T, reply func(context.Context, Request) Result) (r *rig, times []time.Duration, dead []outbox.Record) {
	r = newRig(t, reply)
	r.run()
	r.append("alice")
	r.idle(5 * time.Minute)
	for i, s := range r.end.all() {
		if s.Attempt != i+1 {
			t.Errorf("attempt %d has number %d", i+1, s.Attempt)
		}
		times = append(times, s.At)
	}
	dead = r.dead()
	r.stop()
	return r, times, dead
}

// Mutation of schedule.go: another wait.
// Mutation of finish.go: a wait that counts from the beginning of the attempt.
// Mutation of schedule.go: another time limit.
func TestScheduleToTheSecond(t *testing.T) {
	for name, c := range map[string]struct {
		reply func(context.Context, Request) Result
		want  []time.Duration
	}{
		"instant failures": {fails, []time.Duration{0, 1e9, 4e9, 14e9}},
		// Each wait counts from the end of the attempt before it.
		"responses after 2 s": {after(2*time.Second, fails), []time.Duration{0, 3e9, 8e9, 20e9}},
		"hangs":               {after(time.Hour, fails), []time.Duration{0, 11e9, 24e9, 44e9}},
	} {
		everywhere(t, func(t *testing.T) {
			r, got, dead := attemptTimes(t, c.reply)
			// Waits begin when a failure's record is on disk at the earliest; in memory that takes
			// no time.
			if !r.times(got, c.want) {
				t.Errorf("%s: attempts at %v, want %v", name, got, c.want)
			}
			if len(dead) != 1 || dead[0].Attempts != 4 {
				t.Fatalf("%s: dead %+v", name, dead)
			}
			log, err := outbox.DecodeLog(dead[0].Log)
			if err != nil || len(log.Attempts) != 4 || log.Attempts[3].N != 4 {
				t.Errorf("%s: log %+v, %v", name, log, err)
			}
		})
	}
}
