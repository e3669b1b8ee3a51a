package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"waoutbox/dispatcher/scheduler"
	"waoutbox/outbox"
)

// work is what an administrator wants done with a lane's deliveries. It runs beside the lane's
// loop, one at a time, and to its end whether or not its caller still waits.
type work func(ctx context.Context, o *operation) taskResult

// operation is one work on its way through a lane. Its methods are called from the goroutine of the
// work.
type operation struct {
	lane  *lane
	quiet *time.Timer    // ends a whileQuiet that gets nowhere; nil outside one
	audit []outbox.Audit // of whoever asked: in the first Change that is stored
}

// serve begins the next task, if none is being served, or a step of a redrive. When the
// subscription cannot be taken over the lane ends, and starts again from what is stored.
func (l *lane) serve(now time.Time) {
	if l.operating || l.draining {
		return
	}
	r := l.inbox.take()
	if r == nil && l.mayRedrive(now) {
		r = newTask(redriveStep, false)
	}
	if r == nil {
		return
	}
	l.operating = true
	do := r.work
	if do == nil {
		do = reloadSubscription
	}
	l.wg.Go(func() {
		o := &operation{lane: l}
		res := o.run(do)
		again := errors.Is(res.err, errRemoved) && r.work == nil
		if again {
			l.inbox.putBack(r) // the supervisor has the result
		}
		err := o.inLoop(func() {
			l.operating = false
			if again {
				return
			}
			if r.work == nil {
				l.broken = res.err
			}
			l.publish(l.now())
			r.reply(res)
		})
		if err != nil && !again { // the loop has ended
			r.reply(res)
		}
	})
}

// run does the work; a panic in it is its error.
func (o *operation) run(do work) (res taskResult) {
	defer func() {
		if p := recover(); p != nil {
			res.err = fmt.Errorf("panic in an operation on %s: %s", o.lane.id, outbox.PanicText(p))
			o.lane.log.Error("operation panicked", "subscription", o.lane.id, "panic", outbox.PanicText(p), "stack", string(debug.Stack()))
		}
	}()
	return do(o.lane.io, o)
}

// errInterrupted is the error of an operation whose lane ended under it.
var errInterrupted = errors.New("the lane was interrupted; try again")

// inLoop calls f in the lane's goroutine, and returns when it is done. An error means that the lane
// has ended and f was not called to its end.
func (o *operation) inLoop(f func()) error {
	done := make(chan struct{})
	select {
	case o.lane.calls <- func() { f(); close(done) }:
	case <-o.lane.stopped:
		return errInterrupted
	}
	select {
	case <-done:
		return nil
	case <-o.lane.stopped:
		return errInterrupted
	}
}

// commit writes a Change, and has applied called in the lane's goroutine once it is on disk. The
// first one that is carries the audit records of the operation. After outbox.ErrUnknown the lane
// goes on repeating it. ctx withdraws what waits for its turn.
func (o *operation) commit(ctx context.Context, c outbox.Change, applied func(now time.Time)) error {
	c.Audit = o.audit
	verdict := make(chan error, 1)
	w := &write{change: c, applied: applied, reply: func(err error) { verdict <- err }}
	err := o.inLoop(func() { o.lane.settler.submit(w) })
	if err != nil {
		return err
	}
	select {
	case err = <-verdict:
	case <-o.lane.stopped:
		return errInterrupted
	case <-ctx.Done():
		if err := o.inLoop(func() { o.lane.settler.withdraw(w, ctx.Err()) }); err != nil {
			return err
		}
		select {
		case err = <-verdict:
		case <-o.lane.stopped:
			return errInterrupted
		}
	}
	if err != nil {
		return fmt.Errorf("change of %s: %w", c.Sub, err)
	}
	o.audit = nil
	o.goesOn()
	return nil
}

// setState stores the lane's state as change makes it, and takes it over when it is on disk.
func (o *operation) setState(change func(laneBytes) laneBytes) error {
	if err := o.lane.unknown; err != nil {
		return err
	}
	var c outbox.Change
	var stored laneBytes
	if err := o.inLoop(func() {
		stored = change(o.lane.state)
		c = outbox.Change{Sub: o.lane.id, Lane: stored.encode()}
	}); err != nil {
		return err
	}
	return o.commit(o.lane.io, c, func(time.Time) {
		l := o.lane
		l.state = change(l.state) // attempts may have ended meanwhile
		l.unstored = l.state != stored
		l.endHolds()
		if l.state.deaths == 0 && !l.state.lease.held {
			l.over(l.now())
		}
	})
}

// notRemoved returns the subscription as it is stored now, or ErrRemoved. Asked here, where nobody
// else writes: a removal that comes later finds what is queued and dead-letters it.
func (o *operation) notRemoved(ctx context.Context) (outbox.Subscription, error) {
	sub, err := o.lane.find(ctx, o.lane.id)
	if err == nil && sub.Removed {
		err = fmt.Errorf("%s: %w", o.lane.id, ErrRemoved)
	}
	return sub, err
}

// await is a condition that an operation waits for. While there is one, checkpoints wait for
// nothing.
type await struct {
	met  func() bool // called in the lane's goroutine
	done chan error
}

// checkAwaited ends the wait when the condition is met, or cannot be for now: settlements fail.
func (l *lane) checkAwaited() {
	w := l.awaited
	if w == nil {
		return
	}
	err := l.settler.failure
	if err != nil {
		err = fmt.Errorf("settlements cannot be written: %w", err)
	} else if !w.met() {
		return
	}
	l.awaited = nil
	w.done <- err
}

// await returns when met, which is called in the lane's goroutine, has returned true, or ctx ends.
func (o *operation) await(ctx context.Context, met func() bool) error {
	w := &await{met: met, done: make(chan error, 1)}
	if err := o.inLoop(func() { o.lane.awaited = w }); err != nil {
		return err
	}
	select {
	case err := <-w.done:
		return err
	case <-o.lane.stopped:
		return errInterrupted
	case <-ctx.Done():
		if err := o.inLoop(func() { o.lane.awaited = nil }); err != nil {
			return err
		}
		return ctx.Err()
	}
}

// quietLimit is how long an operation that gets nowhere keeps the lane from beginning anything:
// attempts end within AttemptTimeout, and what has ended is written at once where anything can be.
const quietLimit = AttemptTimeout + 20*time.Second

// whileQuiet does something while nothing new is begun and nothing is in flight or unsettled. The
// ctx of do ends when there was no goesOn for quietLimit: a lane that cannot write must go on.
func (o *operation) whileQuiet(ctx context.Context, do func(ctx context.Context) (int, error)) (int, error) {
	l := o.lane
	if err := o.inLoop(func() { l.skipping = true }); err != nil {
		return 0, err
	}
	defer func() { _ = o.inLoop(func() { l.skipping = false }) }() // its error: the lane has ended
	ctx, cancel := context.WithCancelCause(ctx)
	o.quiet = time.AfterFunc(quietLimit, func() { cancel(errNotQuiet) })
	defer func() {
		o.quiet.Stop()
		cancel(nil)
	}()
	err := o.await(ctx, func() bool { return l.scheduler.InFlight() == 0 && l.scheduler.Settled() })
	n := 0
	if err == nil {
		o.goesOn()
		n, err = do(ctx)
	}
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, errNotQuiet) {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	return n, err
}

// goesOn notes that an operation has done a part of its work.
func (o *operation) goesOn() {
	if o.quiet != nil {
		o.quiet.Reset(quietLimit)
	}
}

var errNotQuiet = fmt.Errorf("no attempt ended and nothing could be read or written for %s; try again", waitText(quietLimit))

// settled returns when everything that has ended by now is settled, and the cursor has passed all
// that it can.
func (o *operation) settled(ctx context.Context) error {
	s := o.lane.scheduler
	var ended []*scheduler.Delivery
	var read outbox.Seq
	if err := o.inLoop(func() { ended, read = s.Ended(), s.ReadPosition() }); err != nil {
		return err
	}
	return o.await(ctx, func() bool {
		return !slices.ContainsFunc(ended, func(d *scheduler.Delivery) bool { return !d.Gone() }) && s.Passed(read)
	})
}

// reloadSubscription takes over the subscription as it is stored now. It is read here, and not by
// whoever asked, so that of two tasks the later one never brings the older state.
func reloadSubscription(ctx context.Context, o *operation) taskResult {
	l := o.lane
	sub, err := l.find(ctx, l.id)
	if err != nil {
		return taskResult{err: err}
	}
	if ended := o.inLoop(func() {
		if !sub.Removed {
			err = l.configure(sub)
			return
		}
		// Attempts in flight are cut off, what was delivered is settled, the rest is the
		// supervisor's.
		err = errRemoved
		l.draining = true
		l.abort()
	}); ended != nil {
		return taskResult{err: ended}
	}
	return taskResult{err: err}
}
