package admin

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// maxOutstanding bounds the replayed deliveries a webhook has waiting: replay has no job table, the caller repeats.
const maxOutstanding = outbox.MaxBatch

// selection is what a replay or purge works on: sequences per webhook, in order, and ids that name no dead letter.
type selection struct {
	rows    []row
	seqs    map[outbox.SubID][]outbox.Seq // only when ids were given
	missing []string
}

// selected resolves a filter. Naming nothing is refused: "everything" must be said.
func (s *Service) selected(ctx context.Context, f api.DeadLetterFilter, all bool, verb string) (selection, error) {
	sel := selection{missing: []string{}}
	narrowed := f.Webhook != "" || f.Event != "" || !f.Since.IsZero()
	switch {
	case len(f.IDs) > 0 && (narrowed || all):
		return sel, api.Errorf(api.CodeInvalidArguments, "%s takes ids or filters, not both", verb)
	case all && narrowed:
		return sel, api.Errorf(api.CodeInvalidArguments, "%s takes --all or filters, not both", verb)
	case len(f.IDs) == 0 && !narrowed && !all:
		return sel, api.Errorf(api.CodeInvalidArguments, "nothing selected to %s: name ids, a webhook (--url), a time (--since), or --all", verb)
	}
	var err error
	if len(f.IDs) == 0 {
		sel.rows, err = s.rowsFor(ctx, f.Webhook)
		return sel, err
	}
	all2, err := s.rowsFor(ctx, "")
	if err != nil {
		return sel, err
	}
	sel.seqs = map[outbox.SubID][]outbox.Seq{}
	for _, id := range f.IDs {
		sub, seq, err := parseDeadLetterID(id)
		if err != nil {
			return sel, err
		}
		i := slices.IndexFunc(all2, func(r row) bool { return r.sub.ID == sub })
		if i < 0 {
			sel.missing = append(sel.missing, id)
			continue
		}
		if _, seen := sel.seqs[sub]; !seen {
			sel.rows = append(sel.rows, all2[i])
		}
		sel.seqs[sub] = append(sel.seqs[sub], seq)
	}
	for sub, seqs := range sel.seqs {
		slices.Sort(seqs)
		sel.seqs[sub] = slices.Compact(seqs)
	}
	return sel, nil
}

// chunks walks the selected sequences of one webhook, at most limit in all (negative: no limit), in steps the engine takes.
func (s *Service) chunks(ctx context.Context, sel selection, r row, f api.DeadLetterFilter, limit int) iter.Seq2[[]outbox.Seq, error] {
	return func(yield func([]outbox.Seq, error) bool) {
		if sel.seqs != nil {
			seqs := sel.seqs[r.sub.ID]
			if limit >= 0 && len(seqs) > limit {
				seqs = seqs[:limit]
			}
			for chunk := range slices.Chunk(seqs, outbox.MaxBatch) {
				if !yield(chunk, nil) {
					return
				}
			}
			return
		}
		after := outbox.Seq(0)
		for limit != 0 {
			var chunk []outbox.Seq
			for l, err := range s.lettersOf(ctx, r, after) {
				if err != nil {
					yield(nil, err)
					return
				}
				after = l.rec.Seq
				if selects(f, l) {
					chunk = append(chunk, l.rec.Seq)
				}
				if len(chunk) == outbox.MaxBatch || len(chunk) == limit {
					break
				}
			}
			if len(chunk) == 0 {
				return
			}
			if !yield(chunk, nil) {
				return
			}
			if limit > 0 {
				limit -= len(chunk)
			}
		}
	}
}

// Replay moves dead letters back into delivery, in order, at most 256 outstanding per webhook.
func (s *Service) Replay(ctx context.Context, in api.ReplayRequest) (api.ReplayResult, error) {
	out := api.ReplayResult{Missing: []string{}}
	sel, err := s.selected(ctx, in.DeadLetterFilter, in.All, "replay")
	if err != nil {
		return out, err
	}
	out.Missing = append(out.Missing, sel.missing...)
	var removed []string
	limit := in.Limit
	for _, r := range sel.rows {
		total, err := s.selectedCount(ctx, sel, r, in.DeadLetterFilter)
		if err != nil {
			return out, err
		}
		if total == 0 && sel.seqs == nil {
			continue
		}
		if r.sub.Removed {
			removed = append(removed, string(r.sub.ID))
			out.Remaining += total
			continue
		}
		if in.DryRun {
			there, gone, err := s.present(ctx, sel, r, total)
			if err != nil {
				return out, err
			}
			out.Queued += there
			out.Missing = append(out.Missing, gone...)
			continue
		}
		room, err := s.replayRoom(ctx, r)
		if err != nil {
			return out, err
		}
		if in.Limit > 0 {
			room = min(room, limit)
		}
		queued, missing, err := s.replayRow(ctx, sel, r, in.DeadLetterFilter, room)
		out.Missing = append(out.Missing, missing...)
		out.Queued += int64(queued)
		out.Remaining += max(0, total-int64(queued)-int64(len(missing)))
		limit -= queued
		if err != nil {
			return out, err
		}
	}
	if len(removed) > 0 {
		text := fmt.Sprintf("%s was removed; its dead letters are kept. Add it again, then replay: waoutbox webhook add %s", strings.Join(removed, ", "), removed[0])
		if out.Queued == 0 && len(sel.rows) == len(removed) {
			return out, api.Errorf(api.CodeWebhookNotFound, "%s", text)
		}
		out.Note = text
	}
	if out.Queued > 0 && s.o.Daemon == nil && !in.DryRun {
		out.Note = strings.TrimPrefix(out.Note+" No daemon runs: they are queued and leave when it starts (waoutbox start).", " ")
	}
	return out, nil
}

// present tells which of the ids given are dead letters now. Without ids everything counted is.
func (s *Service) present(ctx context.Context, sel selection, r row, total int64) (there int64, gone []string, err error) {
	if sel.seqs == nil {
		return total, nil, nil
	}
	for _, seq := range sel.seqs[r.sub.ID] {
		id := deadLetterID(r.sub.ID, seq)
		switch _, err := s.DeadLetter(ctx, id); {
		case err == nil:
			there++
		case api.CodeOf(err) == api.CodeNotFound:
			gone = append(gone, id)
		default:
			return there, gone, err
		}
	}
	return there, gone, nil
}

// selectedCount counts a row's dead letters that are selected. Ids are counted as given: the engine tells which are missing.
func (s *Service) selectedCount(ctx context.Context, sel selection, r row, f api.DeadLetterFilter) (int64, error) {
	if sel.seqs != nil {
		return int64(len(sel.seqs[r.sub.ID])), nil
	}
	return s.countLetters(ctx, []row{r}, f)
}

func (s *Service) replayRow(ctx context.Context, sel selection, r row, f api.DeadLetterFilter, room int) (queued int, missing []string, err error) {
	for chunk, err := range s.chunks(ctx, sel, r, f, room) {
		if err != nil {
			return queued, missing, err
		}
		n, gone, err := s.o.Dispatcher.Replay(ctx, r.sub.ID, chunk)
		queued += n
		for _, seq := range gone {
			missing = append(missing, deadLetterID(r.sub.ID, seq))
		}
		if err != nil {
			return queued, missing, apiError(err, "replay")
		}
	}
	return queued, missing, nil
}

// replayRoom is how many more replayed deliveries the webhook may have waiting.
func (s *Service) replayRoom(ctx context.Context, r row) (int, error) {
	_, _, pending, err := s.o.Engine.Load(ctx, r.sub.ID)
	if err != nil {
		return 0, apiError(err, "replay")
	}
	outstanding := 0
	for _, p := range pending {
		if p.Replay > 0 {
			outstanding++
		}
	}
	return max(0, maxOutstanding-outstanding), nil
}

// Purge discards dead letters for good.
func (s *Service) Purge(ctx context.Context, in api.PurgeRequest) (api.PurgeResult, error) {
	out := api.PurgeResult{Missing: []string{}}
	sel, err := s.selected(ctx, in.DeadLetterFilter, in.All, "purge")
	if err != nil {
		return out, err
	}
	out.Missing = append(out.Missing, sel.missing...)
	whole := sel.seqs == nil && in.Event == "" && in.Since.IsZero() // nothing has to be looked at one by one
	for _, r := range sel.rows {
		if whole {
			n, err := s.o.Dispatcher.PurgeAll(ctx, r.sub.ID)
			out.Purged += int64(n)
			if err != nil {
				return out, apiError(err, "purge")
			}
			continue
		}
		if err := s.purgeRow(ctx, sel, r, in.DeadLetterFilter, &out); err != nil {
			return out, err
		}
	}
	if out.Purged > 0 {
		s.o.Log.InfoContext(ctx, "dead letters purged", "count", out.Purged, "at", time.Now().UTC())
	}
	return out, nil
}

func (s *Service) purgeRow(ctx context.Context, sel selection, r row, f api.DeadLetterFilter, out *api.PurgeResult) error {
	for chunk, err := range s.chunks(ctx, sel, r, f, -1) {
		if err != nil {
			return err
		}
		n, gone, err := s.o.Dispatcher.Purge(ctx, r.sub.ID, chunk)
		out.Purged += int64(n)
		for _, seq := range gone {
			out.Missing = append(out.Missing, deadLetterID(r.sub.ID, seq))
		}
		if err != nil {
			return apiError(err, "purge")
		}
	}
	return nil
}
