package dispatcher

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"waoutbox/outbox"
)

// replayer turns a list of sequences into Changes of at most outbox.MaxChange records. Runs are taken apart in memory, so that
// many letters of one run still make one Change.
type replayer struct {
	src     Source
	id      outbox.SubID
	w       writer
	now     time.Time
	set     map[outbox.Seq]outbox.Record // the Change being made, by KeySeq
	missing []outbox.Seq
	done    int
	inSet   int // letters in set, done when it is committed
}

// perLetter is how many records one letter can add to a Change: itself, and the two halves of its run.
const perLetter = 3

func newReplayer(src Source, id outbox.SubID, w writer) *replayer {
	return &replayer{src: src, id: id, w: w, now: time.Now(), set: map[outbox.Seq]outbox.Record{}}
}

// turn answers what becomes of a dead letter: its new record, or State Done to discard it.
type turn func(ctx context.Context, dead outbox.Record, seq outbox.Seq) (outbox.Record, error)

// move takes every dead letter of seqs through t. It may be run again after any error: what is done counts as missing or as
// unfinished then.
func (p *replayer) move(ctx context.Context, seqs []outbox.Seq, t turn) answer {
	err := p.moveAll(ctx, seqs, t)
	return answer{n: p.done, missing: p.missing, err: err}
}

func (p *replayer) moveAll(ctx context.Context, seqs []outbox.Seq, t turn) error {
	if len(seqs) > outbox.MaxBatch {
		return fmt.Errorf("%d dead letters in one call (at most %d): %w", len(seqs), outbox.MaxBatch, outbox.ErrTooLarge)
	}
	for _, seq := range slices.Compact(slices.Sorted(slices.Values(seqs))) {
		pending, err := p.pending(ctx, seq)
		if err != nil {
			return err
		}
		if pending {
			continue
		}
		if len(p.set)+perLetter > outbox.MaxChange {
			if err := p.flush(ctx); err != nil {
				return err
			}
		}
		err = p.one(ctx, seq, t)
		if errors.Is(err, outbox.ErrNotFound) {
			p.missing = append(p.missing, seq)
			continue
		}
		if err != nil {
			return fmt.Errorf("dead letter %s/%d: %w", p.id, seq, err)
		}
	}
	return p.flush(ctx)
}

// pending reports whether seq is being delivered, or will be once it is read.
func (p *replayer) pending(ctx context.Context, seq outbox.Seq) (bool, error) {
	if p.w.unfinished(seq) {
		return true, nil
	}
	if seq < p.w.cursor() {
		return false, nil
	}
	evs, _, err := p.src.Owed(ctx, p.id, seq, seq, 1)
	if err != nil {
		return false, fmt.Errorf("dead letter %s/%d: %w", p.id, seq, err)
	}
	return len(evs) > 0, nil
}

// one puts one letter into the Change being made; outbox.ErrNotFound changes nothing.
func (p *replayer) one(ctx context.Context, seq outbox.Seq, t turn) error {
	dead, err := p.deadAt(ctx, seq)
	if err != nil {
		return err
	}
	rec, err := t(ctx, dead, seq)
	if err != nil {
		return err
	}
	if dead.IsRun() {
		if err := p.split(ctx, dead, seq); err != nil {
			return fmt.Errorf("take it out of its run: %w", err)
		}
	}
	p.set[seq] = rec
	p.inSet++
	return nil
}

// deadAt answers the dead record around seq, looking first at what the Change being made says.
func (p *replayer) deadAt(ctx context.Context, seq outbox.Seq) (outbox.Record, error) {
	for _, r := range p.set {
		if r.State != outbox.Dead || seq < r.Seq || seq > r.KeySeq() {
			continue
		}
		if _, err := p.src.DeadAt(ctx, p.id, seq); err != nil {
			return outbox.Record{}, err // inside the range, and not owed
		}
		return r, nil
	}
	return p.src.DeadAt(ctx, p.id, seq)
}

// split puts what is left of a run into the Change.
func (p *replayer) split(ctx context.Context, run outbox.Record, seq outbox.Seq) error {
	var before outbox.OwedRange
	var next outbox.Seq
	var err error
	if seq > run.Seq {
		if before, err = p.src.CountOwed(ctx, p.id, run.Seq, seq-1); err != nil {
			return err
		}
	}
	if seq < run.Last {
		if next, err = p.firstOwed(ctx, seq+1, run.Last); err != nil {
			return err
		}
	}
	for _, r := range outbox.SplitRun(run, seq, before.Last, next, before.Count) {
		p.set[r.KeySeq()] = r
	}
	return nil
}

// firstOwed answers the first sequence owed in [from, to]; an engine may need several steps over what is not owed.
func (p *replayer) firstOwed(ctx context.Context, from, to outbox.Seq) (outbox.Seq, error) {
	for from <= to {
		evs, next, err := p.src.Owed(ctx, p.id, from, to, 1)
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

// flush commits the Change being made, and counts its letters once it is on disk.
func (p *replayer) flush(ctx context.Context) error {
	if len(p.set) == 0 {
		return nil
	}
	c := outbox.Change{Sub: p.id}
	var pending []outbox.Record
	for _, r := range p.set {
		c.Set = append(c.Set, r)
		if r.State == outbox.Pending {
			pending = append(pending, r)
		}
	}
	slices.SortFunc(c.Set, func(a, b outbox.Record) int { return cmp.Compare(a.KeySeq(), b.KeySeq()) })
	if err := p.w.commit(ctx, c); err != nil {
		return err
	}
	p.w.queued(pending)
	p.done += p.inSet
	p.inSet = 0
	clear(p.set)
	return nil
}

// revived answers the pending record of a dead letter: attempts restart, the log and the first reason stay.
func (p *replayer) revived(unordered bool) turn {
	return func(ctx context.Context, dead outbox.Record, seq outbox.Seq) (outbox.Record, error) {
		r := outbox.Record{Seq: seq, State: outbox.Pending, Due: p.now, Order: dead.Order, Replay: dead.Replay + 1, Reason: dead.Reason, Log: dead.Log}
		if dead.IsRun() || dead.Order == 0 {
			ev, err := p.src.Event(ctx, seq)
			if err != nil {
				return outbox.Record{}, err
			}
			r.Order = OrderKey(ev, unordered)
		}
		return r, nil
	}
}

// discarded removes a dead letter.
func discarded(_ context.Context, _ outbox.Record, seq outbox.Seq) (outbox.Record, error) {
	return outbox.Record{Seq: seq, State: outbox.Done}, nil
}

// purgePage discards the first dead records, a run with all it stands for, and answers how many letters went.
func purgePage(ctx context.Context, src Source, id outbox.SubID, w writer) answer {
	page, err := src.Dead(ctx, id, 0, outbox.MaxChange)
	if err != nil || len(page) == 0 {
		return answer{err: err}
	}
	c := outbox.Change{Sub: id}
	n := 0
	for _, r := range page {
		c.Set = append(c.Set, outbox.Record{Seq: r.KeySeq(), State: outbox.Done})
		n += max(1, r.Count)
	}
	if err := w.commit(ctx, c); err != nil {
		return answer{err: err}
	}
	return answer{n: n}
}
