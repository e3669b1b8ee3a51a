package pace

import (
	"time"

	"golang.org/x/time/rate"
)

// Rate bounds the attempts of a lane, retries and probes included, to so many a second. The zero
// value does not.
type Rate struct{ limiter *rate.Limiter }

// Set takes over a bound, 0 for none. What was sent already counts on.
func (m *Rate) Set(perSecond float64, now time.Time) {
	// A hundredth of a second's worth may go at once: timers are no finer than about a millisecond.
	burst := max(1, int(perSecond/100))
	switch {
	case perSecond <= 0:
		m.limiter = nil
	case m.limiter == nil:
		m.limiter = rate.NewLimiter(rate.Limit(perSecond), burst)
	default:
		m.limiter.SetLimitAt(now, rate.Limit(perSecond))
		m.limiter.SetBurstAt(now, burst)
	}
}

// Next returns when the next attempt may begin, the zero time for at any moment.
func (m *Rate) Next(now time.Time) time.Time {
	if m.limiter == nil {
		return time.Time{}
	}
	r := m.limiter.ReserveN(now, 1) // to see when, and given back
	defer r.CancelAt(now)
	return now.Add(r.DelayFrom(now))
}

// Spend counts an attempt that begins now, as Next allows.
func (m *Rate) Spend(now time.Time) {
	if m.limiter != nil {
		m.limiter.AllowN(now, 1)
	}
}
