package outboxtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"waoutbox/outbox"
)

// SlowOptions says how slow, and how uncertain, an engine is made. The zero value is the one that
// consumers are tested with.
type SlowOptions struct {
	Delay time.Duration // what every call takes; 0: 50 ms
	// One write in Every ends in outbox.ErrUnknown; 0: 50. Of those the first, third, fifth … land
	// late, the others never.
	Every int
	Late  time.Duration // how long after its verdict such a write lands, or not; 0: 200 ms
	First int           // how many writes are counted as made already: which ones are uncertain
}

// Slow makes an engine behave as one that is far away: every call takes a while, and some writes
// end in outbox.ErrUnknown and land later. Until such a write has ended, whatever reads or writes
// the same subscription waits (the log's own: Append, and the sends); Read, Wait and Event go on. A
// context withdraws a write in the first half of its time; after that it ends with its verdict.
//
// It starts no goroutine of its own besides timers, so it may be used inside a synctest bubble
// (make it there, and give it an engine that was made there). Safe for concurrent use.
type Slow struct {
	Engine
	opt SlowOptions

	mu      sync.Mutex
	writes  int
	unknown int
	landing map[outbox.SubID]chan struct{} // closed when the last uncertain write of it has ended
}

var _ Engine = (*Slow)(nil)

// NewSlow wraps an engine.
func NewSlow(e Engine, opt SlowOptions) *Slow {
	if opt.Delay == 0 {
		opt.Delay = 50 * time.Millisecond
	}
	if opt.Every == 0 {
		opt.Every = 50
	}
	if opt.Late == 0 {
		opt.Late = 200 * time.Millisecond
	}
	return &Slow{Engine: e, opt: opt, writes: opt.First, landing: map[outbox.SubID]chan struct{}{}}
}

// Unknown returns how many writes have ended in outbox.ErrUnknown.
func (s *Slow) Unknown() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unknown
}

// log is the key under which writes wait that belong to no subscription.
const log outbox.SubID = ""

// pause waits for d, or the end of ctx.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// landed waits until no uncertain write of keys (of anything, when there are none) is under way.
func (s *Slow) landed(ctx context.Context, keys ...outbox.SubID) error {
	s.mu.Lock()
	var wait []chan struct{}
	for key, ch := range s.landing {
		if len(keys) == 0 || slices.Contains(keys, key) {
			wait = append(wait, ch)
		}
	}
	s.mu.Unlock()
	for _, ch := range wait {
		select {
		case <-ch:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// read takes the time of a call that reads what belongs to keys; of none: everything.
func (s *Slow) read(ctx context.Context, keys ...outbox.SubID) error {
	if err := pause(ctx, s.opt.Delay); err != nil {
		return err
	}
	return s.landed(ctx, keys...)
}

// write makes a write of key.
func (s *Slow) write(ctx context.Context, key outbox.SubID, call func(context.Context) error) error {
	if err := pause(ctx, s.opt.Delay/2); err != nil {
		return err
	}
	if err := s.landed(ctx, key); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx) // it has begun
	s.mu.Lock()
	s.writes++
	unsure := s.writes%s.opt.Every == 0
	s.mu.Unlock()
	_ = pause(ctx, s.opt.Delay-s.opt.Delay/2)
	if !unsure {
		return call(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unknown++
	lands := s.unknown%2 == 1
	before, done := s.landing[key], make(chan struct{})
	s.landing[key] = done
	time.AfterFunc(s.opt.Late, func() {
		if before != nil {
			<-before
		}
		if lands {
			_ = call(ctx) // nobody is told any more
		}
		close(done)
	})
	return fmt.Errorf("write %d of a slow engine: %w", s.writes, outbox.ErrUnknown)
}

// writeFor is write for a call that returns something, which nobody gets whose outcome is unknown:
// the call may be made when its caller has long gone on.
func writeFor[T any](ctx context.Context, s *Slow, key outbox.SubID, call func(context.Context) (T, error)) (got T, err error) {
	results := make(chan T, 1)
	err = s.write(ctx, key, func(ctx context.Context) error {
		v, err := call(ctx)
		results <- v
		return err
	})
	if errors.Is(err, outbox.ErrUnknown) {
		return got, err
	}
	select {
	case got = <-results:
	default: // it was not made
	}
	return got, err
}

// ownEvents copies events: the caller may change them before a write lands.
func ownEvents(evs []outbox.Event) []outbox.Event {
	evs = slices.Clone(evs)
	for i := range evs {
		evs[i].Body = slices.Clone(evs[i].Body)
	}
	return evs
}

// ownChange copies a change.
func ownChange(c outbox.Change) outbox.Change {
	c.Lane, c.Set = slices.Clone(c.Lane), slices.Clone(c.Set)
	for i := range c.Set {
		c.Set[i].Log = slices.Clone(c.Set[i].Log)
	}
	return c
}
