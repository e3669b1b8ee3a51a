package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"waoutbox/outbox"
)

const (
	defaultInFlight   = 16
	defaultUnfinished = 16384
	defaultDrain      = 10 * time.Second
	// totalSlots is shared among lanes, so that many webhooks do not open thousands of connections.
	totalSlots = 512
)

// Options are what a Dispatcher needs. Source, Subscriptions and Sender are required.
type Options struct {
	Source        Source
	Subscriptions Subscriptions
	Sender        Sender
	Observers     []Observer   // called in this order
	Log           *slog.Logger // nil discards
	MaxInFlight   int          // attempts at once per lane; default 16, at most 512 ÷ lanes
	// deliveries read and not finished per lane before its reader stands still; default 16,384
	MaxUnfinished int
	Schedule      Schedule      // default 0 / 1 / 3 / 10 s
	Drain         time.Duration // how long attempts in flight may take when Run ends; default 10 s
	// the clock of the machine, which may jump; its monotonic part must not. default time.Now
	Now func() time.Time
}

// Dispatcher keeps one lane per subscription. All methods are safe for concurrent use. While Run
// runs, Replay, Purge, Pause and Resume go through the running lane; otherwise a lane is loaded for
// them that delivers nothing.
type Dispatcher struct {
	deps
	subs  Subscriptions
	lanes atomic.Int64 // running lanes, for the share of slots

	mu          sync.Mutex
	phase       phase
	runCtx      context.Context
	since       time.Time // when Run began
	supervisors map[outbox.SubID]*laneSupervisor
	// who writes a subscription without a lane; closed when that is over
	offline map[outbox.SubID]chan struct{}
	wg      sync.WaitGroup
}

// phase is how far Run is.
type phase uint8

const (
	stopped  phase = iota
	starting       // subscriptions are being listed; lanes appear already
	running
	stopping // no lane appears any more; the last ones drain
)

// New makes a Dispatcher; nothing starts before Run.
func New(o Options) *Dispatcher {
	d := &Dispatcher{subs: o.Subscriptions, supervisors: map[outbox.SubID]*laneSupervisor{}, offline: map[outbox.SubID]chan struct{}{}}
	d.deps = deps{
		src: o.Source, sender: o.Sender, observers: slices.Clone(o.Observers), log: o.Log, schedule: o.Schedule.normal(), slots: d.slots, find: d.find,
		maxInFlight: or(o.MaxInFlight, defaultInFlight), maxUnfinished: or(o.MaxUnfinished, defaultUnfinished), drain: or(o.Drain, defaultDrain), now: o.Now,
	}
	if d.now == nil {
		d.now = time.Now
	}
	d.appends = func(time.Duration) bool { return true }
	if a, ok := o.Source.(appending); ok {
		d.appends = a.Appending
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	return d
}

func or[T int | time.Duration](v, standard T) T {
	if v > 0 {
		return v
	}
	return standard
}

// slots is one lane's share: min(MaxInFlight, 512 ÷ lanes), at least 1.
func (d *Dispatcher) slots() int {
	return max(1, min(d.maxInFlight, totalSlots/int(max(1, d.lanes.Load()))))
}

// Run delivers until ctx ends; then it takes nothing new, lets attempts in flight finish within the
// drain time, aborts the rest, settles, and returns nil. It returns an error only when it could not
// start. Run may be called again after it returned.
func (d *Dispatcher) Run(ctx context.Context) error {
	lanes, abort := context.WithCancel(ctx)
	defer abort()
	err := d.start(ctx, lanes)
	if errors.Is(err, errRunning) {
		return err
	}
	if err == nil {
		<-ctx.Done()
	}
	d.setPhase(stopping)
	abort()
	d.wg.Wait()
	d.setPhase(stopped) // only now may Run begin anew: it waits for the lanes of one run
	return err
}

var errRunning = errors.New("start the dispatcher: it runs already")

func (d *Dispatcher) setPhase(p phase) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.phase = p
}

// start gives every subscription a lane. Lanes appear for Sync before the list is asked for: a
// subscription is stored before it is synced, so it is in the list, or gets its lane from Sync.
func (d *Dispatcher) start(ctx, lanes context.Context) error {
	d.mu.Lock()
	if d.phase != stopped {
		d.mu.Unlock()
		return errRunning
	}
	d.phase, d.runCtx, d.since = starting, lanes, d.now()
	d.mu.Unlock()
	subs, err := d.subs.Subs(ctx)
	if err != nil {
		return fmt.Errorf("start the dispatcher: list webhooks: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range subs {
		if d.supervisors[s.ID] == nil {
			d.launch(s.ID)
		}
	}
	d.phase = running
	return nil
}

// launch starts a lane. The caller holds mu.
func (d *Dispatcher) launch(id outbox.SubID) *laneSupervisor {
	s := newLaneSupervisor(d.deps, id)
	d.supervisors[id] = s
	d.lanes.Add(1)
	ctx, before := d.runCtx, d.offline[id]
	d.wg.Go(func() {
		left := s.run(ctx, before)
		d.lanes.Add(-1)
		d.laneEnded(id)
		d.mu.Lock()
		delete(d.supervisors, id)
		d.mu.Unlock()
		for _, r := range left {
			r.reply(taskResult{err: errLaneEnded})
		}
		close(s.done)
	})
	return s
}

// find returns a subscription as it is stored now.
func (d *Dispatcher) find(ctx context.Context, id outbox.SubID) (outbox.Subscription, error) {
	s, err := d.subs.Sub(ctx, id)
	if err != nil {
		return outbox.Subscription{}, fmt.Errorf("webhook %s: %w", id, err)
	}
	return s, nil
}

// laneFor returns the lane of id, which it starts if there is none; nil when Run does not run.
func (d *Dispatcher) laneFor(id outbox.SubID) *laneSupervisor {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s := d.supervisors[id]; s != nil || d.phase == stopped || d.phase == stopping {
		return s
	}
	return d.launch(id)
}

// writer returns the lane of id, or, when there is none, makes the caller the one who writes the
// subscription until it calls release.
func (d *Dispatcher) writer(ctx context.Context, id outbox.SubID) (s *laneSupervisor, release func(), err error) {
	for {
		d.mu.Lock()
		s, other := d.supervisors[id], d.offline[id]
		if s == nil && other == nil {
			mine := make(chan struct{})
			d.offline[id] = mine
			d.mu.Unlock()
			return nil, func() {
				d.mu.Lock()
				defer d.mu.Unlock()
				delete(d.offline, id)
				close(mine)
			}, nil
		}
		d.mu.Unlock()
		if s != nil {
			return s, nil, nil
		}
		select {
		case <-other:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
}

// Redrives returns the redrives that run, and the last one of each lane, as it last showed them.
func (d *Dispatcher) Redrives() map[outbox.SubID]Redrive {
	d.mu.Lock()
	all := maps.Clone(d.supervisors)
	d.mu.Unlock()
	out := map[outbox.SubID]Redrive{}
	for id, s := range all {
		if r := s.State().Redrive; !r.Begun.IsZero() {
			out[id] = r
		}
	}
	return out
}

// Lease returns what the lane of a lease last showed of it; the zero value of anything else.
func (d *Dispatcher) Lease(id outbox.SubID) LeaseState { return d.State(id).Lease }

// State returns what the lane of id last showed. Its Status is "" while Run does not run or the
// lane loads. A subscription without a lane while Run runs is held: nothing is delivered to it.
func (d *Dispatcher) State(id outbox.SubID) LaneState {
	d.mu.Lock()
	s, p, since := d.supervisors[id], d.phase, d.since
	d.mu.Unlock()
	switch {
	case s != nil:
		return s.State()
	case p == running:
		return LaneState{Status: StatusHeld, Since: since, Reason: "no lane delivers to it: add it again, or restart the service"}
	}
	return LaneState{}
}
