package admin

import (
	"context"
	"iter"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// maxPage is the most records or events one step of a walk reads.
const maxPage = outbox.MaxBatch

// pageLength returns how many records the next step of a walk reads, 1 to maxPage.
type pageLength func() int

// longPages are for a walk to the end.
func longPages() int { return maxPage }

// deadLetter is one dead delivery, taken out of its run if it was in one; or a run whose events are
// gone, which stays one.
type deadLetter struct {
	row webhookRow
	rec outbox.Record
	ev  outbox.Event
}

// seq is the sequence in the letter's id.
func (l deadLetter) seq() outbox.Seq { return l.rec.KeySeq() }

// unreplayable says why a letter cannot be delivered again, "" when it can.
func (l deadLetter) unreplayable() string {
	switch {
	case l.rec.Reason == api.ReasonExpired:
		return "it expired: its body is gone"
	case l.damaged():
		return "its stored bytes are damaged: they are kept as evidence, and never sent"
	case l.ev.Key == "":
		return "its event cannot be read any more"
	}
	return ""
}

// damaged reports whether the letter's event is, as far as it was read.
func (l deadLetter) damaged() bool { return l.rec.Reason == api.ReasonCorrupt || l.ev.Corrupt }

// position is a place in a listing: after this letter. The zero value is the start.
type position struct {
	sub outbox.SubID
	seq outbox.Seq
}

// deadLetters walks the dead letters of the given rows that f selects, in webhook and sequence
// order, from a position on. Runs are expanded. The walk reads pages over short transactions;
// letters that die or leave meanwhile may or may not be seen.
func (s *Service) deadLetters(ctx context.Context, rows []webhookRow, f api.DeadLetterFilter, from position, page pageLength) iter.Seq2[deadLetter, error] {
	return func(yield func(deadLetter, error) bool) {
		for _, r := range rows {
			after := outbox.Seq(0)
			switch {
			case r.sub.ID < from.sub:
				continue
			case r.sub.ID == from.sub:
				after = from.seq
			}
			for l, err := range s.deadLettersOf(ctx, r, f, after, page) {
				if !yield(l, err) || err != nil {
					return
				}
			}
		}
	}
}

// deadLettersOf walks one webhook's dead letters above after that f selects. Bodies are not read.
func (s *Service) deadLettersOf(ctx context.Context, r webhookRow, f api.DeadLetterFilter, after outbox.Seq, page pageLength) iter.Seq2[deadLetter, error] {
	return func(yield func(deadLetter, error) bool) {
		wanted := func(l deadLetter) bool { return eventWanted(f, l.ev) }
		heads := func(after outbox.Seq, limit int) ([]outbox.DeadHead, error) {
			return s.o.Engine.DeadHeads(ctx, r.sub.ID, after, limit)
		}
		for head, err := range records(heads, func(h outbox.DeadHead) outbox.Seq { return h.Record.KeySeq() }, after, page) {
			switch {
			case err != nil:
				yield(deadLetter{}, err)
				return
			case !recordWanted(f, head.Record):
			case head.Record.IsRun() && api.Replayable(head.Record.Reason):
				for l, err := range s.deadLettersOfRun(ctx, r, head.Record, after, page) {
					if err != nil {
						yield(deadLetter{}, err)
						return
					}
					if wanted(l) && !yield(l, nil) {
						return
					}
				}
			default:
				if l := (deadLetter{r, head.Record, head.Event}); wanted(l) && !yield(l, nil) {
					return
				}
			}
		}
	}
}

// deadLettersOfRun walks the events a run stands for.
func (s *Service) deadLettersOfRun(ctx context.Context, r webhookRow, run outbox.Record, after outbox.Seq, page pageLength) iter.Seq2[deadLetter, error] {
	return func(yield func(deadLetter, error) bool) {
		for from := max(run.Seq, after+1); from <= run.Last; {
			evs, next, err := s.o.Engine.Owed(ctx, r.sub.ID, from, run.Last, page())
			if err != nil {
				yield(deadLetter{}, apiError(err, "read the dead letters"))
				return
			}
			for _, ev := range evs {
				rec := run
				rec.Seq, rec.Last, rec.Count = ev.Seq, 0, 0
				if !yield(deadLetter{r, rec, ev}, nil) {
					return
				}
			}
			if next <= from {
				return
			}
			from = next
		}
	}
}

// deadRecords walks one webhook's dead records, runs as one; no event is read.
func (s *Service) deadRecords(ctx context.Context, r webhookRow) iter.Seq2[outbox.Record, error] {
	dead := func(after outbox.Seq, limit int) ([]outbox.Record, error) {
		return s.o.Engine.Dead(ctx, r.sub.ID, after, limit)
	}
	return records(dead, outbox.Record.KeySeq, 0, longPages)
}

// records walks what read returns above after, a page at a time.
func records[R any](read func(after outbox.Seq, limit int) ([]R, error), key func(R) outbox.Seq, after outbox.Seq, page pageLength) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		for at := after; ; {
			limit := page()
			recs, err := read(at, limit)
			if err != nil {
				var none R
				yield(none, apiError(err, "read the dead letters"))
				return
			}
			for _, rec := range recs {
				at = key(rec)
				if !yield(rec, nil) {
					return
				}
			}
			if len(recs) < limit {
				return
			}
		}
	}
}

// rowsFor returns the rows a filter names: one webhook (removed ones too), or all that have dead
// letters. By id, since the listing promises that order.
func (s *Service) rowsFor(ctx context.Context, webhook string) ([]webhookRow, error) {
	if webhook != "" {
		r, err := s.findAny(ctx, webhook)
		if err != nil {
			return nil, err
		}
		return []webhookRow{r}, nil
	}
	return s.rowsWithDead(ctx)
}
