package outbox

import "slices"

// State of a delivery. Done has no record: it was not read yet, was delivered, or was purged.
type State uint8

const (
	Done State = iota
	Pending
	Dead
)

func (s State) String() string {
	switch s {
	case Done:
		return "done"
	case Pending:
		return "pending"
	case Dead:
		return "dead"
	}
	return "unknown"
}

// legal returns the moves a delivery may make. From Done: read and unfinished, or buried with its webhook. From Pending:
// retried (Pending again), delivered, dead. From Dead: replayed, purged.
func legal(from State) []State {
	switch from {
	case Done:
		return []State{Done, Pending, Dead}
	case Pending:
		return []State{Pending, Done, Dead}
	case Dead:
		return []State{Pending, Done, Dead}
	}
	return nil
}

// CheckMove returns nil if a record may go from one state to the other, else a *TransitionError. Writing the same state again
// is always legal: a Change may be repeated.
func CheckMove(sub SubID, seq Seq, from, to State) error {
	if slices.Contains(legal(from), to) {
		return nil
	}
	return &TransitionError{Sub: sub, Seq: seq, From: from, To: to}
}
