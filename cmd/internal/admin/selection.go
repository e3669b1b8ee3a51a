package admin

import (
	"cmp"
	"context"
	"iter"
	"slices"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// selection is what a replay or purge works on: everything a filter selects of some webhooks, or
// the letters that ids name. Ids that name no dead letter are missing.
type selection struct {
	filter  api.DeadLetterFilter
	rows    []webhookRow
	byID    map[outbox.SubID][]deadLetter // in order; only when ids were given
	missing []string
}

// selected resolves a filter. Naming nothing is refused: "everything" must be said.
func (s *Service) selected(ctx context.Context, f api.DeadLetterFilter, all bool, verb string) (selection, error) {
	sel := selection{missing: []string{}}
	var err error
	if sel.filter, err = s.checkedFilter(f); err != nil {
		return sel, err
	}
	switch {
	case len(f.IDs) > 0 && all:
		return sel, api.Errorf(api.CodeInvalidArguments, "%s takes ids or all, not both", verb).In("all")
	case len(f.IDs) == 0 && !sel.filter.Narrows() && !all:
		return sel, api.Errorf(api.CodeInvalidArguments, "nothing selected to %s: name ids, a webhook, a time, another filter, or all", verb).In("all")
	case len(f.IDs) > 0:
		err = s.selectIDs(ctx, f.IDs, &sel)
		return sel, err
	}
	sel.rows, err = s.rowsFor(ctx, f.Webhook)
	return sel, err
}

// selectIDs looks every id up, so that only what is dead now is selected.
func (s *Service) selectIDs(ctx context.Context, ids []string, sel *selection) error {
	sel.byID = map[outbox.SubID][]deadLetter{}
	for _, id := range ids {
		l, err := s.letter(ctx, id)
		if api.CodeOf(err) == api.CodeNotFound {
			sel.missing = append(sel.missing, id)
			continue
		}
		named(err, "ids")
		if err != nil {
			return err
		}
		l.ev.Body = nil
		sub := l.row.sub.ID
		if sel.byID[sub] == nil {
			sel.rows = append(sel.rows, l.row)
		}
		sel.byID[sub] = append(sel.byID[sub], l)
	}
	for sub, letters := range sel.byID {
		slices.SortFunc(letters, func(a, b deadLetter) int { return cmp.Compare(a.seq(), b.seq()) })
		sel.byID[sub] = slices.CompactFunc(letters, func(a, b deadLetter) bool { return a.seq() == b.seq() })
	}
	return nil
}

// letters walks the selected letters of one webhook above after, in order.
func (s *Service) letters(ctx context.Context, sel selection, r webhookRow, after outbox.Seq) iter.Seq2[deadLetter, error] {
	if sel.byID == nil {
		return s.deadLettersOf(ctx, r, sel.filter, after, longPages)
	}
	return func(yield func(deadLetter, error) bool) {
		for _, l := range sel.byID[r.sub.ID] {
			if l.seq() > after && !yield(l, nil) {
				return
			}
		}
	}
}

// letterChunks is letters in steps the engine takes.
func (s *Service) letterChunks(ctx context.Context, sel selection, r webhookRow) iter.Seq2[[]deadLetter, error] {
	return func(yield func([]deadLetter, error) bool) {
		var chunk []deadLetter
		for l, err := range s.letters(ctx, sel, r, 0) {
			if err != nil {
				yield(nil, err)
				return
			}
			if chunk = append(chunk, l); len(chunk) == outbox.MaxBatch {
				if !yield(chunk, nil) {
					return
				}
				chunk = nil
			}
		}
		if len(chunk) > 0 {
			yield(chunk, nil)
		}
	}
}

// letterCount is what a selection holds of one webhook, in events.
type letterCount struct {
	replayable, unreplayable int64
}

// countSelected counts a webhook's selected letters. Without ids and a filter by event or chat no
// event is read: of a letter whose event alone is damaged it is not known yet that it cannot be
// replayed.
func (s *Service) countSelected(ctx context.Context, sel selection, r webhookRow) (n letterCount, err error) {
	if counts, kept := s.keptCounts(ctx, r, sel.filter); kept && sel.byID == nil {
		for reason, c := range counts {
			if api.Replayable(reason) {
				n.replayable += c
			} else {
				n.unreplayable += c
			}
		}
		return n, nil
	}
	if sel.byID == nil && !namesEvents(sel.filter) {
		for rec, err := range s.deadRecords(ctx, r) {
			if err != nil {
				return n, err
			}
			switch {
			case !recordWanted(sel.filter, rec):
			case api.Replayable(rec.Reason):
				n.replayable += deliveries(rec)
			default:
				n.unreplayable += deliveries(rec)
			}
		}
		return n, nil
	}
	for l, err := range s.letters(ctx, sel, r, 0) {
		if err != nil {
			return n, err
		}
		if l.unreplayable() == "" {
			n.replayable++
		} else {
			n.unreplayable += deliveries(l.rec)
		}
	}
	return n, nil
}
