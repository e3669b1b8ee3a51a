package dispatcher

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"waoutbox/outbox"
)

// unknowing commits and says that it does not know, once each time.
type unknowing struct {
	Source
	changes []outbox.Change
	lie     bool
}

func (u *unknowing) Commit(ctx context.Context, c outbox.Change) error {
	u.changes = append(u.changes, c)
	if err := u.Source.Commit(ctx, c); err != nil {
		return err
	}
	if u.lie = !u.lie; u.lie {
		return outbox.ErrUnknown
	}
	return nil
}

func TestAnUnknownCommitIsRepeatedFirst(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, fails)
		u := &unknowing{Source: r.opt.Source}
		r.opt.Source = u
		r.d = New(r.opt)
		r.run()
		r.append("alice", "bob")
		r.idle(5 * time.Minute)
		if len(u.changes) < 4 {
			t.Fatalf("%d changes", len(u.changes))
		}
		for i := 0; i+1 < len(u.changes); i += 2 {
			a, b := u.changes[i], u.changes[i+1]
			if a.Next != b.Next || len(a.Set) != len(b.Set) || string(a.Lane) != string(b.Lane) {
				t.Errorf("change %d was not repeated: %+v then %+v", i, a, b)
			}
		}
		for _, d := range r.dead() {
			if d.Attempts != 4 {
				t.Errorf("dead %+v", d)
			}
		}
		if len(r.dead()) != 2 {
			t.Errorf("%d dead, want 2", len(r.dead()))
		}
	})
}

func TestAHangingOrPanickingLaneTouchesNoOther(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		const hanging, broken = outbox.SubID("wh_hang"), outbox.SubID("wh_panic")
		r := newRig(t, func(ctx context.Context, q Request) Result {
			if q.Sub == hanging {
				return after(time.Hour, ok)(ctx, q)
			}
			return after(5*time.Millisecond, ok)(ctx, q)
		})
		r.opt.Source = panicking{r.opt.Source, broken}
		r.d = New(r.opt)
		r.subscribe(hanging)
		r.subscribe(broken)
		r.run()
		for i := range 100 {
			r.append("chat" + string(rune('a'+i%26)))
			r.idle(10 * time.Millisecond)
		}
		r.idle(4 * r.delay)
		n := 0
		for _, s := range r.end.all() {
			if s.Sub == subA {
				n++
			}
		}
		if n != 100 {
			t.Errorf("the healthy webhook got %d of 100", n)
		}
		if s := r.d.State(broken); s.Status != StatusHeld || !strings.Contains(s.Reason, "panicked") {
			t.Errorf("the broken lane says %+v", s)
		}
	})
}

// panicking breaks the lane of one subscription.
type panicking struct {
	Source
	sub outbox.SubID
}

func (p panicking) Read(ctx context.Context, sub outbox.SubID, from outbox.Seq, maxBytes int) ([]outbox.Event, outbox.Seq, error) {
	if sub == p.sub {
		panic("broken engine")
	}
	return p.Source.Read(ctx, sub, from, maxBytes)
}

func TestAPanickingLaneIsStartedAgainWithBackoff(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, ok)
		var loads []time.Duration
		begin := time.Now()
		r.fake.Hook(func(op string) error {
			if op == "Load" {
				loads = append(loads, time.Since(begin))
			}
			if op == "Read" && time.Since(begin) < 5*time.Second {
				panic("broken engine")
			}
			return nil
		})
		r.run()
		// Before, it was held since its last start: 1 s, then 3 s after the first failure.
		for range 2 {
			r.idle(2 * time.Second)
			if s := r.d.State(subA); s.Status != StatusHeld || !r.at(s.Since.Sub(begin), 0) {
				t.Errorf("held since %v after the first failure: %+v", s.Since.Sub(begin), s)
			}
		}
		r.idle(time.Minute)
		r.append("alice")
		r.idle(time.Second)
		if want := []time.Duration{0, 1e9, 3e9, 7e9}; !r.times(loads, want) {
			t.Errorf("loaded at %v, want %v", loads, want)
		}
		if got := r.end.seqs(); !slices.Equal(got, []outbox.Seq{1}) {
			t.Errorf("sent %v", got)
		}
	})
}

// Before: the limit was passed by all that one Read had returned, and nothing showed when it was
// taken away.
//
// Mutation of lane.go: a backlog is read into memory without end.
func TestTheReaderStandsStillAtTheLimit(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		release := make(chan struct{})
		r := newRig(t, func(ctx context.Context, q Request) Result {
			select {
			case <-release:
			case <-ctx.Done():
				return Result{Class: outbox.ClassTimeout}
			}
			return ok(ctx, q)
		}, func(o *Options) { o.MaxUnfinished = 8 })
		for range 100 {
			r.append("alice")
		}
		r.run()
		r.idle(time.Second)
		if s := r.d.State(subA); !s.Full || s.Unfinished != 8 || s.InFlight != 1 || s.Since.IsZero() {
			t.Errorf("state %+v, want 8 unfinished, and since when", s)
		}
		r.append("bob") // not even another chat gets in
		r.idle(time.Second)
		if n := len(r.end.all()); n != 1 {
			t.Errorf("sent %d, want one", n)
		}
		close(release)
		r.idle(time.Minute)
		if n := len(r.end.all()); n != 101 || r.d.State(subA).Full || r.end.overlap {
			t.Errorf("sent %d of 101, state %+v, two of a chat at once: %v", n, r.d.State(subA), r.end.overlap)
		}
	})
}

// TestFullSinceIsNotFailingSince: a lane that fails and is full says of both since when. When there
// was one moment for both, it printed "full since 14s".
func TestFullSinceIsNotFailingSince(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, fails, func(o *Options) { o.MaxUnfinished = 8 })
		r.hookSub(outbox.Webhook{HoldAfter: new(1)})
		r.run()
		for range 20 {
			r.append("alice")
		}
		// The first one dies after 14 s, a probe after 29; each time there is room for another.
		r.idle(32 * time.Second)
		s := r.d.State(subA)
		if !s.Full || s.Status != StatusFailing || !r.at(s.Since.Sub(r.end.start), 14*time.Second) {
			t.Fatalf("state %+v, want it failing and full", s)
		}
		if got := s.FullSince.Sub(r.end.start); !r.at(got, 29*time.Second) {
			t.Errorf("full since %v", got)
		}
	})
}

// Mutation of finish.go: an event that is no longer in the outbox is passed over.
func TestAnEventThatIsGoneDiesExpired(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, fails)
		r.run()
		r.append("alice")
		r.fake.Hook(func(op string) error {
			if op == "Event" {
				return outbox.ErrNotFound
			}
			return nil
		})
		r.idle(10 * time.Second)
		r.fake.Hook(nil)
		if d := r.dead(); len(d) != 1 || d[0].Reason != ReasonExpired || d[0].Attempts != 1 {
			t.Errorf("dead %+v", d)
		}
	})
}

func TestReadErrorsHoldTheLane(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, ok)
		begin := time.Now()
		r.fake.Hook(func(op string) error {
			if op == "Read" && time.Since(begin) < 10*time.Second {
				return errors.New("disk says no")
			}
			return nil
		})
		r.run()
		r.append("alice")
		r.idle(2 * time.Second)
		if s := r.d.State(subA); s.Status != StatusHeld || !strings.Contains(s.Reason, "disk says no") {
			t.Errorf("state %+v", s)
		}
		r.idle(time.Minute)
		if got := r.end.seqs(); !slices.Equal(got, []outbox.Seq{1}) {
			t.Errorf("sent %v", got)
		}
	})
}

// Mutation of dispatcher/scheduler/scheduler.go: the events of an unordered webhook wait for each
// other.
func TestUnorderedEventsDoNotWaitForEachOther(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, after(5*time.Second, ok))
		cfg, err := outbox.EncodeWebhook(outbox.Webhook{URL: "http://127.0.0.1/", Unordered: true})
		r.must(err)
		r.put(outbox.Subscription{ID: subA, Config: cfg, Epochs: []outbox.Epoch{{From: 1, Filter: outbox.Filter{Events: []string{outbox.Any}}}}})
		r.run()
		r.append("alice", "alice", "alice")
		r.idle(time.Second)
		if n := len(r.end.all()); n != 3 {
			t.Errorf("%d of one chat in flight, want 3", n)
		}
	})
}

// Mutation of dispatcher.go: every lane takes all slots.
func TestSlotsAreShared(t *testing.T) {
	d := New(Options{MaxInFlight: 64})
	for lanes, want := range map[int64]int{0: 64, 1: 64, 8: 64, 10: 51, 512: 1, 1000: 1} {
		d.lanes.Store(lanes)
		if got := d.slots(); got != want {
			t.Errorf("%d lanes: %d slots, want %d", lanes, got, want)
		}
	}
}

func TestConcurrencyIsBoundedByTheSlots(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, after(time.Second, ok), func(o *Options) { o.MaxInFlight = 3 })
		r.run()
		r.append("a", "b", "c", "d", "e")
		r.idle(time.Second / 2)
		if n := len(r.end.all()); n != 3 {
			t.Errorf("%d in flight, want 3", n)
		}
	})
}
