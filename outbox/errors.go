package outbox

import (
	"errors"
	"fmt"
)

// The sentinels of every engine, wrapped in what was attempted. Compare with errors.Is.
var (
	// ErrFull: not written, and will not be until space is made (size limit, disk). The caller must
	// not acknowledge.
	ErrFull = errors.New("outbox is full")
	// ErrTooLarge: not written and never will be: a body above MaxBody, a call above MaxBatch.
	ErrTooLarge = errors.New("too large for the outbox")
	// ErrNotFound: the named event, subscription or record does not exist.
	ErrNotFound = errors.New("not found")
	// ErrUnknown: may be written, and nothing more will come of it: what is read from now on is the
	// outcome. Repeating the same call is harmless.
	ErrUnknown = errors.New("commit outcome unknown")
	// ErrHolds: a subscription cannot be forgotten while it is not removed, or still holds records
	// or unread events.
	ErrHolds = errors.New("subscription still holds deliveries")
	// ErrAuditKey: the key is missing that seals the audit trail.
	ErrAuditKey = errors.New("the key that seals the audit trail is missing")
	// ErrCorrupt: what is stored is damaged. It is reported, kept as evidence, and never given out.
	ErrCorrupt = errors.New("damaged in storage")
	// ErrClosed: the engine was closed, or stopped by a fault.
	ErrClosed = errors.New("outbox is closed")
)

// TransitionError says that a record was asked to make a move the table of states does not have: a
// bug in the caller.
type TransitionError struct {
	Sub      SubID
	Seq      Seq
	From, To State
}

func (e *TransitionError) Error() string {
	return fmt.Sprintf("illegal move of %s/%d from %s to %s", e.Sub, e.Seq, e.From, e.To)
}
