package dispatcher

import (
	"slices"
	"time"

	"github.com/cenkalti/backoff/v4"
)

const (
	// AttemptTimeout bounds one attempt.
	AttemptTimeout = 10 * time.Second
	// MaxRetryAfter caps what an endpoint may ask for.
	MaxRetryAfter = 5 * time.Minute
)

// Schedule is the waits before attempts 1, 2, …; each counts from the end of the attempt before it.
// A webhook may have its own; the wait that follows a failure is that of the schedule at that
// moment.
// The first attempt always starts at once, whatever the first entry. When the schedule is spent the
// delivery becomes a dead letter.
type Schedule []time.Duration

// DefaultSchedule returns 0 / 1 / 3 / 10 s.
func DefaultSchedule() Schedule {
	return Schedule{0, time.Second, 3 * time.Second, 10 * time.Second}
}

// BackOff returns the schedule as a policy that goes on after `attempts` spent attempts:
// NextBackOff is the wait before the next attempt, or backoff.Stop when the schedule is spent.
// Reset goes back to the first attempt.
func (s Schedule) BackOff(attempts int) backoff.BackOff {
	return &scheduleBackOff{waits: s, n: attempts}
}

type scheduleBackOff struct {
	waits Schedule
	n     int // attempts spent
}

func (b *scheduleBackOff) NextBackOff() time.Duration {
	if b.n >= len(b.waits) {
		return backoff.Stop
	}
	b.n++
	if b.n == 1 {
		return 0
	}
	return max(0, b.waits[b.n-1])
}

func (b *scheduleBackOff) Reset() { b.n = 0 }

// after returns the wait after `attempts` failed attempts, false when none is left.
func (s Schedule) after(attempts int) (time.Duration, bool) {
	wait := s.BackOff(attempts).NextBackOff()
	return wait, wait != backoff.Stop
}

// onLoad returns when a stored delivery is due: the stored moment, but never further away than its
// own step's wait, so that a clock that was set back holds nothing up. The result counts on the
// monotonic clock.
func (s Schedule) onLoad(attempts int, due, now time.Time) time.Time {
	wait, ok := s.after(attempts)
	if !ok {
		wait = 0
	}
	return now.Add(min(max(0, due.Sub(now)), wait))
}

// normal returns s, or the default for an empty one.
func (s Schedule) normal() Schedule {
	if len(s) == 0 {
		return DefaultSchedule()
	}
	return slices.Clone(s)
}
