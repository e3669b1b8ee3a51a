package dispatcher

import (
	"context"
	"errors"
	"fmt"

	"waoutbox/outbox"
)

// ErrRemoved: the webhook was removed; its dead letters can be replayed after its URL was added
// again.
var ErrRemoved = errors.New("the webhook was removed; add its URL again, then replay")

// Replay makes dead letters pending again, at most 256 a call: attempts restart at 1, the replay
// number rises, the log and the first reason stay. What is pending already is neither queued nor
// missing; missing are sequences without a dead letter, or whose event is damaged. After an error
// some may be queued: the same call again does the rest. A removed subscription is refused with
// ErrRemoved.
//
// Like Purge, Pause and Resume it is withdrawn when ctx ends before its turn, and runs to its end
// from then on; only the wait for it ends with ctx. As with these the audit records, of which the
// dispatcher knows nothing else, are stored in the transaction of the first change; where nothing
// is changed there is no record.
func (d *Dispatcher) Replay(ctx context.Context, id outbox.SubID, seqs []outbox.Seq, audit ...outbox.Audit) (queued int, missing []outbox.Seq, err error) {
	if err := checkBatch(seqs); err != nil {
		return 0, nil, fmt.Errorf("replay: %w", err)
	}
	res := d.do(ctx, id, recorded(audit, func(ctx context.Context, o *operation) taskResult {
		if _, err := o.notRemoved(ctx); err != nil {
			return taskResult{err: err}
		}
		e := newDeadLetterEdit(o)
		return e.apply(ctx, seqs, e.revive)
	}))
	if res.err != nil {
		return res.n, res.missing, fmt.Errorf("replay: %w", res.err)
	}
	return res.n, res.missing, nil
}

// Redeliver makes past events pending again, at most 256 a call: those at or below the cursor's
// events that the filter in force now wants and that are still kept, whether they were delivered,
// purged, or never owed because the filter did not want them then. Attempts restart at 1 and the
// replay number rises; a dead letter among them is replayed with its log and first reason, as by
// Replay. What is pending already, or not read yet, is neither queued nor missing; missing is
// everything else. All else is as in Replay.
func (d *Dispatcher) Redeliver(ctx context.Context, id outbox.SubID, seqs []outbox.Seq, audit ...outbox.Audit) (queued int, missing []outbox.Seq, err error) {
	if err := checkBatch(seqs); err != nil {
		return 0, nil, fmt.Errorf("redeliver: %w", err)
	}
	res := d.do(ctx, id, recorded(audit, func(ctx context.Context, o *operation) taskResult {
		sub, err := o.notRemoved(ctx)
		if err != nil {
			return taskResult{err: err}
		}
		e := newDeadLetterEdit(o)
		e.past = true
		return e.apply(ctx, seqs, e.wanted(sub.LastFilter()))
	}))
	if res.err != nil {
		return res.n, res.missing, fmt.Errorf("redeliver: %w", res.err)
	}
	return res.n, res.missing, nil
}

// Purge discards dead letters for good, at most 256 a call. Pending deliveries are neither purged
// nor missing.
func (d *Dispatcher) Purge(ctx context.Context, id outbox.SubID, seqs []outbox.Seq, audit ...outbox.Audit) (purged int, missing []outbox.Seq, err error) {
	if err := checkBatch(seqs); err != nil {
		return 0, nil, fmt.Errorf("purge: %w", err)
	}
	res := d.do(ctx, id, recorded(audit, func(ctx context.Context, o *operation) taskResult {
		return newDeadLetterEdit(o).apply(ctx, seqs, discard)
	}))
	if res.err != nil {
		return res.n, res.missing, fmt.Errorf("purge: %w", res.err)
	}
	return res.n, res.missing, nil
}

func checkBatch(seqs []outbox.Seq) error {
	if len(seqs) > outbox.MaxBatch {
		return fmt.Errorf("%d sequences in one call (at most %d): %w", len(seqs), outbox.MaxBatch, outbox.ErrTooLarge)
	}
	return nil
}

// PurgeAll discards every dead letter of a subscription for good, runs as a whole, and returns how
// many. It works in steps: after an error the ones counted are gone and calling again goes on. When
// ctx ends, the step in hand is the last.
func (d *Dispatcher) PurgeAll(ctx context.Context, id outbox.SubID, audit ...outbox.Audit) (purged int, err error) {
	for {
		res := d.do(ctx, id, recorded(audit, purgePages))
		if purged += res.n; purged > 0 {
			audit = nil
		}
		if res.err != nil {
			return purged, fmt.Errorf("purge: %w", res.err)
		}
		if res.n == 0 {
			return purged, nil
		}
	}
}

// Pause stops a subscription until Resume. Attempts in flight settle normally.
func (d *Dispatcher) Pause(ctx context.Context, id outbox.SubID, reason string, audit ...outbox.Audit) error {
	gate := Gate{Kind: GatePaused, Since: d.now(), Reason: reason}
	res := d.do(ctx, id, recorded(audit, func(_ context.Context, o *operation) taskResult {
		return taskResult{err: o.setState(func(s laneBytes) laneBytes { s.gate = gate; return s })}
	}))
	if res.err != nil {
		return fmt.Errorf("pause %s: %w", id, res.err)
	}
	return nil
}

// Resume opens the gate of a subscription, whatever closed it, and forgets its deaths in a row. An
// outage is over only with the next 2xx: what is redriven then is not forgotten. What a newer
// version wrote of how it stands is forgotten whole.
func (d *Dispatcher) Resume(ctx context.Context, id outbox.SubID, audit ...outbox.Audit) error {
	res := d.doTask(ctx, id, recorded(audit, func(_ context.Context, o *operation) taskResult {
		return taskResult{err: o.setState(func(s laneBytes) laneBytes {
			return laneBytes{down: s.down, failed: s.failed, redrive: s.redrive, lease: s.lease.recovered()}
		})}
	}), true)
	if res.err != nil {
		return fmt.Errorf("resume %s: %w", id, res.err)
	}
	return nil
}

// SkipToNow resumes a subscription with what is appended from now on: what is unfinished becomes
// dead letters with ReasonSkipped, what is unread as one run, and it returns how many. Attempts in
// flight end first; that nothing moves for quietLimit is an error. It works in steps: after an
// error those counted are dead letters, nothing is resumed, and calling again goes on.
func (d *Dispatcher) SkipToNow(ctx context.Context, id outbox.SubID, audit ...outbox.Audit) (skipped int, err error) {
	res := d.doTask(ctx, id, recorded(audit, func(ctx context.Context, o *operation) (res taskResult) {
		if _, err := o.notRemoved(ctx); err != nil {
			return taskResult{err: err}
		}
		res.n, res.err = o.whileQuiet(ctx, func(ctx context.Context) (int, error) {
			n, err := skipBacklog(ctx, o)
			if err == nil {
				err = o.setState(func(s laneBytes) laneBytes { return laneBytes{lease: s.lease.recovered()} })
			}
			return n, err
		})
		return res
	}), true)
	if res.err != nil {
		return res.n, fmt.Errorf("skip to now: %w", res.err)
	}
	return res.n, nil
}

// Recovered tells that the endpoint of a subscription has answered with 2xx outside the outbox: it
// is failing no more. A pause or any other wait stays.
func (d *Dispatcher) Recovered(ctx context.Context, id outbox.SubID) error {
	res := d.do(ctx, id, func(_ context.Context, o *operation) (res taskResult) {
		known, redrive := false, false
		if res.err = o.inLoop(func() {
			redrive = o.lane.hook.Redrive
			if s := o.lane.state; s.deaths == 0 && s.down.IsZero() {
				known = true
				o.lane.outage.Over()
			}
		}); res.err != nil || known {
			return res
		}
		now := d.now()
		return taskResult{err: o.setState(func(s laneBytes) laneBytes { return s.recovered(now, redrive) })}
	})
	if res.err != nil {
		return fmt.Errorf("end the outage of %s: %w", id, res.err)
	}
	return nil
}

// StopRedrive ends the replay of the dead letters of an outage; false when none was to be done.
// What it had made pending goes on, what it had not stays dead.
func (d *Dispatcher) StopRedrive(ctx context.Context, id outbox.SubID) (stopped bool, err error) {
	res := d.do(ctx, id, func(_ context.Context, o *operation) (res taskResult) {
		none := false
		if res.err = o.inLoop(func() { none = o.lane.state.redrive.empty() }); res.err != nil || none {
			return res
		}
		res.err = o.setState(func(s laneBytes) laneBytes { s.redrive = span{}; return s })
		if res.err == nil {
			res.n, res.err = 1, o.inLoop(func() { o.lane.redrive.shown.Stopped = true })
		}
		return res
	})
	if res.err != nil {
		return false, fmt.Errorf("stop the redrive of %s: %w", id, res.err)
	}
	return res.n > 0, nil
}

// recorded is do with audit records, which the first Change that it stores carries.
func recorded(audit []outbox.Audit, do work) work {
	return func(ctx context.Context, o *operation) taskResult {
		o.audit = audit
		return do(ctx, o)
	}
}

// do runs work in the lane of id: in the one that runs, or in one that is loaded for it and
// delivers nothing.
func (d *Dispatcher) do(ctx context.Context, id outbox.SubID, w work) taskResult {
	return d.doTask(ctx, id, w, false)
}

// doTask is do for work that may take up a lane of a newer version, or not.
func (d *Dispatcher) doTask(ctx context.Context, id outbox.SubID, w work, anew bool) taskResult {
	for {
		if err := ctx.Err(); err != nil { // a lane could take it up before it is withdrawn
			return taskResult{err: err}
		}
		s, release, err := d.writer(ctx, id)
		if err != nil {
			return taskResult{err: err}
		}
		if s == nil {
			defer release()
			return d.doOffline(ctx, id, newTask(w, anew))
		}
		if res, ended := s.ask(ctx, newTask(w, anew)); !ended {
			return res
		}
	}
}

// doOffline loads a lane that delivers nothing, for one task. It returns when the work has ended,
// whatever ctx does once it has begun.
func (d *Dispatcher) doOffline(ctx context.Context, id outbox.SubID, r *task) taskResult {
	in := newInbox()
	in.push(r)
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	l := newLane(running, d.deps, id, in, func(LaneState) {})
	defer l.close()
	l.offline = true
	if sub, err := d.find(running, id); err == nil { // one that cannot be decoded has no settings
		l.hook, _ = outbox.DecodeWebhook(sub.Config)
	}
	if err := l.load(); err != nil {
		return taskResult{err: err}
	}
	ended := make(chan error, 1)
	go func() {
		err := errInterrupted
		defer func() { ended <- err }()
		if panicked := guarded(func() error { err = l.run(running); return nil }); panicked != nil {
			err = panicked
		}
	}()
	select {
	case res := <-r.done:
		stop()
		if err := <-ended; err != nil { // what was asked for is done, or res says why not
			d.log.Warn("a lane without deliveries failed", "subscription", id, "error", err)
		}
		return res
	case err := <-ended:
		return taskResult{err: err}
	}
}

// DeadLetterBacklog turns the backlog of a removed subscription into dead letters and ends its
// lane. It may be called again at any time, and returns how many dead letters this call made. Sync
// of a removed subscription does the same.
func (d *Dispatcher) DeadLetterBacklog(ctx context.Context, id outbox.SubID) (n int, err error) {
	sub, err := d.find(ctx, id)
	if err != nil {
		return 0, fmt.Errorf("dead-letter the backlog: %w", err)
	}
	if !sub.Removed {
		return 0, fmt.Errorf("dead-letter the backlog: webhook %s is not removed; remove it first", id)
	}
	if n, running, err := d.sync(ctx, id); running || err != nil {
		if err != nil {
			return n, fmt.Errorf("dead-letter the backlog: %w", err)
		}
		return n, nil
	}
	s, release, err := d.writer(ctx, id)
	if err != nil {
		return 0, fmt.Errorf("dead-letter the backlog: %w", err)
	}
	if s != nil { // Run has just begun, and its lane does it
		return d.DeadLetterBacklog(ctx, id)
	}
	defer release()
	return d.deadLetterBacklog(ctx, sub)
}

// Sync tells that a subscription was added, changed or removed: its lane appears, rereads its
// configuration, or dead-letters the backlog, after which it ends. That happens whether or not ctx
// ends; Sync returns when it is reread or the backlog is dead, or ctx ends. Without Run it does
// nothing.
func (d *Dispatcher) Sync(ctx context.Context, id outbox.SubID) error {
	if _, _, err := d.sync(ctx, id); err != nil {
		return fmt.Errorf("sync %s: %w", id, err)
	}
	return nil
}

// sync returns how many dead letters the lane of a removed subscription made of its backlog, and
// whether Run runs.
func (d *Dispatcher) sync(ctx context.Context, id outbox.SubID) (n int, running bool, err error) {
	for {
		s := d.laneFor(id)
		if s == nil {
			return 0, false, nil
		}
		if res, ended := s.ask(ctx, newTask(nil, false)); !ended {
			return res.n, true, res.err
		}
	}
}
