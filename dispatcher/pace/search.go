package pace

import (
	"math"
	"time"
)

const (
	// A rate is found when what was refused is less than a tenth above what was accepted.
	closeEnough = 1.1
	// How much faster than what was accepted the next try is: the first one after a rate was found;
	// the first one of all, when much is known; when little is; and at most.
	smallStep, firstStep, largeStep, longStep = 1.1, 1.2, 2, 8
	// several is from how many on requests accepted between two refusals tell a rate.
	several = 4
	// How much of a rate must have been accepted for certain before a faster one is tried: while
	// nothing faster was refused, and else.
	mostly, enough = 0.65, 0.9
	// fallBack is how much slower than a rate that was found, and is refused all the same, the next
	// one is.
	fallBack = 0.75
	// maxFalls is how often a rate falls back, and none stays, until it matters whether that helps:
	// when not even so much more is accepted between two refusals as grows says, the receiver has
	// other reasons than how much it gets, and the lane tries without a rate, as it does after
	// mostFalls whatever they brought.
	maxFalls, mostFalls, grows = 2, 5, 1.4
	// many refusals, more than one for each two accepted, say the same sooner.
	many = 6
	// levelTime is how long a rate must have been accepted: a receiver may count by the second, or
	// keep some requests in reserve.
	levelTime = time.Second
	// minTry and maxTry bound how long a found rate stays before a faster one is tried.
	minTry = 30 * time.Second
	maxTry = 10 * time.Minute
	// tryCost bounds what trying costs: a refusal may be followed by a long Retry-After.
	tryCost = 20
	// minRate is the slowest rate that is kept, in requests a second: an endpoint that wants less
	// says so with Retry-After, whose waits are no rate that stays when it is well again.
	minRate = 0.2
	// idleTime is how long nobody must have waited for the rate until it is forgotten.
	idleTime = 10 * time.Minute
)

// search looks for the rate that an endpoint takes, in requests a second, between one that it
// accepted and one that it refused: twice as fast while nothing faster was refused, else half way.
// The zero value has no rate yet: the first two refusals give one.
type search struct {
	rate    float64   // tried now, 0 = none: no bound
	good    float64   // accepted
	bad     float64   // refused, 0 = nothing yet
	step    float64   // of the next try when nothing is known to be refused
	settled time.Time // since when rate is good and stays for a while, zero if it does not
	burst   int       // accepted at once, before there was a rate
	falls   int       // that a found rate was refused, since one has stayed
	mix     mix       // since the last of these
	total   mix       // since there is a rate, or one has stayed
	shares  [maxFalls]float64

	refusedAt time.Time     // the last refusal
	cost      time.Duration // how long nothing was sent after it
	accepted  int           // since then
	idle      bool          // there was nothing to send for a moment since then

	level     uint64 // the last attempt when the rate was set: what began later is at that rate
	since     time.Time
	ok        int  // accepted at that rate
	limited   bool // somebody waited for the rate
	limitedAt time.Time
	try       time.Duration // how long the next found rate stays

	free freedom // zero while it searches
}

// mix counts what is accepted, and what refused.
type mix struct{ accepted, refused int }

func (m mix) share() float64 { return float64(m.accepted) / float64(max(1, m.refused)) }

// set begins to try a rate.
func (s *search) set(rate float64, started uint64, now time.Time) {
	s.rate, s.level, s.since, s.ok, s.limited = rate, started, now, 0, false
}

// settle stays at what is known to be accepted.
func (s *search) settle(started uint64, now time.Time) {
	s.set(s.good, started, now)
	s.settled = now
	s.try = min(max(minTry, 2*s.try, tryCost*s.cost), maxTry)
	if s.good < minRate {
		s.try = minTry
	}
}

// between tries the middle of what was accepted and what was refused, or stays when these are
// close, or the middle is no faster than what is accepted.
func (s *search) between(started uint64, now time.Time, faster bool) {
	middle := math.Sqrt(s.good * s.bad)
	if s.bad/s.good < closeEnough || faster && middle < s.rate*1.02 {
		s.settle(started, now)
		return
	}
	s.settled = time.Time{}
	s.set(middle, started, now)
}

// begin notes that attempt n begins: the time at its rate counts from the first one.
func (s *search) begin(n uint64, now time.Time) {
	if n != s.level+1 {
		return
	}
	s.since = now
	if s.accepted == 0 && !s.refusedAt.IsZero() { // the first one after a refusal
		s.cost = now.Sub(s.refusedAt)
	}
}

// refused takes a refusal; started is the last attempt that was started.
func (s *search) refused(started uint64, now time.Time) {
	if s.isFree(started, now) {
		s.refusedAt, s.accepted = now, 0
		return
	}
	s.mix.refused++
	s.total.refused++
	took, accepted := now.Sub(s.refusedAt), s.accepted
	known := !s.refusedAt.IsZero() && !s.idle
	s.refusedAt, s.accepted, s.idle = now, 0, false
	switch {
	case accepted == 0 || s.rate == 0 && !known:
		// It says nothing about a rate: nothing was accepted, or little was sent.
		s.level, s.ok, s.limited = started, 0, false
	case s.rate == 0:
		// So many went through between two refusals, with a wait in between: at least that is
		// accepted.
		s.good, s.burst = float64(accepted)/max(took, time.Millisecond).Seconds(), accepted
		switch {
		case took >= 2*levelTime: // a long wait, after which it may take much more
			s.step = min(took.Seconds(), longStep)
		case accepted < several:
			s.step = largeStep
		default: // most likely all that it takes in that time
			s.step = firstStep
		}
		s.limitedAt, s.total = now, mix{}
		s.set(s.step*s.good, started, now)
	case s.total.refused >= many && s.total.refused*2 > s.total.accepted:
		*s = search{refusedAt: now, free: s.free.begin(now)}
	case s.rate > s.good:
		s.bad = s.rate
		s.between(started, now, false)
	default:
		share := s.mix.share()
		if s.falls >= mostFalls || s.falls >= maxFalls && share < grows*s.shares[0] {
			*s = search{refusedAt: now, free: s.free.begin(now)}
			return
		}
		s.falls++
		s.shares, s.mix = [maxFalls]float64{s.shares[1], share}, mix{}
		s.bad = s.good
		s.good *= fallBack
		s.between(started, now, false)
	}
}

// isFree reports whether the lane does without a rate at a refusal. When the time is over the
// search goes on near what was accepted meanwhile: if that is all that the receiver takes, it
// refuses nothing more.
func (s *search) isFree(started uint64, now time.Time) bool {
	f := s.free
	if f.until.IsZero() || now.Before(f.until) {
		return !f.until.IsZero()
	}
	*s = search{refusedAt: now}
	if f.accepted >= several && !f.idle && now.Sub(f.until) < trial {
		s.free.stays = f.stays
		s.good, s.limitedAt = enough*float64(f.accepted)/now.Sub(f.since).Seconds(), now
		s.settle(started, now)
	}
	return false
}

// took2xx takes a 2xx for attempt n.
func (s *search) took2xx(n, started uint64, now time.Time) {
	s.accepted++
	s.mix.accepted++
	s.total.accepted++
	if s.rate == 0 || n <= s.level {
		return
	}
	s.ok++
	held := now.Sub(s.since)
	if !s.limited || held < levelTime || s.ok <= s.burst {
		return
	}
	if !s.settled.IsZero() {
		if now.Sub(s.settled) >= s.try {
			s.settled, s.bad, s.step, s.falls, s.total, s.free = time.Time{}, 0, smallStep, 0, mix{}, freedom{}
			s.set(s.good*s.step, started, now)
		}
		return
	}
	// The receiver may have had so many in reserve: the others came at its rate.
	lower := min(s.rate, float64(s.ok-s.burst)/held.Seconds())
	s.good = max(s.good, lower)
	switch {
	case s.bad == 0 && (lower >= enough*s.rate || lower >= mostly*s.rate && s.step >= firstStep):
		s.try = 0
		rate := s.rate * s.step
		s.step = min(s.step*s.step, largeStep)
		s.set(rate, started, now)
	case s.bad > 0 && lower >= enough*s.rate:
		s.between(started, now, true)
	}
}

// rest notes that there is nothing to send: what is accepted meanwhile says nothing.
func (s *search) rest(started uint64) {
	s.idle, s.free.idle = true, true
	s.level, s.ok, s.limited = started, 0, false
}

// wait notes that an attempt waits for the rate.
func (s *search) wait(now time.Time) { s.limited, s.limitedAt = true, now }

// forget ends the search when nobody has waited for the rate for long.
func (s *search) forget(now time.Time) {
	if s.rate > 0 && now.Sub(s.limitedAt) > idleTime {
		*s = search{}
	}
}
