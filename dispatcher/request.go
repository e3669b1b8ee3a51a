package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"time"

	"waoutbox/outbox"
)

// writer is who changes a subscription on behalf of an administrator: its lane, or desk when no lane runs.
type writer interface {
	// unfinished reports whether seq has a pending record.
	unfinished(seq outbox.Seq) bool
	// cursor answers the stored cursor: what is owed at or above it is unread, and pending for the user.
	cursor() outbox.Seq
	// commit writes a Change, repeating it when the outcome is unknown.
	commit(ctx context.Context, c outbox.Change) error
	// queued tells of records that were committed as pending.
	queued(recs []outbox.Record)
	// current answers the lane's state; setCurrent stores it.
	current() laneBytes
	setCurrent(ctx context.Context, s laneBytes) error
}

// answer is what a request comes back with.
type answer struct {
	n       int // queued, purged, buried
	missing []outbox.Seq
	err     error
}

// request is work for a lane's goroutine; without work it asks the lane to look at its subscription again. done is buffered:
// answering never blocks, also when nobody waits any more.
type request struct {
	ctx  context.Context
	work work
	done chan answer
}

type work func(ctx context.Context, w writer) answer

func newRequest(ctx context.Context, w work) request {
	return request{ctx: ctx, work: w, done: make(chan answer, 1)}
}

// errStopping answers requests that come while the dispatcher stops.
var errStopping = errors.New("the dispatcher is stopping; try again after its next start")

// serve does one request in the lane's goroutine. An error ends the lane, which is then loaded again.
func (l *lane) serve(req request) (ended bool, err error) {
	a := answer{err: errors.New("the lane panicked")} // stands if the work does
	defer func() {
		l.publish(time.Now())
		req.done <- a
	}()
	if req.work == nil {
		ended, a = l.look(req.ctx)
		return ended, reload(a.err)
	}
	if a.err = l.settle(req.ctx); a.err == nil {
		a = req.work(req.ctx, l)
	}
	return false, reload(a.err)
}

// look takes over the subscription as it is stored now. It is read here, and not by whoever asked, so that of two requests the
// later one never brings the older state.
func (l *lane) look(ctx context.Context) (ended bool, a answer) {
	sub, err := l.find(ctx, l.id)
	if err != nil {
		return false, answer{err: err}
	}
	if sub.Removed {
		n, err := l.bury(ctx, sub)
		return err == nil, answer{n: n, err: err}
	}
	if err := l.configure(sub); err != nil {
		return false, answer{err: fmt.Errorf("%w: %w", errReload, err)}
	}
	return false, answer{}
}

// reload keeps an error that makes the lane's memory doubtful, and drops any other: its caller has it.
func reload(err error) error {
	if errors.Is(err, outbox.ErrUnknown) || errors.Is(err, errReload) {
		return err
	}
	return nil
}

func (l *lane) unfinished(seq outbox.Seq) bool { return l.order.Has(seq) }
func (l *lane) cursor() outbox.Seq             { return l.order.Next() }

func (l *lane) commit(ctx context.Context, c outbox.Change) error { return repeat(ctx, l.src, c) }

func (l *lane) queued(recs []outbox.Record) {
	for _, r := range recs {
		l.order.AddStored(r, r.Due)
	}
}

func (l *lane) current() laneBytes { return l.state }

func (l *lane) setCurrent(ctx context.Context, s laneBytes) error {
	if err := l.commit(ctx, outbox.Change{Sub: l.id, Lane: s.encode()}); err != nil {
		return err
	}
	l.state, l.stateDirty = s, false
	l.hold.Reset()
	return nil
}

// commitTries bounds how often a Change of unknown outcome is repeated before its caller is told.
const commitTries = 3

// repeat commits a Change. Once an outcome was unknown, every later failure leaves it unknown.
func repeat(ctx context.Context, src Source, c outbox.Change) error {
	unknown := false
	var err error
	for range commitTries {
		if err = src.Commit(ctx, c); err == nil {
			return nil
		}
		if !errors.Is(err, outbox.ErrUnknown) {
			break
		}
		unknown = true
	}
	if unknown && !errors.Is(err, outbox.ErrUnknown) {
		err = fmt.Errorf("%w, and repeating it failed: %w", outbox.ErrUnknown, err)
	}
	return fmt.Errorf("change of %s: %w", c.Sub, err)
}

// desk is the writer of a subscription without a lane.
type desk struct {
	src     Source
	id      outbox.SubID
	next    outbox.Seq
	state   laneBytes
	pending map[outbox.Seq]bool
}

func newDesk(ctx context.Context, src Source, id outbox.SubID) (*desk, error) {
	next, raw, pending, err := src.Load(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", id, err)
	}
	state, err := decodeLane(raw)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", id, err)
	}
	d := &desk{src: src, id: id, next: next, state: state, pending: map[outbox.Seq]bool{}}
	d.queued(pending)
	return d, nil
}

func (d *desk) unfinished(seq outbox.Seq) bool                    { return d.pending[seq] }
func (d *desk) cursor() outbox.Seq                                { return d.next }
func (d *desk) commit(ctx context.Context, c outbox.Change) error { return repeat(ctx, d.src, c) }
func (d *desk) current() laneBytes                                { return d.state }

func (d *desk) queued(recs []outbox.Record) {
	for _, r := range recs {
		d.pending[r.Seq] = true
	}
}

func (d *desk) setCurrent(ctx context.Context, s laneBytes) error {
	if err := d.commit(ctx, outbox.Change{Sub: d.id, Lane: s.encode()}); err != nil {
		return err
	}
	d.state = s
	return nil
}
