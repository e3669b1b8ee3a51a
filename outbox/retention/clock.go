package retention

import "time"

const (
	// clockStep is how far the clock may be ahead of what is known of the time for it to be
	// believed at once.
	clockStep = time.Hour
	// clockTrial is how long a clock that leapt further must go on before it is believed: time for
	// somebody, or the network, to set it right, and for what waited to be delivered.
	clockTrial = 24 * time.Hour
)

// clock tells the time by which things are old enough to go. It knows the time from the newest
// event and from the monotonic clock, and follows the clock of the machine when that agrees. When
// it is ahead, the machine or the service stood still, or it is wrong; then time goes on from what
// is known, until the machine's clock has been so for clockTrial. A clock that was set back is
// believed: things are kept for longer.
type clock struct {
	known time.Time // the time at at
	at    time.Time // with a monotonic reading
	ahead time.Time // since when the clock has been ahead, zero if it is not
}

// newClock begins with the time of the newest event, or with now when there is none.
func newClock(newest, now time.Time) *clock {
	if newest.IsZero() || newest.After(now) {
		newest = now
	}
	return &clock{known: newest.Round(0), at: now}
}

// now returns the time to go by. behind reports that the clock is behind the newest event, so that
// nobody can tell what is old.
func (c *clock) now(now, newest time.Time) (t time.Time, behind bool) {
	wall := now.Round(0)
	expected := c.known.Add(now.Sub(c.at))
	switch {
	case wall.Sub(expected) <= clockStep:
		c.ahead = time.Time{}
	case c.ahead.IsZero():
		c.ahead = now
		fallthrough
	default:
		if now.Sub(c.ahead) < clockTrial {
			return expected, newest.After(wall)
		}
		c.ahead = time.Time{}
	}
	c.known, c.at = wall, now
	return wall, newest.After(wall)
}

// trial returns how far the clock is ahead and when it will be believed; false when it is believed.
func (c *clock) trial(now time.Time) (ahead time.Duration, until time.Time, on bool) {
	if c.ahead.IsZero() {
		return 0, time.Time{}, false
	}
	expected := c.known.Add(now.Sub(c.at))
	return now.Round(0).Sub(expected), c.ahead.Add(clockTrial), true
}
