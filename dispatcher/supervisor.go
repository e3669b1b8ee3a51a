package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"waoutbox/dispatcher/pace"
	"waoutbox/outbox"
)

// loadPatience is how long a lane may take to load before its state says so.
const loadPatience = time.Second

// laneSupervisor keeps the lane of one subscription running: it starts it again, 1 s doubling to
// 60 s, when it fails or panics, and ends it when the subscription is removed and its backlog is
// dead-lettered.
type laneSupervisor struct {
	deps
	id    outbox.SubID
	inbox *inbox
	done  chan struct{} // closed when no lane will run any more and all tasks have a result
	// of the lane that runs
	sending sending

	mu    sync.Mutex
	state LaneState
	begun time.Time
}

func newLaneSupervisor(d deps, id outbox.SubID) *laneSupervisor {
	return &laneSupervisor{deps: d, id: id, inbox: newInbox(), done: make(chan struct{}), begun: d.now()}
}

// run blocks until ctx ends and the lane is drained, or the subscription is gone. before, if not
// nil, is closed when whoever wrote the subscription until now has ended. left are tasks that
// nobody has taken.
func (s *laneSupervisor) run(ctx context.Context, before <-chan struct{}) (left []*task) {
	if before != nil {
		select {
		case <-before:
		case <-ctx.Done():
		}
	}
	waits, failing := pace.Waits(), time.Time{}
	for ctx.Err() == nil {
		started := s.now()
		ended, err := s.once(ctx)
		if ended || ctx.Err() != nil {
			break
		}
		if err == nil {
			continue
		}
		for _, r := range s.inbox.takeAll() {
			r.reply(taskResult{err: err})
		}
		if s.now().Sub(started) > pace.MaxWait {
			waits.Reset()
			failing = time.Time{}
		}
		if failing.IsZero() {
			failing = s.now()
		}
		s.pause(ctx, waits.NextBackOff(), failing, err)
	}
	return s.inbox.close()
}

// pause waits before the lane is started again. Whoever asks for something may have mended it, and
// ends the wait. It is shown as held since the first of the failures that followed each other.
func (s *laneSupervisor) pause(ctx context.Context, wait time.Duration, since time.Time, err error) {
	s.log.Error("lane failed, its deliveries wait until it is started again", "subscription", s.id, "error", err, "restart_in", wait)
	state := LaneState{Status: StatusHeld, Reason: clampText(err.Error()), Until: s.now().Add(wait)}
	if unknown, ok := errors.AsType[*UnknownLaneError](err); ok {
		state = unknown.state()
	}
	state.Since = since
	s.show(state)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for s.inbox.empty() {
		select {
		case <-timer.C:
			return
		case <-s.inbox.wake:
		case <-ctx.Done():
			return
		}
	}
}

// once reads the subscription and does what it asks for: it runs the lane until that ends in any
// way, or dead-letters the backlog of a removed subscription (ended). A panic becomes an error, and
// touches no other lane.
func (s *laneSupervisor) once(ctx context.Context) (ended bool, err error) {
	asked := s.inbox.takeAll()
	defer func() {
		if p := recover(); p != nil {
			ended, err = false, fmt.Errorf("lane panicked: %s", outbox.PanicText(p))
			s.log.Error("lane panicked", "subscription", s.id, "panic", outbox.PanicText(p), "stack", string(debug.Stack()))
		}
		for _, r := range asked {
			r.reply(taskResult{err: err})
		}
	}()
	sub, err := s.find(ctx, s.id)
	if err == nil && !sub.Removed {
		s.inbox.putBack(asked...)
		asked = nil
		return false, s.runLane(ctx, sub)
	}
	n := 0
	if err == nil {
		n, err = s.deadLetterBacklog(ctx, sub)
	}
	if err != nil && !errors.Is(err, outbox.ErrNotFound) {
		return false, err
	}
	for _, r := range asked {
		switch {
		case r.work == nil || err != nil:
			r.reply(taskResult{n: n, err: err})
		default:
			r.reply(taskResult{err: errLaneEnded})
		}
	}
	return s.inbox.closeIfEmpty(), nil
}

// runLane loads the lane and drives it until ctx ends or it must be loaded again.
func (s *laneSupervisor) runLane(ctx context.Context, sub outbox.Subscription) error {
	l := newLane(ctx, s.deps, s.id, s.inbox, s.show)
	l.sending = &s.sending
	defer l.close()
	var err error
	// its schedule says when what is stored is due
	if l.hook, err = outbox.DecodeWebhook(sub.Config); err != nil {
		return fmt.Errorf("lane %s: %w", s.id, err)
	}
	if err := l.load(); err != nil {
		return err
	}
	if err := l.configure(sub); err != nil {
		return err
	}
	return l.run(ctx)
}

func (s *laneSupervisor) show(st LaneState) {
	s.mu.Lock()
	s.state = st
	s.mu.Unlock()
}

// State returns what the lane last showed.
func (s *laneSupervisor) State() LaneState {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.Status == "" && s.now().Sub(s.begun) > loadPatience {
		return LaneState{Status: StatusHeld, Reason: "its lane is still being loaded from the outbox", Since: s.begun}
	}
	return s.state
}
