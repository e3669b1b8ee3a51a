package dispatcher

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v4"

	"waoutbox/dispatcher/pace"
	"waoutbox/dispatcher/scheduler"
	"waoutbox/outbox"
)

// redriveBatch is how many letters a redrive makes pending at once; at most twice as many are
// unfinished.
const redriveBatch = outbox.MaxChange / 2

// span is a stretch of time, ends included. The zero value is none.
type span struct{ from, until time.Time }

func (s span) empty() bool { return s.from.IsZero() }

// clockSlack is how far apart two readings of one moment may be: a letter's time is counted back
// from when it is written, by the monotonic clock, while the other one was set a little meanwhile.
const clockSlack = 100 * time.Millisecond

func (s span) has(t time.Time) bool {
	return !t.Before(s.from.Add(-clockSlack)) && !t.After(s.until.Add(clockSlack))
}

// with returns the span that covers both.
func (s span) with(o span) span {
	switch {
	case s.empty():
		return o
	case o.from.Before(s.from):
		s.from = o.from
	}
	if o.until.After(s.until) {
		s.until = o.until
	}
	return s
}

// redrive replays the dead letters of an outage when the endpoint is back. What it has to do is
// stored in the lane's bytes as a span of time; how far it is needs no place of its own, since it
// takes only letters that were never replayed: one walk repeated finds what is left.
type redrive struct {
	after outbox.Seq   // the walk goes on above it
	sent  []outbox.Seq // made pending and, when last seen, unfinished
	retry time.Time    // after an error, no step before it
	waits backoff.BackOff
	shown Redrive
}

// Redrive is what a lane shows of the replay of an outage's dead letters, the one that runs or the
// last one. The zero value is none in this process.
type Redrive struct {
	Outage    time.Time // when the outage began
	Begun     time.Time
	Ended     time.Time // zero while it runs
	Queued    int64     // pending; the walk that finds more goes on meanwhile
	Delivered int64
	Failed    int64 // dead again
	Stopped   bool  // by StopRedrive, or since the webhook wants none any more
}

func newRedrive() redrive { return redrive{waits: pace.Waits()} }

// recovered takes a 2xx, or a test that succeeded: an outage is over.
func (l *lane) recovered(now time.Time) {
	if l.state.deaths == 0 && l.state.down.IsZero() && !l.state.lease.held {
		return
	}
	before := l.state
	l.state = l.state.recovered(now, l.hook.Redrive)
	l.unstored = l.unstored || l.state != before
	if l.state.redrive != before.redrive {
		l.redrive.after = 0
		l.log.Info("the dead letters of an outage are replayed", "subscription", l.id, "since", l.state.redrive.from)
	}
}

// mayRedrive reports whether the next step of a redrive may begin.
func (l *lane) mayRedrive(now time.Time) bool {
	if l.state.redrive.empty() || !l.working(now) || l.outage.Holding() || now.Before(l.redrive.retry) {
		return false
	}
	l.redrive.forgetEnded(l.scheduler)
	return len(l.redrive.sent) <= redriveBatch
}

// forgetEnded forgets what was made pending and is not unfinished any more.
func (r *redrive) forgetEnded(s *scheduler.Scheduler) {
	r.sent = slices.DeleteFunc(r.sent, func(seq outbox.Seq) bool { return !s.Has(seq) })
}

// ended counts a delivery of the redrive that has ended.
func (r *redrive) ended(seq outbox.Seq, dead bool) {
	i := slices.Index(r.sent, seq)
	switch {
	case i < 0:
		return
	case dead:
		r.shown.Failed++
	default:
		r.shown.Delivered++
	}
	r.sent = slices.Delete(r.sent, i, i+1)
}

// showRedrive begins to show a redrive, or notes that it has ended.
func (l *lane) showRedrive(now time.Time) {
	r := &l.redrive
	switch running := !r.shown.Begun.IsZero() && r.shown.Ended.IsZero(); {
	case !running && l.state.redrive.empty():
	case !running:
		r.shown = Redrive{Outage: l.state.redrive.from, Begun: now}
	case l.state.redrive.empty():
		if r.forgetEnded(l.scheduler); len(r.sent) == 0 {
			r.shown.Ended = now
			l.log.Info("the dead letters of an outage were replayed", "subscription", l.id,
				"delivered", r.shown.Delivered, "failed", r.shown.Failed, "stopped", r.shown.Stopped)
		}
	}
	r.shown.Queued = int64(len(r.sent))
}

// redriveStep makes the next letters pending, or ends the redrive when there are none.
func redriveStep(ctx context.Context, o *operation) taskResult {
	l := o.lane
	var of span
	var after outbox.Seq
	if err := o.inLoop(func() { of, after = l.state.redrive, l.redrive.after; l.showRedrive(l.now()) }); err != nil {
		return taskResult{err: err}
	}
	page, err := l.src.Dead(ctx, l.id, after, outbox.MaxChange)
	var seqs []outbox.Seq
	for _, r := range page {
		after = r.KeySeq()
		if !r.IsRun() && r.Replay == 0 && of.has(r.At) && passing(r.Reason) {
			seqs = append(seqs, r.Seq)
		}
		if len(seqs) == redriveBatch {
			break
		}
	}
	res := taskResult{err: err}
	if err == nil && len(seqs) > 0 {
		// before they can end
		if err := o.inLoop(func() { l.redrive.sent = append(l.redrive.sent, seqs...) }); err != nil {
			return taskResult{err: err}
		}
		e := newDeadLetterEdit(o)
		res = e.apply(ctx, seqs, e.revive)
	}
	if err := o.inLoop(func() { l.redriven(res, of, after, len(page) == 0) }); err != nil {
		return taskResult{err: err}
	}
	return res
}

// redriven takes the end of a step.
func (l *lane) redriven(res taskResult, of span, after outbox.Seq, done bool) {
	if err := res.err; err != nil {
		wait := l.redrive.waits.NextBackOff()
		l.redrive.retry = l.now().Add(wait)
		l.log.Warn("dead letters of an outage cannot be replayed", "subscription", l.id, "error", err, "again_in", wait)
		return
	}
	l.redrive.waits.Reset()
	if l.state.redrive != of { // another outage is over
		return
	}
	l.redrive.after = after
	if done {
		l.state.redrive, l.unstored = span{}, true
	}
}

// passing reports whether dead letters with that reason died of something that passes with an
// outage: what the endpoint or the way to it says when it is down, overloaded or set up wrongly for
// a while. A certificate that has run out is among these; an answer that says that the request is
// wrong (4xx) is not, nor is a redirect, nor what we are the reason of.
func passing(reason string) bool {
	switch code, err := strconv.Atoi(reason); {
	case err == nil:
		return code >= 500 || code == statusTooMany || code == statusRequestTimeout
	}
	switch outbox.Class(reason) {
	case outbox.ClassTimeout, outbox.ClassRefused, outbox.ClassReset, outbox.ClassDNS, outbox.ClassTLS, outbox.ClassNetwork:
		return true
	case outbox.ClassOK, outbox.ClassHTTP, outbox.ClassRedirect, outbox.ClassInternal, outbox.ClassAddress, outbox.ClassLocal:
	}
	return false
}
