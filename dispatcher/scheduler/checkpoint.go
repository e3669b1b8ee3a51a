package scheduler

import (
	"slices"
	"time"

	"waoutbox/outbox"
)

// Checkpoint is what one Change writes of a Scheduler: the cursor and the records that make it
// true. It stays valid, and may be committed again, until Committed is called; meanwhile the
// Scheduler goes on.
type Checkpoint struct {
	Next outbox.Seq      // 0 = unchanged
	Set  []outbox.Record // at most outbox.MaxChange

	of       []*Delivery // whose record each of Set is
	window   int         // how many entries of the window lie below Next
	outdated int         // how many entries of the list of outdated ones are covered
}

// Empty reports whether there is nothing to write.
func (c Checkpoint) Empty() bool { return c.Next == 0 && len(c.Set) == 0 }

// CheckpointAt returns when a checkpoint is due: at once for what waits for its record, after
// settleDelay for what was delivered, after 60 s or 1,024 sequences for a cursor that could move
// alone. Zero = at once; false = nothing to write.
func (s *Scheduler) CheckpointAt() (time.Time, bool) {
	if s.mustStore > 0 {
		return time.Time{}, true
	}
	if len(s.delivered) > 0 {
		return s.time(s.delivered[0].at, s.base).Add(settleDelay), true
	}
	if len(s.outdated) > 0 {
		return time.Time{}, true
	}
	switch free := s.free(); {
	case free >= SkipEvents:
		return time.Time{}, true
	case free > 0:
		return s.movedAt.Add(skipTime), true
	}
	return time.Time{}, false
}

// DeliveredFor returns how long ago the first of the deliveries that are not settled was delivered.
func (s *Scheduler) DeliveredFor(now time.Time) time.Duration {
	if len(s.delivered) == 0 {
		return 0
	}
	return time.Duration(s.moment(now) - s.delivered[0].at)
}

// Passable reports whether at least n deliveries in a row, the lowest that are not settled, were
// delivered: a checkpoint passes them without a record.
func (s *Scheduler) Passable(n int) bool {
	above := s.above()
	return len(above) >= n && !slices.ContainsFunc(above[:n], func(d *Delivery) bool { return d.stage != delivered })
}

// above returns the deliveries at or above the stored cursor.
func (s *Scheduler) above() []*Delivery { return s.all[s.window:] }

// free is how far the cursor could move without a record.
func (s *Scheduler) free() outbox.Seq {
	if w := s.above(); len(w) > 0 {
		return w[0].Seq - s.next
	}
	return s.read - s.next
}

// Ended returns the deliveries that have ended, delivered or dead, and are not settled yet.
func (s *Scheduler) Ended() []*Delivery {
	out := slices.Clone(s.delivered)
	for _, list := range [][]*Delivery{s.above(), s.outdated} {
		for _, d := range list {
			if d.stage == dead {
				out = append(out, d)
			}
		}
	}
	return out
}

// Passed reports whether the stored cursor has reached read, or the first delivery that holds it.
func (s *Scheduler) Passed(read outbox.Seq) bool {
	w := s.above()
	return s.next >= read || len(w) > 0 && w[0].Seq == s.next
}

// Checkpoint returns what to write now. Delivered events are taken along once they have waited
// settleDelay, all of them when force is set. Every unfinished delivery below the new cursor gets a
// record in the same Change; the others get none. What does not fit is left for the next
// checkpoint.
func (s *Scheduler) Checkpoint(now time.Time, force bool) Checkpoint {
	c := Checkpoint{}
	for _, d := range s.outdated {
		if len(c.Set) == outbox.MaxChange {
			break
		}
		c.add(d, s.record(d, now))
		c.outdated++
	}
	above := s.above()
	n := s.needed(now, force)
	i := 0
	for ; i < n; i++ {
		if d := above[i]; d.stage != delivered {
			if len(c.Set) == outbox.MaxChange {
				break
			}
			c.add(d, s.record(d, now))
		}
	}
	for i >= n && i < len(above) && above[i].stage == delivered {
		i++
	}
	c.window = i
	next := s.read
	if i < len(above) {
		next = above[i].Seq
	}
	if next > s.next {
		c.Next = next
	}
	return c
}

// needed is how long a prefix of the window the cursor must pass: up to the last entry that has to
// be settled or stored now.
func (s *Scheduler) needed(now time.Time, force bool) int {
	if s.mustStore == 0 && len(s.delivered) == 0 {
		return 0
	}
	above := s.above()
	for i := len(above) - 1; i >= 0; i-- {
		switch d := above[i]; d.stage {
		case failed, dead:
			return i + 1
		case delivered:
			if force || s.moment(now)-d.at >= int64(settleDelay) {
				return i + 1
			}
		case waiting, attempting, gone:
		}
	}
	return 0
}

// record is what a delivery looks like on disk now.
func (s *Scheduler) record(d *Delivery, now time.Time) outbox.Record {
	r := outbox.Record{
		Seq: d.Seq, State: d.stage.state(), Attempts: d.Attempts(), Order: d.chat, Replay: d.Replay(), Reason: s.reasons[d.Seq], Log: d.log(),
	}
	switch r.State {
	case outbox.Dead:
		r.At = s.time(d.at, now)
	case outbox.Pending:
		r.Due = s.time(d.at, now)
	case outbox.Done:
	}
	return r
}

func (c *Checkpoint) add(d *Delivery, r outbox.Record) {
	c.Set = append(c.Set, r)
	c.of = append(c.of, d)
}

// Committed tells the Scheduler that a checkpoint is on disk.
func (s *Scheduler) Committed(c Checkpoint, now time.Time) {
	if c.Next > s.next {
		s.next, s.movedAt = c.Next, now
	}
	passed := s.above()[:c.window]
	s.outdated = cut(s.outdated, c.outdated)
	for i, d := range c.of {
		s.stored(d, c.Set[i])
	}
	for _, d := range passed {
		// Delivered before the checkpoint was made: the cursor alone settles it. One that was
		// delivered only since then has got a record, and is outdated.
		if d.stage == delivered && d.disk() == unrecorded {
			d.move(moveStore)
			s.forget(d)
		}
	}
	s.window += c.window
	s.forgetSettled()
	s.sweep()
}

// cut takes n deliveries off the front and lets go of them.
func cut(list []*Delivery, n int) []*Delivery {
	clear(list[:n])
	return shrunk(list[n:])
}

// stored notes that r, a record of d, is on disk.
func (s *Scheduler) stored(d *Delivery, r outbox.Record) {
	if r.State != d.stage.state() || r.Attempts != d.Attempts() { // it went on while r was written
		s.markOutdated(d)
		return
	}
	switch d.stage {
	case failed:
		s.mustStore--
		d.move(moveStore)
		s.offerNext(d)
	case dead:
		s.mustStore--
		d.move(moveStore)
		s.remove(d)
		s.forget(d)
	case delivered:
		d.move(moveStore)
		s.forget(d)
	case waiting, attempting:
		d.move(moveStore)
	case gone: // nothing is written of what is forgotten
	}
	d.setDisk(recorded)
	d.setLog(nil)
}

// forgetSettled drops settled deliveries from the list of delivered ones.
func (s *Scheduler) forgetSettled() {
	keep := s.delivered[:0]
	for _, d := range s.delivered {
		if d.stage != gone {
			keep = append(keep, d)
		}
	}
	clear(s.delivered[len(keep):])
	s.delivered = shrunk(keep)
}
