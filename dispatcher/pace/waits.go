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

// Waits returns 1 s doubling to 60 s, without end.
func Waits() backoff.BackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(MinWait), backoff.WithMaxInterval(MaxWait), backoff.WithMultiplier(2),
		backoff.WithRandomizationFactor(0), backoff.WithMaxElapsedTime(0),
	)
}
