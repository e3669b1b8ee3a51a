package pace

import (
	"time"

	"github.com/cenkalti/backoff/v4"
)

const (
	// MinWait and MaxWait bound a wait that doubles.
	MinWait = time.Second
	MaxWait = time.Minute
)

// Later returns how long what fails for itself alone waits, after it has failed so many times more
// than it should: 15 s doubling to 60 s.
func Later(times int) time.Duration {
	return min(MaxWait, MaxWait/4<<min(max(times, 0), 2))
}

// Waits returns 1 s doubling to 60 s, without end.
func Waits() backoff.BackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(MinWait), backoff.WithMaxInterval(MaxWait), backoff.WithMultiplier(2),
		backoff.WithRandomizationFactor(0), backoff.WithMaxElapsedTime(0),
	)
}
