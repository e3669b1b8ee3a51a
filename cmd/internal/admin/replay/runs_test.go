package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// bench is a webhook in small: dead letters that are moved, and after a while delivered or dead
// again. Its clock is the bubble's.
type bench struct {
	mu        sync.Mutex
	dead      map[outbox.Seq]int       // replay number of what is dead
	pending   map[outbox.Seq]time.Time // and when it ends
	moves     []outbox.Seq             // every one that was made pending, in order
	delivered map[outbox.Seq]bool
	replays   map[outbox.Seq]int // how often each was moved
	most      int                // that were pending at once
	took      time.Duration
	slow      time.Duration // how long a move takes
	fails     func(seq outbox.Seq) bool
	reason    string // of what fails, "" = 500
	// of the nth call; reaches: the batch was moved all the same
	moveErr func(n int) (reaches bool, err error)
	calls   int
	others  int
	blocked string
	ended   int
}

func newBench(n int) *bench {
	b := &bench{dead: map[outbox.Seq]int{}, pending: map[outbox.Seq]time.Time{}, delivered: map[outbox.Seq]bool{}, replays: map[outbox.Seq]int{}, took: 50 * time.Millisecond}
	for i := range n {
		b.dead[outbox.Seq(i+1)] = 0
	}
	return b
}

var errGone = errors.New("the webhook is gone")

// endDue ends what has been pending for long enough, with mu held.
func (b *bench) endDue() {
	for seq, at := range b.pending {
		switch {
		case time.Now().Before(at):
			continue
		case b.fails != nil && b.fails(seq):
			b.dead[seq] = b.replays[seq]
		default:
			b.delivered[seq] = true
		}
		delete(b.pending, seq)
	}
}

// job replays everything that is dead when it is made.
func (b *bench) job(rate float64) Job {
	var todo []Item
	for seq, n := range b.dead {
		todo = append(todo, Item{Seq: seq, Replay: n})
	}
	slices.SortFunc(todo, func(a, c Item) int { return int(a.Seq) - int(c.Seq) })
	return Job{
		Webhook: "wh_A", URL: "http://localhost/", Kind: api.ReplayDeadLetters, Total: int64(len(todo)), Rate: rate,
		Next: func(context.Context) ([]Item, int64, error) {
			n := min(len(todo), outbox.MaxBatch)
			items := todo[:n:n]
			todo = todo[n:]
			return items, 0, nil
		},
		Move: func(ctx context.Context, seqs []outbox.Seq) (missing []outbox.Seq, err error) {
			if b.slow > 0 { // the bubble's time
				select {
				case <-time.After(b.slow):
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			}
			b.mu.Lock()
			defer b.mu.Unlock()
			b.endDue()
			b.calls++
			reaches := true
			if b.moveErr != nil {
				reaches, err = b.moveErr(b.calls)
			}
			if err != nil && !reaches {
				return nil, err
			}
			for _, seq := range seqs {
				if _, dead := b.dead[seq]; !dead {
					if _, pending := b.pending[seq]; !pending {
						missing = append(missing, seq)
					}
					continue
				}
				b.moves = append(b.moves, seq)
				b.replays[seq]++
				b.pending[seq] = time.Now().Add(b.took)
				delete(b.dead, seq)
			}
			b.most = max(b.most, len(b.pending))
			return missing, err
		},
		Fate: func(_ context.Context, item Item, _ bool) (Fate, api.LastError, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.endDue()
			n, dead := b.dead[item.Seq]
			_, pending := b.pending[item.Seq]
			switch {
			case pending:
				return Pending, api.LastError{}, nil
			case dead && n == item.Replay:
				return Untouched, api.LastError{}, nil
			case dead:
				return Dead, api.LastError{Class: cmp.Or(b.reason, "http"), Status: 500}, nil
			case b.delivered[item.Seq]:
				return Delivered, api.LastError{}, nil
			}
			return Gone, api.LastError{}, nil
		},
		Outstanding: func(context.Context) (int, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.others + len(b.pending), nil
		},
		Blocked: func() string { return b.blocked },
		Judge:   func(err error) (string, bool) { return err.Error(), errors.Is(err, errGone) },
		Ended:   func() { b.ended++ },
	}
}

// runs begins the job in a bubble and returns how it ended.
func runs(t *testing.T, b *bench, j Job) (end api.ReplayRun) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := New(slog.New(slog.DiscardHandler))
		defer r.Close()
		began, err := r.Start(j)
		if err != nil || began.State != api.ReplayRunning {
			t.Fatalf("%+v, %v", began, err)
		}
		// the bubble's clock
		for deadline := time.Now().Add(time.Hour); ; <-time.After(time.Second) {
			if end = r.List()[0]; end.State != api.ReplayRunning {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("after an hour: %+v", end)
			}
		}
		if sum := end.Delivered + end.Failed + end.Queued + end.Left + end.Missing + end.Unreplayable; sum != end.Total {
			t.Errorf("%+v: the numbers add up to %d", end, sum)
		}
		if b.ended != 1 {
			t.Errorf("the job was told of its end %d times", b.ended)
		}
	})
	return end
}

// ascending reports whether every sequence is above the one before, which also means once.
func ascending(seqs []outbox.Seq) bool {
	return slices.IsSorted(seqs) && len(slices.Compact(slices.Clone(seqs))) == len(seqs)
}

func TestARunMovesEachOnceInOrderWithinItsWindow(t *testing.T) {
	b := newBench(1000)
	end := runs(t, b, b.job(0))
	if end.State != api.ReplayDone || end.Delivered != 1000 || !ascending(b.moves) || len(b.moves) != 1000 || b.most > Window {
		t.Errorf("%+v, %d moves, at most %d outstanding", end, len(b.moves), b.most)
	}
}

// What others have outstanding counts into the window.
func TestARunLeavesRoomForOthers(t *testing.T) {
	b := newBench(200)
	b.others = Window - 3
	if end := runs(t, b, b.job(0)); end.Delivered != 200 || b.most > 3 {
		t.Errorf("%+v, at most %d outstanding, want 3", end, b.most)
	}
}

// Mutation of run.go: a panic in a replay ends the process.
func TestARunThatPanicsEndsAlone(t *testing.T) {
	b := newBench(3)
	j := b.job(0)
	j.Fate = func(context.Context, Item, bool) (Fate, api.LastError, error) { panic("bug") }
	if end := runs(t, b, j); end.State != api.ReplayEnded || !strings.Contains(end.Ended, "the log has more") || b.ended != 1 {
		t.Errorf("%+v, ended %d times", end, b.ended)
	}
}

func TestARunKeepsItsRate(t *testing.T) {
	for _, rate := range []float64{0.5, 10, 200} {
		b := newBench(60)
		end := runs(t, b, b.job(rate))
		if took := end.EndedAt.Sub(end.StartedAt).Seconds(); took < 55/rate || took > 62/rate+2 {
			t.Errorf("60 at %g a second took %.1f s", rate, took)
		}
	}
}

// Ten failures in a row end it, whatever the window was; a success starts the count anew.
//
// Mutation of run.go: a replay touches everything while the endpoint is down.
func TestARunGivesUp(t *testing.T) {
	b := newBench(300)
	b.fails = func(outbox.Seq) bool { return true }
	if end := runs(t, b, b.job(0)); end.State != api.ReplayGaveUp || len(b.moves) != maxFailures || end.Left != 290 || end.FailedInRow != maxFailures {
		t.Errorf("%+v, %d moved", end, len(b.moves))
	}
	b = newBench(300)
	b.fails = func(seq outbox.Seq) bool { return seq%10 != 0 }
	if end := runs(t, b, b.job(0)); end.State != api.ReplayDone || end.Failed != 270 || end.Delivered != 30 {
		t.Errorf("%+v", end)
	}
	b = newBench(40)
	b.fails = func(outbox.Seq) bool { return true }
	j := b.job(0)
	j.KeepGoing = true
	if end := runs(t, b, j); end.State != api.ReplayDone || end.Failed != 40 || len(b.moves) != 40 {
		t.Errorf("%+v", end)
	}
}

// A run sees what its deliveries came to while it moves others, also on a disk so slow that the
// rate allows for another one after each. Before, it saw nothing until 256 were outstanding.
func TestARunOnASlowDiskSeesWhatFails(t *testing.T) {
	b := newBench(1000)
	b.slow = 40 * time.Millisecond
	b.fails = func(seq outbox.Seq) bool { return seq > 20 }
	end := runs(t, b, b.job(50))
	if end.State != api.ReplayGaveUp || len(b.moves) > 60 {
		t.Errorf("%+v after %d moves", end, len(b.moves))
	}
}

// TestWhatDiesWithoutAnAttemptIsNoFailureInARow: it says nothing about the endpoint. The run gave
// up: "10 deliveries in a row failed".
func TestWhatDiesWithoutAnAttemptIsNoFailureInARow(t *testing.T) {
	for _, reason := range []string{dispatcher.ReasonUnregistered, dispatcher.ReasonSkipped, dispatcher.ReasonExpired, dispatcher.ReasonCorrupt} {
		b := newBench(100)
		b.reason, b.fails = reason, func(seq outbox.Seq) bool { return seq%2 == 0 || seq > 60 }
		if end := runs(t, b, b.job(0)); end.State != api.ReplayDone || end.Delivered != 30 || end.Failed != 70 || end.FailedInRow != 0 {
			t.Errorf("%s: %+v", reason, end)
		}
	}
}

// A move that fails is tried again; one of unknown outcome that reached the disk moves nothing a
// second time, though its letters have died again meanwhile.
//
// Mutation of run.go: after a write of unknown outcome a replay takes what it has moved for
// untouched, and moves it again.
func TestARunRepeatsOnlyWhatWasNotMoved(t *testing.T) {
	for _, reaches := range []bool{false, true} {
		b := newBench(300)
		b.moveErr = func(n int) (bool, error) {
			if n%3 == 1 {
				return reaches, fmt.Errorf("the disk did not confirm the write")
			}
			return true, nil
		}
		b.fails = func(seq outbox.Seq) bool { return seq%7 == 0 }
		end := runs(t, b, b.job(0))
		if end.State != api.ReplayDone || end.Failed != 300/7 || end.Delivered != 300-300/7 || len(b.moves) != 300 {
			t.Errorf("reaches %v: %+v, %d moves", reaches, end, len(b.moves))
		}
		sorted := slices.Sorted(slices.Values(b.moves))
		if !ascending(sorted) {
			t.Errorf("reaches %v: some were moved twice", reaches)
		}
	}
}

// An error that no repetition helps ends it, with its sentence; what it waits for is told
// meanwhile.
func TestARunEndsByWhatCannotPass(t *testing.T) {
	b := newBench(20)
	b.moveErr = func(n int) (bool, error) {
		if n > 1 {
			return false, errGone
		}
		return true, nil
	}
	if end := runs(t, b, b.job(10)); end.State != api.ReplayEnded || end.Ended != errGone.Error() || end.Left == 0 {
		t.Errorf("%+v", end)
	}
	synctest.Test(t, func(t *testing.T) {
		b := newBench(20)
		b.moveErr = func(int) (bool, error) { return false, errors.New("the disk is full") }
		r := New(slog.New(slog.DiscardHandler))
		defer r.Close()
		if _, err := r.Start(b.job(0)); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Minute)
		synctest.Wait()
		now := r.List()[0]
		if now.State != api.ReplayRunning || !strings.Contains(now.Waiting, "full") || now.SecondsLeft != 0 || b.calls > 10 {
			t.Errorf("%+v after %d calls", now, b.calls)
		}
	})
}

// Letters that others purge before their turn are missing, and never delivered.
func TestARunCountsWhatIsGone(t *testing.T) {
	b := newBench(30)
	j := b.job(0)
	for seq := outbox.Seq(5); seq <= 12; seq++ {
		delete(b.dead, seq)
	}
	if end := runs(t, b, j); end.State != api.ReplayDone || end.Delivered != 22 || end.Missing != 8 {
		t.Errorf("%+v", end)
	}
}

// One run a webhook; a stop returns when nothing more is moved; a closed one begins none.
//
// Mutation of runs.go: two replays of one webhook run at once.
func TestRunsAreOneAWebhook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, other := newBench(100), newBench(50)
		r := New(slog.New(slog.DiscardHandler))
		if _, err := r.Start(b.job(10)); err != nil {
			t.Fatal(err)
		}
		if now, err := r.Start(b.job(10)); !errors.Is(err, ErrRunning) || now.Total != 100 {
			t.Errorf("%+v, %v", now, err)
		}
		second := other.job(1)
		second.Webhook = "wh_B"
		if _, err := r.Start(second); err != nil {
			t.Fatal(err)
		}
		<-time.After(3 * time.Second)
		if got := r.Stop("wh_NONE", "stopped"); len(got) != 0 {
			t.Errorf("%+v", got)
		}
		stopped := r.Stop("wh_A", "stopped by cli")
		synctest.Wait()
		moved := len(b.moves)
		if len(stopped) != 1 || stopped[0].State != api.ReplayStopped || stopped[0].Ended != "stopped by cli" || stopped[0].Left != int64(100-moved) {
			t.Errorf("%+v, %d moved", stopped, moved)
		}
		<-time.After(3 * time.Second)
		if len(b.moves) != moved {
			t.Errorf("%d were moved after the stop", len(b.moves)-moved)
		}
		if list := r.List(); len(list) != 2 || list[0].Webhook != "wh_B" { // what runs stands first
			t.Errorf("%+v", list)
		}
		if _, err := r.Start(b.job(0)); err != nil { // the rest
			t.Fatal(err)
		}
		<-time.After(5 * time.Second)
		synctest.Wait()
		b.mu.Lock()
		if len(b.dead) != 0 || !ascending(b.moves) {
			t.Errorf("%d are dead, %d moves", len(b.dead), len(b.moves))
		}
		b.mu.Unlock()
		r.Close()
		if _, err := r.Start(b.job(0)); !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	})
}

// Many webhooks' ended runs are not remembered for ever.
func TestEndedRunsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(slog.New(slog.DiscardHandler))
		defer r.Close()
		for i := range maxEnded + 20 {
			j := newBench(1).job(0)
			j.Webhook = outbox.SubID(fmt.Sprintf("wh_%d", i))
			if _, err := r.Start(j); err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Second)
		}
		if n := len(r.List()); n > maxEnded {
			t.Errorf("%d are remembered, at most %d", n, maxEnded)
		}
	})
}

func TestSpeed(t *testing.T) {
	var s speed
	at := time.Unix(100, 0)
	if got := s.perSecond(at, 0); got != 0 {
		t.Errorf("before anything: %g", got)
	}
	for i := range 200 { // 20 a second for 20 s
		s.note(at.Add(time.Duration(i)*100*time.Millisecond), int64(2*i))
	}
	if got := s.perSecond(at.Add(19900*time.Millisecond), 398); got < 19 || got > 21 || len(s.marks) > 60 {
		t.Errorf("%g a second, %d marks", got, len(s.marks))
	}
}

// An end is known for what is watched only, until it is no longer.
func TestEnds(t *testing.T) {
	var e Ends
	e.Ended(dispatcher.DeliveryEnd{Sub: "a", Seq: 1})
	e.Watch("a", []outbox.Seq{1, 2, 3})
	if _, _, known := e.Told("a", 1); known {
		t.Error("an end from before it was watched is known")
	}
	e.Ended(dispatcher.DeliveryEnd{Sub: "a", Seq: 1})
	e.Ended(dispatcher.DeliveryEnd{Sub: "a", Seq: 2, Dead: true, Reason: "503", Class: outbox.ClassHTTP})
	e.Ended(dispatcher.DeliveryEnd{Sub: "a", Seq: 3, Dead: true, Reason: "unregistered"})
	e.Ended(dispatcher.DeliveryEnd{Sub: "b", Seq: 2})
	for seq, want := range map[outbox.Seq]struct {
		fate Fate
		why  api.LastError
	}{1: {Delivered, api.LastError{}}, 2: {Dead, api.LastError{Class: "http", Status: 503}}, 3: {Dead, api.LastError{Class: "unregistered"}}} {
		if fate, why, known := e.Told("a", seq); !known || fate != want.fate || why != want.why {
			t.Errorf("%d: %v, %+v, %v", seq, fate, why, known)
		}
	}
	if _, _, known := e.Told("b", 2); known {
		t.Error("another webhook's end is known")
	}
	e.Unwatch("a", 1)
	if _, _, known := e.Told("a", 1); known {
		t.Error("known after it was no longer watched")
	}
	e.Forget("a")
	if _, _, known := e.Told("a", 2); known || e.watching.Load() != 0 {
		t.Errorf("known after it was forgotten, %d watched", e.watching.Load())
	}
}
