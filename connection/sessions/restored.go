package sessions

import (
	"bytes"
	"context"
	"fmt"

	"go.mau.fi/libsignal/state/record"
	"go.mau.fi/whatsmeow/store"
)

// Restored returns a store in which PutSession, which the library calls after it has decrypted,
// leaves the sessions beside the present one as they were. It tries a message with one after the
// other, changes each of them on the way, and stores those that were tried in vain with the one
// that fits: what is written in them next, such as after both sides began at once, could not be
// read any more until it was sent again. Safe for concurrent use if what it wraps is and no two
// write the same session.
func Restored(s store.SessionStore) store.SessionStore { return restored{s} }

type restored struct{ store.SessionStore }

func (r restored) PutSession(ctx context.Context, address string, session []byte) error {
	before, err := r.GetSession(ctx, address)
	if err != nil {
		return fmt.Errorf("read a session again: %w", err)
	}
	return r.SessionStore.PutSession(ctx, address, restore(session, before))
}

// restore returns a record with those sessions of the record before as they were that are not the
// present one. Where the present one is that of before no other was tried.
func restore(session, before []byte) []byte {
	if len(before) == 0 {
		return session
	}
	now, err := store.SignalProtobufSerializer.Session.Deserialize(session)
	if err != nil || now.SessionState == nil || len(now.PreviousStates) == 0 {
		return session
	}
	was, err := store.SignalProtobufSerializer.Session.Deserialize(before)
	if err != nil || was.SessionState == nil || bytes.Equal(was.SessionState.SenderBaseKey, now.SessionState.SenderBaseKey) {
		return session
	}
	earlier := make([]*record.StateStructure, 0, len(was.PreviousStates)+1)
	known := map[string]bool{string(now.SessionState.SenderBaseKey): true}
	for _, state := range append([]*record.StateStructure{was.SessionState}, was.PreviousStates...) {
		if state == nil || len(state.SenderBaseKey) == 0 || known[string(state.SenderBaseKey)] {
			continue
		}
		known[string(state.SenderBaseKey)] = true
		earlier = append(earlier, state)
	}
	now.PreviousStates = earlier[:min(len(earlier), maxEarlier)]
	return store.SignalProtobufSerializer.Session.Serialize(now)
}
