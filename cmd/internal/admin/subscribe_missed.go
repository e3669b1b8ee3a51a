package admin

import (
	"context"

	"waoutbox/outbox"
)

// missed reports whether a client that renews a subscription may not know of what it missed: what
// lies between the cursor that it has and where the subscription began, or was lost. A response
// that told it may never have arrived.
func (s *Service) missed(ctx context.Context, r webhookRow, cursor string) bool {
	if cursor == "" {
		return false
	}
	now, err := s.o.Engine.Events(ctx, outbox.EventQuery{Backward: true, Limit: 1, Heads: true})
	if err != nil {
		return true
	}
	at, ok := outbox.ParsePosition(cursor, now.State)
	if began := r.cfg.Lease.Asked; !ok { // it counts where the subscription began with one like it
		return began == askedUnknown
	} else if began > 0 && at < r.sub.Epochs[0].From {
		return true
	}
	return at < s.leaseState(r.sub.ID).Lost
}

// askedUnknown is outbox.Lease.Asked of a cursor that cannot be read, or is of another log.
const askedUnknown = 1

// asked is where a client asks to begin, as its lease keeps it.
func asked(cursor, state string) outbox.Seq {
	if cursor == "" {
		return 0
	}
	if at, ok := outbox.ParsePosition(cursor, state); ok {
		return at
	}
	return askedUnknown
}
