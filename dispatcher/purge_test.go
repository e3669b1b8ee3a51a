package dispatcher

import (
	"bytes"
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
		if err := r.d.Pause(t.Context(), subA, "holiday"); !errors.Is(err, errLaneUnknown) {
			t.Errorf("a pause, which would overwrite it: %v", err)
		}
		if _, raw, _, err := r.fake.Load(t.Context(), subA); err != nil || !bytes.Equal(raw, newer) {
			t.Errorf("the state is %x, %v; want %x", raw, err, newer)
		}
	})
}
