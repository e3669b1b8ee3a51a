package dispatcher

import (
	"context"
	"fmt"
	"time"

	"waoutbox/outbox"
)

// bury ends the lane of a removed subscription: attempts in flight are cut off, what was delivered is settled, the rest dies.
func (l *lane) bury(ctx context.Context, sub outbox.Subscription) (buried int, err error) {
	l.draining = true
	l.abort()
	for l.order.InFlight() > 0 {
		select {
		case f := <-l.results:
			l.landed(f)
		case <-ctx.Done():
			return 0, fmt.Errorf("%w: bury %s: %w", errReload, l.id, ctx.Err())
		}
	}
	if err := l.settle(ctx); err != nil {
		return 0, fmt.Errorf("%w: %w", errReload, err)
	}
	if buried, err = bury(ctx, l.src, sub); err != nil {
		return buried, fmt.Errorf("%w: %w", errReload, err)
	}
	return buried, nil
}

// bury turns the backlog of a removed subscription into dead letters: pending records one by one, at most outbox.MaxChange a
// step, then the unread rest up to the cut as one run. Every step leaves a state from which it can be run again.
func bury(ctx context.Context, src Source, sub outbox.Subscription) (buried int, err error) {
	next, _, pending, err := src.Load(ctx, sub.ID)
	if err != nil {
		return 0, fmt.Errorf("bury %s: %w", sub.ID, err)
	}
	now := time.Now()
	for len(pending) > 0 {
		step := pending[:min(len(pending), outbox.MaxChange)]
		pending = pending[len(step):]
		c := outbox.Change{Sub: sub.ID}
		for _, r := range step {
			r.State, r.Reason, r.At, r.Due = outbox.Dead, ReasonUnregistered, now, time.Time{}
			c.Set = append(c.Set, r)
		}
		if err := repeat(ctx, src, c); err != nil {
			return buried, fmt.Errorf("bury %s: %w", sub.ID, err)
		}
		buried += len(step)
	}
	n, err := buryUnread(ctx, src, sub, next, now)
	return buried + n, err
}

// buryUnread makes one run of everything owed from next up to the cut, where the match-nothing epoch begins.
func buryUnread(ctx context.Context, src Source, sub outbox.Subscription, next outbox.Seq, now time.Time) (int, error) {
	if len(sub.Epochs) == 0 {
		return 0, nil
	}
	cut := sub.Epochs[len(sub.Epochs)-1].From
	if next >= cut {
		return 0, nil
	}
	owed, err := src.CountOwed(ctx, sub.ID, next, cut-1)
	if err != nil {
		return 0, fmt.Errorf("bury %s: count its unread events: %w", sub.ID, err)
	}
	c := outbox.Change{Sub: sub.ID, Next: cut}
	if owed.Count > 0 {
		r := outbox.Record{Seq: owed.First, State: outbox.Dead, Reason: ReasonUnregistered, At: now}
		if owed.Count > 1 {
			r.Last, r.Count = owed.Last, owed.Count
		}
		c.Set = []outbox.Record{r}
	}
	if err := repeat(ctx, src, c); err != nil {
		return 0, fmt.Errorf("bury %s: %w", sub.ID, err)
	}
	return owed.Count, nil
}
