// Package watchdog finds connections that live and bring nothing: it learns how long an account is
// silent at each hour of the day, and tells when it is silent for much longer than that.
package watchdog

import (
	"sync"
	"time"
)

// The usual limits: shorter silences are never found odd, longer ones always.
const (
	Least = 30 * time.Minute
	Most  = 24 * time.Hour
)

const (
	// days is how many of them are remembered: a week has a week-end.
	days = 7
	// factor is by how much a silence is longer than the longest one at that hour to be odd.
	factor = 2
	// prompt is how soon after a connection was made anew something arrives that the one before
	// had held back.
	prompt = time.Minute
)

// silence is the longest silence of one hour of one day.
type silence struct {
	day  int // since 1970; 0 is none
	time time.Duration
}

// Watchdog watches one account. Safe for concurrent use.
type Watchdog struct {
	least, most time.Duration

	mu       sync.Mutex
	last     time.Time // something arrived, or the connection was made; zero while there is none
	longest  [24][days]silence
	reported time.Duration // the silence that was last reported, 0 if it is over
	renewed  time.Time     // when the connection was made anew because of it
}

// New makes a Watchdog that finds silences odd which are longer than usual, at least as long as
// least, and in any case those as long as most.
func New(least, most time.Duration) *Watchdog { return &Watchdog{least: least, most: most} }

// Connected notes that the connection was made: the silence before was an outage, unless the
// connection was made anew because of the silence.
func (w *Watchdog) Connected(at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.reported > 0 {
		w.renewed = at
		return
	}
	w.last = at
}

// Arrived notes that something came, and learns from the silence before. It reports whether that
// was the connection's fault: it had been reported, and something came as soon as the connection
// was made anew.
func (w *Watchdog) Arrived(at time.Time) (heldBack bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	heldBack = w.reported > 0 && !w.renewed.IsZero() && at.Sub(w.renewed) <= prompt
	if !heldBack {
		w.learn(at)
	}
	w.last, w.reported, w.renewed = at, 0, time.Time{}
	return heldBack
}

// learn remembers a silence that ends, as long as it was in each of its hours.
func (w *Watchdog) learn(end time.Time) {
	if w.last.IsZero() || !end.After(w.last) || end.Sub(w.last) > days*24*time.Hour {
		return
	}
	for at := w.last; at.Before(end); {
		next := at.Truncate(time.Hour).Add(time.Hour)
		if next.After(end) {
			next = end
		}
		day, hour := dayOf(at), at.UTC().Hour()
		s := &w.longest[hour][day%days]
		if s.day != day {
			*s = silence{day: day}
		}
		s.time = max(s.time, next.Sub(w.last))
		at = next
	}
}

func dayOf(at time.Time) int { return int(at.Unix() / (24 * 60 * 60)) }

// limit is how long a silence may be at that time.
func (w *Watchdog) limit(at time.Time) time.Duration {
	day, longest := dayOf(at), time.Duration(0)
	hour := at.UTC().Hour()
	// people are not that punctual: the hours beside it count too
	for _, h := range []int{hour, (hour + 1) % 24, (hour + 23) % 24} {
		for _, s := range w.longest[h] {
			if s.day != 0 && day-s.day <= days {
				longest = max(longest, s.time)
			}
		}
	}
	if longest == 0 { // nothing is known of this hour
		return w.most
	}
	return min(max(factor*longest, w.least), w.most)
}

// Silence is one that is longer than usual.
type Silence struct {
	Since time.Time
	Limit time.Duration // what is usual at this time, and twice that
}

// Look returns the silence if it is longer than usual at that time, for the first time or twice as
// long as when it was last returned.
func (w *Watchdog) Look(at time.Time) (Silence, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last.IsZero() {
		return Silence{}, false
	}
	lasts, limit := at.Sub(w.last), w.limit(at)
	if lasts < limit || lasts < factor*w.reported {
		return Silence{}, false
	}
	w.reported = lasts
	return Silence{Since: w.last, Limit: limit}, true
}

// Forget begins anew, as for another account.
func (w *Watchdog) Forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last, w.longest, w.reported, w.renewed = time.Time{}, [24][days]silence{}, 0, time.Time{}
}
