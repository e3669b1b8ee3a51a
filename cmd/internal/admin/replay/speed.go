package replay

import "time"

// speedSpan is the time over which the speed of a replay is measured.
const speedSpan = 5 * time.Second

// speed measures how many deliveries end a second.
type speed struct {
	marks []mark // oldest first; the first one is at or before the span
}

type mark struct {
	at    time.Time
	ended int64
}

// note takes the number of deliveries that have ended by now.
func (s *speed) note(now time.Time, ended int64) {
	if n := len(s.marks); n > 0 && now.Sub(s.marks[n-1].at) < tick {
		return
	}
	s.marks = append(s.marks, mark{now, ended})
	first := 0
	for first+1 < len(s.marks) && now.Sub(s.marks[first+1].at) >= speedSpan {
		first++
	}
	s.marks = s.marks[first:]
}

// perSecond returns how many ended a second lately, 0 before anything is known.
func (s *speed) perSecond(now time.Time, ended int64) float64 {
	if len(s.marks) == 0 {
		return 0
	}
	span := now.Sub(s.marks[0].at)
	if span < tick {
		return 0
	}
	return float64(ended-s.marks[0].ended) / span.Seconds()
}
