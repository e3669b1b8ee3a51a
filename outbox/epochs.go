package outbox

import (
	"fmt"
	"slices"
)

// ResolveEpochs returns s with every Epoch.From of 0 set to at, the sequence the next appended
// event will at least have. Of several epochs with one From the last stays. It refuses epochs that
// do not ascend or begin above at: a filter that starts at an unknown later moment could not be
// ordered against appends. s is not changed.
func ResolveEpochs(s Subscription, at Seq) (Subscription, error) {
	out := make([]Epoch, 0, len(s.Epochs))
	for _, e := range s.Epochs {
		if e.From == 0 {
			e.From = at
		}
		if e.From > at {
			return Subscription{}, fmt.Errorf("subscription %s: an epoch begins at %d, above the newest event", s.ID, e.From)
		}
		if n := len(out); n > 0 {
			if out[n-1].From > e.From {
				return Subscription{}, fmt.Errorf("subscription %s: epochs do not ascend (%d after %d)", s.ID, e.From, out[n-1].From)
			}
			if out[n-1].From == e.From {
				out = out[:n-1]
			}
		}
		out = append(out, e)
	}
	s.Epochs = out
	return s, nil
}

// StartAt returns a new subscription, whose epochs are resolved, as one that begins at whole where
// it would begin below: from there on nothing was removed. s is not changed.
func StartAt(s Subscription, whole Seq) Subscription {
	s.Epochs = CloneEpochs(s.Epochs)
	for len(s.Epochs) > 1 && s.Epochs[1].From <= whole {
		s.Epochs = s.Epochs[1:]
	}
	s.Epochs[0].From = max(s.Epochs[0].From, whole)
	return s
}

// PruneEpochs returns the epochs of s without the leading ones that end at or below below: nothing
// there is unread or part of a run any more. The epoch in force stays, and of a removed
// subscription the last one that matches something, so that a revival finds its filter
// (LastFilter). s is not changed.
func PruneEpochs(s Subscription, below Seq) []Epoch {
	n := 0
	for n+1 < len(s.Epochs) && s.Epochs[n+1].From <= below {
		n++
	}
	for i := len(s.Epochs) - 1; s.Removed && i >= 0; i-- {
		if len(s.Epochs[i].Filter.Events) > 0 {
			n = min(n, i)
			break
		}
	}
	return slices.Clone(s.Epochs[n:])
}

// LastFilter returns the filter of the last epoch that matches something: what s wants, or wanted
// before it was removed. A zero Filter when there is none.
func (s Subscription) LastFilter() Filter {
	for _, e := range slices.Backward(s.Epochs) {
		if len(e.Filter.Events) > 0 {
			return e.Filter
		}
	}
	return Filter{}
}

// Ended reports whether s is removed and nothing is left to do for it: it has no pending record,
// and the cursor next has passed everything it was owed. It may still have dead letters.
func (s Subscription) Ended(next Seq, pending uint64) bool {
	_, owed := s.FirstOwed(next)
	return s.Removed && pending == 0 && !owed
}

// FirstOwed returns the lowest sequence at or above next whose epoch matches something: what lies
// between is owed to nobody, whatever it is. false when that holds for everything above next.
func (s Subscription) FirstOwed(next Seq) (Seq, bool) {
	for i, e := range s.Epochs {
		over := i+1 < len(s.Epochs) && s.Epochs[i+1].From <= next
		if len(e.Filter.Events) > 0 && !over {
			return max(next, e.From), true
		}
	}
	return 0, false
}

// Cut returns the sequence from which on nothing is owed to s, whatever is appended; false when its
// last epoch matches something.
func (s Subscription) Cut() (Seq, bool) {
	cut, found := Seq(0), false
	for _, e := range slices.Backward(s.Epochs) {
		if len(e.Filter.Events) > 0 {
			break
		}
		cut, found = e.From, true
	}
	return cut, found
}
