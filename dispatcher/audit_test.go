package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"waoutbox/outbox"
)

// asked is the record that a caller hands to an operation; what it says is nothing to a dispatcher.
var asked = outbox.Audit{AuditKey: outbox.AuditKey{Time: time.Unix(1_700_000_000, 0).UTC(), Tag: 7}, Body: []byte("opaque")}

// changes is a Source that notes which Changes that were stored carried records.
type changes struct {
	Source
	carried []bool
}

func (c *changes) Commit(ctx context.Context, ch outbox.Change) error {
	err := c.Source.Commit(ctx, ch)
	if err == nil {
		c.carried = append(c.carried, len(ch.Audit) > 0)
	}
	return err
}

// recordedOperations are the operations that somebody asks for, and how many Changes each makes of
// 300 dead letters.
var recordedOperations = map[string]struct {
	changes int
	do      func(r *rig, seqs []outbox.Seq) error
}{
	"pause":  {1, func(r *rig, _ []outbox.Seq) error { return r.d.Pause(r.t.Context(), subA, "holiday", asked) }},
	"resume": {1, func(r *rig, _ []outbox.Seq) error { return r.d.Resume(r.t.Context(), subA, asked) }},
	"skip": {1, func(r *rig, _ []outbox.Seq) error {
		_, err := r.d.SkipToNow(r.t.Context(), subA, asked)
		return err
	}},
	"purge": {1, func(r *rig, seqs []outbox.Seq) error {
		_, _, err := r.d.Purge(r.t.Context(), subA, seqs[:3], asked)
		return err
	}},
	"purge all": {2, func(r *rig, _ []outbox.Seq) error {
		_, err := r.d.PurgeAll(r.t.Context(), subA, asked)
		return err
	}},
	"replay": {1, func(r *rig, seqs []outbox.Seq) error {
		_, _, err := r.d.Replay(r.t.Context(), subA, seqs[:3], asked)
		return err
	}},
	"redeliver": {1, func(r *rig, seqs []outbox.Seq) error {
		_, _, err := r.d.Redeliver(r.t.Context(), subA, seqs[:3], asked)
		return err
	}},
}

// recordRig has 300 dead letters, and no lane that runs.
func recordRig(t *testing.T) (*rig, *changes, []outbox.Seq) {
	t.Helper()
	r := newRig(t, ok)
	var seqs []outbox.Seq
	for i := range 300 {
		seqs = append(seqs, r.append(fmt.Sprint("chat", i%10))...)
	}
	for part := range slices.Chunk(seqs, outbox.MaxChange) {
		c := outbox.Change{Sub: subA, Next: part[len(part)-1] + 1}
		for _, s := range part {
			c.Set = append(c.Set, outbox.Record{Seq: s, State: outbox.Dead, Reason: "500", At: time.Now()})
		}
		r.must(r.fake.Commit(t.Context(), c))
	}
	c := &changes{Source: r.opt.Source}
	r.opt.Source = c
	r.d = New(r.opt)
	return r, c, seqs
}

func (r *rig) audits() []outbox.Audit {
	r.t.Helper()
	all, err := r.fake.Audits(context.Background(), outbox.AuditQuery{})
	r.must(err)
	return all
}

// What somebody asks for is stored in one transaction with its record: the first of several.
//
// Mutation of operation.go: a lane makes the change and leaves the record to a second write.
// Mutation of operation.go: every step of a purge writes the record again.
func TestAnOperationAndItsRecordAreOneWrite(t *testing.T) {
	for name, op := range recordedOperations {
		for _, running := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " ", running), func(t *testing.T) {
				everywhere(t, func(t *testing.T) {
					r, c, seqs := recordRig(t)
					if running {
						r.run()
						r.idle(time.Minute)
					}
					r.must(op.do(r, seqs))
					if all := r.audits(); len(all) != 1 || all[0].AuditKey != asked.AuditKey || string(all[0].Body) != string(asked.Body) {
						t.Errorf("the audit trail is %+v", all)
					}
					if running { // the lane writes besides
						return
					}
					want := slices.Repeat([]bool{false}, op.changes)
					want[0] = true
					if !slices.Equal(c.carried, want) {
						t.Errorf("the record was in %v of the changes, want %v", c.carried, want)
					}
				})
			})
		}
	}
}

// refusing is a Source that takes no Change with a record.
type refusing struct{ Source }

var errNoRoom = errors.New("no room for a record")

func (s refusing) Commit(ctx context.Context, c outbox.Change) error {
	if len(c.Audit) > 0 {
		return errNoRoom
	}
	return s.Source.Commit(ctx, c)
}

// What cannot be recorded is not done.
func TestAnOperationWithoutItsRecordIsNotDone(t *testing.T) {
	for name, op := range recordedOperations {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(t *testing.T) {
				r, c, seqs := recordRig(t)
				r.opt.Source = refusing{c}
				r.d = New(r.opt)
				if err := op.do(r, seqs); !errors.Is(err, errNoRoom) {
					t.Errorf("it returned %v", err)
				}
				if len(r.dead()) != 300 || len(r.pending()) != 0 || len(r.audits()) != 0 || len(c.carried) != 0 {
					t.Errorf("%d dead, %d pending, %d records, %d changes", len(r.dead()), len(r.pending()), len(r.audits()), len(c.carried))
				}
			})
		})
	}
}

// Where nothing is changed there is nothing to record, and what a lane does by itself is not.
func TestWhatChangesNothingIsNotRecorded(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r, c, _ := recordRig(t)
		if _, missing, err := r.d.Purge(t.Context(), subA, []outbox.Seq{999}, asked); err != nil || len(missing) != 1 {
			t.Errorf("missing %v, %v", missing, err)
		}
		r.run()
		r.append("alice", "bob")
		r.idle(time.Minute)
		r.stop()
		if len(r.audits()) != 0 || len(c.carried) == 0 || slices.Contains(c.carried, true) {
			t.Errorf("the audit trail is %+v, the changes %v", r.audits(), c.carried)
		}
	})
}
