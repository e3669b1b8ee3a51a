package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"time"

	"waoutbox/outbox"
)

// job is one Change of a lane's own: a checkpoint, and the lane bytes when they changed.
type job struct {
	change outbox.Change
	cp     Checkpoint
	state  laneBytes
}

// checkpointAt answers when the lane has something to write.
func (l *lane) checkpointAt() (time.Time, bool) {
	if l.stateDirty {
		return time.Time{}, true
	}
	return l.order.CheckpointAt()
}

// nextJob answers the Change to write now, nil if there is none: the failed one again, else a new checkpoint.
func (l *lane) nextJob(now time.Time, force bool) *job {
	if l.job != nil {
		return l.job
	}
	if at, ok := l.checkpointAt(); !force && (!ok || at.After(now)) {
		return nil
	}
	cp := l.order.Checkpoint(now, force)
	if cp.Empty() && !l.stateDirty {
		return nil
	}
	j := &job{cp: cp, change: outbox.Change{Sub: l.id, Next: cp.Next, Set: cp.Set}}
	if l.stateDirty {
		j.state = l.state
		j.change.Lane = l.state.encode()
	}
	return j
}

// checkpoint starts a commit when one is due and none runs.
func (l *lane) checkpoint(now time.Time) {
	if l.committing || l.failed != nil && now.Before(l.retryAt) {
		return
	}
	if l.job = l.nextJob(now, false); l.job == nil {
		return
	}
	l.committing = true
	change := l.job.change
	l.wg.Go(func() { l.committed <- l.src.Commit(l.io, change) })
}

// onCommitted takes a commit's answer. A failed Change is repeated before anything else, 1 s doubling to 60 s; an error means
// that no repetition can help and the lane must load again.
func (l *lane) onCommitted(err error) error {
	l.committing = false
	now := time.Now()
	if err == nil {
		l.order.Committed(l.job.cp, now)
		if l.job.change.Lane != nil && l.job.state == l.state {
			l.stateDirty = false
		}
		l.job, l.failed = nil, nil
		l.backlog.Reset()
		return nil
	}
	if _, bug := errors.AsType[*outbox.TransitionError](err); bug || errors.Is(err, outbox.ErrTooLarge) || errors.Is(err, outbox.ErrNotFound) {
		return fmt.Errorf("settle %s: %w", l.id, err)
	}
	if l.io.Err() != nil {
		return nil // the lane is ending
	}
	wait := l.backlog.NextBackOff()
	l.failed, l.retryAt = err, now.Add(wait)
	l.log.Warn("settlement failed, nothing is sent until it succeeds", "subscription", l.id, "error", err, "retry_in", wait)
	return nil
}

// settle writes everything that can be written, and returns when it is on disk. Attempts in flight go on meanwhile.
func (l *lane) settle(ctx context.Context) error {
	for {
		if l.committing {
			select {
			case err := <-l.committed:
				if err := l.onCommitted(err); err != nil {
					return fmt.Errorf("%w: %w", errReload, err)
				}
				if l.failed != nil {
					return fmt.Errorf("settle %s: %w", l.id, l.failed)
				}
			case <-ctx.Done():
				return fmt.Errorf("settle %s: %w", l.id, ctx.Err())
			}
			continue
		}
		if l.job = l.nextJob(time.Now(), true); l.job == nil {
			return nil
		}
		err := l.src.Commit(ctx, l.job.change)
		if fatal := l.onCommitted(err); fatal != nil {
			return fmt.Errorf("%w: %w", errReload, fatal)
		}
		if err != nil {
			return fmt.Errorf("settle %s: %w", l.id, err)
		}
	}
}

// finish is the last write of a lane: bounded, and tried again once when its outcome is unknown.
func (l *lane) finish() {
	ctx, cancel := context.WithTimeout(l.io, lastWrite)
	defer cancel()
	err := l.settle(ctx)
	if errors.Is(err, outbox.ErrUnknown) {
		err = l.settle(ctx)
	}
	if err != nil {
		l.log.Warn("last settlement failed: some deliveries will be repeated", "subscription", l.id, "unsettled", l.order.Unsettled(), "error", err)
	}
}
