package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"time"

	"waoutbox/dispatcher/pace"
	"waoutbox/outbox"
)

// The lane of a lease (outbox.Lease) is a lane like others, with these differences. What fails for
// a reason that passes never dies of it: a dead letter would let the watermark, which the client
// goes on from after a lapse, pass an event that nobody has refused, and a crash between the death
// and its revival would leave it so. The first delivery that has spent its schedule makes new ones
// wait, as many dead letters in a row do elsewhere, and one at a time probes. A 410 or 413 refuses
// the one delivery, and other refusals do once they fill a schedule; none of them pauses the lane.
// Nothing is sent after the lease's end. What was lost is told.

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
	// Truncated: events were lost since the last refresh, which has not been told yet. Lost is one
	// above the last that ever was, 0 for none: a client whose cursor is below it may not have
	// heard.
	Truncated bool
	Lost      outbox.Seq
	// OwnUntil: outbox.OwnLimit messages of the account itself were delivered lately, and the next
	// ones wait until then; zero if they do not.
	OwnUntil time.Time
	Ended    bool // its time is over: nothing is sent any more, and whoever looks removes it
}

// leaseLane is what a lane has for a lease; the zero value of other lanes does nothing.
type leaseLane struct {
	term      pace.Term
	gaps      chan gapSent
	gapping   bool      // a gap envelope is on its way
	gapTried  bool      // the last one reached nobody, and a delivery goes first
	delivered time.Time // the last one
	failed    string    // of the last failed attempt since
	since     time.Time
}

// gapSender is the optional half of a Sender that tells the receiver of a lease that events below
// r.Watermark are lost.
type gapSender interface {
	Gap(ctx context.Context, r Request) Result
}

// gapSent is how a gap envelope ended.
type gapSent struct {
	lost outbox.Seq
	res  Result
}

// leased reports whether the lane is that of a lease.
func (l *lane) leased() bool { return l.hook.Lease != nil }

// beginLease takes over what a lease says. The first time, after a start, it has a grace at least.
func (l *lane) beginLease(sub outbox.Subscription, now time.Time) {
	lease := l.hook.Lease
	if lease == nil {
		return
	}
	switch first := l.lease.gaps == nil; {
	case first:
		l.lease.gaps = make(chan gapSent, 1)
		l.lease.failed, l.lease.since = l.state.lease.failed, l.state.lease.since
		l.lease.term = pace.NewTerm(lease.Ends, now, outbox.LeaseGrace, outbox.LeaseGrace)
	case !l.lease.term.Ends().Equal(lease.Ends):
		l.lease.term = pace.NewTerm(lease.Ends, now, 0, outbox.LeaseGrace)
	}
	// nobody knows whether the response arrived that told it
	if start := sub.Epochs[0].From; lease.Asked > 0 && lease.Asked < start && l.state.lease.lost < start {
		l.state.lease, l.unstored = l.state.lease.withLost(lease.Asked, start-1), true
	}
	l.scheduler.SetPatient(len(l.waits()))
	if l.state.lease.held {
		l.outage.Hold()
	}
}

// refused reports whether a failed attempt of a lease refuses its delivery at once. 410 and 413
// speak of this one delivery, whatever they say elsewhere.
func refused(r Result) bool {
	return r.Class == outbox.ClassHTTP && (r.Status == statusGone || r.Status == statusTooLarge)
}

// persists reports whether a delivery of a lease whose schedule is spent goes on: unless the last
// attempts, as many as the schedule has, were all refusals.
func (l *lane) persists(log []byte) bool {
	all, err := outbox.DecodeLog(log)
	n := len(l.waits())
	if err != nil || len(all.Attempts) < n {
		return true
	}
	for _, a := range all.Attempts[len(all.Attempts)-min(n, outbox.MaxAttemptsKept/2):] {
		if passes(Result{Class: a.Class, Status: a.Status}) {
			return true
		}
	}
	return false
}

// passes reports whether what an attempt of a lease failed with may pass by itself.
func passes(r Result) bool {
	return r.Status == statusTooEarly || r.Status/100 == 2 || passing(deadReason(r))
}

// stay puts a delivery of a lease back that has spent its schedule. While new ones wait, it waits
// for a probe; else for a while.
func (l *lane) stay(a *attempt, log []byte) {
	wait := pace.Later(a.req.Attempt - len(l.waits()))
	if passes(a.res) && (a.req.Attempt == len(l.waits()) || l.outage.Holding()) {
		l.outage.Spent(a.end)
		wait = 0
		if !l.state.lease.held {
			if !l.state.failing(l.hook.HoldLimit()) {
				l.state.failingSince = a.end
			}
			l.state.lease.held, l.state.lease.failed, l.state.lease.since = true, l.lease.failed, l.lease.since
			l.unstored = true
			l.log.Warn("a delivery of a lease has spent its schedule, new ones wait", "subscription", l.id, "sequence", a.d.Seq, "error", a.res.Message)
		}
		l.state.lastError = a.lastError()
	}
	l.scheduler.Fail(a.d, a.end.Add(wait), log)
}

// leaseDelivered and leaseFailed note how the last attempt of a lease ended.
func (l *lane) leaseDelivered(now time.Time) {
	if !l.leased() {
		return
	}
	l.lease.delivered, l.lease.failed, l.lease.since = now, "", time.Time{}
	if l.hook.Lease.Own() {
		l.state.lease, l.unstored = l.state.lease.ownDelivered(now), true
	}
}

func (l *lane) leaseFailed(a *attempt) {
	if !l.leased() {
		return
	}
	l.lease.failed = outbox.LeaseError(a.res.Class, a.res.Status)
	if l.lease.since.IsZero() {
		l.lease.since = a.start
	}
}

// over ends an outage: what has spent its schedule is due.
func (l *lane) over(now time.Time) {
	if l.outage.Holding() {
		l.scheduler.Hurry(now)
	}
	l.outage.Over()
}

// loses notes that an event of a lease is lost: its client is told.
func (l *lane) loses(seq outbox.Seq) {
	if l.leased() {
		l.state.lease, l.unstored = l.state.lease.withLost(seq, seq), true
	}
}

// commitLoss is commit of a Change that loses what these dead records stand for: what tells the
// client of a lease of that is stored with it.
func (o *operation) commitLoss(ctx context.Context, c outbox.Change, lost []outbox.Record, applied func(now time.Time)) error {
	first, last := outbox.Seq(0), outbox.Seq(0)
	for i, r := range lost {
		if i == 0 || r.Seq < first {
			first = r.Seq
		}
		last = max(last, r.KeySeq())
	}
	var stored laneBytes
	if err := o.inLoop(func() {
		if !o.lane.leased() {
			last = 0
		}
		if stored = o.lane.state; last > 0 {
			stored.lease = stored.lease.withLost(first, last)
			c.Lane = stored.encode()
		}
	}); err != nil {
		return err
	}
	if last == 0 {
		return o.commit(ctx, c, applied)
	}
	return o.commit(ctx, c, func(now time.Time) {
		applied(now)
		l := o.lane
		l.state.lease = l.state.lease.withLost(first, last)
		l.unstored = l.state != stored
	})
}

// outdatedAttempt reports whether a failed attempt says nothing: it was signed as the lease does
// not sign any more.
func (l *lane) outdatedAttempt(a *attempt) bool {
	was, is := a.req.Webhook.Lease, l.hook.Lease
	return was != nil && is != nil && was.Generation != is.Generation
}

// ownFull reports whether no message of the account itself may be sent now, and until when; the
// zero time is until one that is in flight has ended.
func (l *lane) ownFull(now time.Time) (until time.Time, full bool) {
	if !l.leased() || !l.hook.Lease.Own() {
		return time.Time{}, false
	}
	n, more := l.state.lease.ownWithin(now)
	switch {
	case n >= outbox.OwnLimit:
		return now.Add(more), true
	case n+l.scheduler.InFlight() >= outbox.OwnLimit:
		return time.Time{}, true
	}
	return time.Time{}, false
}

// gapFirst reports whether nothing starts yet, since the receiver of a lease is told of what was
// lost: that goes before the delivery that could start now. It is told once; when there was no
// response, again before the next one.
func (l *lane) gapFirst(now time.Time, slots int) bool {
	if l.lease.gapping {
		return true
	}
	if !l.state.lease.gap || l.lease.gapTried || !l.mayStart(now, slots) {
		return false
	}
	g, ok := l.sender.(gapSender)
	if !ok {
		return false
	}
	l.tellGap(g)
	return true
}

// tellGap sends a gap envelope, whose end gapTold takes.
func (l *lane) tellGap(g gapSender) {
	l.lease.gapping = true
	lost := l.state.lease.lost
	req := Request{Sub: l.id, Webhook: l.hook, Binding: l.binding, Watermark: l.scheduler.Lowest()}
	l.wg.Go(func() {
		out := gapSent{lost: lost, res: Result{Class: outbox.ClassInternal}}
		ctx, cancel := context.WithTimeout(l.attempts, AttemptTimeout)
		defer cancel()
		if err := guarded(func() error { out.res = g.Gap(ctx, req); return nil }); err != nil {
			l.log.Error("telling the receiver of a gap panicked", "subscription", l.id, "error", err)
		}
		l.lease.gaps <- out
	})
}

// gapTold takes the end of a gap envelope. Whatever it is, it holds nothing.
func (l *lane) gapTold(g gapSent) {
	l.lease.gapping = false
	l.lease.gapTried = g.res.Status == 0 && g.res.Class != outbox.ClassInternal
	if !l.lease.gapTried {
		l.state.lease, l.unstored = l.state.lease.gapTold(g.lost, g.res.Class == outbox.ClassOK), true
	}
	if g.res.Status != 0 {
		l.log.Info("the receiver of a lease was told that events are lost", "subscription", l.id, "class", g.res.Class, "status", g.res.Status)
	}
}

// leaseState is what a lane shows of its lease.
func (l *lane) leaseState(now time.Time, s LaneState) LeaseState {
	if !l.leased() {
		return LeaseState{}
	}
	width, perSecond := l.throttle.Bounds()
	out := LeaseState{
		Active: s.Status == StatusActive && !l.outage.Holding(), LastDelivery: l.lease.delivered, LastError: l.lease.failed, FailedSince: l.lease.since,
		Throttled: width > 0 || perSecond > 0, Truncated: l.state.lease.truncated(), Lost: l.state.lease.lost,
	}
	if g := l.state.gate; !g.open(now) && (g.Kind == GateRetryAfter || g.Kind == GateThrottled) {
		out.Throttled, out.RetryAfter = true, g.Until.Sub(now)
	}
	if until, full := l.ownFull(now); full && l.scheduler.Unfinished() > l.scheduler.InFlight() {
		out.OwnUntil = until
	}
	if at, ok := l.lease.term.At(now); ok && !now.Before(at) {
		out.Ended, out.Active = true, false
	}
	return out
}

// errNoLease is of an operation that only leases have.
var errNoLease = errors.New("it is no lease")

// Refreshed takes over a lease that was just stored anew (PutSub), as Sync does, and wakes it:
// whatever made it wait is over but a pause of its owner's. truncated tells that events it was owed
// were lost since the last Refreshed, which is forgotten with this; it is told with an error too,
// for nobody may know then whether it is forgotten. The audit records are stored with that.
func (d *Dispatcher) Refreshed(ctx context.Context, id outbox.SubID, audit ...outbox.Audit) (truncated bool, err error) {
	res := d.do(ctx, id, recorded(audit, refreshed))
	if res.err != nil {
		return res.n > 0, fmt.Errorf("refresh %s: %w", id, res.err)
	}
	return res.n > 0, nil
}

func refreshed(ctx context.Context, o *operation) (res taskResult) {
	sub, err := o.notRemoved(ctx)
	if err != nil {
		return taskResult{err: err}
	}
	lost, truncated := outbox.Seq(0), false
	l := o.lane
	if ended := o.inLoop(func() {
		if err = l.configure(sub); err == nil && !l.leased() {
			err = errNoLease
		}
		lost, truncated = l.state.lease.lost, l.state.lease.truncated()
		if err == nil && !l.outage.Holding() { // after a refresh amid an outage that goes on
			l.scheduler.Hurry(l.now())
		}
	}); ended != nil || err != nil {
		return taskResult{err: errors.Join(ended, err)}
	}
	res.err = o.setState(func(s laneBytes) laneBytes {
		out := laneBytes{lease: s.lease.recovered().toldLost(lost)}
		if s.gate.Kind == GatePaused {
			out.gate = s.gate
		}
		return out
	})
	if truncated {
		res.n = 1
	}
	return res
}
