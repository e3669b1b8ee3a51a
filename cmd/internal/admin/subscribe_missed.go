package admin

import (
	"context"

	"waoutbox/outbox"
)

// renewedFrom is the cursor that a client renews with.
type renewedFrom struct {
	given bool
	at    outbox.Seq
	known bool // it is one of this log
}

// renewedFrom reads the cursor that a client renews with: before anything is stored, for what
// cannot be read then is an error, and told as a loss it would be one that never was.
func (s *Service) renewedFrom(ctx context.Context, cursor string) (c renewedFrom, err error) {
	if cursor == "" {
		return c, nil
	}
	now, err := s.o.Engine.Events(ctx, outbox.EventQuery{Backward: true, Limit: 1, Heads: true})
	if err != nil {
		return c, err
	}
	c.given = true
	c.at, c.known = outbox.ParsePosition(cursor, now.State)
	return c, nil
}

// missed reports whether a client that renews a subscription may not know of what it missed: what
// lies between the cursor that it has and where the subscription began, or was lost. A response
// that told it may never have arrived.
func (s *Service) missed(r webhookRow, c renewedFrom) bool {
	switch began := r.cfg.Lease.Asked; {
	case !c.given:
		return false
	case !c.known: // it counts where the subscription began with one like it
		return began == askedUnknown
	case began > 0 && c.at < r.sub.Epochs[0].From:
		return true
	}
	return c.at < s.leaseState(r.sub.ID).Lost
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
