package dispatcher

import (
	"errors"
	"time"

	"waoutbox/outbox"
)

// What was delivered and is not settled on disk is sent again after a kill. While nothing is
// appended, the lanes settle at common moments. While appends are dense, each commit takes the
// settlements along, and what waits for them is bounded in number: a commit that many events share
// takes long, and the next settlement has to wait for it.

const (
	// settleBeat is at which moments lanes settle what was delivered while nothing is appended: all
	// at the same, so that they share a commit without waiting for one another in the queue, where
	// a checkpoint does not learn of what is delivered meanwhile.
	settleBeat = 16 * time.Millisecond
	// sharedWithin is how long after an append a checkpoint counts on the next one, whose commit it
	// shares, instead of settleBeat.
	sharedWithin = 40 * time.Millisecond
	// denseWithin is how long after an append the next one comes while they are dense.
	denseWithin = 3 * time.Millisecond
	// settleMany is how many deliveries in a row are settled without a wait for others while
	// appends are dense.
	settleMany = 4
	// leastUnsettled and mostUnsettled bound how many deliveries may wait for their settlement
	// while appends are dense: three for each slot, so that a kill sends at most 64 again with 16
	// slots, and 256 with 64.
	leastUnsettled, mostUnsettled = 48, 192
	// settleLate is how long the oldest of leastUnsettled may wait at other times: a disk that
	// stands still must not make what a kill sends again grow.
	settleLate = 50 * time.Millisecond
)

// awaitsSettlement reports whether so much waits for its settlement that nothing starts before some
// of it is on disk.
func (l *lane) awaitsSettlement(now time.Time) bool {
	n := l.scheduler.Unsettled()
	if n < leastUnsettled {
		return false
	}
	return n >= min(3*l.slots(), mostUnsettled) && l.appends(denseWithin) || l.scheduler.DeliveredFor(now) >= settleLate
}

// checkpointAt returns when the lane has something of its own to write.
func (l *lane) checkpointAt() (time.Time, bool) {
	if l.unstored {
		return time.Time{}, true
	}
	at, ok := l.scheduler.CheckpointAt()
	switch {
	case !ok || at.IsZero():
	case !l.appends(sharedWithin):
		at = onBeat(at)
	case l.scheduler.Passable(settleMany) && l.appends(denseWithin):
		at = time.Time{}
	}
	return at, ok
}

// onBeat returns the first settleBeat that is not before at, on at's monotonic clock.
func onBeat(at time.Time) time.Time {
	return at.Add((settleBeat - time.Duration(at.UnixNano())%settleBeat) % settleBeat)
}

// checkpoint returns the lane's own next write, nil if none is due (forced: if there is nothing to
// write).
func (l *lane) checkpoint(now time.Time, force bool) *write {
	at, ok := l.checkpointAt()
	if !force && (!ok || at.After(now)) {
		return nil
	}
	cp := l.scheduler.Checkpoint(now, force)
	if cp.Empty() && !l.unstored {
		return nil
	}
	w := &write{change: outbox.Change{Sub: l.id, Next: cp.Next, Set: cp.Set, Soon: !at.IsZero() && !l.appends(sharedWithin)}}
	state := l.state
	if l.unstored {
		w.change.Lane = state.encode()
	}
	w.applied = func(now time.Time) {
		l.scheduler.Committed(cp, now)
		if w.change.Lane != nil && state == l.state {
			l.unstored = false
		}
	}
	return w
}

// saveRest writes everything that can be written before the lane ends. It is bounded, and tried
// again once when the outcome is unknown.
func (l *lane) saveRest() {
	late := time.AfterFunc(lastWrite, l.stopSave)
	defer late.Stop()
	var failed error
	for retried := false; ; {
		now := l.now()
		if !l.settler.writing {
			if failed != nil && (retried || !errors.Is(failed, outbox.ErrUnknown)) {
				break
			}
			retried = failed != nil
			l.settler.retryAt = now
			l.settler.start(now, func() *write { return l.checkpoint(now, true) })
			if !l.settler.writing {
				return
			}
		}
		err := <-l.settler.results
		failed = err
		if l.settler.finish(err, l.now()) != nil {
			break
		}
	}
	l.log.Warn("last settlement failed: some deliveries will be repeated", "subscription", l.id, "unsettled", l.scheduler.Unsettled(), "error", failed)
}
