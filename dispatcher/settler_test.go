package dispatcher

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"waoutbox/outbox"
)

// settling is a settler whose commits end when the test says so.
type settling struct {
	t       *testing.T
	s       *settler
	now     time.Time
	started []outbox.Seq // Next of each commit that was begun
}

func newSettling(t *testing.T) *settling {
	b := &settling{t: t, now: time.Unix(1_700_000_000, 0)}
	b.s = newSettler(func(c outbox.Change) error { b.started = append(b.started, c.Next); return nil }, func(f func()) { f(); <-b.s.results })
	return b
}

// own is a checkpoint of the lane that is always due.
func (b *settling) own(next outbox.Seq, applied *int) func() *write {
	return func() *write {
		return &write{change: outbox.Change{Next: next}, applied: func(time.Time) { *applied++ }}
	}
}

// asked is a write of an administrator; its replies are counted.
func (b *settling) asked(next outbox.Seq, applied *int, replies *[]error) *write {
	return &write{change: outbox.Change{Next: next}, applied: func(time.Time) { *applied++ }, reply: func(err error) { *replies = append(*replies, err) }}
}

func none() *write { return nil }

// Mutation of settler.go: a large purge takes every write of its lane.
func TestOneWriteAtATimeAndBothSidesAlternate(t *testing.T) {
	b := newSettling(t)
	var own, admin int
	var replies []error
	for i := range outbox.Seq(3) {
		b.s.submit(b.asked(100+i, &admin, &replies))
	}
	for range 6 {
		b.s.start(b.now, b.own(1, &own))
		b.s.start(b.now, b.own(1, &own)) // one runs: nothing begins
		if err := b.s.finish(nil, b.now); err != nil {
			t.Fatal(err)
		}
	}
	if got := fmt.Sprint(b.started); got != "[100 1 101 1 102 1]" {
		t.Errorf("written %v", got)
	}
	if own != 3 || admin != 3 || len(replies) != 3 {
		t.Errorf("applied %d and %d, replies %v", own, admin, replies)
	}
}

func TestAFailedCheckpointIsRepeatedFirstWithGrowingWaits(t *testing.T) {
	b := newSettling(t)
	var own, admin int
	var replies []error
	next := outbox.Seq(1)
	checkpoint := func() *write { next++; return b.own(next, &own)() }
	begin := b.now
	for _, wait := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
		b.s.start(b.now, checkpoint)
		if err := b.s.finish(outbox.ErrFull, b.now); err != nil {
			t.Fatal(err)
		}
		if at, ok := b.s.wake(nil); !ok || at.Sub(b.now) != wait {
			t.Errorf("repeated after %v, want %v", at.Sub(b.now), wait)
		}
		if !b.s.since.Equal(begin) {
			t.Errorf("failing since %v, want the first failure", b.s.since)
		}
		b.s.start(b.now, checkpoint) // too early
		b.now = b.now.Add(wait)
	}
	// An administrator is told at once, by one more try, and not kept waiting.
	b.now = b.now.Add(-time.Second)
	b.s.submit(b.asked(100, &admin, &replies))
	b.s.start(b.now, checkpoint)
	if err := b.s.finish(outbox.ErrFull, b.now); err != nil || len(replies) != 1 || !errors.Is(b.s.failure, outbox.ErrFull) {
		t.Errorf("%v, replies %v", err, replies)
	}
	b.now = b.now.Add(time.Minute)
	b.s.start(b.now, checkpoint)
	if err := b.s.finish(nil, b.now); err != nil || b.s.failure != nil {
		t.Errorf("%v, %v", err, b.s.failure)
	}
	if got := fmt.Sprint(b.started); got != "[2 2 2 2 2]" || own != 1 || admin != 0 {
		t.Errorf("written %v, applied %d and %d", got, own, admin)
	}
}

// What one Change comes to, whoever asked for it.
//
// Mutation of settler.go: a settlement that cannot be confirmed is not repeated, and memory differs
// from the disk.
func TestWhatBecomesOfAWrite(t *testing.T) {
	final := &outbox.TransitionError{}
	for name, c := range map[string]struct {
		admin   bool
		errs    []error
		applied int
		replied string // "", "nil", "unknown" or "error"
		reload  bool
		repeats bool // it is still to be written
	}{
		"own":                      {false, []error{nil}, 1, "", false, false},
		"own, refused":             {false, []error{outbox.ErrFull, nil}, 1, "", false, false},
		"own, unknown":             {false, []error{outbox.ErrUnknown, nil}, 1, "", false, false},
		"own, illegal":             {false, []error{final}, 0, "", true, false},
		"own, too large":           {false, []error{outbox.ErrTooLarge}, 0, "", true, false},
		"asked":                    {true, []error{nil}, 1, "nil", false, false},
		"asked, refused":           {true, []error{outbox.ErrFull}, 0, "error", false, false},
		"asked, illegal":           {true, []error{final}, 0, "error", false, false},
		"asked, unknown once":      {true, []error{outbox.ErrUnknown, nil}, 1, "nil", false, false},
		"asked, unknown":           {true, []error{outbox.ErrUnknown, outbox.ErrUnknown, outbox.ErrUnknown}, 0, "unknown", false, true},
		"asked, unknown and later": {true, []error{outbox.ErrUnknown, outbox.ErrClosed, outbox.ErrClosed, nil}, 1, "unknown", false, false},
		"asked, unknown, illegal":  {true, []error{outbox.ErrUnknown, final}, 0, "error", true, false},
	} {
		b := newSettling(t)
		applied := 0
		var replies []error
		own := none
		if c.admin {
			b.s.submit(b.asked(1, &applied, &replies))
		} else {
			own = b.own(1, &applied)
		}
		var fatal error
		for _, err := range c.errs {
			b.s.start(b.now, own)
			if !b.s.writing {
				t.Fatalf("%s: nothing is written", name)
			}
			fatal = b.s.finish(err, b.now)
			b.now = b.now.Add(time.Minute)
		}
		replied := ""
		switch {
		case len(replies) > 1:
			t.Errorf("%s: replies %v", name, replies)
		case len(replies) == 0:
		case replies[0] == nil:
			replied = "nil"
		case errors.Is(replies[0], outbox.ErrUnknown):
			replied = "unknown"
		default:
			replied = "error"
		}
		if applied != c.applied || replied != c.replied || (fatal != nil) != c.reload || !c.reload && (b.s.failure != nil) != c.repeats {
			t.Errorf("%s: applied %d, replied %q, fatal %v, failing %v", name, applied, replied, fatal, b.s.failure)
		}
	}
}

func TestALaneThatEndsTellsEverybodyWhoWaits(t *testing.T) {
	b := newSettling(t)
	applied := 0
	var replies []error
	b.s.submit(b.asked(1, &applied, &replies))
	b.s.submit(b.asked(2, &applied, &replies))
	b.s.start(b.now, none)
	b.s.abandon(errInterrupted)
	if len(replies) != 2 || applied != 0 {
		t.Errorf("replies %v, applied %d", replies, applied)
	}
}
