package scheduler

import (
	"time"

	"waoutbox/outbox"
)

// Recorded returns the waiting deliveries that have a record, in sequence order.
func (s *Scheduler) Recorded() []*Delivery {
	var out []*Delivery
	for _, d := range s.all {
		if d.stage == waiting && d.disk() == recorded {
			out = append(out, d)
		}
	}
	return out
}

// Skip forgets waiting deliveries, which are dead letters on disk.
func (s *Scheduler) Skip(ds []*Delivery) {
	s.skip(ds)
	s.sweep()
}

func (s *Scheduler) skip(ds []*Delivery) {
	for _, d := range ds {
		d.move(moveSkip)
		s.dropEvent(d)
		s.remove(d)
		s.forget(d)
	}
}

// SkipSeqs is Skip by sequence.
func (s *Scheduler) SkipSeqs(records []outbox.Record) {
	var ds []*Delivery
	for _, r := range records {
		if d := s.get(r.Seq); d != nil {
			ds = append(ds, d)
		}
	}
	s.Skip(ds)
}

// SkipTo moves the cursor to next, as it is on disk, past deliveries that all wait.
func (s *Scheduler) SkipTo(next outbox.Seq, now time.Time) {
	i, _ := s.find(next)
	s.skip(s.above()[:i-s.window])
	s.window = i
	s.next, s.movedAt, s.read = next, now, max(s.read, next)
	s.sweep()
}
