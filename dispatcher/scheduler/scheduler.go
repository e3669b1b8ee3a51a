package scheduler

import (
	"cmp"
	"math"
	"slices"
	"time"

	"waoutbox/outbox"
)

const (
	// settleDelay is how long a delivered event may wait for its neighbours before a checkpoint
	// takes it along. The committer adds its own wait; together they bound the repeats after a
	// crash.
	settleDelay = 5 * time.Millisecond
	// SkipEvents and skipTime let the cursor move alone, past events that are not owed.
	SkipEvents = 1024
	skipTime   = 60 * time.Second
	// readAhead bounds the events a lane holds, in bytes. What waits beyond it is read again before
	// it is sent.
	readAhead = 1 << 20
)

// Scheduler knows the unfinished deliveries of one subscription. It tells which may start now, when
// the next is due, and what a checkpoint must write. It does no I/O, has no clock and no goroutine,
// and is not safe for concurrent use.
//
// Rules: per chat (with an unordered webhook: per event) only the lowest unfinished sequence
// starts, and one at a time; retries and replays take at most half the slots, at least one; a retry
// starts only after its failure is stored; a dead letter lets its chat go on only after it is
// stored. While new deliveries are held back only those that were attempted start, and otherwise
// one probe at a time.
type Scheduler struct {
	unordered  bool
	base       time.Time  // from which moments count
	next, read outbox.Seq // stored cursor; read position
	chats      chats      // while ordered
	// all has the deliveries in sequence order: unfinished ones, and those that ended and are not
	// settled. From window on they lie at or above next. Below it some are gone; they are swept out
	// when they are many.
	all        []*Delivery
	window     int
	gone       int
	unfinished int
	outdated   []*Delivery // below next, and other than their record
	delivered  []*Delivery // not settled yet, in order of delivery
	// why replayed ones had died
	reasons     map[outbox.Seq]string
	mostReasons int // that there were since the map was made
	// The first of every chat that may start: never attempted, by sequence; attempted before, by
	// due time; replayed and not attempted since, by due time.
	fresh, retries, replays deliveryHeap
	// of the retries those that have spent their schedule, by due time
	spent   deliveryHeap
	patient int // after how many attempts a schedule is spent and goes on; 0: never

	holdsNew  bool   // only what was attempted before starts, and probes
	probed    uint64 // key of the last probe of one that was never attempted
	newProbed int64  // when that was

	inFlight        int
	retriesInFlight int
	lastWasRetry    bool
	mustStore       int // failed and dead deliveries
	held            int // bytes of events
	movedAt         time.Time
}

// New makes a Scheduler that goes on at next, the stored cursor.
func New(next outbox.Seq, now time.Time) *Scheduler {
	return &Scheduler{
		base: now, next: next, read: next, movedAt: now, chats: newChats(), reasons: map[outbox.Seq]string{},
		fresh: deliveryHeap{less: bySequence}, retries: deliveryHeap{less: byDue}, replays: deliveryHeap{less: byDue},
		spent: deliveryHeap{less: byDue}, newProbed: atOnce,
	}
}

// moment is t on the Scheduler's clock; the zero time is atOnce.
func (s *Scheduler) moment(t time.Time) int64 {
	if t.IsZero() {
		return atOnce
	}
	return int64(t.Sub(s.base))
}

// time is the reverse of moment, as the clock on the wall says now.
func (s *Scheduler) time(moment int64, now time.Time) time.Time {
	if moment == atOnce {
		return time.Time{}
	}
	return now.Add(time.Duration(moment) - now.Sub(s.base))
}

// SetUnordered says whether events of one chat may overtake each other. A change holds for what is
// known already: attempts in flight go on, and from now on each start follows the new rule.
func (s *Scheduler) SetUnordered(unordered bool) {
	if s.unordered == unordered {
		return
	}
	s.unordered = unordered
	s.chats = newChats()
	s.fresh.items, s.retries.items, s.replays.items, s.spent.items = nil, nil, nil, nil
	for _, d := range s.all {
		d.next = nil
		d.setQueued(false)
		if !unordered && d.unfinished() {
			s.chats.add(d)
			if d.stage == attempting {
				s.chats.begin(d)
			}
		}
	}
	for _, d := range s.all {
		s.offer(d)
	}
}

// find returns where seq is in all, or would be.
func (s *Scheduler) find(seq outbox.Seq) (i int, found bool) {
	return slices.BinarySearchFunc(s.all, seq, func(d *Delivery, seq outbox.Seq) int { return cmp.Compare(d.Seq, seq) })
}

// get returns the delivery of seq, nil when it is not unfinished.
func (s *Scheduler) get(seq outbox.Seq) *Delivery {
	if i, found := s.find(seq); found && s.all[i].unfinished() {
		return s.all[i]
	}
	return nil
}

// AddStored adds a delivery that has a pending record, due at the given moment. The record's log is
// not kept. Adding a known sequence changes nothing.
func (s *Scheduler) AddStored(r outbox.Record, due time.Time) {
	i, found := s.find(r.Seq)
	if found && s.all[i].stage != gone {
		return
	}
	d := &Delivery{
		Seq: r.Seq, chat: r.Order, at: s.moment(due), replay: uint32(r.Replay), attempts: uint16(min(r.Attempts, math.MaxUint16)),
		marks: uint8(recorded),
	}
	if r.Reason != "" {
		s.giveReason(r.Seq, r.Reason)
	}
	if found {
		s.all[i] = d
		s.gone--
	} else {
		s.all = slices.Insert(s.all, i, d)
		if r.Seq < s.next {
			s.window++
		}
	}
	s.added(d)
}

// Add adds an event that was read, in reading order; chat is its ChatKey. It is dropped, and read
// again, when too much is held already.
func (s *Scheduler) Add(ev outbox.Event, chat uint64) {
	if ev.Seq < s.read {
		return
	}
	s.read = ev.Seq + 1
	if n := len(s.all); n > 0 && s.all[n-1].Seq >= ev.Seq {
		if _, found := s.find(ev.Seq); found {
			return // it has a record already
		}
	}
	d := &Delivery{Seq: ev.Seq, chat: chat, at: atOnce}
	// a damaged one is found out about when its turn comes
	if size := sizeOf(ev); !ev.Corrupt && (s.held == 0 || s.held+size <= readAhead) {
		d.detail = &detail{event: ev}
		s.held += size
	}
	s.all = append(s.all, d)
	s.added(d)
}

// SetRead moves the read position: everything owed below it was added.
func (s *Scheduler) SetRead(next outbox.Seq) { s.read = max(s.read, next) }

func (s *Scheduler) added(d *Delivery) {
	s.unfinished++
	if s.unordered {
		s.offer(d)
		return
	}
	s.chats.add(d)
	s.offerNext(d)
}

// offerNext offers the first of d's chat, or, with an unordered webhook, d.
func (s *Scheduler) offerNext(d *Delivery) {
	if !s.unordered {
		d = s.chats.first(d.chat)
	}
	if d != nil {
		s.offer(d)
	}
}

// offer puts a delivery where Start looks, if it may start.
func (s *Scheduler) offer(d *Delivery) {
	if d.queued() || !s.mayStart(d) {
		return
	}
	d.setQueued(true)
	switch {
	case s.hasSpent(d):
		s.spent.push(d)
	case d.attempts > 0:
		s.retries.push(d)
	case d.replay > 0:
		s.replays.push(d)
	default:
		s.fresh.push(d)
	}
}

func (s *Scheduler) mayStart(d *Delivery) bool {
	return d.stage == waiting && (s.unordered || s.chats.mayStart(d))
}

// first returns the best delivery of a heap that may still start, dropping those that may not.
func (s *Scheduler) first(h *deliveryHeap) *Delivery {
	for len(h.items) > 0 {
		if d := h.items[0]; s.mayStart(d) {
			return d
		}
		h.pop().setQueued(false)
	}
	return nil
}

// retrySlots is the share of retries and replays.
func retrySlots(slots int) int { return max(1, slots/2) }

// firstRetry returns the retry or replay that is due first, nil if there is none, and its heap.
func (s *Scheduler) firstRetry() (*Delivery, *deliveryHeap) {
	retry := s.first(&s.retries)
	if s.holdsNew {
		return retry, &s.retries
	}
	heap := &s.retries
	for _, other := range []*deliveryHeap{&s.replays, &s.spent} {
		if d := s.first(other); d != nil && (retry == nil || byDue(d, retry)) {
			retry, heap = d, other
		}
	}
	return retry, heap
}

// Start returns the delivery to attempt now, or nil, and counts it as in flight.
func (s *Scheduler) Start(now time.Time, slots int) *Delivery {
	if s.inFlight >= slots {
		return nil
	}
	var fresh *Delivery
	if !s.holdsNew {
		fresh = s.first(&s.fresh)
	}
	if s.retriesInFlight < retrySlots(slots) {
		// Retries go first: they are older. With a single slot the kinds alternate, so that neither
		// starves the other.
		retry, heap := s.firstRetry()
		if retry != nil && !s.dueAfter(retry, now) && (fresh == nil || slots > 1 || !s.lastWasRetry) {
			heap.pop()
			s.retriesInFlight++
			return s.begin(retry)
		}
	}
	if fresh != nil {
		s.fresh.pop()
		return s.begin(fresh)
	}
	return nil
}

// dueAfter reports whether d is due later than t.
func (s *Scheduler) dueAfter(d *Delivery, t time.Time) bool { return d.at > s.moment(t) }

func (s *Scheduler) begin(d *Delivery) *Delivery {
	d.setQueued(false)
	d.move(moveStart)
	if !s.unordered {
		s.chats.begin(d)
	}
	s.inFlight++
	s.lastWasRetry = d.Retry()
	return d
}

// end ends an attempt with the given move.
func (s *Scheduler) end(d *Delivery, m move) {
	d.move(m)
	if !s.unordered {
		s.chats.end(d)
	}
	s.inFlight--
	if d.Retry() {
		s.retriesInFlight--
	}
}

// Release puts a started delivery back: nothing was sent, or it was cut off by us. No attempt is
// spent.
func (s *Scheduler) Release(d *Delivery) {
	s.end(d, moveRelease)
	s.offerNext(d)
}

// Deliver ends an attempt with a 2xx: the chat goes on at once, and a checkpoint settles the
// delivery within settleDelay.
func (s *Scheduler) Deliver(d *Delivery, now time.Time) {
	s.end(d, moveDeliver)
	d.at = s.moment(now)
	s.remove(d)
	s.delivered = append(s.delivered, d)
	s.changed(d)
}

// Fail ends an attempt that failed and leaves another one, due at the given moment. log is the
// delivery's whole attempt log. It starts again only after a checkpoint has stored it.
func (s *Scheduler) Fail(d *Delivery, due time.Time, log []byte) {
	s.end(d, moveFail)
	d.attempts = min(d.attempts, math.MaxUint16-1) + 1
	d.at = s.moment(due)
	s.mustStore++
	s.changed(d)
	d.setLog(log)
	s.offerNext(d)
}

// DeadLetter ends an attempt for good. attempts is what was spent; the chat goes on after a
// checkpoint has stored the dead letter.
func (s *Scheduler) DeadLetter(d *Delivery, attempts int, reason string, at time.Time, log []byte) {
	s.end(d, moveGiveUp)
	d.attempts, d.at = uint16(min(attempts, math.MaxUint16)), s.moment(at)
	s.giveReason(d.Seq, reason)
	s.mustStore++
	s.changed(d)
	d.setLog(log)
	s.offerNext(d)
}

// changed notes that a delivery is no longer what its record says, if it has one, and lets go of
// its event.
func (s *Scheduler) changed(d *Delivery) {
	s.dropEvent(d)
	if d.disk() == recorded {
		s.markOutdated(d)
	}
}

func (s *Scheduler) dropEvent(d *Delivery) {
	if ev := d.Event(); ev != nil {
		s.held -= sizeOf(*ev)
		*ev = outbox.Event{}
		d.setLog(d.log())
	}
}

func (s *Scheduler) markOutdated(d *Delivery) {
	d.setDisk(outdated)
	s.outdated = append(s.outdated, d)
}

// remove takes a delivery that is no longer unfinished out of its chat and lets the next one be
// offered.
func (s *Scheduler) remove(d *Delivery) {
	s.unfinished--
	if s.unordered {
		return
	}
	chat := d.chat
	s.chats.remove(d)
	if next := s.chats.first(chat); next != nil {
		s.offer(next)
	}
}

func (s *Scheduler) giveReason(seq outbox.Seq, reason string) {
	s.reasons[seq] = reason
	s.mostReasons = max(s.mostReasons, len(s.reasons))
}

// forget notes that d is settled.
func (s *Scheduler) forget(d *Delivery) {
	delete(s.reasons, d.Seq)
	if len(s.reasons) == 0 && s.mostReasons > roomy {
		s.reasons, s.mostReasons = map[outbox.Seq]string{}, 0
	}
	s.gone++
}

// sweep lets go of what is gone, when that is much.
func (s *Scheduler) sweep() {
	if s.gone < roomy/8 || s.gone < len(s.all)/2 {
		return
	}
	kept := s.all[:0]
	for _, d := range s.all[:s.window] {
		if d.stage != gone {
			kept = append(kept, d)
		}
	}
	above := s.all[s.window:]
	s.window, s.gone = len(kept), 0
	kept = append(kept, above...)
	clear(s.all[len(kept):])
	s.all = shrunk(kept)
}

// NextDue returns when the earliest waiting retry or replay may start; false if there is none, or
// none could for lack of slots. Probes are not among them.
func (s *Scheduler) NextDue(slots int) (time.Time, bool) {
	if s.inFlight >= slots || s.retriesInFlight >= retrySlots(slots) {
		return time.Time{}, false
	}
	d, _ := s.firstRetry()
	if d == nil {
		return time.Time{}, false
	}
	return s.time(d.at, s.base), true
}

// NextStart is NextDue, or the zero time when a delivery that was never attempted could start now:
// Start would return it.
func (s *Scheduler) NextStart(slots int) (time.Time, bool) {
	if s.inFlight < slots && !s.holdsNew && s.first(&s.fresh) != nil {
		return time.Time{}, true
	}
	return s.NextDue(slots)
}

// Ready is about how many deliveries that were never attempted could start now: the reader keeps it
// above the number of slots.
func (s *Scheduler) Ready() int { return len(s.fresh.items) }

// Room is how many more bytes of events may be held.
func (s *Scheduler) Room() int { return max(0, readAhead-s.held) }

// Unfinished counts deliveries that are read or stored and neither delivered nor dead letters.
func (s *Scheduler) Unfinished() int { return s.unfinished }

// Unsettled counts deliveries that ended and await a checkpoint.
func (s *Scheduler) Unsettled() int { return len(s.delivered) + s.mustStore }

// Settled reports whether everything that ended is on disk.
func (s *Scheduler) Settled() bool { return s.Unsettled() == 0 && len(s.outdated) == 0 }

// InFlight counts running attempts.
func (s *Scheduler) InFlight() int { return s.inFlight }

// Has reports whether seq is unfinished here.
func (s *Scheduler) Has(seq outbox.Seq) bool { return s.get(seq) != nil }

// Next returns the stored cursor.
func (s *Scheduler) Next() outbox.Seq { return s.next }

// ReadPosition returns where to read on.
func (s *Scheduler) ReadPosition() outbox.Seq { return s.read }
