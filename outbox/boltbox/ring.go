package boltbox

import (
	"slices"

	"waoutbox/outbox"
)

// eventOverhead is what an event costs in memory besides its strings and body.
const eventOverhead = 160

// ring holds the newest events, complete from floor on. Its bodies are shared with whoever reads
// them: nobody changes them.
type ring struct {
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

// push adds the newest event and lets go of the oldest ones above the limit.
func (r *ring) push(e *outbox.Event) {
	r.evs = append(r.evs, *e)
	r.bytes += weight(e)
	for r.bytes > r.limit && r.head < len(r.evs) {
		old := &r.evs[r.head]
		r.bytes -= weight(old)
		r.floor = old.Seq + 1
		*old = outbox.Event{}
		r.head++
	}
	if r.head > 1024 && r.head > len(r.evs)/2 {
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
