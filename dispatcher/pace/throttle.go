package pace

import (
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Throttle follows an endpoint that says it gets too much. Then the lane has one attempt in flight,
// and each 2xx lets it have one more, up to its slots; and the rate that the endpoint takes is
// searched for, so that it need not refuse any more. What was sent beside others when the endpoint
// said so was sent too fast, which costs it no attempt. Attempts are numbered from 1.
type Throttle struct {
	width   int    // attempts at once; 0 = as many as there are slots
	started uint64 // the last attempt
	before  uint64 // the last attempt when the width was taken down: what began before is old
	waits   backoff.BackOff
	search  search
	rate    Rate // of the search
}

// NewThrottle returns one that lets everything through.
func NewThrottle() Throttle { return Throttle{waits: Waits()} }

// Slots is how many attempts there may be at once.
func (t *Throttle) Slots(all int) int {
	if t.width == 0 {
		return all
	}
	return min(t.width, all)
}

// Bounds returns how many attempts there may be at once, 0 for as many as there are slots, and how
// many a second, 0 for any number.
func (t *Throttle) Bounds() (width int, perSecond float64) { return t.width, t.perSecond() }

// perSecond is the rate that was found, as far as one is kept.
func (t *Throttle) perSecond() float64 {
	if t.search.rate == 0 {
		return 0
	}
	return max(t.search.rate, minRate)
}

// Next returns when the next attempt may begin, the zero time for at any moment.
func (t *Throttle) Next(now time.Time) time.Time { return t.rate.Next(now) }

// Wait notes that there is an attempt that waits for Next.
func (t *Throttle) Wait(now time.Time) { t.search.wait(now) }

// Rest notes that there is nothing to send for now, and no attempt runs.
func (t *Throttle) Rest() { t.search.rest(t.started) }

// Begin counts an attempt that begins now, as Next allows, and numbers it.
func (t *Throttle) Begin(now time.Time) uint64 {
	t.search.forget(now)
	t.rate.Set(t.perSecond(), now)
	t.rate.Spend(now)
	t.started++
	t.search.begin(t.started, now)
	return t.started
}

// Costs reports whether a refusal costs the attempt of that number: when it had no other beside it,
// others being those that ran when it began. Of a receiver that refuses some of what it gets,
// however little that is, most refusals cost nothing. Call it once for each, before Refused.
func (t *Throttle) Costs(n uint64, others int) bool {
	return others == 0 && n == t.started && t.search.free.costs()
}

// Refused takes an attempt of which the endpoint said that it is too much. It returns how long to
// wait when the endpoint has not said, 0 for an attempt that is old.
func (t *Throttle) Refused(n uint64, now time.Time) time.Duration {
	if n <= t.before {
		return 0
	}
	t.width, t.before = 1, t.started
	t.search.refused(t.started, now)
	t.rate.Set(t.perSecond(), now)
	if t.search.free.on() {
		return t.search.free.refused()
	}
	return t.waits.NextBackOff()
}

// Accepted takes a 2xx.
func (t *Throttle) Accepted(n uint64, slots int, now time.Time) {
	t.search.free.took2xx()
	if n <= t.before {
		return
	}
	t.search.took2xx(n, t.started, now)
	t.rate.Set(t.perSecond(), now)
	if t.width == 0 {
		return
	}
	t.waits.Reset()
	if t.width++; t.width >= slots {
		t.width = 0
	}
}
