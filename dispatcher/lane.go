package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"

	"waoutbox/outbox"
)

const (
	// readChunk is how much one Read asks for, in bytes.
	readChunk = 256 << 10
	// lastWrite bounds the final settlement when a lane ends.
	lastWrite = 2 * time.Second
)

// deps is what every lane of a Dispatcher shares.
type deps struct {
	src           Source
	sender        Sender
	log           *slog.Logger
	schedule      Schedule
	slots         func() int
	find          func(ctx context.Context, id outbox.SubID) (outbox.Subscription, error)
	maxInFlight   int
	maxUnfinished int
	drain         time.Duration
}

// lane delivers one subscription. All its fields belong to the goroutine in run; attempts, commits and waits run beside it and
// answer through channels that never block them.
type lane struct {
	deps
	id    outbox.SubID
	hook  outbox.Webhook
	order *Order
	state laneBytes
	hold  backoff.BackOff // waits after our own trouble; reset by any answer
	show  func(LaneState)

	results  chan flight
	readable chan error // answers of Source.Wait
	waiting  bool       // a Wait is running
	draining bool

	job        *job // the Change that runs, or that failed and is repeated first
	committed  chan error
	committing bool
	failed     error // why the last commit failed; nothing is claimed meanwhile
	retryAt    time.Time
	backlog    backoff.BackOff // waits after a failed commit
	stateDirty bool            // lane bytes differ from the stored ones

	wg       sync.WaitGroup
	io       context.Context // reads, waits and commits; ends with the lane
	attempts context.Context // attempts; ends at the drain deadline
	abort    context.CancelFunc
}

// errReload ends a lane whose memory may differ from the disk; it is started again and loads.
var errReload = errors.New("load the lane again")

// runLane loads and drives one lane until ctx ends, the subscription is removed (ended), or an error makes a reload necessary.
// first, if not nil, is served right after loading.
func runLane(ctx context.Context, d deps, sub outbox.Subscription, show func(LaneState), requests <-chan request, first *request) (ended bool, err error) {
	l := &lane{
		deps: d, id: sub.ID, show: show, hold: newHold(), backlog: newHold(),
		results: make(chan flight, d.maxInFlight), readable: make(chan error, 1), committed: make(chan error, 1),
	}
	var stop context.CancelFunc
	l.io, stop = context.WithCancel(context.WithoutCancel(ctx))
	l.attempts, l.abort = context.WithCancel(context.WithoutCancel(ctx))
	defer l.wg.Wait()
	defer stop()
	defer l.abort()
	if err := l.load(sub); err != nil {
		if first != nil {
			first.done <- answer{err: err}
		}
		return false, err
	}
	if first != nil {
		if ended, err := l.serve(*first); ended || err != nil {
			return ended, err
		}
	}
	return l.run(ctx, requests)
}

// load reads the lane's state. Due times and gates are moved onto the monotonic clock here.
func (l *lane) load(sub outbox.Subscription) error {
	next, raw, pending, err := l.src.Load(l.io, l.id)
	if err != nil {
		return fmt.Errorf("load lane %s: %w", l.id, err)
	}
	if l.state, err = decodeLane(raw); err != nil {
		return fmt.Errorf("lane %s: %w", l.id, err)
	}
	if err := l.configure(sub); err != nil {
		return err
	}
	now := time.Now()
	l.state.gate = l.state.gate.onLoad(now)
	l.order = NewOrder(next, now)
	for _, r := range pending {
		if r.Order == 0 { // it could not be decoded; its event still tells where it belongs
			if ev, err := l.src.Event(l.io, r.Seq); err == nil {
				r.Order = OrderKey(ev, l.hook.Unordered)
			}
		}
		l.order.AddStored(r, l.schedule.onLoad(r.Attempts, r.Due, now))
	}
	l.publish(now)
	return nil
}

// configure takes over a subscription's configuration. What was held by our own trouble is tried again at once: the new
// configuration may be the cure.
func (l *lane) configure(sub outbox.Subscription) error {
	hook, err := outbox.DecodeWebhook(sub.Config)
	if err != nil {
		return fmt.Errorf("lane %s: %w", l.id, err)
	}
	l.hook = hook
	if l.state.gate.Kind == GateHeld {
		l.state.gate = Gate{}
		l.hold.Reset()
	}
	return nil
}

// run is the lane's loop: do all that can be done, then wait for the next thing to happen.
func (l *lane) run(ctx context.Context, requests <-chan request) (ended bool, err error) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	stopping := ctx.Done()
	for {
		now := time.Now()
		// Twice, since claiming makes room: what was read first may all wait behind its chats.
		for range 2 {
			l.read(now)
			l.claim(now)
		}
		l.checkpoint(now)
		l.publish(now)
		if l.draining && l.order.InFlight() == 0 {
			l.finish()
			return false, nil
		}
		if at, ok := l.wake(now); ok {
			timer.Reset(max(0, at.Sub(now)))
		} else {
			timer.Stop()
		}
		select {
		case f := <-l.results:
			l.landed(f)
		case err := <-l.committed:
			if err := l.onCommitted(err); err != nil {
				return false, err
			}
		case err := <-l.readable:
			l.waited(err)
		case req := <-requests:
			if ended, err := l.serve(req); ended || err != nil {
				return ended, err
			}
		case <-timer.C:
		case <-stopping:
			stopping, requests, l.draining = nil, nil, true
			// Attempts end by themselves, or at the deadline.
			deadline := time.AfterFunc(l.drain, l.abort)
			defer deadline.Stop()
		}
	}
}

// wake answers when time alone changes what the lane can do.
func (l *lane) wake(now time.Time) (at time.Time, ok bool) {
	consider := func(t time.Time) {
		if !ok || t.Before(at) {
			at, ok = t, true
		}
	}
	switch {
	case l.failed != nil:
		if !l.committing {
			consider(l.retryAt)
		}
		return at, ok
	case !l.state.gate.open(now):
		if l.state.gate.Kind != GatePaused && !l.draining {
			consider(l.state.gate.Until)
		}
	case !l.draining:
		if t, due := l.order.NextDue(l.slots()); due {
			consider(t)
		}
	}
	if !l.committing {
		if t, due := l.checkpointAt(); due {
			consider(t)
		}
	}
	return at, ok
}

// full reports whether the reader stands still.
func (l *lane) full() bool { return l.order.Unfinished() >= l.maxUnfinished }

// working reports whether attempts may start.
func (l *lane) working(now time.Time) bool {
	return !l.draining && l.failed == nil && l.state.gate.open(now)
}

// read brings in events until enough could fly, the log is exhausted, or too many are unfinished.
func (l *lane) read(now time.Time) {
	for l.working(now) && !l.waiting && !l.full() && l.order.Ready() < 2*l.slots() {
		from := l.order.Read()
		evs, next, err := l.src.Read(l.io, l.id, from, readChunk)
		if err != nil {
			l.trouble(now, fmt.Sprintf("the outbox cannot be read: %v", err))
			return
		}
		for _, ev := range evs {
			l.order.Add(ev, OrderKey(ev, l.hook.Unordered))
		}
		l.order.SetRead(next)
		if len(evs) == 0 {
			l.waiting = true
			l.wg.Go(func() { l.readable <- l.src.Wait(l.io, max(from, next)) })
		}
	}
}

// waited takes the answer of Source.Wait.
func (l *lane) waited(err error) {
	l.waiting = false
	if err != nil && l.io.Err() == nil {
		l.trouble(time.Now(), fmt.Sprintf("the outbox cannot be read: %v", err))
	}
}

// trouble holds the lane: something failed because of us. Several failures of one moment count once.
func (l *lane) trouble(now time.Time, why string) {
	if l.state.gate.Kind == GateHeld && !l.state.gate.open(now) {
		return
	}
	wait := l.hold.NextBackOff()
	l.state.gate = l.state.gate.close(Gate{Kind: GateHeld, Until: now.Add(wait), Wait: wait, Since: now, Reason: why}, now)
	l.log.Warn("webhook held", "subscription", l.id, "reason", why, "for", wait)
}

// publish makes the lane's state visible to others.
func (l *lane) publish(now time.Time) {
	s := l.state.state(now)
	if l.failed != nil && s.Status != StatusPaused {
		s.Status, s.Until, s.Reason = StatusHeld, l.retryAt, fmt.Sprintf("settlements cannot be written: %v", l.failed)
	}
	s.Unfinished, s.InFlight, s.Full = l.order.Unfinished(), l.order.InFlight(), l.full()
	l.show(s)
}
