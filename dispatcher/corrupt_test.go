package dispatcher

import (
	"slices"
	"testing"
	"time"

	"waoutbox/outbox"
)

// A damaged event is never sent: it becomes a dead letter that says so, in its turn, spends no
// attempt, and its chat goes on. Before, it was passed over and nobody who was owed it heard of it.
//
// Mutation of attempt.go: it is looked for in vain again and again instead of becoming a dead
// letter.
func TestADamagedEventDiesCorrupt(t *testing.T) {
	for _, tc := range []struct {
		name string
		head bool
	}{{"body", false}, {"head", true}} {
		t.Run(tc.name, func(t *testing.T) {
			everywhere(t, func(t *testing.T) {
				r := newRig(t, after(time.Second, ok))
				seqs := r.append("alice", "alice", "alice", "bob")
				r.fake.Damage(seqs[1], tc.head)
				r.run()
				r.idle(time.Minute)
				if got := r.end.seqs(); !slices.Contains(got, seqs[3]) || !slices.Equal(r.end.of("alice"), []outbox.Seq{seqs[0], seqs[2]}) {
					t.Errorf("sent %v, want all but %d, in order", got, seqs[1])
				}
				if d := r.dead(); len(d) != 1 || d[0].Seq != seqs[1] || d[0].Reason != ReasonCorrupt || d[0].Attempts != 0 || d[0].At.IsZero() {
					t.Errorf("dead %+v", d)
				}
				if s := r.d.State(subA); s.Status != StatusActive || s.Unfinished != 0 {
					t.Errorf("state %+v", s)
				}
			})
		})
	}
}

// What was tried before its event was damaged keeps its attempts.
func TestAnEventDamagedMeanwhileDiesCorrupt(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, fails)
		r.run()
		seq := r.append("alice")[0]
		r.idle(500 * time.Millisecond) // between attempts 1 and 2
		r.fake.Damage(seq, false)
		r.idle(time.Minute)
		d := r.dead()
		if len(d) != 1 || d[0].Reason != ReasonCorrupt || d[0].Attempts != 1 || len(r.end.all()) != 1 {
			t.Fatalf("dead %+v after %d attempts", d, len(r.end.all()))
		}
		if log, err := outbox.DecodeLog(d[0].Log); err != nil || len(log.Attempts) != 1 || log.Attempts[0].Status != 500 {
			t.Errorf("attempt log %+v, %v", log, err)
		}
	})
}

// A dead letter of a damaged event cannot be replayed: it stays what it is, the others go.
func TestADamagedEventIsNotReplayed(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := newRig(t, fails)
		r.run()
		seqs := r.append("alice", "bob")
		r.fake.Damage(seqs[0], false)
		r.idle(time.Minute)
		before := r.dead()
		if len(before) != 2 || before[0].Reason != ReasonCorrupt {
			t.Fatalf("dead %+v", before)
		}
		n, missing, err := r.d.Replay(t.Context(), subA, seqs)
		if err != nil || n != 1 || !slices.Equal(missing, seqs[:1]) {
			t.Errorf("Replay = %d, %v, %v; want the sound one queued", n, missing, err)
		}
		r.idle(time.Minute)
		if after := r.dead(); len(after) != 2 || after[0].Replay != 0 || after[0].Reason != ReasonCorrupt || after[1].Replay != 1 {
			t.Errorf("dead after the replay: %+v", after)
		}
		if n, missing, err := r.d.Redeliver(t.Context(), subA, seqs[:1]); err != nil || n != 0 || !slices.Equal(missing, seqs[:1]) {
			t.Errorf("Redeliver = %d, %v, %v", n, missing, err)
		}
		if n, missing, err := r.d.Purge(t.Context(), subA, seqs[:1]); err != nil || n != 1 || len(missing) != 0 {
			t.Errorf("Purge = %d, %v, %v", n, missing, err)
		}
	})
}
