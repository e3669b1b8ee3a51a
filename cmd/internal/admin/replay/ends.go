package replay

import (
	"strconv"
	"sync"
	"sync/atomic"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// Ends learns from the dispatcher how the deliveries of replays end, which it tells before the end
// is on disk. It is a dispatcher.Observer. The zero value is ready. Safe for concurrent use.
type Ends struct {
	watching atomic.Int64 // webhooks that are watched: without any, an end costs one look at this

	mu  sync.Mutex
	ids map[outbox.SubID]map[outbox.Seq]*end
}

// end is how a watched delivery ended, if it has.
type end struct {
	known bool
	fate  Fate
	why   api.LastError
}

// Attempted satisfies dispatcher.Observer: attempts are not what is waited for.
func (e *Ends) Attempted(dispatcher.AttemptEnd) {}

// Ended satisfies dispatcher.Observer.
func (e *Ends) Ended(d dispatcher.DeliveryEnd) {
	if e.watching.Load() == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	watched := e.ids[d.Sub][d.Seq]
	if watched == nil {
		return
	}
	watched.known, watched.fate = true, Delivered
	if d.Dead {
		watched.fate, watched.why = Dead, api.LastError{Class: string(d.Class)}
		if status, err := strconv.Atoi(d.Reason); err == nil {
			watched.why.Status = status
		} else {
			watched.why.Class = d.Reason
		}
	}
}

// Watch makes the ends of some deliveries of a webhook known, from now on. An end that is known
// already is forgotten.
func (e *Ends) Watch(id outbox.SubID, seqs []outbox.Seq) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ids == nil {
		e.ids = map[outbox.SubID]map[outbox.Seq]*end{}
	}
	if e.ids[id] == nil {
		e.ids[id] = map[outbox.Seq]*end{}
		e.watching.Add(1)
	}
	for _, seq := range seqs {
		e.ids[id][seq] = &end{}
	}
}

// Told returns how a watched delivery ended; false while that is not known.
func (e *Ends) Told(id outbox.SubID, seq outbox.Seq) (fate Fate, why api.LastError, known bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	w := e.ids[id][seq]
	if w == nil || !w.known {
		return Pending, api.LastError{}, false
	}
	return w.fate, w.why, true
}

// Unwatch watches a delivery no longer.
func (e *Ends) Unwatch(id outbox.SubID, seq outbox.Seq) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.ids[id], seq)
}

// Forget watches nothing of a webhook any more.
func (e *Ends) Forget(id outbox.SubID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ids[id] != nil {
		delete(e.ids, id)
		e.watching.Add(-1)
	}
}
