package boltbox

import (
	"slices"
	"time"

	"waoutbox/outbox"
)

// eventOverhead is what an event costs in memory besides its strings and body.
const eventOverhead = 160

const (
	// ringAge is how long an event stays in the ring: longer than the schedule of a delivery, its
	// attempts included. A lane that is further behind reads ahead in the file.
	ringAge = time.Minute
	// ringStep is how exact that is.
	ringStep = time.Second
)

// ring holds the newest events of the last minute, complete from floor on. Its bodies are shared
// with whoever reads them: nobody changes them.
type ring struct {
	marks []ringMark     // ascending; the first event of a step each
	evs   []outbox.Event // evs[head:] is live, ascending
	head  int
	bytes int
	limit int
	floor outbox.Seq // every event at or above it that is not trimmed is here
}

func newRing(limit int, floor outbox.Seq) *ring { return &ring{limit: limit, floor: floor} }

func weight(e *outbox.Event) int {
	return eventOverhead + len(e.Body) + len(e.Key) + len(e.Name) + len(e.Chat) + len(e.ChatAlt) + len(e.Account) + len(e.Message)
}

// ringMark is the first event that came at a moment, of any clock that only goes on, or within
// ringStep after it.
type ringMark struct {
	seq outbox.Seq
	at  time.Duration
}

// push adds the newest event at a moment, and lets go of the oldest ones above the limit.
func (r *ring) push(e *outbox.Event, at time.Duration) {
	if n := len(r.marks); n == 0 || at-r.marks[n-1].at >= ringStep {
		r.marks = append(r.marks, ringMark{e.Seq, at})
	}
	r.evs = append(r.evs, *e)
	r.bytes += weight(e)
	for r.bytes > r.limit && r.head < len(r.evs) {
		r.pop()
	}
	r.compact()
}

// age lets go of what has been there for ringAge; now is at of push.
func (r *ring) age(now time.Duration) {
	old := 0
	for old < len(r.marks) && now-r.marks[old].at > ringAge+ringStep {
		old++
	}
	if old == 0 {
		return
	}
	r.marks = slices.Delete(r.marks, 0, old)
	for r.head < len(r.evs) && (len(r.marks) == 0 || r.evs[r.head].Seq < r.marks[0].seq) {
		r.pop()
	}
	r.compact()
}

// pop lets go of the oldest event.
func (r *ring) pop() {
	old := &r.evs[r.head]
	r.bytes -= weight(old)
	r.floor = old.Seq + 1
	*old = outbox.Event{}
	r.head++
}

// compact gives back what the list takes, from time to time.
func (r *ring) compact() {
	const small = 1024
	live := len(r.evs) - r.head
	switch {
	case cap(r.evs) > small && live < cap(r.evs)/4:
		r.evs, r.head = append(make([]outbox.Event, 0, live+live/2), r.evs[r.head:]...), 0
	case r.head > small && r.head > len(r.evs)/2:
		r.evs = slices.Delete(r.evs, 0, r.head)
		r.head = 0
	}
}

// from returns the live events at or above s, to be looked at under the lock only.
func (r *ring) from(s outbox.Seq) []outbox.Event {
	live := r.evs[r.head:]
	i, _ := slices.BinarySearchFunc(live, s, func(e outbox.Event, s outbox.Seq) int {
		switch {
		case e.Seq < s:
			return -1
		case e.Seq > s:
			return 1
		}
		return 0
	})
	return live[i:]
}

// drop removes trimmed events (ascending sequences).
func (r *ring) drop(trimmed []outbox.Seq) {
	if len(trimmed) == 0 || trimmed[len(trimmed)-1] < r.floor {
		return
	}
	live := slices.DeleteFunc(r.evs[r.head:], func(e outbox.Event) bool {
		_, gone := slices.BinarySearch(trimmed, e.Seq)
		if gone {
			r.bytes -= weight(&e)
		}
		return gone
	})
	r.evs, r.head = live, 0
}
