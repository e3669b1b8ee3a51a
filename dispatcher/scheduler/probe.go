package scheduler

import (
	"time"

	"waoutbox/dispatcher/pace"
)

// HoldNew says whether deliveries that were never attempted, and replays, wait for a Probe.
func (s *Scheduler) HoldNew(hold bool) { s.holdsNew = hold }

// Quiet reports whether the next one may probe: new ones are held back, no attempt runs, and what
// was attempted before has ended, waits behind a new one, or is due so late (a schedule may have
// long waits) that nobody should wait for it.
func (s *Scheduler) Quiet(now time.Time) bool {
	if !s.holdsNew || s.inFlight > 0 || s.mustStore > 0 {
		return false
	}
	retry := s.first(&s.retries)
	return retry == nil || s.dueAfter(retry, now.Add(pace.MaxWait))
}

// MayProbe reports whether Probe has a delivery to start.
func (s *Scheduler) MayProbe(now time.Time) bool {
	return s.Quiet(now) && (s.first(&s.fresh) != nil || s.first(&s.replays) != nil || s.first(&s.spent) != nil)
}

// KnowsTwo reports whether deliveries of two keys could probe.
func (s *Scheduler) KnowsTwo() bool {
	n := 0
	for _, h := range []*deliveryHeap{&s.fresh, &s.replays} {
		for _, d := range h.items {
			if s.mayStart(d) {
				n++
			}
			if n == 2 {
				return true
			}
		}
	}
	return false
}

// Probe starts one delivery of those that are held back, nil if MayProbe is false: the lowest
// sequence, of another key than the probe before where there is one, so that a key whose deliveries
// alone fail does not stand in the way of all others. Between two of them those probe that have
// spent their schedule (SetPatient).
func (s *Scheduler) Probe(now time.Time) *Delivery {
	if !s.MayProbe(now) {
		return nil
	}
	if d := s.spentProbe(); d != nil {
		s.spent.pop()
		s.retriesInFlight++
		return s.begin(d)
	}
	s.newProbed = s.moment(now)
	var best *Delivery
	var from *deliveryHeap
	at := 0
	for _, h := range []*deliveryHeap{&s.fresh, &s.replays} {
		for i, d := range h.items {
			if s.mayStart(d) && (best == nil || s.probesBefore(d, best)) {
				best, from, at = d, h, i
			}
		}
	}
	from.remove(at)
	s.probed = s.key(best)
	if best.Retry() {
		s.retriesInFlight++
	}
	return s.begin(best)
}

// key is what one probe prefers not to have in common with the one before.
func (s *Scheduler) key(d *Delivery) uint64 {
	if s.unordered {
		return uint64(d.Seq)
	}
	return d.chat
}

func (s *Scheduler) probesBefore(a, b *Delivery) bool {
	if again := s.key(a) == s.probed; again != (s.key(b) == s.probed) {
		return !again
	}
	return a.Seq < b.Seq
}
