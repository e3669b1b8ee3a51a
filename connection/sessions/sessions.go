// Package sessions keeps what was agreed with a person's device while a message to it was
// encrypted. The library reads the sessions that a message needs, asks for keys where there are
// none, and then writes the sessions back over whatever came meanwhile: when the person began one
// of their own at that moment, nothing of theirs could be read any more until they sent it again.
// And it keeps the sessions that a message was tried with in vain as they were.
package sessions

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	"go.mau.fi/libsignal/state/record"
	"go.mau.fi/whatsmeow/store"
)

// maxEarlier is how many sessions beside the present one are kept, as the library does.
const maxEarlier = 40

// Transaction runs fn in one transaction of the database that the store is in. What fn does with
// its context takes effect whole, or not at all when fn or Transaction returns an error.
type Transaction func(ctx context.Context, fn func(ctx context.Context) error) error

// Kept returns a store in which PutManySessions, which the library calls after it has encrypted,
// keeps sessions that came since it read them. Safe for concurrent use if what it wraps is.
func Kept(s store.SessionStore, transaction Transaction) store.SessionStore {
	return &kept{SessionStore: s, transaction: transaction}
}

// IsKept reports whether a store is one that Kept returned.
func IsKept(s store.SessionStore) bool {
	_, is := s.(*kept)
	return is
}

type kept struct {
	store.SessionStore
	transaction Transaction
}

func (k *kept) PutManySessions(ctx context.Context, sessions map[string][]byte) error {
	return k.transaction(ctx, func(ctx context.Context) error {
		there, err := k.GetManySessions(ctx, slices.Collect(maps.Keys(sessions)))
		if err != nil {
			return fmt.Errorf("read sessions again: %w", err)
		}
		all := make(map[string][]byte, len(sessions))
		for address, session := range sessions {
			all[address] = with(session, there[address])
		}
		return k.SessionStore.PutManySessions(ctx, all)
	})
}

// with returns a record with those sessions of another one that it lacks, as earlier ones. One that
// cannot be read has none.
func with(session, other []byte) []byte {
	if len(other) == 0 || bytes.Equal(session, other) {
		return session
	}
	mine, err := store.SignalProtobufSerializer.Session.Deserialize(session)
	if err != nil {
		return session
	}
	theirs, err := store.SignalProtobufSerializer.Session.Deserialize(other)
	if err != nil {
		return session
	}
	var lacking []*record.StateStructure
	known := append([]*record.StateStructure{mine.SessionState}, mine.PreviousStates...)
	for _, state := range append([]*record.StateStructure{theirs.SessionState}, theirs.PreviousStates...) {
		if state == nil || len(state.SenderBaseKey) == 0 {
			continue
		}
		if !slices.ContainsFunc(known, func(k *record.StateStructure) bool {
			return k != nil && bytes.Equal(k.SenderBaseKey, state.SenderBaseKey)
		}) {
			lacking = append(lacking, state)
		}
	}
	if len(lacking) == 0 {
		return session
	}
	earlier := append(lacking, mine.PreviousStates...)
	mine.PreviousStates = earlier[:min(len(earlier), maxEarlier)]
	return store.SignalProtobufSerializer.Session.Serialize(mine)
}
