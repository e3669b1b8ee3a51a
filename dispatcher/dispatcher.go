package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	Log           *slog.Logger  // nil discards
	MaxInFlight   int           // attempts at once per lane; default 16, at most 512 ÷ lanes
	MaxUnfinished int           // deliveries read and not finished per lane before its reader stands still; default 16,384
	Schedule      Schedule      // default 0 / 1 / 3 / 10 s
	Drain         time.Duration // how long attempts in flight may take when Run ends; default 10 s
}

// Dispatcher keeps one lane per subscription. All methods are safe for concurrent use. Replay, Purge, Bury, Pause and Resume go
// through the lane while Run runs, and straight to the Source otherwise.
type Dispatcher struct {
	deps
	subs  Subscriptions
	lanes atomic.Int64 // living lanes, for the share of slots

	admin sync.Mutex // held by changes without a lane, and while lanes start: one writer per subscription

	mu      sync.Mutex
	running bool
	runCtx  context.Context
	keepers map[outbox.SubID]*keeper
	wg      sync.WaitGroup
}

// New makes a Dispatcher; nothing starts before Run.
func New(o Options) *Dispatcher {
	d := &Dispatcher{subs: o.Subscriptions, keepers: map[outbox.SubID]*keeper{}}
	d.deps = deps{
		src: o.Source, sender: o.Sender, log: o.Log, schedule: o.Schedule.normal(), slots: d.slots, find: d.find,
		maxInFlight: or(o.MaxInFlight, defaultInFlight), maxUnfinished: or(o.MaxUnfinished, defaultUnfinished), drain: or(o.Drain, defaultDrain),
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

// Run delivers until ctx ends; then it takes nothing new, lets attempts in flight finish within the drain time, aborts the rest,
// settles, and returns nil. It returns an error only when it could not start. Run may be called again after it returned.
func (d *Dispatcher) Run(ctx context.Context) error {
	if err := d.start(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	d.mu.Lock()
	d.running = false
	d.mu.Unlock()
	d.wg.Wait()
	d.mu.Lock()
	clear(d.keepers)
	d.mu.Unlock()
	return nil
}

func (d *Dispatcher) start(ctx context.Context) error {
	d.admin.Lock()
	defer d.admin.Unlock()
	subs, err := d.subs.Subs(ctx)
	if err != nil {
		return fmt.Errorf("start the dispatcher: list webhooks: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.running || len(d.keepers) > 0 {
		return errors.New("start the dispatcher: it runs already")
	}
	d.running, d.runCtx = true, ctx
	for _, s := range subs {
		d.launch(s.ID, nil)
	}
	return nil
}

// launch starts a lane. The caller holds mu.
func (d *Dispatcher) launch(id outbox.SubID, first *request) {
	k := newKeeper(d.deps, id)
	d.keepers[id] = k
	d.lanes.Add(1)
	ctx := d.runCtx
	d.wg.Go(func() {
		k.run(ctx, first)
		d.lanes.Add(-1)
		if f, ok := d.sender.(forgetter); ok {
			f.Forget(id)
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.running && d.keepers[id] == k {
			delete(d.keepers, id) // removed and buried; when stopping, Run clears them all
		}
	})
}

// find answers a subscription as it is stored now.
func (d *Dispatcher) find(ctx context.Context, id outbox.SubID) (outbox.Subscription, error) {
	subs, err := d.subs.Subs(ctx)
	if err != nil {
		return outbox.Subscription{}, fmt.Errorf("list webhooks: %w", err)
	}
	for _, s := range subs {
		if s.ID == id {
			return s, nil
		}
	}
	return outbox.Subscription{}, fmt.Errorf("webhook %s: %w", id, outbox.ErrNotFound)
}

// keeper answers the lane of id, nil if none lives, and whether Run runs.
func (d *Dispatcher) keeper(id outbox.SubID) (k *keeper, running bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.keepers[id], d.running
}

// State answers what the lane of id last showed; its Status is "" when no lane runs.
func (d *Dispatcher) State(id outbox.SubID) LaneState {
	if k, _ := d.keeper(id); k != nil {
		return k.State()
	}
	return LaneState{}
}

// Sync tells that a subscription was added, changed or removed: its lane appears, rereads its configuration, or buries the
// backlog and ends. It returns when the lane has taken that over, or ctx ends. Without Run it does nothing.
func (d *Dispatcher) Sync(ctx context.Context, id outbox.SubID) error {
	_, err := d.sync(ctx, id)
	if err != nil {
		return fmt.Errorf("sync %s: %w", id, err)
	}
	return nil
}

func (d *Dispatcher) sync(ctx context.Context, id outbox.SubID) (buried int, err error) {
	for {
		k, running := d.keeper(id)
		if !running && k == nil {
			return 0, nil
		}
		if _, err := d.find(ctx, id); err != nil {
			return 0, err
		}
		req := newRequest(ctx, nil)
		if k == nil {
			if d.appear(id, &req) {
				a := req.wait(ctx)
				return a.n, a.err
			}
			continue
		}
		a, taken := k.ask(ctx, req)
		if taken || !running {
			return a.n, a.err
		}
		d.forget(id, k) // it ended: removed and buried
	}
}

// appear starts a lane for id, and reports false when another call did, or Run has ended.
func (d *Dispatcher) appear(id outbox.SubID, first *request) bool {
	d.admin.Lock()
	defer d.admin.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.running || d.keepers[id] != nil {
		return false
	}
	d.launch(id, first)
	return true
}

func (d *Dispatcher) forget(id outbox.SubID, k *keeper) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.keepers[id] == k {
		delete(d.keepers, id)
	}
}
