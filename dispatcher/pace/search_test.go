package pace

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"golang.org/x/time/rate"
	"pgregory.net/rapid"
)

// simulated is a lane with one Throttle and an endpoint, in made-up time.
type simulated struct {
	th       Throttle
	now      time.Time
	begun    time.Time
	slots    int
	took     time.Duration
	after    time.Duration                  // Retry-After, 0 for none
	accepts  func(now time.Time) bool       // whether the endpoint takes a request that it gets now
	wants    func(since time.Duration) bool // whether there is something to send
	gate     time.Time
	flying   []flight
	accepted []time.Duration
	refused  []time.Duration
}

type flight struct {
	n  uint64
	at time.Time // when its response comes
	ok bool
}

func simulate(accepts func(time.Time) bool) *simulated {
	begin := time.Unix(1_700_000_000, 0)
	return &simulated{
		th: NewThrottle(), now: begin, begun: begin, slots: 16, took: 3 * time.Millisecond, accepts: accepts,
		wants: func(time.Duration) bool { return true },
	}
}

// run goes on for so long, from one moment at which something happens to the next.
func (s *simulated) run(d time.Duration) {
	for end := s.now.Add(d); s.now.Before(end); {
		s.flying = slices.DeleteFunc(s.flying, func(f flight) bool {
			if f.at.After(s.now) {
				return false
			}
			s.ended(f)
			return true
		})
		next := s.start()
		for _, f := range s.flying {
			if f.at.Before(next) {
				next = f.at
			}
		}
		s.now = next
	}
}

// start starts what may start, and returns when to look again if nothing ends before.
func (s *simulated) start() time.Time {
	for !s.now.Before(s.gate) {
		if !s.wants(s.now.Sub(s.begun)) {
			if len(s.flying) == 0 {
				s.th.Rest()
			}
			return s.now.Add(10 * time.Millisecond)
		}
		if len(s.flying) >= s.th.Slots(s.slots) {
			return s.now.Add(time.Hour)
		}
		if next := s.th.Next(s.now); next.After(s.now) {
			s.th.Wait(s.now)
			return next
		}
		s.flying = append(s.flying, flight{s.th.Begin(s.now), s.now.Add(s.took), s.accepts(s.now)})
	}
	return s.gate
}

func (s *simulated) ended(f flight) {
	at := s.now.Sub(s.begun)
	if f.ok {
		s.accepted = append(s.accepted, at)
		s.th.Accepted(f.n, s.slots, s.now)
		return
	}
	s.refused = append(s.refused, at)
	if wait := s.th.Refused(f.n, s.now); wait > 0 {
		if s.after > 0 {
			wait = s.after
		}
		s.gate = s.now.Add(wait)
	}
}

// between counts what lies in a stretch of time.
func between(at []time.Duration, from, to time.Duration) (n int) {
	for _, t := range at {
		if t >= from && t < to {
			n++
		}
	}
	return n
}

func bucket(perSecond float64, burst int) func(time.Time) bool {
	b := rate.NewLimiter(rate.Limit(perSecond), burst)
	return func(now time.Time) bool { return b.AllowN(now, 1) }
}

// TestTheRateIsFound, of endpoints with and without a reserve: at least so much of it from then on,
// and few refusals once it is found.
//
// Mutation of search.go: what an endpoint had in reserve is taken for its rate, so that it refuses
// for most of the time.
func TestTheRateIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		perSecond float64
		burst     int
		after     time.Duration
		found     time.Duration
		share     float64
	}{
		"5/s, none in reserve":                 {5, 1, 0, 10 * time.Second, 0.9},
		"5/s, none in reserve, Retry-After 1":  {5, 1, time.Second, 10 * time.Second, 0.9},
		"5/s, five in reserve":                 {5, 5, 0, 10 * time.Second, 0.9},
		"100/s, none in reserve":               {100, 1, 0, 20 * time.Second, 0.8},
		"100/s, a second in reserve":           {100, 100, 0, 20 * time.Second, 0.8},
		"one in two seconds":                   {0.5, 1, 0, time.Minute, 0.8},
		"5/s, five in reserve, Retry-After 30": {5, 5, 30 * time.Second, 6 * time.Minute, 0.8},
		// Were the reserve taken for its rate, most of the time would go by in refusals.
		"2/s, five in reserve, Retry-After 30": {2, 5, 30 * time.Second, 2 * time.Minute, 0.7},
	} {
		s := simulate(bucket(c.perSecond, c.burst))
		s.after = c.after
		s.run(c.found + 4*time.Minute)
		got := float64(between(s.accepted, c.found, c.found+4*time.Minute)) / (c.perSecond * 240)
		if got < c.share {
			t.Errorf("%s: %.2f of the rate after %v, want %.2f", name, got, c.found, c.share)
		}
		if n := between(s.refused, c.found, c.found+4*time.Minute); n > 40 {
			t.Errorf("%s: %d were refused in the four minutes after %v", name, n, c.found)
		}
	}
}

// TestTheRateFollowsTheEndpoint when it takes more than before, or less.
func TestTheRateFollowsTheEndpoint(t *testing.T) {
	allow := bucket(5, 1)
	s := simulate(func(now time.Time) bool { return allow(now) })
	s.run(20 * time.Second)
	allow = bucket(50, 1)
	s.run(5 * time.Minute)
	if n := between(s.accepted, 4*time.Minute, 5*time.Minute); n < 60*35 {
		t.Errorf("%d in a minute, when it takes 3000", n)
	}
	allow = bucket(2, 1)
	s.run(5 * time.Minute)
	if n := between(s.accepted, 9*time.Minute, 10*time.Minute); n < 90 {
		t.Errorf("%d in a minute, when it takes 120", n)
	}
	if n := between(s.refused, 9*time.Minute, 10*time.Minute); n > 20 {
		t.Errorf("%d were refused in that minute", n)
	}
}

// TestNothingAcceptedTellsNoRate: an endpoint whose quota was spent for a while is not one that
// takes next to nothing.
//
// Mutation of search.go: an endpoint whose quota is spent for minutes is taken for one that takes
// next to nothing.
func TestNothingAcceptedTellsNoRate(t *testing.T) {
	for _, spent := range []time.Duration{10 * time.Second, 9 * time.Minute} {
		allow := bucket(20, 20)
		s := simulate(func(now time.Time) bool { return allow(now) })
		s.run(time.Minute)
		allow = func(time.Time) bool { return false }
		s.run(spent)
		allow = bucket(20, 20)
		back := s.gate.Sub(s.begun)
		s.run(3 * time.Minute)
		if n := between(s.accepted, back+10*time.Second, back+40*time.Second); n < 30*15 {
			t.Errorf("after %v: %d in half a minute, when it takes 600", spent, n)
		}
	}
}

// TestFewRequestsTellNoRate: one a minute and a refusal now and then is no endpoint that takes one
// a minute.
//
// Mutation of search.go: a few requests and a refusal now and then are taken for a rate.
func TestFewRequestsTellNoRate(t *testing.T) {
	n := 0
	s := simulate(func(time.Time) bool { n++; return n%4 != 0 })
	next := time.Duration(0)
	s.wants = func(since time.Duration) bool {
		if since < next {
			return false
		}
		next = since + time.Minute
		return true
	}
	s.run(30 * time.Minute)
	if len(s.refused) < 5 {
		t.Fatalf("%d were refused", len(s.refused))
	}
	if _, perSecond := s.th.Bounds(); perSecond != 0 {
		t.Errorf("at most %v a second", perSecond)
	}
}

// TestARateThatNobodyWaitsForIsForgotten.
func TestARateThatNobodyWaitsForIsForgotten(t *testing.T) {
	s := simulate(bucket(5, 1))
	busy := true
	s.wants = func(time.Duration) bool { return busy }
	s.run(time.Minute)
	if _, perSecond := s.th.Bounds(); perSecond < 4 || perSecond > 5 {
		t.Errorf("%v a second", perSecond)
	}
	busy = false
	s.run(idleTime + time.Second)
	if s.th.Begin(s.now); s.th.search != (search{}) {
		t.Errorf("still there: %+v", s.th.search)
	}
}

// TestARefusalOfEveryNthIsNoRate: endpoints that refuse one in so many requests, however slowly
// these come. As many are accepted as the waits between refusals leave room for, from the first
// half minute on. Before, each refusal took a quarter of the rate away, again and again: 0.3 a
// second were accepted of an endpoint that refuses every second one.
//
// Mutation of free.go: an endpoint that refuses a share of whatever it gets is sent less and less.
func TestARefusalOfEveryNthIsNoRate(t *testing.T) {
	for _, of := range []int{2, 3, 5, 20} {
		for _, after := range []time.Duration{0, time.Second} {
			n := 0
			s := simulate(func(time.Time) bool { n++; return n%of != 0 })
			s.after = after
			s.run(time.Hour)
			wait := freeWait
			if after > 0 {
				wait = after
			}
			for part, share := range map[time.Duration]float64{time.Minute / 2: 0.35, 30 * time.Minute: 0.8} {
				got := float64(between(s.accepted, part, 2*part)) / part.Seconds()
				if want := share * float64(of-1) / wait.Seconds(); got < want {
					t.Errorf("one in %d refused, Retry-After %v: %.2f accepted a second after %v, want %.2f", of, after, got, part, want)
				}
			}
		}
	}
}

// TestAnyRateIsFound, of endpoints of any speed and reserve, from the second minute on, and little
// is refused from then on. A receiver whose reserve misled the search is not one that refuses for
// other reasons.
func TestAnyRateIsFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		perSecond := math.Exp(rapid.Float64Range(math.Log(0.5), math.Log(200)).Draw(t, "ln per second"))
		s := simulate(bucket(perSecond, rapid.IntRange(1, 10).Draw(t, "in reserve")))
		s.took = time.Duration(rapid.IntRange(1, 50).Draw(t, "ms a request")) * time.Millisecond
		s.after = time.Duration(rapid.IntRange(0, 1).Draw(t, "Retry-After")) * time.Second
		const from, to = time.Minute, 3 * time.Minute
		s.run(to)
		most := min(perSecond, float64(s.slots)/s.took.Seconds()) * (to - from).Seconds()
		if got := between(s.accepted, from, to); float64(got) < 0.6*most-1 {
			t.Errorf("%d of %.0f accepted", got, most)
		}
		if n := between(s.refused, from, to); n > 150 { // one in ten, for a while, of one a second
			t.Errorf("%d refused in two minutes", n)
		}
	})
}

// TestRefusalsByChanceAreNoRate: a receiver that refuses some of what it gets, whatever that is, is
// sent something all the time: no refusals in a row are taken for a rate of next to nothing.
func TestRefusalsByChanceAreNoRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		refuses := rapid.Float64Range(0.02, 0.4).Draw(t, "refuses")
		rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		s := simulate(func(time.Time) bool { return rnd.Float64() >= refuses })
		s.took = time.Duration(rapid.IntRange(1, 50).Draw(t, "ms a request")) * time.Millisecond
		s.run(10 * time.Minute)
		if got := between(s.accepted, 0, 10*time.Minute); got < 120 {
			t.Errorf("%d accepted in ten minutes", got)
		}
	})
}
