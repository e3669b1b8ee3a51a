package pace

import (
	"testing"
	"time"
)

// TestTerm: a clock that jumps ends nothing at once, and makes nothing longer.
//
// Mutation of term.go: or one that jumps does.
func TestTerm(t *testing.T) {
	t.Parallel()
	const grace = 5 * time.Minute
	start := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		lasts, atLeast time.Duration
		// by how much the clock on the wall is ahead of the time that goes by, and since when
		jump, at time.Duration
		want     time.Duration
	}{
		"as granted":                    {lasts: time.Hour, want: time.Hour},
		"over at a start":               {lasts: -time.Hour, atLeast: grace, want: grace},
		"nearly over at a start":        {lasts: time.Minute, atLeast: grace, want: grace},
		"a jump forward":                {lasts: time.Hour, jump: 12 * time.Hour, at: 10 * time.Minute, want: 15 * time.Minute},
		"a jump forward near its end":   {lasts: time.Hour, jump: 12 * time.Hour, at: 58 * time.Minute, want: time.Hour},
		"a small jump, noticed by time": {lasts: time.Hour, jump: 20 * time.Minute, at: 10 * time.Minute, want: 45 * time.Minute},
		"a jump back":                   {lasts: time.Hour, jump: -12 * time.Hour, at: 10 * time.Minute, want: time.Hour},
	} {
		term := newTerm(start.Add(c.lasts), start, start, c.atLeast, grace)
		over := time.Duration(-1)
		for d := time.Duration(0); d <= 2*time.Hour && over < 0; d += time.Minute {
			now, wall := start.Add(d), start.Add(d)
			if d >= c.at {
				wall = wall.Add(c.jump)
			}
			if at, ok := term.at(now, wall); !ok {
				t.Errorf("%s: it never ends", name)
			} else if !now.Before(at) {
				over = d
			}
		}
		if over != c.want {
			t.Errorf("%s: over after %v, want %v", name, over, c.want)
		}
	}
	if forever := NewTerm(time.Time{}, start, grace, grace); forever.Over(start.Add(1000 * time.Hour)) {
		t.Error("one without an end is over")
	}
}
