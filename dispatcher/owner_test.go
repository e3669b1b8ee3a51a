package dispatcher

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"waoutbox/outbox"
)

// Exactly one writes a subscription at any moment, and decides for itself: these tests have starts,
// removals and revivals in between.

// Before: Sync, told while Run was still reading its list, returned without an error and without a
// lane: "sent 0, state {Status: …".
func TestAWebhookAddedWhileTheDispatcherStartsGetsALane(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, ok)
		l := &listing{Subscriptions: r.opt.Subscriptions, meanwhile: func() {
			r.subscribe("wh_new")
			r.must(r.d.Sync(t.Context(), "wh_new"))
		}}
		r.opt.Subscriptions = l
		r.d = New(r.opt)
		r.run()
		r.append("alice")
		r.idle(time.Second)
		n := 0
		for _, s := range r.end.all() {
			if s.Sub == "wh_new" {
				n++
			}
		}
		if n != 1 || r.d.State("wh_new").Status != StatusActive {
			t.Errorf("sent %d, state %+v", n, r.d.State("wh_new"))
		}
	})
}

// listing does something after the list was read and before it is used.
type listing struct {
	Subscriptions
	meanwhile func()
}

func (l *listing) Subs(ctx context.Context) ([]outbox.Subscription, error) {
	subs, err := l.Subscriptions.Subs(ctx)
	if l.meanwhile != nil {
		l.meanwhile()
	}
	return subs, err
}

// A start that fails ends the lanes that appeared meanwhile.
func TestAStartThatFailsLeavesNoLane(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, ok)
		r.fake.Hook(func(op string) error {
			if op == "Subs" {
				if err := r.d.Sync(t.Context(), subA); err != nil {
					t.Errorf("sync: %v", err)
				}
				return outbox.ErrClosed
			}
			return nil
		})
		if err := r.d.Run(t.Context()); !errors.Is(err, outbox.ErrClosed) {
			t.Errorf("got %v", err)
		}
		if r.hasLane(subA) {
			t.Error("a lane is left")
		}
		r.fake.Hook(nil)
		r.run()
		r.append("alice")
		r.idle(time.Second)
		if len(r.end.all()) != 1 {
			t.Errorf("sent %v", r.end.all())
		}
	})
}

// Before: "pending 1, dead 0" of a removed webhook, until the next start.
//
// Mutation of operation.go: a replay that meets a removal revives deliveries for nobody.
func TestAReplayThatMeetsARemovalRevivesNothing(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r, _, seqs := newDiskRig(t, after(time.Second, ok), "alice")
		r.stop()
		a := &asking{Subscriptions: r.opt.Subscriptions}
		r.opt.Subscriptions = a
		r.d = New(r.opt)
		r.run()
		a.once(func() { // the replay has read that the webhook is in use
			r.remove()
			go func() { _ = r.d.Sync(t.Context(), subA) }() // what it leaves is what counts
			synctest.Wait()
		})
		if _, _, err := r.d.Replay(t.Context(), subA, seqs); err != nil && !errors.Is(err, ErrRemoved) {
			t.Errorf("got %v", err)
		}
		r.idle(time.Minute)
		if len(r.pending()) != 0 || len(r.dead()) != 1 {
			t.Errorf("pending %d, dead %d", len(r.pending()), len(r.dead()))
		}
		if _, _, err := r.d.Replay(t.Context(), subA, seqs); !errors.Is(err, ErrRemoved) {
			t.Errorf("a replay after the removal: %v", err)
		}
	})
}

// asking does something after a subscription was read and before that is used.
type asking struct {
	Subscriptions
	meanwhile atomic.Pointer[func()]
}

func (a *asking) once(f func()) { a.meanwhile.Store(&f) }

func (a *asking) Sub(ctx context.Context, id outbox.SubID) (outbox.Subscription, error) {
	s, err := a.Subscriptions.Sub(ctx, id)
	if f := a.meanwhile.Swap(nil); f != nil {
		(*f)()
	}
	return s, err
}

// Before: State had no status, which is shown as the one on disk: active.
//
// Mutation of dispatcher.go: a webhook without a lane shows as active.
func TestAWebhookWithoutALaneIsHeld(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, ok)
		if s := r.d.State(subA); s.Status != "" {
			t.Errorf("without Run: %+v", s)
		}
		r.run()
		r.subscribe("wh_new") // and nobody tells
		if s := r.d.State("wh_new"); s.Status != StatusHeld || s.Reason == "" || s.Since.IsZero() {
			t.Errorf("state %+v", s)
		}
		r.must(r.d.Sync(t.Context(), "wh_new"))
		if s := r.d.State("wh_new"); s.Status != StatusActive {
			t.Errorf("after Sync: %+v", s)
		}
	})
}

// Before: no status, as if no lane were wanted, however long it took.
func TestALaneThatDoesNotLoadIsHeld(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, ok)
		release := make(chan struct{})
		r.fake.Hook(func(op string) error {
			if op == "Load" {
				<-release
			}
			return nil
		})
		r.run()
		r.idle(10 * time.Second)
		if s := r.d.State(subA); s.Status != StatusHeld || s.Since.IsZero() {
			t.Errorf("state %+v", s)
		}
		close(release)
		r.idle(time.Second)
		if s := r.d.State(subA); s.Status != StatusActive {
			t.Errorf("state %+v", s)
		}
	})
}

// One who writes without Run and the lane of a Run that begins meanwhile are never at work at once.
func TestALaneWaitsForWhoeverWroteBeforeRun(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r, d, seqs := newDiskRig(t, ok, "alice")
		r.stop()
		old := len(r.end.all())
		d.loads = func(writing int64) {
			if writing > 0 {
				t.Error("loaded while a write goes on")
			}
		}
		r.d = New(r.opt)
		d.delay.Store(int64(3 * time.Second))
		replayed := make(chan error, 1)
		go func() {
			_, _, err := r.d.Replay(r.leaving(time.Second), subA, seqs)
			replayed <- err
		}()
		synctest.Wait()
		r.run()
		if err := r.d.Pause(r.leaving(100*time.Millisecond), subA, "too early"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("pause: %v", err)
		}
		if err := <-replayed; err != nil {
			t.Errorf("replay: %v", err) // without a lane the call returns when it is done
		}
		r.idle(time.Minute)
		if got := r.end.seqs()[old:]; !slices.Equal(got, seqs) || len(r.pending()) != 0 {
			t.Errorf("sent %v, pending %d", got, len(r.pending()))
		}
	})
}

// A webhook that comes back while its backlog is being dead-lettered gets a lane again, though
// nobody waits for it.
func TestAWebhookRevivedDuringItsRemovalGetsALane(t *testing.T) {
	for _, delay := range []time.Duration{0, time.Second, 2500 * time.Millisecond, 10 * time.Second} {
		everywhere(t, func(t *testing.T) {
			r, d, _ := newDiskRig(t, ok, "alice")
			r.must(r.d.Pause(t.Context(), subA, "so that a backlog grows"))
			r.append("alice", "bob")
			d.delay.Store(int64(2 * time.Second))
			gone, cancel := context.WithCancel(t.Context())
			cancel()
			r.remove()
			_ = r.d.Sync(gone, subA)
			r.idle(delay)
			r.revive()
			_ = r.d.Sync(gone, subA)
			r.idle(time.Minute)
			if !r.hasLane(subA) || r.letters() > 3 || r.d.State(subA).Status != StatusPaused {
				t.Errorf("after %v: lane %v, %d letters, state %+v", delay, r.hasLane(subA), r.letters(), r.d.State(subA))
			}
			r.stop()
		})
	}
}

// A Run that begins while the one before is not over is refused. Before, "got <nil>": it began as
// soon as the last lane had ended, and the first Run could then wait for the lanes of the second.
func TestARunThatDrainsIsNotOver(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, ok)
		r.d.wg.Add(1) // a lane's goroutine that has nothing left to do and has not ended
		r.run()
		go r.stop()
		r.idle(4 * r.delay)
		if r.hasLane(subA) {
			t.Fatal("the lane has not ended")
		}
		again, end := context.WithCancel(t.Context())
		second := make(chan error, 1)
		go func() { second <- r.d.Run(again) }()
		synctest.Wait()
		end()
		r.d.wg.Done()
		if err := <-second; !errors.Is(err, errRunning) {
			t.Errorf("got %v", err)
		}
	})
}
