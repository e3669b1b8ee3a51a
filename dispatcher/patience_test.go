package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"waoutbox/outbox"
)

// A caller's patience never decides a write's fate: these tests have callers who leave at the worst
// moment.

// disk is an engine whose writes take their time. Whoever leaves during one is told that the
// outcome is unknown; the write lands all the same.
type disk struct {
	Source
	delay   atomic.Int64 // of a write
	writing atomic.Int64
	loads   func(writing int64) // called by Load
}

func (d *disk) Commit(ctx context.Context, c outbox.Change) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d.writing.Add(1)
	done := make(chan error, 1)
	go func() {
		<-time.After(time.Duration(d.delay.Load()))
		err := d.Source.Commit(context.WithoutCancel(ctx), c)
		d.writing.Add(-1)
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", outbox.ErrUnknown, ctx.Err())
	}
}

func (d *disk) Load(ctx context.Context, sub outbox.SubID) (outbox.Seq, []byte, []outbox.Record, error) {
	if d.loads != nil {
		d.loads(d.writing.Load())
	}
	return d.Source.Load(ctx, sub)
}

// newDiskRig has one dead letter of each chat given.
func newDiskRig(t *testing.T, reply func(context.Context, Request) Result, dead ...string) (*rig, *disk, []outbox.Seq) {
	works := new(atomic.Bool)
	r := newRig(t, func(ctx context.Context, q Request) Result {
		if !works.Load() {
			return status(503)
		}
		return reply(ctx, q)
	})
	d := &disk{Source: r.opt.Source}
	r.opt.Source = d
	r.d = New(r.opt)
	r.run()
	seqs := r.append(dead...)
	r.idle(2 * time.Minute)
	if n := r.letters(); n != len(dead) {
		t.Fatalf("%d dead letters, want %d", n, len(dead))
	}
	works.Store(true)
	return r, d, seqs
}

// leaving is a context that ends after a while.
func (r *rig) leaving(after time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), after)
	r.t.Cleanup(cancel)
	return ctx
}

// Before: "the next event left after 8s": each call that left during a settlement doubled the wait
// of the lane.
func TestCallersWhoLeaveDoNotHoldTheLane(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r, d, seqs := newDiskRig(t, ok, "alice", "bob", "carol", "dora")
		d.delay.Store(int64(20 * time.Millisecond))
		for _, seq := range seqs {
			r.append("someone") // something to settle
			if _, _, err := r.d.Replay(r.leaving(5*time.Millisecond), subA, []outbox.Seq{seq}); err == nil {
				t.Fatal("a replay was written in less time than a write takes")
			}
		}
		begin := time.Since(r.end.start)
		last := r.append("eve")[0]
		r.idle(time.Minute)
		all := r.end.all()
		i := slices.IndexFunc(all, func(s sent) bool { return s.Seq == last })
		if i < 0 || all[i].At-begin > 10*time.Millisecond+4*r.delay {
			t.Errorf("the next event left after %v", all[max(i, 0)].At-begin)
		}
		if s := r.d.State(subA); s.Status != StatusActive {
			t.Errorf("state %+v", s)
		}
	})
}

// Before: "sent [2 2 1], want [2 1] once each": the lane ended, and the attempt in flight with it.
func TestACallCutOffDuringTheWriteDoesNotEndTheLane(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r, d, seqs := newDiskRig(t, after(3*time.Second, ok), "alice")
		old := len(r.end.all())
		bob := r.append("bob")[0]
		r.idle(time.Second)
		d.delay.Store(int64(20 * time.Millisecond))
		_, _, err := r.d.Replay(r.leaving(10*time.Millisecond), subA, seqs)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		r.idle(time.Minute)
		var got []outbox.Seq
		for _, s := range r.end.all()[old:] {
			got = append(got, s.Seq)
		}
		if !slices.Equal(got, []outbox.Seq{bob, seqs[0]}) {
			t.Errorf("sent %v, want %v once each", got, []outbox.Seq{bob, seqs[0]})
		}
	})
}

// Before: "loaded after 1.1s while a write goes on", and then "sent [1 2 1], want each once".
func TestALaneLoadsOnlyAfterItsWriteHasEnded(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, ok)
		var broken atomic.Bool
		d := &disk{Source: breaking{r.opt.Source, &broken}}
		d.loads = func(writing int64) {
			if writing > 0 {
				t.Errorf("loaded after %v while a write goes on", time.Since(r.end.start))
			}
		}
		r.opt.Source = d
		r.d = New(r.opt)
		r.run()
		d.delay.Store(int64(3 * time.Second))
		r.append("slow")
		r.idle(100 * time.Millisecond) // delivered; its settlement is being written
		broken.Store(true)
		r.append("other")
		r.idle(100 * time.Millisecond)
		broken.Store(false)
		r.idle(time.Minute)
		if got := r.end.seqs(); !slices.Equal(got, []outbox.Seq{1, 2}) {
			t.Errorf("sent %v, want each once", got)
		}
	})
}

// breaking panics in Read while told to.
type breaking struct {
	Source
	broken *atomic.Bool
}

func (b breaking) Read(ctx context.Context, sub outbox.SubID, from outbox.Seq, maxBytes int) ([]outbox.Event, outbox.Seq, error) {
	if b.broken.Load() {
		panic("broken engine")
	}
	return b.Source.Read(ctx, sub, from, maxBytes)
}

// Before: "queued 0, missing [1]", then "sent [], pending 1, dead 0": the lane had loaded before
// the write reached the disk, and knew nothing of it until the next start.
func TestAReplayOnASlowDiskIsDeliveredThoughItsCallerLeft(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r, d, seqs := newDiskRig(t, after(5*time.Second, ok), "alice")
		old := len(r.end.all())
		d.delay.Store(int64(1500 * time.Millisecond))
		if _, _, err := r.d.Replay(r.leaving(150*time.Millisecond), subA, seqs); err == nil {
			t.Fatal("the caller did not leave")
		}
		r.idle(3 * time.Second) // it is on disk, and in flight
		queued, missing, err := r.d.Replay(t.Context(), subA, seqs)
		if queued != 0 || len(missing) != 0 || err != nil {
			t.Errorf("a second replay: queued %d, missing %v, %v", queued, missing, err)
		}
		r.idle(time.Minute)
		if got := r.end.seqs()[old:]; !slices.Equal(got, seqs) || len(r.pending()) != 0 || len(r.dead()) != 0 {
			t.Errorf("sent %v, pending %d, dead %d", got, len(r.pending()), len(r.dead()))
		}
	})
}

// Whoever leaves before the lane took up the work has changed nothing.
func TestARequestThatIsNotTakenUpIsWithdrawn(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r, d, seqs := newDiskRig(t, ok, "alice", "bob")
		d.delay.Store(int64(time.Second))
		go func() { _, _, _ = r.d.Replay(t.Context(), subA, seqs[:1]) }() // its record tells
		synctest.Wait()
		if _, _, err := r.d.Replay(r.leaving(100*time.Millisecond), subA, seqs[1:]); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		r.idle(time.Minute)
		if dead := r.dead(); len(dead) != 1 || dead[0].Seq != seqs[1] {
			t.Errorf("dead %+v, want the second letter alone", dead)
		}
	})
}

// Before: "sent to [], want [http://one/ http://two/]", the removed one had "dead [], lane false":
// Sync returned with the context's error and did nothing.
func TestSyncIsDoneThoughItsCallerHasLeft(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		var urls []string
		r := newRig(t, func(ctx context.Context, q Request) Result {
			urls = append(urls, q.Webhook.URL)
			return ok(ctx, q)
		})
		r.remove() // of subA: out of the way
		r.run()
		r.idle(time.Second)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		hook := outbox.Subscription{ID: "wh_new", Epochs: []outbox.Epoch{{Filter: outbox.Filter{Events: []string{outbox.Any}}}}}
		put := func(url string) {
			cfg, err := outbox.EncodeWebhook(outbox.Webhook{URL: url})
			r.must(err)
			hook.Config = cfg
			hook = r.put(hook)
			if err := r.d.Sync(gone, "wh_new"); !errors.Is(err, context.Canceled) && err != nil {
				t.Errorf("sync: %v", err)
			}
			r.idle(time.Second)
		}
		put("http://one/")
		r.append("alice")
		r.idle(time.Second)
		put("http://two/")
		r.append("alice")
		r.idle(time.Second)
		if want := []string{"http://one/", "http://two/"}; !slices.Equal(urls, want) {
			t.Errorf("sent to %v, want %v", urls, want)
		}
		r.must(r.d.Pause(t.Context(), "wh_new", "so that a backlog grows"))
		r.append("alice", "bob")
		hook.Removed = true
		hook.Epochs = append(hook.Epochs, outbox.Epoch{})
		put("http://two/")
		dead, err := r.fake.Dead(t.Context(), "wh_new", 0, 256)
		r.must(err)
		if len(dead) != 1 || dead[0].Count != 2 || r.hasLane("wh_new") {
			t.Errorf("dead %+v, lane %v", dead, r.hasLane("wh_new"))
		}
		hook.Removed = false
		hook.Epochs = append(hook.Epochs, outbox.Epoch{Filter: outbox.Filter{Events: []string{outbox.Any}}})
		put("http://three/")
		r.must(r.d.Resume(t.Context(), "wh_new"))
		r.append("alice")
		r.idle(time.Second)
		if !slices.Contains(urls, "http://three/") {
			t.Errorf("a revived webhook: sent to %v", urls)
		}
	})
}

// A panic while something is written leaves its outcome unknown: it is repeated, and the process
// lives. Before: the process ended.
func TestAPanicInACommitIsRepeated(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, ok)
		panics := 2
		r.fake.Hook(func(op string) error {
			if op == "Commit" && panics > 0 {
				panics--
				panic("broken engine")
			}
			return nil
		})
		r.run()
		r.append("alice")
		r.idle(500 * time.Millisecond)
		if s := r.d.State(subA); s.Status != StatusHeld {
			t.Errorf("state %+v", s)
		}
		r.idle(time.Minute)
		if r.next() != 2 || len(r.end.all()) != 1 {
			t.Errorf("next %d, sent %v", r.next(), r.end.all())
		}
	})
}

// Before, "4 writes, want the one of the resumption": a lane could take the work up before it was
// withdrawn.
func TestWhoeverHasLeftBeforeTheCallAsksForNothing(t *testing.T) {
	r := newRig(t, ok)
	var writes atomic.Int32
	reads := make(chan struct{}, 1)
	r.fake.Hook(func(op string) error {
		switch op {
		case "Commit":
			writes.Add(1)
		case "Read":
			select {
			case reads <- struct{}{}:
			default:
			}
		}
		return nil
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.d.Run(ctx) }()
	gone, leave := context.WithCancel(t.Context())
	leave()
	for range 1000 {
		if err := r.d.Pause(gone, subA, "gone"); !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
	}
	r.must(r.d.Resume(t.Context(), subA))
	if n := writes.Load(); n > 1 {
		t.Errorf("%d writes, want the one of the resumption", n)
	}
	<-reads // a Run that is stopped before its lane runs has failed
	stop()
	r.must(<-ended)
}
