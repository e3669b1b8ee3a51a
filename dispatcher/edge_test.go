package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"waoutbox/dispatcher/scheduler"
	"waoutbox/outbox"
)

// stepping returns Owed in single steps over sequences, as an engine with short transactions may.
type stepping struct{ Source }

func (s stepping) Owed(ctx context.Context, sub outbox.SubID, from, to outbox.Seq, _ int) ([]outbox.Event, outbox.Seq, error) {
	evs, _, err := s.Source.Owed(ctx, sub, from, from, 1)
	return evs, from + 1, err
}

func TestTakingALetterOutOfARunOverManyUnwantedEvents(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, ok)
		r.put(outbox.Subscription{ID: subA, Epochs: []outbox.Epoch{{From: 1, Filter: outbox.Filter{Events: []string{outbox.Any}, Chats: []string{"alice"}}}}})
		for range 3 {
			r.append("alice", "bob", "bob", "bob")
		}
		r.remove()
		count, err := r.d.DeadLetterBacklog(t.Context(), subA)
		if count != 3 || err != nil {
			t.Fatalf("count %d, %v", count, err)
		}
		r.opt.Source = stepping{r.opt.Source}
		r.d = New(r.opt)
		purged, missing, err := r.d.Purge(t.Context(), subA, []outbox.Seq{1, 2})
		if purged != 1 || len(missing) != 1 || err != nil {
			t.Errorf("purged %d, missing %v, %v", purged, missing, err)
		}
		if d := r.dead(); len(d) != 1 || d[0].Seq != 5 || d[0].Last != 9 || d[0].Count != 2 {
			t.Errorf("left %+v", d)
		}
	})
}

// failing gives the errors of a list to Commit, one a call.
type failing struct {
	Source
	errs []error
	n    int
}

func (a *failing) Commit(context.Context, outbox.Change) error {
	a.n++
	return a.errs[min(a.n, len(a.errs))-1]
}

func TestAnUnknownOutcomeStaysUnknown(t *testing.T) {
	for _, c := range []struct {
		errs    []error
		unknown bool
		fails   bool
		calls   int
	}{
		{[]error{nil}, false, false, 1},
		{[]error{outbox.ErrUnknown, nil}, false, false, 2},
		{[]error{outbox.ErrFull}, false, true, 1},
		{[]error{outbox.ErrUnknown, outbox.ErrClosed}, true, true, 2},
		{[]error{outbox.ErrUnknown}, true, true, commitTries},
	} {
		a := &failing{errs: c.errs}
		err := commitRepeatedly(t.Context(), a, outbox.Change{Sub: subA})
		if errors.Is(err, outbox.ErrUnknown) != c.unknown || (err != nil) != c.fails || a.n != c.calls {
			t.Errorf("%v: %v after %d calls", c.errs, err, a.n)
		}
	}
}

// A replay whose outcome is unknown makes the lane load again: what was queued is delivered
// although its caller got an error.
//
// Mutation of settler.go: a replay of unknown outcome is given up though it may be on disk.
func TestAReplayOfUnknownOutcomeIsLoadedFromDisk(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		works, reply := switchable()
		r := newRig(t, reply)
		u := &doubtful{Source: r.opt.Source}
		r.opt.Source = u
		r.d = New(r.opt)
		r.run()
		seqs := r.append("alice")
		r.idle(time.Minute)
		works.Store(true)
		u.doubt.Store(true)
		if _, _, err := r.d.Replay(t.Context(), subA, seqs); !errors.Is(err, outbox.ErrUnknown) {
			t.Errorf("got %v", err)
		}
		u.doubt.Store(false)
		r.idle(time.Minute)
		all := r.end.all()
		if last := all[len(all)-1]; last.Replay != 1 || len(r.dead()) != 0 || len(r.pending()) != 0 {
			t.Errorf("last attempt %+v, dead %v, pending %v", last, r.dead(), r.pending())
		}
	})
}

// doubtful commits, and then says that it does not know.
type doubtful struct {
	Source
	doubt atomic.Bool
}

func (d *doubtful) Commit(ctx context.Context, c outbox.Change) error {
	if err := d.Source.Commit(ctx, c); err != nil || !d.doubt.Load() {
		return err
	}
	return outbox.ErrUnknown
}

func TestAHangingChatDoesNotHoldTheCursor(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, func(ctx context.Context, q Request) Result {
			if q.Event.Chat == "alice" {
				return after(time.Hour, ok)(ctx, q)
			}
			return ok(ctx, q)
		})
		r.run()
		r.append("alice")
		var last outbox.Seq
		for i := range 50 {
			last = r.append(fmt.Sprintf("chat%d", i))[0]
			r.idle(10 * time.Millisecond)
		}
		r.idle(10 * r.delay)
		if p := r.pending(); r.next() != last+1 || len(p) != 1 || p[0].Seq != 1 || p[0].Attempts != 0 {
			t.Errorf("next %d of %d, pending %+v", r.next(), last, p)
		}
	})
}

func TestAWebhookThatNeverMatchesPinsNothing(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, ok)
		r.put(outbox.Subscription{ID: subA, Epochs: []outbox.Epoch{{From: 1, Filter: outbox.Filter{Events: []string{"presence.update"}}}}})
		r.run()
		last := r.append("alice", "bob")[1]
		r.idle(2 * time.Minute)
		if r.next() != last+1 {
			t.Errorf("next %d after two minutes, want %d", r.next(), last+1)
		}
		for range 1100 {
			last = r.append("alice")[0]
		}
		r.idle(time.Second)
		if d := last + 1 - r.next(); d >= scheduler.SkipEvents {
			t.Errorf("next is %d behind", d)
		}
	})
}

// An undecodable record comes without an order key; it must not overtake its chat.
func TestARecordWithoutAnOrderKeyKeepsItsPlace(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, after(time.Second, ok))
		r.append("alice", "alice")
		r.must(r.fake.Commit(t.Context(), outbox.Change{Sub: subA, Next: 2, Set: []outbox.Record{{Seq: 1, State: outbox.Pending, Reason: "undecodable"}}}))
		r.run()
		r.idle(time.Minute)
		if r.end.overlap || fmt.Sprint(r.end.seqs()) != "[1 2]" {
			t.Errorf("sent %v, at once: %v", r.end.seqs(), r.end.overlap)
		}
	})
}

func TestALaneThatCannotLoadRepliesToItsRequests(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, ok)
		r.fake.Hook(func(op string) error {
			if op == "Load" {
				panic("broken engine")
			}
			return nil
		})
		r.run()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.d.Sync(ctx, subA); err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the reason", err)
		}
		r.fake.Hook(nil)
		r.must(r.d.Sync(t.Context(), subA)) // whoever asks makes it try at once
		if s := r.d.State(subA); s.Status != StatusActive {
			t.Errorf("state %+v", s)
		}
	})
}

func TestConfigurationThatCannotBeReadHoldsTheLaneUntilItIsMended(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, ok)
		r.run()
		epochs := []outbox.Epoch{{From: 1, Filter: outbox.Filter{Events: []string{outbox.Any}}}}
		r.put(outbox.Subscription{ID: subA, Config: []byte(`{"v":99}`), Epochs: epochs})
		if err := r.d.Sync(t.Context(), subA); err == nil {
			t.Error("a configuration of a later version was accepted")
		}
		r.append("alice")
		r.idle(10 * time.Second)
		if s := r.d.State(subA); s.Status != StatusHeld || len(r.end.all()) != 0 {
			t.Errorf("state %+v, sent %v", s, r.end.all())
		}
		r.put(outbox.Subscription{ID: subA, Epochs: epochs})
		r.must(r.d.Sync(t.Context(), subA))
		r.idle(time.Second)
		if len(r.end.all()) != 1 {
			t.Errorf("sent %v", r.end.all())
		}
	})
}

// Before: "0 attempts": the lane failed to load for ever, and neither resuming nor adding the
// webhook again could mend it.
func TestADamagedLaneStateIsBegunAnew(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, ok)
		r.append("alice", "bob")
		r.must(r.fake.Commit(t.Context(), outbox.Change{Sub: subA, Lane: []byte{laneVersion, 9, 9}}))
		r.run()
		r.idle(time.Minute)
		if n := len(r.end.all()); n != 2 {
			t.Errorf("%d attempts", n)
		}
		if _, lane, _, err := r.fake.Load(t.Context(), subA); err != nil || len(lane) < laneHead {
			t.Errorf("stored lane state %q, %v", lane, err)
		}
	})
}

// Before: since moved with every retry: "held since 9m3s", which is when the last of them began.
func TestAHoldKeepsItsBeginning(t *testing.T) {
	for name, spoil := range map[string]func(r *rig){
		"sending": func(r *rig) {
			r.end.reply = func(context.Context, Request) Result {
				return Result{Class: outbox.ClassLocal, Message: "no descriptors"}
			}
		},
		"reading": func(r *rig) {
			r.fake.Hook(func(op string) error {
				if op == "Read" {
					return outbox.ErrClosed
				}
				return nil
			})
		},
		"loading": func(r *rig) {
			r.must(r.fake.Commit(context.Background(), outbox.Change{Sub: subA, Lane: []byte{99}}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(t *testing.T) {
				r := newRig(t, ok)
				spoil(r)
				begin := time.Now()
				r.run()
				r.append("alice")
				r.idle(10 * time.Minute)
				if s := r.d.State(subA); s.Status != StatusHeld || s.Since.Sub(begin) > time.Second {
					t.Errorf("%s since %v", s.Status, s.Since.Sub(begin))
				}
			})
		})
	}
}
