package dispatcher

import (
	"cmp"
	"hash/fnv"
	"slices"
	"time"

	"waoutbox/outbox"
)

const (
	// settleDelay is how long a delivered event may wait for its neighbours before a checkpoint takes it along. The committer
	// adds its own wait; together they bound the repeats after a crash.
	settleDelay = 5 * time.Millisecond
	// skipEvents and skipTime let the cursor move alone, past events that are not owed.
	skipEvents = 1024
	skipTime   = 60 * time.Second
	// readAhead bounds the bodies a lane holds, in bytes. What waits beyond it is read again before it is sent.
	readAhead = 1 << 20
)

// OrderKey is the hash by which deliveries do not overtake each other: of the event's chat, or of the event itself for an
// unordered webhook. Two chats with one hash only wait for each other.
func OrderKey(ev outbox.Event, unordered bool) uint64 {
	h := fnv.New64a()
	if unordered {
		h.Write([]byte(ev.Key))
	} else {
		h.Write([]byte(ev.Chat))
	}
	return h.Sum64()
}

type phase uint8

const (
	waiting  phase = iota // unfinished, not in flight
	flying                // one attempt is running
	finished              // delivered; stays until a checkpoint has settled it
	dying                 // dead; stays, and blocks its key, until a checkpoint has stored it
)

// Delivery is one unfinished delivery inside an Order. Callers read it; only the Order changes it.
type Delivery struct {
	Seq      outbox.Seq
	Key      uint64 // order key
	Attempts int    // spent
	Replay   int
	Due      time.Time // zero = at once
	Log      []byte    // encoded attempt log
	Event    *outbox.Event

	phase      phase
	late       bool      // retry or replay: takes part in the half of the slots
	blocked    bool      // its record must be stored before it may fly
	stored     bool      // has a pending record; its sequence is below next
	dirty      bool      // stored, and listed in Order.dirty
	offered    bool      // sits in one of the heaps
	rev        uint32    // counts changes, so that a checkpoint knows what it wrote
	reason     string    // dying: why
	at         time.Time // dying: since when
	finishedAt time.Time
}

// record is what the delivery looks like on disk now.
func (d *Delivery) record() outbox.Record {
	r := outbox.Record{Seq: d.Seq, State: outbox.Pending, Attempts: d.Attempts, Due: d.Due, Order: d.Key, Replay: d.Replay, Log: d.Log}
	switch d.phase {
	case finished:
		r.State = outbox.Done
	case dying:
		r.State, r.Reason, r.At, r.Due = outbox.Dead, d.reason, d.at, time.Time{}
	case waiting, flying:
		r.Reason = d.reason
	}
	return r
}

// lineup is what waits under one order key, lowest sequence first.
type lineup struct {
	items []*Delivery
	busy  bool // one of them is in flight
}

// Order knows the unfinished deliveries of one subscription. It answers what may fly now, when the next is due, and what a
// checkpoint must write. It does no I/O, has no clock and no goroutine, and is not safe for concurrent use.
//
// Rules: per order key only the lowest unfinished sequence flies, and one at a time; retries and replays take at most half the
// slots, at least one; a retry flies only after its record is stored; a death lets its key go on only after it is stored.
type Order struct {
	next, read outbox.Seq // stored cursor; read position
	lines      map[uint64]*lineup
	bySeq      map[outbox.Seq]*Delivery // unfinished and dying
	window     []*Delivery              // at or above next, ascending; finished ones too
	dirty      []*Delivery              // below next, and other than their record
	done       []*Delivery              // finished and not settled, in order of finishing
	fresh      deliveryHeap             // heads that never failed, by sequence
	timed      deliveryHeap             // late heads, by due time
	inFlight   int
	lateFlying int
	lastLate   bool // the last claim was a late one
	urgent     int  // blocked and dying deliveries
	held       int  // body bytes held
	moved      time.Time
}

// NewOrder makes an Order that goes on at next, the stored cursor.
func NewOrder(next outbox.Seq, now time.Time) *Order {
	return &Order{
		next: next, read: next, moved: now, lines: map[uint64]*lineup{}, bySeq: map[outbox.Seq]*Delivery{},
		fresh: deliveryHeap{less: bySequence}, timed: deliveryHeap{less: byDue},
	}
}

// AddStored adds a delivery that has a pending record, due at the given moment. Adding a known sequence changes nothing.
func (o *Order) AddStored(r outbox.Record, due time.Time) {
	if o.bySeq[r.Seq] != nil {
		return
	}
	o.insert(&Delivery{
		Seq: r.Seq, Key: r.Order, Attempts: r.Attempts, Replay: r.Replay, Due: due, Log: r.Log, reason: r.Reason,
		stored: true, late: r.Attempts > 0 || r.Replay > 0,
	})
}

// Add adds an event that was read, in reading order. Its body is dropped when too much is held already.
func (o *Order) Add(ev outbox.Event, key uint64) {
	if ev.Seq < o.read {
		return
	}
	o.read = ev.Seq + 1
	if o.bySeq[ev.Seq] != nil {
		return // it has a record already
	}
	d := &Delivery{Seq: ev.Seq, Key: key}
	if o.held == 0 || o.held+len(ev.Body) <= readAhead {
		d.Event = &ev
		o.held += len(ev.Body)
	}
	o.window = append(o.window, d)
	o.insert(d)
}

// SetRead moves the read position: everything owed below it was added.
func (o *Order) SetRead(next outbox.Seq) { o.read = max(o.read, next) }

func (o *Order) insert(d *Delivery) {
	o.bySeq[d.Seq] = d
	l := o.lines[d.Key]
	if l == nil {
		l = &lineup{}
		o.lines[d.Key] = l
	}
	i, _ := slices.BinarySearchFunc(l.items, d.Seq, func(d *Delivery, s outbox.Seq) int { return cmp.Compare(d.Seq, s) })
	l.items = slices.Insert(l.items, i, d)
	o.offer(l)
}

// offer puts the head of a lineup where Claim looks, if it may fly.
func (o *Order) offer(l *lineup) {
	if len(l.items) == 0 {
		return
	}
	d := l.items[0]
	if d.offered || !o.mayFly(l, d) {
		return
	}
	d.offered = true
	if d.late {
		o.timed.push(d)
	} else {
		o.fresh.push(d)
	}
}

func (o *Order) mayFly(l *lineup, d *Delivery) bool {
	return !l.busy && d.phase == waiting && !d.blocked && len(l.items) > 0 && l.items[0] == d
}

// top answers the best valid delivery of a heap, dropping offers that no longer hold.
func (o *Order) top(h *deliveryHeap) *Delivery {
	for len(h.items) > 0 {
		d := h.items[0]
		if l := o.lines[d.Key]; l != nil && o.mayFly(l, d) {
			return d
		}
		h.pop().offered = false
	}
	return nil
}

// lateSlots is the share of retries and replays.
func lateSlots(slots int) int { return max(1, slots/2) }

// Claim answers the delivery to send now, or nil, and counts it as in flight.
func (o *Order) Claim(now time.Time, slots int) *Delivery {
	if o.inFlight >= slots {
		return nil
	}
	f := o.top(&o.fresh)
	var late *Delivery
	if o.lateFlying < lateSlots(slots) {
		late = o.top(&o.timed)
		if late != nil && late.Due.After(now) {
			late = nil
		}
	}
	// Late ones go first: they are older. With a single slot the kinds take turns, so that neither starves the other.
	if late != nil && (f == nil || slots > 1 || !o.lastLate) {
		o.timed.pop()
		o.lateFlying++
		return o.fly(late)
	}
	if f != nil {
		o.fresh.pop()
		return o.fly(f)
	}
	return nil
}

func (o *Order) fly(d *Delivery) *Delivery {
	d.offered = false
	d.phase = flying
	o.lines[d.Key].busy = true
	o.inFlight++
	o.lastLate = d.late
	return d
}

// land ends a flight.
func (o *Order) land(d *Delivery) *lineup {
	l := o.lines[d.Key]
	l.busy = false
	o.inFlight--
	if d.late {
		o.lateFlying--
	}
	d.phase = waiting
	return l
}

// Release puts a claimed delivery back: nothing was sent, or it was cut off by us. No attempt is spent.
func (o *Order) Release(d *Delivery) { o.offer(o.land(d)) }

// SetEvent gives a claimed delivery its event again after it was dropped.
func (o *Order) SetEvent(d *Delivery, ev outbox.Event) {
	if d.Event == nil {
		d.Event = &ev
		o.held += len(ev.Body)
	}
}

func (o *Order) dropEvent(d *Delivery) {
	if d.Event != nil {
		o.held -= len(d.Event.Body)
		d.Event = nil
	}
}

// Deliver ends a flight with a 2xx: the key goes on at once, and a checkpoint settles the delivery within settleDelay.
func (o *Order) Deliver(d *Delivery, now time.Time) {
	l := o.land(d)
	d.phase, d.finishedAt = finished, now
	d.rev++
	o.dropEvent(d)
	o.remove(l, d)
	o.done = append(o.done, d)
	o.touch(d)
}

// Fail ends a flight with a failed attempt that leaves another one, due at the given moment. It flies again only after a
// checkpoint has stored it.
func (o *Order) Fail(d *Delivery, due time.Time, log []byte) {
	l := o.land(d)
	d.Attempts++
	d.Due, d.Log, d.late, d.blocked = due, log, true, true
	o.change(d)
	o.offer(l)
}

// Kill ends a flight for good. attempts is what was spent; the key goes on after a checkpoint has stored the death.
func (o *Order) Kill(d *Delivery, attempts int, reason string, at time.Time, log []byte) {
	l := o.land(d)
	d.Attempts, d.reason, d.at, d.Log, d.phase = attempts, reason, at, log, dying
	o.change(d)
	o.offer(l)
}

// change notes that a delivery's record must be written before its key goes on.
func (o *Order) change(d *Delivery) {
	d.rev++
	o.urgent++
	o.dropEvent(d)
	o.touch(d)
}

// touch lists a stored delivery as different from its record.
func (o *Order) touch(d *Delivery) {
	if d.stored && !d.dirty {
		d.dirty = true
		o.dirty = append(o.dirty, d)
	}
}

// remove takes a delivery out of its lineup and lets the next one be offered.
func (o *Order) remove(l *lineup, d *Delivery) {
	delete(o.bySeq, d.Seq)
	if i := slices.Index(l.items, d); i == 0 {
		l.items[0] = nil
		l.items = l.items[1:]
	} else if i > 0 {
		l.items = slices.Delete(l.items, i, i+1)
	}
	if len(l.items) == 0 && !l.busy {
		delete(o.lines, d.Key)
		return
	}
	o.offer(l)
}

// NextDue answers when the earliest waiting retry or replay may fly; false if there is none, or none could for lack of slots.
func (o *Order) NextDue(slots int) (time.Time, bool) {
	if o.inFlight >= slots || o.lateFlying >= lateSlots(slots) {
		return time.Time{}, false
	}
	d := o.top(&o.timed)
	if d == nil {
		return time.Time{}, false
	}
	return d.Due, true
}

// Ready is about how many fresh deliveries could fly now: the reader keeps it above the number of slots.
func (o *Order) Ready() int { return len(o.fresh.items) }

// Unfinished counts deliveries that are read or stored and neither delivered nor dead.
func (o *Order) Unfinished() int { return len(o.bySeq) }

// Unsettled counts deliveries that ended and await a checkpoint.
func (o *Order) Unsettled() int { return len(o.done) + o.urgent }

// InFlight counts running attempts.
func (o *Order) InFlight() int { return o.inFlight }

// Has reports whether seq is unfinished here.
func (o *Order) Has(seq outbox.Seq) bool { return o.bySeq[seq] != nil }

// Next and Read answer the stored cursor and the read position.
func (o *Order) Next() outbox.Seq { return o.next }
func (o *Order) Read() outbox.Seq { return o.read }
