package dispatcher

import (
	"time"

	"waoutbox/outbox"
)

// Checkpoint is what one Change writes of an Order: the cursor and the records that make it true. It stays valid, and may be
// committed again, until Committed or Abandon is called; meanwhile the Order goes on.
type Checkpoint struct {
	Next outbox.Seq      // 0 = unchanged
	Set  []outbox.Record // at most outbox.MaxChange

	written []written // what Set says of which delivery
	window  int       // how many entries of the window lie below Next
	dirty   int       // how many entries of the dirty list are covered
}

type written struct {
	d     *Delivery
	rev   uint32
	phase phase
}

// Empty reports whether there is nothing to write.
func (c Checkpoint) Empty() bool { return c.Next == 0 && len(c.Set) == 0 }

// CheckpointAt answers when a checkpoint is due: at once for what waits for its record, after settleDelay for what was
// delivered, after 60 s or 1,024 sequences for a cursor that could move alone. Zero = at once; false = nothing to write.
func (o *Order) CheckpointAt() (time.Time, bool) {
	if o.urgent > 0 {
		return time.Time{}, true
	}
	if len(o.done) > 0 {
		return o.done[0].finishedAt.Add(settleDelay), true
	}
	if len(o.dirty) > 0 {
		return time.Time{}, true
	}
	switch free := o.free(); {
	case free >= skipEvents:
		return time.Time{}, true
	case free > 0:
		return o.moved.Add(skipTime), true
	}
	return time.Time{}, false
}

// free is how far the cursor could move without a record.
func (o *Order) free() outbox.Seq {
	if len(o.window) > 0 {
		return o.window[0].Seq - o.next
	}
	return o.read - o.next
}

// Checkpoint answers what to write now. Delivered events are taken along once they have waited settleDelay, all of them when
// force is set. Every unfinished delivery below the new cursor gets a record in the same Change; the others get none. What does
// not fit is left for the next checkpoint.
func (o *Order) Checkpoint(now time.Time, force bool) Checkpoint {
	c := Checkpoint{}
	for _, d := range o.dirty {
		if len(c.Set) == outbox.MaxChange {
			break
		}
		c.add(d)
		c.dirty++
	}
	n := o.needed(now, force)
	i := 0
	for ; i < n; i++ {
		if d := o.window[i]; d.phase != finished {
			if len(c.Set) == outbox.MaxChange {
				break
			}
			c.add(d)
		}
	}
	for i >= n && i < len(o.window) && o.window[i].phase == finished {
		i++
	}
	c.window = i
	next := o.read
	if i < len(o.window) {
		next = o.window[i].Seq
	}
	if next > o.next {
		c.Next = next
	}
	return c
}

// needed is how long a prefix of the window the cursor must pass: up to the last entry that has to be settled or stored now.
func (o *Order) needed(now time.Time, force bool) int {
	if o.urgent == 0 && len(o.done) == 0 {
		return 0
	}
	for i := len(o.window) - 1; i >= 0; i-- {
		d := o.window[i]
		if d.blocked || d.phase == dying || d.phase == finished && (force || now.Sub(d.finishedAt) >= settleDelay) {
			return i + 1
		}
	}
	return 0
}

func (c *Checkpoint) add(d *Delivery) {
	c.Set = append(c.Set, d.record())
	c.written = append(c.written, written{d, d.rev, d.phase})
}

// Committed tells the Order that a checkpoint is on disk.
func (o *Order) Committed(c Checkpoint, now time.Time) {
	if c.Next > o.next {
		o.next, o.moved = c.Next, now
	}
	for _, d := range o.dirty[:c.dirty] {
		d.dirty = false
	}
	settled := map[*Delivery]bool{}
	for _, d := range o.window[:c.window] {
		if d.phase == finished {
			settled[d] = true // unless it finished only after the checkpoint was made: then it is in written, see below
		}
	}
	o.dirty, o.window = cut(o.dirty, c.dirty), cut(o.window, c.window)
	for _, w := range c.written {
		o.stored(w, settled)
	}
	o.settle(settled)
}

// cut takes n deliveries off the front and lets go of them.
func cut(list []*Delivery, n int) []*Delivery {
	clear(list[:n])
	return list[n:]
}

// stored notes what one record of a committed checkpoint says.
func (o *Order) stored(w written, settled map[*Delivery]bool) {
	d := w.d
	switch w.phase {
	case finished:
		d.stored = false
		settled[d] = true
	case dying:
		d.stored = false
		o.urgent--
		o.remove(o.lines[d.Key], d)
	case waiting, flying:
		d.stored = true
		delete(settled, d)
		if d.rev != w.rev {
			o.touch(d) // it went on while the checkpoint was written
			return
		}
		if d.blocked {
			d.blocked = false
			o.urgent--
			o.offer(o.lines[d.Key])
		}
	}
}

// settle drops settled deliveries from the list of finished ones.
func (o *Order) settle(settled map[*Delivery]bool) {
	keep := o.done[:0]
	for _, d := range o.done {
		if !settled[d] {
			keep = append(keep, d)
		}
	}
	clear(o.done[len(keep):])
	o.done = keep
}
