package pace

import "time"

// Term tells when something is over that was granted up to a moment of the wall clock, which may
// jump. A jump forward, or a sleep of the machine, ends it only a grace after it was noticed; a
// jump back does not make it longer. The zero value never ends.
type Term struct {
	ends  time.Time
	grace time.Duration
	due   time.Time // when it is over by the time that goes by here
	late  time.Time // when it was first seen that the clock is past ends, zero if it was not
}

// NewTerm returns a Term until ends, zero for never, that is at least atLeast from now.
func NewTerm(ends, now time.Time, atLeast, grace time.Duration) Term {
	return newTerm(ends, now, wall(now), atLeast, grace)
}

// wall is what the clock on the wall says, without the time that goes by.
func wall(now time.Time) time.Time { return now.Round(0) }

func newTerm(ends, now, wall time.Time, atLeast, grace time.Duration) Term {
	if ends.IsZero() {
		return Term{}
	}
	return Term{ends: ends, grace: grace, due: now.Add(max(ends.Sub(wall), atLeast))}
}

// Ends returns the moment it was granted up to.
func (t *Term) Ends() time.Time { return t.ends }

// Over reports whether it is over.
func (t *Term) Over(now time.Time) bool {
	at, ok := t.At(now)
	return ok && !now.Before(at)
}

// At returns when it is over, as far as can be told now; false for never.
func (t *Term) At(now time.Time) (time.Time, bool) { return t.at(now, wall(now)) }

func (t *Term) at(now, wall time.Time) (time.Time, bool) {
	if t.ends.IsZero() {
		return time.Time{}, false
	}
	if t.late.IsZero() && !wall.Before(t.ends) {
		t.late = now
	}
	if soon := t.late.Add(t.grace); !t.late.IsZero() && soon.Before(t.due) {
		return soon, true
	}
	return t.due, true
}
