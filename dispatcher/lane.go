package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v4"

	"waoutbox/dispatcher/pace"
	"waoutbox/dispatcher/repeats"
	"waoutbox/dispatcher/scheduler"
	"waoutbox/outbox"
)

// lastWrite bounds how long a lane that ends waits for its writes to begin.
const lastWrite = 2 * time.Second

// deps is what every lane of a Dispatcher shares.
type deps struct {
	src           Source
	appends       func(within time.Duration) bool // appending, of src
	sender        Sender
	observers     []Observer
	log           *slog.Logger
	schedule      Schedule
	slots         func() int
	find          func(ctx context.Context, id outbox.SubID) (outbox.Subscription, error)
	maxInFlight   int
	maxUnfinished int
	drain         time.Duration
	now           func() time.Time
}

// lane delivers one subscription, and is its only writer. All its fields belong to the goroutine in
// run; attempts, commits, waits and the operations of administrators run beside it and report
// through channels.
type lane struct {
	deps
	id        outbox.SubID
	inbox     *inbox
	show      func(LaneState)
	offline   bool // serves administrators and delivers nothing
	hook      outbox.Webhook
	binding   outbox.Binding
	scheduler *scheduler.Scheduler
	settler   *settler
	state     laneBytes
	unstored  bool // state differs from the stored one
	// why the stored state cannot be read, which then stays as it is; only of one that is offline
	unknown   error
	outage    pace.Outage
	throttle  pace.Throttle
	lease     leaseLane
	failures  repeats.Failures // of attempts, for the log
	rate      pace.Rate
	redrive   redrive
	holds     backoff.BackOff // waits after our own trouble; reset by any response
	heldSince time.Time       // when the first of these waits began, zero if there is none
	holdUntil time.Time       // when the last of them ends, whatever else closes the gate
	fullSince time.Time       // when the reader came to stand still, zero if it does not

	fetches     chan fetched
	fetching    bool         // a read runs, or waits for events
	exhausted   bool         // everything was read: the next read waits first
	appetite    atomic.Int64 // how many bytes a read that has waited may bring, 0 for none
	begun       uint64       // attempts
	begunBefore uint64       // the read that runs
	ahead       int          // attempts that were begun while the last read ran

	sending   *sending
	starts    chan *attempt // to a goroutine that makes attempts and has nothing to do
	results   chan *attempt
	calls     chan func()   // of the operation that runs
	operating bool          // an operation runs
	awaited   *await        // what it waits for
	skipping  bool          // it makes dead letters of all there is, so nothing is begun meanwhile
	expired   expiredRun    // the last run of what expired unread
	broken    error         // the lane must load again
	draining  bool          // nothing new is begun
	stopped   chan struct{} // closed when the loop has ended

	wg       sync.WaitGroup  // everything that runs beside the loop
	io       context.Context // reads and waits; ends with the lane
	stopIO   context.CancelFunc
	attempts context.Context // ends at the drain deadline
	abort    context.CancelFunc
	writes   context.Context // ends lastWrite after a lane has nothing else to do
	stopSave context.CancelFunc
}

// errRemoved ends a lane whose subscription was removed.
var errRemoved = errors.New("the webhook was removed")

// newLane makes a lane that is not loaded yet. close must be called.
func newLane(ctx context.Context, d deps, id outbox.SubID, in *inbox, show func(LaneState)) *lane {
	l := &lane{
		deps: d, id: id, inbox: in, show: show, holds: pace.Waits(), outage: pace.NewOutage(), throttle: pace.NewThrottle(), redrive: newRedrive(),
		sending: &sending{}, starts: make(chan *attempt), results: make(chan *attempt, d.maxInFlight), calls: make(chan func()), fetches: make(chan fetched, 1),
		stopped: make(chan struct{}),
	}
	ctx = context.WithoutCancel(ctx)
	l.io, l.stopIO = context.WithCancel(ctx)
	l.attempts, l.abort = context.WithCancel(ctx)
	l.writes, l.stopSave = context.WithCancel(ctx)
	l.settler = newSettler(l.commit, l.wg.Go)
	return l
}

// commit writes a Change beside the loop. After a panic in it nobody knows what is on disk.
func (l *lane) commit(c outbox.Change) error {
	err := fmt.Errorf("%w: the engine panicked", outbox.ErrUnknown)
	if panicked := guarded(func() error { err = l.src.Commit(l.writes, c); return nil }); panicked != nil {
		l.log.Error("commit panicked", "subscription", l.id, "error", panicked)
	}
	return err
}

// load reads the lane's state. Due times and gates are moved onto the monotonic clock here.
func (l *lane) load() error {
	next, raw, pending, err := l.src.Load(l.io, l.id)
	if err != nil {
		return fmt.Errorf("load lane %s: %w", l.id, err)
	}
	l.state, err = decodeLane(raw)
	if errors.Is(err, errLaneDamaged) {
		// Nobody can mend it, and it is no reason to stop delivering: the lane begins with an open
		// gate.
		l.log.Error("lane state damaged, begun anew", "subscription", l.id, "error", err)
		l.unstored, err = true, nil
	}
	if unknown, ok := errors.AsType[*UnknownLaneError](err); ok {
		unknown.Sub = l.id
		switch {
		case l.inbox.anew():
			l.log.Warn("lane state begun anew as asked for", "subscription", l.id, "error", err)
			l.unstored, err = true, nil
		case l.offline: // dead letters can be discarded and queued without it
			l.unknown, err = err, nil
		}
	}
	if err != nil {
		return fmt.Errorf("load lane %s: %w", l.id, err)
	}
	now := l.now()
	l.state.gate = l.state.gate.onLoad(now)
	l.scheduler = scheduler.New(next, now)
	retried := 0
	for _, r := range pending {
		if r.Order == 0 { // it could not be decoded; its event still tells where it belongs
			if ev, err := l.src.Event(l.io, r.Seq); err == nil || errors.Is(err, outbox.ErrCorrupt) {
				r.Order = scheduler.ChatKey(ev)
			}
		}
		if r.Attempts > 0 {
			retried++
		}
		l.scheduler.AddStored(r, l.waits().onLoad(r.Attempts, r.Due, now))
	}
	l.outage.SetLimit(l.hook.HoldLimit())
	l.outage.Load(l.state.deaths, retried)
	return nil
}

// configure takes over a subscription's configuration. What was held by our own trouble is tried
// again at once, and a failing endpoint is: the new configuration may be the cure.
func (l *lane) configure(sub outbox.Subscription) error {
	hook, err := outbox.DecodeWebhook(sub.Config)
	if err != nil {
		return fmt.Errorf("lane %s: %w", l.id, err)
	}
	if l.binding, err = outbox.Bind(sub, hook); err != nil {
		return fmt.Errorf("lane %s: %w", l.id, err)
	}
	l.hook = hook
	l.beginLease(sub, l.now())
	l.scheduler.SetUnordered(hook.Unordered)
	l.outage.SetLimit(hook.HoldLimit())
	l.rate.Set(hook.MaxRate, l.now())
	if !hook.Redrive && !l.state.redrive.empty() {
		l.state.redrive, l.unstored, l.redrive.shown.Stopped = span{}, true, true
	}
	// by the new limit, or stored before it was kept
	if l.state.failing(hook.HoldLimit()) && l.state.failingSince.IsZero() {
		l.state.failingSince, l.state.failed, l.unstored = l.now(), true, true
	}
	if l.state.gate.Kind == GateHeld {
		l.state.gate = Gate{}
		l.endHolds()
	}
	return nil
}

// run is the lane's loop: do all that can be done, then wait for the next thing to happen. It
// returns nil when ctx has ended and the lane is drained, or the subscription was removed.
func (l *lane) run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	stopping := ctx.Done()
	for {
		now := l.now()
		if l.broken != nil {
			return l.broken
		}
		l.serve(now)
		l.scheduler.HoldNew(l.outage.Holding())
		l.startAttempts(now)
		l.fetch(now)
		l.settler.start(now, func() *write { return l.checkpoint(now, l.awaited != nil) })
		l.checkAwaited()
		l.publish(now)
		if l.draining && l.scheduler.InFlight() == 0 && !l.operating {
			l.saveRest()
			return nil
		}
		if at, ok := l.wake(now); ok {
			timer.Reset(max(0, at.Sub(now)))
		} else {
			timer.Stop()
		}
		select {
		case a := <-l.results:
			l.finishAttempts(a)
		case err := <-l.settler.results:
			if err := l.settler.finish(err, l.now()); err != nil {
				return fmt.Errorf("settle %s: %w", l.id, err)
			}
		case f := <-l.fetches:
			l.take(f, l.now())
		case call := <-l.calls:
			call()
		case g := <-l.lease.gaps:
			l.gapTold(g)
		case <-l.inbox.wake:
		case <-timer.C:
		case <-stopping:
			stopping = nil
			l.draining = true
			// Attempts end by themselves, or at the deadline.
			deadline := time.AfterFunc(l.drain, l.abort)
			defer deadline.Stop()
		}
	}
}

// close ends whatever runs beside the loop and waits for it; a write that runs is waited for
// whatever it takes, so that nothing is loaded while it may still land.
func (l *lane) close() {
	close(l.stopped)
	l.stopIO()
	l.abort()
	l.wg.Wait()
	l.settler.abandon(fmt.Errorf("the lane of %s is loaded again; try again", l.id))
	l.stopSave()
}

// wake returns when time alone changes what the lane can do.
func (l *lane) wake(now time.Time) (at time.Time, ok bool) {
	at, ok = l.settler.wake(l.checkpointAt)
	consider := func(t time.Time) {
		if !ok || t.Before(at) {
			at, ok = t, true
		}
	}
	if end, ok := l.lease.term.At(now); ok && now.Before(end) && !l.draining && !l.offline {
		consider(end)
	}
	switch {
	case l.draining || l.offline || l.skipping || l.settler.failure != nil || l.lease.term.Over(now):
	case !l.state.gate.open(now):
		if l.state.gate.Kind != GatePaused {
			consider(l.state.gate.Until)
		}
	case l.awaitsSettlement(now): // the end of one is told
	case l.lease.gapping: // as is the end of this
	default:
		if !l.state.redrive.empty() && l.redrive.retry.After(now) {
			consider(l.redrive.retry)
		}
		allowed := l.allowed(now)
		if until, full := l.ownFull(now); full {
			if until.IsZero() { // one in flight ends first
				break
			}
			allowed = later(allowed, until)
		}
		if t, ok := l.scheduler.NextStart(l.width()); ok {
			consider(later(t, allowed))
		}
		if l.scheduler.MayProbe(now) {
			consider(later(l.outage.ProbeAt(), allowed))
		}
	}
	return at, ok
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// waits is the schedule in force: the webhook's own, or the default.
func (l *lane) waits() Schedule {
	if len(l.hook.Schedule) > 0 {
		return l.hook.Schedule
	}
	return l.schedule
}

// width is how many attempts there may be at once.
func (l *lane) width() int { return l.throttle.Slots(l.slots()) }

// allowed returns when the next attempt may begin by the webhook's rate and by what its endpoint
// takes.
func (l *lane) allowed(now time.Time) time.Time { return later(l.rate.Next(now), l.throttle.Next(now)) }

// working reports whether attempts may start.
func (l *lane) working(now time.Time) bool {
	return !l.draining && !l.offline && !l.skipping && l.settler.failure == nil && l.state.gate.open(now) && !l.lease.term.Over(now)
}

// full reports whether the reader stands still: from the limit on, until some of the deliveries are
// finished (a 32nd of the limit, so that not every one of them costs a read).
func (l *lane) full(now time.Time) bool {
	switch n := l.scheduler.Unfinished(); {
	case n >= l.maxUnfinished:
		if l.fullSince.IsZero() {
			l.fullSince = now
		}
	case n <= l.maxUnfinished-max(1, l.maxUnfinished/32):
		l.fullSince = time.Time{}
	}
	return !l.fullSince.IsZero()
}

// hold closes the gate: something failed because of us. Several failures of one moment count once.
func (l *lane) hold(now time.Time, why string) {
	if now.Before(l.holdUntil) {
		return
	}
	wait := l.holds.NextBackOff()
	l.holdUntil = now.Add(wait)
	// or nobody noticed it end
	if l.heldSince.IsZero() || now.Sub(l.state.gate.Until) > pace.MaxWait {
		l.heldSince = now
	}
	l.state.gate = l.state.gate.close(Gate{Kind: GateHeld, Until: now.Add(wait), Wait: wait, Since: l.heldSince, Reason: why}, now)
	l.log.Warn("webhook held", "subscription", l.id, "reason", why, "for", wait)
}

// endHolds begins anew: the next failure because of us is the first one, and waits shortest.
func (l *lane) endHolds() {
	l.holds.Reset()
	l.heldSince, l.holdUntil = time.Time{}, time.Time{}
}

// publish makes the lane's state visible to others.
func (l *lane) publish(now time.Time) {
	s := l.state.state(now, l.hook.HoldLimit())
	if err := l.settler.failure; err != nil && s.Status != StatusPaused {
		s.Status, s.Since, s.Until = StatusHeld, l.settler.since, l.settler.retryAt
		s.Reason = fmt.Sprintf("settlements cannot be written: %v", err)
	}
	if at := l.outage.ProbeAt(); s.Status == StatusFailing && s.Until.IsZero() && at.After(now) {
		s.Until = at
	}
	s.Unfinished, s.InFlight, s.Full = l.scheduler.Unfinished(), l.scheduler.InFlight(), l.full(now)
	s.FullSince = l.fullSince
	s.Lease = l.leaseState(now, s)
	l.showRedrive(now)
	s.Redrive = l.redrive.shown
	if s.Status == StatusActive {
		s.Since = l.fullSince
		width, perSecond := l.throttle.Bounds()
		switch {
		case perSecond > 0:
			s.Reason = fmt.Sprintf("the endpoint takes less than there is (429, or 503 with Retry-After): about %.2g a second for now", perSecond)
		case width > 0:
			s.Reason = fmt.Sprintf("the endpoint takes less than there is (429, or 503 with Retry-After): at most %d at once for now", width)
		case s.Lease.Ended:
			s.Reason = "its lease has ended, nothing is sent any more"
		case !s.Lease.OwnUntil.IsZero():
			s.Reason = fmt.Sprintf("%d messages of this account were delivered within %s, the next one waits until %s", outbox.OwnLimit,
				waitText(outbox.OwnWindow), s.Lease.OwnUntil.UTC().Format(time.RFC3339))
		case !l.state.redrive.empty() && !l.outage.Holding():
			s.Reason = fmt.Sprintf("the dead letters of the outage that began at %s are replayed", l.state.redrive.from.UTC().Format(time.RFC3339))
		case l.outage.Holding():
			s.Reason = fmt.Sprintf("%d deliveries in a row failed, so new events wait until one of them succeeds", l.outage.Failures())
		}
	}
	l.show(s)
}
