package admin

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// maxPage is the most records or events one step of a walk reads.
const maxPage = outbox.MaxBatch

// letter is one dead delivery, taken out of its run if it was in one.
type letter struct {
	row row
	rec outbox.Record
	ev  outbox.Event
}

// letters walks the dead letters of the given rows that f selects, in webhook and sequence order, from after on. Runs are expanded.
// The walk reads pages over short transactions; letters that die or leave meanwhile may or may not be seen.
func (s *Service) letters(ctx context.Context, rows []row, f api.DeadLetterFilter, afterSub outbox.SubID, afterSeq outbox.Seq) iter.Seq2[letter, error] {
	return func(yield func(letter, error) bool) {
		skipping := afterSub != ""
		for _, r := range rows {
			from := outbox.Seq(0)
			if skipping {
				if r.sub.ID != afterSub {
					continue
				}
				skipping, from = false, afterSeq
			}
			for l, err := range s.lettersOf(ctx, r, from) {
				if err != nil {
					yield(letter{}, err)
					return
				}
				if selects(f, l) && !yield(l, nil) {
					return
				}
			}
		}
	}
}

func selects(f api.DeadLetterFilter, l letter) bool {
	return (f.Event == "" || f.Event == l.ev.Name) && (f.Since.IsZero() || !l.rec.At.Before(f.Since))
}

// lettersOf walks one webhook's dead letters above after.
func (s *Service) lettersOf(ctx context.Context, r row, after outbox.Seq) iter.Seq2[letter, error] {
	return func(yield func(letter, error) bool) {
		for at := after; ; {
			page, err := s.o.Engine.Dead(ctx, r.sub.ID, at, maxPage)
			if err != nil {
				yield(letter{}, apiError(err, "read the dead letters"))
				return
			}
			for _, rec := range page {
				at = rec.KeySeq()
				if rec.IsRun() {
					if !s.expand(ctx, r, rec, after, yield) {
						return
					}
					continue
				}
				ev, err := s.o.Engine.Event(ctx, rec.Seq)
				if errors.Is(err, outbox.ErrNotFound) {
					ev = outbox.Event{Seq: rec.Seq} // expired: listed, its body gone
				} else if err != nil {
					yield(letter{}, apiError(err, "read the dead letters"))
					return
				}
				if !yield(letter{r, rec, ev}, nil) {
					return
				}
			}
			if len(page) < maxPage {
				return
			}
		}
	}
}

// expand walks the events a run stands for. It answers false when the walk is over.
func (s *Service) expand(ctx context.Context, r row, run outbox.Record, after outbox.Seq, yield func(letter, error) bool) bool {
	for from := max(run.Seq, after+1); from <= run.Last; {
		evs, next, err := s.o.Engine.Owed(ctx, r.sub.ID, from, run.Last, maxPage)
		if err != nil {
			yield(letter{}, apiError(err, "read the dead letters"))
			return false
		}
		for _, ev := range evs {
			rec := run
			rec.Seq, rec.Last, rec.Count = ev.Seq, 0, 0
			if !yield(letter{r, rec, ev}, nil) {
				return false
			}
		}
		if next <= from {
			return true
		}
		from = next
	}
	return true
}

// rowsFor answers the rows a filter names: one webhook (removed ones too) or all. By id, since the listing promises that order.
func (s *Service) rowsFor(ctx context.Context, webhook string) ([]row, error) {
	if webhook != "" {
		r, _, err := s.find(ctx, webhook, true)
		if err != nil {
			return nil, err
		}
		return []row{r}, nil
	}
	rows, err := s.rows(ctx)
	slices.SortFunc(rows, func(a, b row) int { return strings.Compare(string(a.sub.ID), string(b.sub.ID)) })
	return rows, err
}
