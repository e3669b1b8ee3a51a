package retention

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"waoutbox/outbox"
	"waoutbox/outbox/outboxtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	day   = 24 * time.Hour
	small = 1 << 20
)

// lockedLog is a log that may be read while it is written.
type lockedLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// errHangs makes a lane of the rig wait for as long as it may.
var errHangs = errors.New("the lane hangs")

// rig is an engine in memory and lanes that do what they are told, at once.
type rig struct {
	*outboxtest.Fake
	t     *testing.T
	log   lockedLog
	sends atomic.Int64 // calls that forget them
	base  int64        // bytes in use besides bodies

	mu     sync.Mutex
	last   outbox.Seq // of what append added
	fail   map[outbox.SubID]error
	asked  []string
	bodies map[outbox.Seq]int64
}

func newRig(t *testing.T) *rig {
	return &rig{Fake: outboxtest.NewFake(), t: t, fail: map[outbox.SubID]error{}, bodies: map[outbox.Seq]int64{}}
}

func (r *rig) start(p Policy, newest time.Time) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ret := New(r, r, p, newest, slog.New(slog.NewTextHandler(&r.log, nil)))
	done := make(chan error, 1)
	go func() { done <- ret.Run(ctx) }()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			r.t.Error(err)
		}
	})
}

func (r *rig) ForgetSends(ctx context.Context, before time.Time) (bool, error) {
	_, err := r.Fake.ForgetSends(ctx, before)
	return r.sends.Add(1)%3 != 0, err
}

// LiveBytes are those of the bodies kept, and base.
func (r *rig) LiveBytes() (n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n = r.base
	for seq, size := range r.bodies {
		if _, err := r.Fake.Event(context.Background(), seq); err != nil {
			delete(r.bodies, seq)
			continue
		}
		n += size
	}
	return n
}

func (r *rig) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, fmt.Sprintf(format, args...))
}

func (r *rig) Expire(ctx context.Context, id outbox.SubID, before time.Time, below outbox.Seq) (int, bool, error) {
	r.note("expire %s", id)
	if err := r.fail[id]; err != nil {
		if errors.Is(err, errHangs) {
			<-ctx.Done()
		}
		return 0, false, err
	}
	next, _, _, err := r.Load(ctx, id)
	if err != nil {
		return 0, false, err
	}
	cut := below
	if !before.IsZero() {
		if cut, _, err = r.FirstSince(ctx, next, before); err != nil {
			return 0, false, err
		}
	}
	owed, err := r.CountOwed(ctx, id, next, cut-1)
	if err != nil || cut <= next {
		return 0, false, err
	}
	c := outbox.Change{Sub: id, Next: cut}
	if owed.Count > 0 {
		rec := outbox.Record{Seq: owed.First, State: outbox.Dead, Reason: outbox.ReasonExpired, At: time.Now()}
		if owed.Count > 1 {
			rec.Last, rec.Count = owed.Last, owed.Count
		}
		c.Set = []outbox.Record{rec}
	}
	return owed.Count, false, r.Commit(ctx, c)
}

func (r *rig) ExpireDead(ctx context.Context, id outbox.SubID, after outbox.Seq, limit int) (n int, next outbox.Seq, err error) {
	r.note("expire dead of %s", id)
	page, err := r.Dead(ctx, id, after, limit)
	if err != nil || len(page) == 0 {
		return 0, 0, err
	}
	for _, rec := range page {
		if next = rec.KeySeq(); rec.Expired() {
			continue
		}
		rec.Reason = outbox.ReasonExpired
		if err := r.Commit(ctx, outbox.Change{Sub: id, Set: []outbox.Record{rec}}); err != nil {
			return n, next, err
		}
		n += max(1, rec.Count)
	}
	return n, next, nil
}

func (r *rig) PurgeOld(ctx context.Context, id outbox.SubID, before time.Time) (n int, oldest time.Time, err error) {
	r.note("purge %s", id)
	page, err := r.Dead(ctx, id, 0, outbox.MaxBatch)
	for _, rec := range page {
		if rec.At.Before(before) {
			n++
			rec.State = outbox.Done
			err = errors.Join(err, r.Commit(ctx, outbox.Change{Sub: id, Set: []outbox.Record{rec}}))
		} else if oldest.IsZero() || rec.At.Before(oldest) {
			oldest = rec.At
		}
	}
	return n, oldest, err
}

func (r *rig) subscribe(id outbox.SubID) {
	r.t.Helper()
	if _, err := r.PutSub(context.Background(), outbox.Subscription{ID: id, Epochs: []outbox.Epoch{{Filter: outbox.Filter{Events: []string{outbox.Any}}}}}); err != nil {
		r.t.Fatal(err)
	}
}

// put appends one event.
func (r *rig) put(e outbox.Event) {
	r.t.Helper()
	if _, err := r.Append(r.t.Context(), e); err != nil {
		r.t.Fatal(err)
	}
}

// append adds an event of that many bytes (the engine keeps one).
func (r *rig) append(size int64) outbox.Seq {
	r.t.Helper()
	r.mu.Lock()
	n := len(r.bodies)
	r.mu.Unlock()
	seqs, err := r.Append(context.Background(), outbox.Event{Key: fmt.Sprint(n, time.Now().UnixNano()), Random: true, Name: "x", Chat: "c", Time: time.Now(), Body: []byte("x")})
	if err != nil {
		r.t.Fatal(err)
	}
	r.mu.Lock()
	r.last = seqs[0]
	r.bodies[r.last] = size
	r.mu.Unlock()
	return seqs[0]
}

// delivered moves the cursor of a webhook behind what append added.
func (r *rig) delivered(id outbox.SubID) {
	r.t.Helper()
	r.mu.Lock()
	next := r.last + 1
	r.mu.Unlock()
	if err := r.Commit(context.Background(), outbox.Change{Sub: id, Next: next}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) stats(id outbox.SubID) (outbox.Stats, outbox.SubStats) {
	r.t.Helper()
	st, err := r.Stats(context.Background())
	if err != nil {
		r.t.Fatal(err)
	}
	return st, st.Subs[id]
}

func idle(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func days(delivered, pending, dead int) Policy {
	return Policy{Delivered: time.Duration(delivered) * day, Pending: time.Duration(pending) * day, Dead: time.Duration(dead) * day}
}

// What is delivered goes after three days, what waits expires after thirty, and what is dead is
// purged after thirty; nothing goes before.
func TestEachInItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.subscribe("wh_fast")
		r.subscribe("wh_slow")
		stop := r.start(days(3, 30, 30), time.Time{})
		defer stop()
		r.append(1)
		r.delivered("wh_fast")
		r.delivered("wh_slow")
		idle(3*day - time.Hour)
		if st, _ := r.stats("wh_slow"); st.Events != 1 {
			t.Errorf("%d events after less than three days", st.Events)
		}
		idle(2 * time.Hour)
		if st, _ := r.stats("wh_slow"); st.Events != 0 {
			t.Errorf("%d events after three days", st.Events)
		}
		r.append(1)
		r.append(1)
		r.delivered("wh_fast")
		idle(30 * day)
		if st, s := r.stats("wh_slow"); st.Events != 2 || s.Pending != 2 || s.Dead != 0 {
			t.Errorf("after thirty days: %+v of %d events", s, st.Events)
		}
		idle(2 * time.Hour)
		if st, s := r.stats("wh_slow"); st.Events != 0 || s.Pending != 0 || s.DeadByReason[outbox.ReasonExpired] != 2 {
			t.Errorf("after more than thirty days: %+v of %d events", s, st.Events)
		}
		idle(30 * day)
		if _, s := r.stats("wh_slow"); s.Dead != 2 {
			t.Errorf("%d dead letters, a day too early", s.Dead)
		}
		idle(3 * time.Hour)
		if _, s := r.stats("wh_slow"); s.Dead != 0 {
			t.Errorf("%d dead letters after sixty days", s.Dead)
		}
		if r.sends.Load() == 0 || !strings.Contains(r.log.String(), "old dead letters purged") || !strings.Contains(r.log.String(), "waited for too long") {
			t.Errorf("%d calls to forget sends, log:\n%s", r.sends.Load(), r.log.String())
		}
		stop()
		if looks := slices.DeleteFunc(slices.Clone(r.asked), func(s string) bool { return !strings.HasPrefix(s, "purge") }); len(looks) > 4 {
			t.Errorf("dead letters were looked at %d times in sixty days, for one of which anything was due", len(looks))
		}
	})
}

// TestALaneThatHangsKeepsNoOtherWaiting: one that cannot write does not keep what the others hold
// from going. Before, everything waited for it.
//
// Mutation of retention.go: a lane that hangs keeps what all others hold from going.
func TestALaneThatHangsKeepsNoOtherWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		for _, id := range []outbox.SubID{"wh_a", "wh_b", "wh_hangs"} {
			r.subscribe(id)
		}
		r.fail["wh_hangs"] = errHangs
		stop := r.start(days(3, 30, 30), time.Time{})
		defer stop()
		r.append(1)
		idle(3 * time.Hour)
		r.append(1) // is due in another round
		idle(30*day + 2*time.Hour)
		for _, id := range []outbox.SubID{"wh_a", "wh_b"} {
			if _, s := r.stats(id); s.Dead != 2 {
				t.Errorf("%s: %+v", id, s)
			}
		}
		if _, s := r.stats("wh_hangs"); s.Pending != 2 {
			t.Errorf("the one that hangs: %+v", s)
		}
	})
}

// A webhook whose cursor stands still and that is owed nothing holds nothing back for long; what
// comes for it meanwhile waits as ever.
func TestCursorThatStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		s, err := r.PutSub(t.Context(), outbox.Subscription{ID: "wh_a", Epochs: []outbox.Epoch{{Filter: outbox.Filter{Events: []string{"y"}}}}})
		if err != nil {
			t.Fatal(err)
		}
		for range standsStill + 10 {
			r.append(1)
		}
		// looked at every minute: every second, as with none kept, is much work with so many
		stop := r.start(Policy{Delivered: time.Minute, Pending: 30 * day, Dead: 30 * day}, time.Time{})
		defer stop()
		idle(30 * time.Minute)
		if st, _ := r.stats(s.ID); st.Events != standsStill+10 {
			t.Errorf("%d events within an hour", st.Events)
		}
		idle(time.Hour)
		if st, _ := r.stats(s.ID); st.Events != 0 {
			t.Errorf("%d events after an hour", st.Events)
		}
		if _, err := r.Append(t.Context(), outbox.Event{Key: "owed", Name: "y", Chat: "c", Time: time.Now(), Body: []byte("y")}); err != nil {
			t.Fatal(err)
		}
		idle(day)
		if _, s := r.stats(s.ID); s.Pending != 1 || s.Dead != 0 {
			t.Errorf("what came meanwhile: %+v", s)
		}
	})
}

// Where nothing is to be kept, it goes within seconds, whatever the clock has been.
func TestRetainNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.subscribe("wh_a")
		stop := r.start(days(0, 30, 30), time.Now().Add(-400*day))
		defer stop()
		for range 3 {
			r.append(1)
			r.delivered("wh_a")
			idle(1500 * time.Millisecond)
			if st, _ := r.stats("wh_a"); st.Events != 0 {
				t.Errorf("%d events", st.Events)
			}
		}
	})
}
