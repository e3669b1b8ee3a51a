package wasim

import (
	"bytes"

	"go.mau.fi/libsignal/state/record"
)

// untried returns a serialised session record as a phone keeps it after it has read a message. The
// Signal library tries one session after the other and changes each on the way; those that did not
// fit are as they were in the record before.
func untried(r *record.Session, before []byte) []byte {
	after := r.Serialize()
	if len(before) == 0 {
		return after
	}
	now, err := serializer.Session.Deserialize(after)
	if err != nil || now.SessionState == nil {
		return after
	}
	was, err := serializer.Session.Deserialize(before)
	if err != nil || was.SessionState == nil || bytes.Equal(was.SessionState.SenderBaseKey, now.SessionState.SenderBaseKey) {
		return after
	}
	kept := now.PreviousStates[:0:0]
	for _, state := range append([]*record.StateStructure{was.SessionState}, was.PreviousStates...) {
		if state != nil && !bytes.Equal(state.SenderBaseKey, now.SessionState.SenderBaseKey) && len(kept) < len(now.PreviousStates) {
			kept = append(kept, state)
		}
	}
	now.PreviousStates = kept
	return serializer.Session.Serialize(now)
}
