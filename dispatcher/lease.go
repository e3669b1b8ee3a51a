package dispatcher

import (
	"context"
	"errors"
	"time"

	"waoutbox/outbox"
)

// LeaseState is what a lane shows of a lease, beside its LaneState.
type LeaseState struct {
	// Active: deliveries go out, or would if there were any. False while the lane waits for an
	// outage to end, for its owner, or for us.
	Active       bool
	LastDelivery time.Time // zero if there was none in this process
	// LastError is outbox.LeaseError of the last failed attempt since the last delivery, and
	// FailedSince when the first of these began; "" and zero when there was none.
	LastError   string
	FailedSince time.Time
	Throttled   bool // the receiver said that it gets too much, or to come later
	RetryAfter  time.Duration
	// Truncated: events were lost since the last refresh, which has not been told yet.
	Truncated bool
	// OwnUntil: outbox.OwnLimit messages of the account itself were delivered lately, and the next
	// ones wait until then; zero if they do not.
	OwnUntil time.Time
	Ended    bool // its time is over: nothing is sent any more, and it is about to be removed
}

// errNoLease is of an operation that only leases have.
var errNoLease = errors.New("it is no lease")

// Refreshed takes over a lease that was just stored anew (PutSub), as Sync does, and wakes it:
// whatever made it wait is over but a pause of its owner's. truncated tells that events it was owed
// were lost since the last Refreshed, which is forgotten with this.
func (d *Dispatcher) Refreshed(ctx context.Context, id outbox.SubID, audit ...outbox.Audit) (truncated bool, err error) {
	return false, errors.ErrUnsupported
}
