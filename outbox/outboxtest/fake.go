package outboxtest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"waoutbox/outbox"
)

// Fake is an engine in memory. It starts no goroutine and waits on channels only, so it may be used
// inside a synctest bubble (make it there). It keeps the rules of a real engine, durability
// excepted. Safe for concurrent use.
type Fake struct {
	mu    sync.Mutex
	last  outbox.Seq
	state int            // how often it was renewed
	whole outbox.Seq     // from here on nothing was removed
	evs   []outbox.Event // ascending
	seen  map[string]seenAt
	subs  map[outbox.SubID]*fakeSub
	sends map[string]outbox.Send
	audit []outbox.Audit // ascending
	chain map[outbox.AuditKind][]outbox.AuditHash
	grown chan struct{} // closed and replaced by every append
	hook  func(op string) error
}

// seenAt is a key that is known: the first sequence, and when it was entered.
type seenAt struct {
	seq      outbox.Seq
	at       time.Time
	timeless bool // it stays
}

type fakeSub struct {
	outbox.Subscription
	next    outbox.Seq
	lane    []byte
	pending map[outbox.Seq]outbox.Record
	dead    map[outbox.Seq]outbox.Record // by KeySeq
}

var _ Engine = (*Fake)(nil)

// NewFake returns an empty engine.
func NewFake() *Fake {
	return &Fake{
		whole: 1,
		seen:  map[string]seenAt{},
		subs:  map[outbox.SubID]*fakeSub{},
		sends: map[string]outbox.Send{},
		grown: make(chan struct{}),
	}
}

// Hook makes every later operation ask fn first, by the operation's name ("Append", "Commit" …),
// and return its error when it gives one, doing nothing. nil takes the hook away. fn runs outside
// the engine's lock and may block.
func (f *Fake) Hook(fn func(op string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = fn
}

// enter is the start of every operation: context, hook, lock. On nil the caller must unlock.
func (f *Fake) enter(ctx context.Context, op string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f.mu.Lock()
	hook := f.hook
	f.mu.Unlock()
	if hook != nil {
		if err := hook(op); err != nil {
			return err
		}
	}
	f.mu.Lock()
	return nil
}

func (f *Fake) sub(id outbox.SubID) (*fakeSub, error) {
	if s, ok := f.subs[id]; ok {
		return s, nil
	}
	return nil, fmt.Errorf("subscription %s: %w", id, outbox.ErrNotFound)
}

// Append stores events; see Engine.
func (f *Fake) Append(ctx context.Context, evs ...outbox.Event) ([]outbox.Seq, error) {
	if err := outbox.CheckEvents(evs); err != nil {
		return nil, err
	}
	if err := f.enter(ctx, "Append"); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	return f.append(evs), nil
}

func (f *Fake) append(evs []outbox.Event) []outbox.Seq {
	seqs := make([]outbox.Seq, len(evs))
	now := time.Now()
	for i, e := range evs {
		at, ok := f.seen[e.Key]
		if ok && !e.Random && (at.timeless || now.Sub(at.at) < outbox.SeenKept) {
			seqs[i] = at.seq
			continue
		}
		f.last++
		e.Seq, e.Body = f.last, slices.Clone(e.Body)
		f.evs = append(f.evs, e)
		if !e.Random {
			f.seen[e.Key] = seenAt{f.last, now, e.Stamp == 0}
		}
		seqs[i] = f.last
	}
	close(f.grown)
	f.grown = make(chan struct{})
	return seqs
}

// Damage makes a stored event one that fails its checks: its body, or with head the whole of it.
func (f *Fake) Damage(seq outbox.Seq, head bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e := &f.evs[f.index(seq)]
	e.Body, e.Corrupt = nil, true
	if head {
		*e = outbox.Event{Seq: seq, Corrupt: true}
	}
}

// index is the position of the first event at or above s.
func (f *Fake) index(s outbox.Seq) int {
	i, _ := slices.BinarySearchFunc(f.evs, s, func(e outbox.Event, s outbox.Seq) int { return cmpSeq(e.Seq, s) })
	return i
}

func cmpSeq(a, b outbox.Seq) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Read returns owed events; see Engine.
func (f *Fake) Read(ctx context.Context, sub outbox.SubID, from outbox.Seq, maxBytes int) ([]outbox.Event, outbox.Seq, error) {
	if err := f.enter(ctx, "Read"); err != nil {
		return nil, 0, err
	}
	defer f.mu.Unlock()
	s, err := f.sub(sub)
	if err != nil {
		return nil, 0, err
	}
	var out []outbox.Event
	size := 0
	for _, e := range f.evs[f.index(from):] {
		if !s.Owes(e.Seq, e.Head()) {
			continue
		}
		if len(out) > 0 && size+len(e.Body) > maxBytes {
			return out, e.Seq, nil
		}
		size += len(e.Body)
		out = append(out, e)
	}
	return out, max(from, f.last+1), nil
}

// Wait blocks until an event at or above from is readable; see Engine.
func (f *Fake) Wait(ctx context.Context, from outbox.Seq) error {
	for {
		if err := f.enter(ctx, "Wait"); err != nil {
			return err
		}
		last, grown := f.last, f.grown
		f.mu.Unlock()
		if last >= from {
			return nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Event returns one event; see Engine.
func (f *Fake) Event(ctx context.Context, s outbox.Seq) (outbox.Event, error) {
	if err := f.enter(ctx, "Event"); err != nil {
		return outbox.Event{}, err
	}
	defer f.mu.Unlock()
	if i := f.index(s); i < len(f.evs) && f.evs[i].Seq == s {
		if f.evs[i].Corrupt {
			return f.evs[i], fmt.Errorf("event %d: %w", s, outbox.ErrCorrupt)
		}
		return f.evs[i], nil
	}
	return outbox.Event{}, fmt.Errorf("event %d: %w", s, outbox.ErrNotFound)
}

// Load returns a lane's state; see Engine.
func (f *Fake) Load(ctx context.Context, sub outbox.SubID) (outbox.Seq, []byte, []outbox.Record, error) {
	if err := f.enter(ctx, "Load"); err != nil {
		return 0, nil, nil, err
	}
	defer f.mu.Unlock()
	s, err := f.sub(sub)
	if err != nil {
		return 0, nil, nil, err
	}
	var pending []outbox.Record
	for _, k := range slices.Sorted(maps.Keys(s.pending)) {
		r := s.pending[k]
		r.Log = nil
		pending = append(pending, r)
	}
	return s.next, slices.Clone(s.lane), pending, nil
}

// Commit applies a change; see Engine.
func (f *Fake) Commit(ctx context.Context, c outbox.Change) error {
	if err := outbox.CheckChange(c); err != nil {
		return err
	}
	if err := f.enter(ctx, "Commit"); err != nil {
		return err
	}
	defer f.mu.Unlock()
	s, err := f.sub(c.Sub)
	if err != nil {
		return err
	}
	if c.Next > f.last+1 {
		return fmt.Errorf("change of %s: next %d is above the newest event %d", c.Sub, c.Next, f.last)
	}
	for i, r := range c.Set {
		if err := outbox.CheckMove(c.Sub, s.before(c.Set[:i], r.KeySeq()), r); err != nil {
			return err
		}
	}
	for _, r := range c.Set {
		r.Log = slices.Clone(r.Log)
		delete(s.pending, r.KeySeq())
		delete(s.dead, r.KeySeq())
		switch r.State {
		case outbox.Pending:
			s.pending[r.KeySeq()] = r
		case outbox.Dead:
			s.dead[r.KeySeq()] = r
		}
	}
	s.next = max(s.next, c.Next)
	if c.Lane != nil {
		s.lane = slices.Clone(c.Lane)
	}
	s.Epochs = outbox.PruneEpochs(s.Subscription, s.pinned())
	f.putAudit(c.Audit)
	return nil
}

// before returns the record filed under key once the records set were, State Done if there is none.
func (s *fakeSub) before(set []outbox.Record, key outbox.Seq) outbox.Record {
	for _, r := range slices.Backward(set) {
		if r.KeySeq() == key {
			return r
		}
	}
	if r, ok := s.pending[key]; ok {
		return r
	}
	return s.dead[key]
}

// pinned is the lowest sequence whose epoch is still needed: the cursor, or the first run.
func (s *fakeSub) pinned() outbox.Seq {
	low := s.next
	for _, r := range s.dead {
		if r.IsRun() && !r.Expired() {
			low = min(low, r.Seq)
		}
	}
	return low
}
