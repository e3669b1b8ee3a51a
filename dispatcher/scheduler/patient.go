package scheduler

import (
	"slices"
	"time"

	"waoutbox/outbox"
)

// SetPatient says that deliveries never die of what passes: those that failed at least so often (0:
// none) have spent their schedule, and go on waiting. While new ones are held back they wait for a
// Probe, whatever their due time is; otherwise they are retries. A change holds for what is known
// already.
func (s *Scheduler) SetPatient(attempts int) {
	if s.patient == attempts {
		return
	}
	s.patient = attempts
	for _, h := range []*deliveryHeap{&s.retries, &s.spent} {
		waiting := h.items
		h.items = nil
		for _, d := range waiting {
			d.setQueued(false)
			s.offer(d)
		}
	}
}

// hasSpent reports whether d has failed so often that it waits for an outage to end.
func (s *Scheduler) hasSpent(d *Delivery) bool { return s.patient > 0 && d.Attempts() >= s.patient }

// Hurry makes due what has spent its schedule: an outage is over.
func (s *Scheduler) Hurry(now time.Time) {
	for _, d := range s.spent.items {
		d.at = min(d.at, s.moment(now))
	}
	waiting := s.spent.items
	s.spent.items = nil
	for _, d := range waiting {
		s.spent.push(d)
	}
}

// Lowest returns the lowest sequence that is neither delivered nor a dead letter on disk, or where
// the next one is read from: all below is finished.
func (s *Scheduler) Lowest() outbox.Seq {
	if i := slices.IndexFunc(s.all, (*Delivery).unfinished); i >= 0 {
		return min(s.all[i].Seq, s.read)
	}
	return s.read
}

// spentProbe returns which of those that have spent their schedule probes next, nil when one that
// was never attempted does: each of them is tried between two of those, the one first that has
// waited longest, so that neither an event that alone fails nor many of them stand in the way of
// finding out that an outage is over.
func (s *Scheduler) spentProbe() *Delivery {
	d := s.first(&s.spent)
	if d == nil || d.at > s.newProbed && (s.first(&s.fresh) != nil || s.first(&s.replays) != nil) {
		return nil
	}
	return d
}
