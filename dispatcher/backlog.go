package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"waoutbox/dispatcher/scheduler"
	"waoutbox/outbox"
)

// deadLetterBacklog turns the backlog of a removed subscription into dead letters: pending records
// one by one, at most outbox.MaxChange a step, then the unread rest up to the cut as one run. Every
// step leaves a state from which it can be run again. ctx ends it between steps; nothing else may
// write the subscription meanwhile.
func (d deps) deadLetterBacklog(ctx context.Context, sub outbox.Subscription) (n int, err error) {
	next, _, pending, err := d.src.Load(ctx, sub.ID)
	if err != nil {
		return 0, fmt.Errorf("dead-letter the backlog of %s: %w", sub.ID, err)
	}
	now, reason := d.now(), removedFor(sub)
	for len(pending) > 0 {
		if ctx.Err() != nil {
			return n, fmt.Errorf("dead-letter the backlog of %s: %w", sub.ID, ctx.Err())
		}
		step := pending[:min(len(pending), outbox.MaxChange)]
		pending = pending[len(step):]
		c := outbox.Change{Sub: sub.ID}
		for _, r := range step {
			if r.Attempts > 0 || r.Replay > 0 {
				if r, err = d.src.RecordAt(ctx, sub.ID, r.Seq); err != nil { // with its log
					return n, fmt.Errorf("dead-letter the backlog of %s: %w", sub.ID, err)
				}
			}
			r.State, r.Reason, r.At, r.Due = outbox.Dead, reason, now, time.Time{}
			c.Set = append(c.Set, r)
		}
		if err := commitRepeatedly(ctx, d.src, c); err != nil {
			return n, fmt.Errorf("dead-letter the backlog of %s: %w", sub.ID, err)
		}
		d.endedUnsent(c)
		n += len(step)
	}
	unread, err := d.deadLetterUnread(ctx, sub, next, reason, now)
	return n + unread, err
}

// removedFor returns the reason of the dead letters that a removed subscription leaves.
func removedFor(sub outbox.Subscription) string {
	if hook, err := outbox.DecodeWebhook(sub.Config); err == nil && hook.Lease != nil && hook.Lease.Ended != "" {
		return hook.Lease.Ended
	}
	return ReasonUnregistered
}

// deadLetterUnread makes one run of everything owed from next up to the cut, where the
// match-nothing epoch begins.
func (d deps) deadLetterUnread(ctx context.Context, sub outbox.Subscription, next outbox.Seq, reason string, now time.Time) (int, error) {
	if len(sub.Epochs) == 0 {
		return 0, nil
	}
	cut := sub.Epochs[len(sub.Epochs)-1].From
	if next >= cut {
		return 0, nil
	}
	run, err := unreadRun(ctx, d.src, sub.ID, next, cut-1, reason, now)
	if err != nil {
		return 0, fmt.Errorf("dead-letter the backlog of %s: %w", sub.ID, err)
	}
	run.change.Next = cut
	if err := commitRepeatedly(ctx, d.src, run.change); err != nil {
		return 0, fmt.Errorf("dead-letter the backlog of %s: %w", sub.ID, err)
	}
	d.endedUnsent(run.change)
	return run.count, nil
}

// endedUnsent tells the observers of dead letters that no attempt made.
func (d deps) endedUnsent(c outbox.Change) {
	for _, r := range c.Set {
		d.ended(DeliveryEnd{Sub: c.Sub, Seq: r.Seq, Count: max(1, r.Count), Replay: r.Replay, Dead: true, Reason: r.Reason})
	}
}

// deadRun is the Change that dead-letters what is unread, which is so much.
type deadRun struct {
	change outbox.Change
	count  int
}

// unreadRun makes one run of everything owed from next, the cursor, up to last; the cursor goes
// above its end.
func unreadRun(ctx context.Context, src Source, id outbox.SubID, next, last outbox.Seq, reason string, now time.Time) (deadRun, error) {
	out := deadRun{change: outbox.Change{Sub: id}}
	owed, err := src.CountOwed(ctx, id, next, last)
	if err != nil {
		return out, fmt.Errorf("count its unread events: %w", err)
	}
	if owed.Count == 0 {
		return out, nil
	}
	r := outbox.Record{Seq: owed.First, State: outbox.Dead, Reason: reason, At: now}
	if owed.Count > 1 {
		r.Last, r.Count = owed.Last, owed.Count
	}
	out.change.Set = []outbox.Record{r}
	out.change.Next = owed.Last + 1
	out.count = owed.Count
	return out, nil
}

// skipBacklog turns everything that is unfinished into dead letters, as deadLetterBacklog does, in
// a lane that goes on afterwards. Call it while the lane is quiet.
func skipBacklog(ctx context.Context, o *operation) (n int, err error) {
	l, now := o.lane, o.lane.now()
	var pending []*scheduler.Delivery
	if err := o.inLoop(func() { pending = l.scheduler.Recorded() }); err != nil {
		return 0, err
	}
	for len(pending) > 0 {
		step := pending[:min(len(pending), outbox.MaxChange)]
		pending = pending[len(step):]
		c := outbox.Change{Sub: l.id}
		for _, d := range step {
			r, err := l.src.RecordAt(ctx, l.id, d.Seq) // with its log, which the lane does not keep
			if err != nil {
				return n, err
			}
			o.goesOn()
			r.State, r.Reason, r.At, r.Due = outbox.Dead, ReasonSkipped, now, time.Time{}
			c.Set = append(c.Set, r)
		}
		if err := o.commit(ctx, c, func(time.Time) {
			l.scheduler.Skip(step)
			l.endedUnsent(c)
		}); err != nil {
			return n, err
		}
		n += len(step)
	}
	var next outbox.Seq
	if err := o.inLoop(func() { next = l.scheduler.Next() }); err != nil {
		return n, err
	}
	run, err := unreadRun(ctx, l.src, l.id, next, math.MaxUint64, ReasonSkipped, now)
	if err != nil || run.count == 0 {
		return n, err
	}
	if err := o.commit(ctx, run.change, func(now time.Time) {
		l.scheduler.SkipTo(run.change.Next, now)
		l.endedUnsent(run.change)
	}); err != nil {
		return n, err
	}
	return n + run.count, nil
}

// commitRepeatedly commits a Change where no lane runs. Once an outcome was unknown, every later
// failure leaves it unknown. A commit that runs is not cut short by ctx: it may only delay the end
// by lastWrite before it has begun.
func commitRepeatedly(ctx context.Context, src Source, c outbox.Change) error {
	writes, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(lastWrite, cancel) })
	defer stop()
	unknown := false
	var err error
	for range commitTries {
		if err = src.Commit(writes, c); err == nil {
			return nil
		}
		if !errors.Is(err, outbox.ErrUnknown) {
			break
		}
		unknown = true
	}
	if unknown {
		err = stillUnknown(err)
	}
	return fmt.Errorf("change of %s: %w", c.Sub, err)
}
