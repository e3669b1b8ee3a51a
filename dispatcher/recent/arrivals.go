package recent

import (
	"sync"
	"time"

	"waoutbox/outbox"
)

// Arrivals counts the events that were appended in each of the last Minutes. The zero value is
// ready. Safe for concurrent use.
type Arrivals struct {
	mu      sync.Mutex
	minutes [Minutes]struct{ at, count int64 }
	seconds [60]struct{ at, count int64 }
}

// Appended counts events that were not stored before.
func (a *Arrivals) Appended(fresh []outbox.Event, _ time.Duration) {
	now := time.Now()
	at := minuteOf(now)
	a.mu.Lock()
	defer a.mu.Unlock()
	m := &a.minutes[slot(at)]
	if m.at != at {
		m.at, m.count = at, 0
	}
	m.count += int64(len(fresh))
	sec := now.Unix()
	s := &a.seconds[sec%60]
	if s.at != sec {
		s.at, s.count = sec, 0
	}
	s.count += int64(len(fresh))
}

// LastMinute returns how many events were appended in the 60 seconds up to now.
func (a *Arrivals) LastMinute(now time.Time) (n int64) {
	last := now.Unix()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.seconds {
		if s.at > last-60 && s.at <= last {
			n += s.count
		}
	}
	return n
}

// Counts returns the last hour by minute, the oldest first and that of now last: always Minutes of
// them.
func (a *Arrivals) Counts(now time.Time) []int64 {
	out := make([]int64, Minutes)
	last := minuteOf(now)
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range out {
		at := last - Minutes + 1 + int64(i)
		if m := a.minutes[slot(at)]; m.at == at {
			out[i] = m.count
		}
	}
	return out
}
