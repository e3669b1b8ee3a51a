package dispatcher

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"waoutbox/dispatcher/scheduler"
	"waoutbox/outbox"
)

// deadLetterEdit turns a list of sequences into Changes of at most outbox.MaxChange records. Runs
// are taken apart in memory, so that many letters of one run still make one Change.
type deadLetterEdit struct {
	src Source
	id  outbox.SubID
	op  *operation
	now time.Time
	// also what has no record: delivered, or not owed at its time
	past    bool
	set     map[outbox.Seq]outbox.Record // the Change being made, by KeySeq
	missing []outbox.Seq
	done    int
	inSet   int // letters in set, done when it is committed
}

// recordsPerLetter is how many records one letter can add to a Change: itself, and the two halves
// of its run.
const recordsPerLetter = 3

func newDeadLetterEdit(o *operation) *deadLetterEdit {
	l := o.lane
	return &deadLetterEdit{src: l.src, id: l.id, op: o, now: l.now(), set: map[outbox.Seq]outbox.Record{}}
}

// transition returns what becomes of a dead letter: its new record, or State Done to discard it.
// found has State Done where there is no record, which only an edit of the past asks about.
type transition func(ctx context.Context, found outbox.Record, seq outbox.Seq) (outbox.Record, error)

// apply takes every dead letter of seqs through t. It may be run again after any error: what is
// done counts as missing or as unfinished then.
func (e *deadLetterEdit) apply(ctx context.Context, seqs []outbox.Seq, t transition) taskResult {
	err := e.applyAll(ctx, slices.Compact(slices.Sorted(slices.Values(seqs))), t)
	return taskResult{n: e.done, missing: e.missing, err: err}
}

func (e *deadLetterEdit) applyAll(ctx context.Context, seqs []outbox.Seq, t transition) error {
	// What is not unfinished now can become so only through another operation, and these run one at
	// a time.
	unfinished := map[outbox.Seq]bool{}
	var cursor outbox.Seq
	if e.past {
		if err := e.op.settled(ctx); err != nil {
			return err
		}
	}
	if err := e.op.inLoop(func() {
		cursor = e.op.lane.scheduler.Next()
		for _, seq := range seqs {
			unfinished[seq] = e.op.lane.scheduler.Has(seq)
		}
	}); err != nil {
		return err
	}
	for _, seq := range seqs {
		pending := unfinished[seq]
		if !pending && seq >= cursor {
			evs, _, err := e.src.Owed(ctx, e.id, seq, seq, 1)
			if err != nil {
				return fmt.Errorf("dead letter %s/%d: %w", e.id, seq, err)
			}
			pending = len(evs) > 0 // once it is read
		}
		if pending {
			continue
		}
		if e.past && seq >= cursor { // not in the past
			e.missing = append(e.missing, seq)
			continue
		}
		if len(e.set)+recordsPerLetter > outbox.MaxChange {
			if err := e.flush(ctx); err != nil {
				return err
			}
		}
		if err := e.add(ctx, seq, t); errors.Is(err, outbox.ErrNotFound) || errors.Is(err, outbox.ErrCorrupt) {
			e.missing = append(e.missing, seq)
		} else if err != nil {
			return fmt.Errorf("dead letter %s/%d: %w", e.id, seq, err)
		}
	}
	return e.flush(ctx)
}

// add puts one letter into the Change being made; outbox.ErrNotFound and ErrCorrupt change nothing.
func (e *deadLetterEdit) add(ctx context.Context, seq outbox.Seq, t transition) error {
	found, err := e.recordAt(ctx, seq)
	if e.past && errors.Is(err, outbox.ErrNotFound) {
		found, err = outbox.Record{Seq: seq}, nil
	}
	if err != nil {
		return err
	}
	if found.State == outbox.Pending {
		return nil // delivered, and not settled yet
	}
	rec, err := t(ctx, found, seq)
	if err != nil {
		return err
	}
	if found.IsRun() && found.Expired() { // which of its events were owed is not known any more
		if seq != found.Seq && seq != found.KeySeq() { // it goes as a whole, under its ends
			return outbox.ErrNotFound
		}
		rec.Seq = found.KeySeq()
		e.set[rec.Seq] = rec
		e.inSet += found.Count
		return nil
	}
	if found.IsRun() {
		if err := e.split(ctx, found, seq); err != nil {
			return fmt.Errorf("take it out of its run: %w", err)
		}
	}
	e.set[seq] = rec
	e.inSet++
	return nil
}

// recordAt returns the record around seq, looking first at what the Change being made says.
func (e *deadLetterEdit) recordAt(ctx context.Context, seq outbox.Seq) (outbox.Record, error) {
	stored, err := e.src.RecordAt(ctx, e.id, seq)
	if err != nil {
		return outbox.Record{}, err // also inside a run, and not owed
	}
	for _, r := range e.set {
		if r.State == outbox.Dead && r.Seq <= seq && seq <= r.KeySeq() {
			return r, nil
		}
	}
	return stored, nil
}

// split puts what is left of a run into the Change.
func (e *deadLetterEdit) split(ctx context.Context, run outbox.Record, seq outbox.Seq) error {
	var before outbox.OwedRange
	var next outbox.Seq
	var err error
	if seq > run.Seq {
		if before, err = e.src.CountOwed(ctx, e.id, run.Seq, seq-1); err != nil {
			return err
		}
	}
	if seq < run.Last {
		if next, err = e.firstOwed(ctx, seq+1, run.Last); err != nil {
			return err
		}
	}
	for _, r := range outbox.SplitRun(run, seq, before.Last, next, before.Count) {
		e.set[r.KeySeq()] = r
	}
	return nil
}

// firstOwed returns the first sequence owed in [from, to]; an engine may need several steps over
// what is not owed.
func (e *deadLetterEdit) firstOwed(ctx context.Context, from, to outbox.Seq) (outbox.Seq, error) {
	for from <= to {
		evs, next, err := e.src.Owed(ctx, e.id, from, to, 1)
		if err != nil {
			return 0, err
		}
		if len(evs) > 0 {
			return evs[0].Seq, nil
		}
		if next <= from {
			break
		}
		from = next
	}
	return 0, fmt.Errorf("nothing is owed up to %d, where the run ends", to)
}

// flush commits the Change being made, and counts its letters once it is on disk. What it makes
// pending is the lane's from then on.
func (e *deadLetterEdit) flush(ctx context.Context) error {
	if len(e.set) == 0 {
		return nil
	}
	c := outbox.Change{Sub: e.id}
	for _, r := range e.set {
		c.Set = append(c.Set, r)
	}
	slices.SortFunc(c.Set, func(a, b outbox.Record) int { return cmp.Compare(a.KeySeq(), b.KeySeq()) })
	l := e.op.lane
	err := e.op.commit(ctx, c, func(time.Time) {
		for _, r := range c.Set {
			if r.State == outbox.Pending {
				l.scheduler.AddStored(r, r.Due)
			}
		}
	})
	if err != nil {
		return err
	}
	e.done += e.inSet
	e.inSet = 0
	clear(e.set)
	return nil
}

// revive returns the pending record of a dead letter: attempts restart, the log and the first
// reason stay. What has expired cannot be replayed, nor one whose event is known to be damaged
// (outbox.ErrCorrupt).
func (e *deadLetterEdit) revive(ctx context.Context, dead outbox.Record, seq outbox.Seq) (outbox.Record, error) {
	if dead.Expired() {
		return outbox.Record{}, fmt.Errorf("%d has expired: %w", seq, outbox.ErrNotFound)
	}
	r := outbox.Record{Seq: seq, State: outbox.Pending, Due: e.now, Order: dead.Order, Replay: dead.Replay + 1, Reason: dead.Reason, Log: dead.Log}
	if dead.IsRun() || dead.Order == 0 || dead.Reason == ReasonCorrupt {
		ev, err := e.src.Event(ctx, seq)
		if err != nil {
			return outbox.Record{}, err
		}
		r.Order = scheduler.ChatKey(ev)
	}
	return r, nil
}

// wanted returns a transition that revives what the filter wants, whether or not it has a record:
// what was delivered is delivered once more. outbox.ErrNotFound for anything else.
func (e *deadLetterEdit) wanted(f outbox.Filter) transition {
	return func(ctx context.Context, found outbox.Record, seq outbox.Seq) (outbox.Record, error) {
		if found.Expired() {
			return outbox.Record{}, fmt.Errorf("%d has expired: %w", seq, outbox.ErrNotFound)
		}
		ev, err := e.src.Event(ctx, seq)
		if err != nil {
			return outbox.Record{}, err
		}
		if !f.Match(ev.Head()) {
			return outbox.Record{}, fmt.Errorf("event %d is not what the filter wants: %w", seq, outbox.ErrNotFound)
		}
		if found.State == outbox.Done {
			found.Order = scheduler.ChatKey(ev)
		}
		return e.revive(ctx, found, seq)
	}
}

// discard removes a dead letter.
func discard(_ context.Context, _ outbox.Record, seq outbox.Seq) (outbox.Record, error) {
	return outbox.Record{Seq: seq, State: outbox.Done}, nil
}

// pagesPerPurge bounds one step of PurgeAll, which other operations wait for.
const pagesPerPurge = 8

// purgePages discards the first dead records, a run with all it stands for, and returns how many
// letters went.
func purgePages(ctx context.Context, o *operation) taskResult {
	purged := 0
	for range pagesPerPurge {
		n, err := purgePage(ctx, o)
		purged += n
		if err != nil || n == 0 {
			return taskResult{n: purged, err: err}
		}
	}
	return taskResult{n: purged}
}

func purgePage(ctx context.Context, o *operation) (n int, err error) {
	l := o.lane
	page, err := l.src.Dead(ctx, l.id, 0, outbox.MaxChange)
	if err != nil || len(page) == 0 {
		return 0, err
	}
	c := outbox.Change{Sub: l.id}
	for _, r := range page {
		c.Set = append(c.Set, outbox.Record{Seq: r.KeySeq(), State: outbox.Done})
		n += max(1, r.Count)
	}
	if err := o.commit(ctx, c, func(time.Time) {}); err != nil {
		return 0, err
	}
	return n, nil
}
