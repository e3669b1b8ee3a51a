package dispatcher

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"waoutbox/outbox"
)

// Before: "461 of 461 sent, an event left 2.513s after it came": each step was written in the
// lane's loop, after a settlement of everything.
func TestAPurgeDoesNotSlowItsLane(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		const letters = 20_000
		r := newRig(t, ok)
		seqs := make([]outbox.Seq, 0, letters)
		for i := range letters {
			seqs = append(seqs, r.append(fmt.Sprint("chat", i%100))...)
		}
		for i := 0; i < len(seqs); i += outbox.MaxChange {
			c := outbox.Change{Sub: subA}
			for _, s := range seqs[i:min(len(seqs), i+outbox.MaxChange)] {
				c.Set = append(c.Set, outbox.Record{Seq: s, State: outbox.Dead, Reason: "500", At: time.Now()})
				c.Next = s + 1
			}
			r.must(r.fake.Commit(t.Context(), c))
		}
		d := &disk{Source: r.opt.Source}
		d.delay.Store(int64(20 * time.Millisecond))
		r.opt.Source = d
		r.d = New(r.opt)
		r.run()
		purged := make(chan int, 1)
		go func() {
			n, err := r.d.PurgeAll(t.Context(), subA)
			if err != nil {
				t.Errorf("purge: %v", err)
			}
			purged <- n
		}()
		came := map[outbox.Seq]time.Duration{}
		n := -1
		for n < 0 {
			came[r.append("alice")[0]] = time.Since(r.end.start)
			select {
			case n = <-purged:
			case <-time.After(7 * time.Millisecond):
			}
		}
		r.idle(time.Second)
		worst := time.Duration(0)
		for _, s := range r.end.all() {
			worst = max(worst, s.At-came[s.Seq])
		}
		if n != letters || len(r.end.all()) != len(came) || worst > time.Millisecond {
			t.Errorf("purged %d; %d of %d sent, an event left %v after it came", n, len(r.end.all()), len(came), worst)
		}
	})
}

// The same for a retry, which waits for a write of its own: one step of the purge at most goes
// before it.
func TestAPurgeLetsSettlementsThrough(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r, d, _ := newDiskRig(t, failsFirst, "alice", "bob", "carol")
		d.delay.Store(int64(20 * time.Millisecond))
		go func() {
			for range 100 {
				if _, err := r.d.PurgeAll(t.Context(), subA); err != nil {
					t.Errorf("purge: %v", err)
				}
				if _, _, err := r.d.Purge(t.Context(), subA, []outbox.Seq{1}); err != nil {
					t.Errorf("purge: %v", err)
				}
			}
		}()
		r.append("dora")
		r.idle(time.Second)
		if r.next() != 5 {
			t.Errorf("next %d: the delivery was not settled", r.next())
		}
		r.idle(time.Minute)
	})
}

// Without a running lane a purge works in the same steps.
func TestPurgeAllWithoutRun(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r, _, _ := newDiskRig(t, ok, "alice", "bob", "carol")
		r.stop()
		r.remove()
		if n, err := r.d.PurgeAll(t.Context(), subA); n != 3 || err != nil || len(r.dead()) != 0 {
			t.Errorf("purged %d, %v, left %d", n, err, len(r.dead()))
		}
		if n, err := r.d.PurgeAll(t.Context(), subA); n != 0 || err != nil {
			t.Errorf("again: %d, %v", n, err)
		}
	})
}

// Dead letters of a lane whose state a newer version wrote can be discarded and queued: nothing of
// that state is needed, and it stays as it is. Before, the purge was refused.
//
// Mutation of lane.go: dead letters cannot be purged because the lane's state is a newer version's.
func TestPurgeOfALaneOfANewerVersion(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, fails)
		seqs := r.append("alice", "bob", "carol")
		newer := []byte{laneVersion + 1, 9, 9}
		set := []outbox.Record{}
		for _, seq := range seqs {
			set = append(set, outbox.Record{Seq: seq, State: outbox.Dead, Attempts: 4, Reason: "http", At: time.Unix(1, 0)})
		}
		r.must(r.fake.Commit(t.Context(), outbox.Change{Sub: subA, Next: seqs[2] + 1, Lane: newer, Set: set}))
		if n, _, err := r.d.Purge(t.Context(), subA, seqs[:1]); n != 1 || err != nil {
			t.Errorf("one: %d, %v", n, err)
		}
		if n, _, err := r.d.Replay(t.Context(), subA, seqs[1:2]); n != 1 || err != nil {
			t.Errorf("queued: %d, %v", n, err)
		}
		if n, err := r.d.PurgeAll(t.Context(), subA); n != 1 || err != nil {
			t.Errorf("the rest: %d, %v", n, err)
		}
		unknown := func(err error) bool {
			e, ok := errors.AsType[*UnknownLaneError](err)
			return ok && e.Sub == subA
		}
		if err := r.d.Pause(t.Context(), subA, "holiday"); !unknown(err) {
			t.Errorf("a pause, which would overwrite it: %v", err)
		}
		if _, raw, _, err := r.fake.Load(t.Context(), subA); err != nil || !bytes.Equal(raw, newer) {
			t.Errorf("the state is %x, %v; want %x", raw, err, newer)
		}
	})
}

// A lane whose state a newer version wrote is held until somebody resumes it, with a running lane
// and without: then it begins anew, and delivers what waited. Before, nothing ended that but the
// newer version.
//
// Mutation of lane.go: a lane of a newer version cannot be resumed.
func TestResumeOfALaneOfANewerVersion(t *testing.T) {
	for what, resume := range map[string]func(context.Context, *rig) error{
		"resume": func(ctx context.Context, r *rig) error { return r.d.Resume(ctx, subA) },
		"skip":   func(ctx context.Context, r *rig) error { _, err := r.d.SkipToNow(ctx, subA); return err },
	} {
		t.Run(what, func(t *testing.T) {
			everywhere(t, func(t *testing.T) {
				r := newRig(t, ok)
				newer := outbox.Change{Sub: subA, Lane: []byte{laneVersion + 1, 9, 9}}
				r.untilDone("the newer version", func() error { return r.fake.Commit(t.Context(), newer) })
				// without a running lane
				r.untilDone(what, func() error { return resume(t.Context(), r) })
				if _, raw, _, err := r.fake.Load(t.Context(), subA); err != nil || len(raw) > 0 && raw[0] > laneVersion {
					t.Errorf("the state is %x, %v", raw, err)
				}
				r.untilDone("the newer version", func() error { return r.fake.Commit(t.Context(), newer) })
				r.run()
				r.idle(time.Second)
				if st := r.d.State(subA); st.Status != StatusHeld || !st.Unknown || !st.Until.IsZero() {
					t.Errorf("shown as %+v", st)
				}
				r.append("alice")
				r.idle(time.Minute)
				if r.next() != 1 {
					t.Errorf("next %d: it was delivered meanwhile", r.next())
				}
				if err := r.d.Pause(t.Context(), subA, "holiday"); err == nil {
					t.Error("a pause is no error")
				}
				r.untilDone(what, func() error { return resume(t.Context(), r) })
				r.idle(time.Second)
				if st := r.d.State(subA); st.Status != StatusActive || r.next() != 2 {
					t.Errorf("after it: %+v, next %d", st, r.next())
				}
			})
		})
	}
}
