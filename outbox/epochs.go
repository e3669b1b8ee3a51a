package outbox

import (
	"fmt"
	"slices"
)

// ResolveEpochs returns s with every Epoch.From of 0 set to at, the sequence the next appended event will at least have. Of
// several epochs with one From the last stays. It refuses epochs that do not ascend or begin above at: a filter that starts at
// an unknown later moment could not be ordered against appends. s is not changed.
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

// PruneEpochs drops the leading epochs that end at or below below: nothing there is unread or part of a run any more. The
// epoch in force stays. The argument is not changed.
func PruneEpochs(epochs []Epoch, below Seq) []Epoch {
	n := 0
	for n+1 < len(epochs) && epochs[n+1].From <= below {
		n++
	}
	return slices.Clone(epochs[n:])
}
