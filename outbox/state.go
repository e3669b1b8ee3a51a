package outbox

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

// CheckMove returns nil if a record may take the place of another one of its sequence, else a
// *TransitionError: the writer knows less than the disk. from has State Done when there is none.
// Every state may follow every other: from Done read and unfinished, redelivered, or dead-lettered
// with its webhook; from Pending tried again, delivered, dead; from Dead replayed, purged, or part
// of another run; and the same again, since a Change may be repeated. But a dead letter becomes
// pending by a replay only, which raises its number, and a pending delivery never goes back to an
// earlier replay or attempt.
func CheckMove(sub SubID, from, to Record) error {
	ok := from.State <= Dead && to.State <= Dead
	switch {
	case from.State == Dead && to.State == Pending:
		ok = ok && to.Replay > from.Replay
	case from.State == Pending && to.State != Done:
		ok = ok && (to.Replay > from.Replay || to.Replay == from.Replay && to.Attempts >= from.Attempts)
	}
	if ok {
		return nil
	}
	return &TransitionError{Sub: sub, Seq: to.KeySeq(), From: from.State, To: to.State}
}
