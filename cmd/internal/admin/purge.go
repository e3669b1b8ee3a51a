package admin

import (
	"cmp"
	"context"
	"slices"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// Purge discards dead letters for good. After the first are gone nothing is an error any more: a
// note in the result says why only a part was purged, and the same call again goes on.
func (s *Service) Purge(ctx context.Context, in api.PurgeRequest) (out api.PurgeResult, err error) {
	defer func() { s.refused(ctx, &err, aboutWebhook("deadletter.purge", in.Webhook)) }()
	out.Missing = []string{}
	if !in.DryRun || in.Approval == api.ApprovalDeclined {
		if err := s.mayDestroy(ctx, in.Approval, "discard dead letters", s.purgeCommand(in)); err != nil {
			return out, err
		}
	}
	sel, err := s.selected(ctx, in.DeadLetterFilter, in.All, "purge")
	if err != nil {
		return out, err
	}
	out.Missing = append(out.Missing, sel.missing...)
	if in.DryRun {
		for _, r := range sel.rows {
			n, err := s.countSelected(ctx, sel, r)
			if err != nil {
				return out, err
			}
			out.Purged += n.replayable + n.unreplayable
		}
		out.DryRun = true
		return out, nil
	}
	err = s.purge(ctx, sel, &out)
	if out.Purged > 0 {
		if err != nil {
			s.o.Log.WarnContext(ctx, "a purge stopped", "purged", out.Purged, "error", err)
			out.Note, err = "Not all were purged ("+cause(err)+"). Run it again to go on", nil
		}
	}
	return out, s.laneError(err, "purge")
}

// purgeCommand is the command that does the same. It shows no query of a URL, and not too many ids.
func (s *Service) purgeCommand(in api.PurgeRequest) string {
	switch {
	case in.Webhook != "":
		return s.command("deadletter", "purge", "--url", term.Quote(cmp.Or(urlWithoutQuery(in.Webhook), auditText(in.Webhook))))
	case len(in.IDs) == 0, len(in.IDs) > 10:
		return s.command("deadletter", "purge", "ID...")
	}
	return s.command(append([]string{"deadletter", "purge"}, in.IDs...)...)
}

func (s *Service) purge(ctx context.Context, sel selection, out *api.PurgeResult) error {
	for _, r := range sel.rows {
		n, err := s.countSelected(ctx, sel, r)
		if err != nil {
			return err
		}
		record, err := s.carry(ctx, aboutRow("deadletter.purge", r, plural(n.replayable+n.unreplayable, "dead letter")))
		if err != nil {
			return err
		}
		before := out.Purged
		err = s.purgeOf(ctx, sel, r, record, out)
		purged := out.Purged - before
		s.cameTo(ctx, record, plural(purged, "dead letter"))
		s.logPurge(ctx, r, purged)
		if err != nil {
			return err
		}
	}
	return nil
}

// purgeOf discards the selected letters of one webhook.
func (s *Service) purgeOf(ctx context.Context, sel selection, r webhookRow, record *carried, out *api.PurgeResult) error {
	f := sel.filter
	f.Webhook = ""
	if sel.byID == nil && !f.Narrows() { // nothing has to be looked at one by one
		n, err := s.o.Dispatcher.PurgeAll(ctx, r.sub.ID, record.audit...)
		record.did(n)
		out.Purged += int64(n)
		return err
	}
	for chunk, err := range s.letterChunks(ctx, sel, r) {
		if err != nil {
			return err
		}
		n, gone, err := s.o.Dispatcher.Purge(ctx, r.sub.ID, sequencesOf(chunk), record.audit...)
		record.did(n)
		out.Purged += int64(n)
		for _, l := range chunk {
			if slices.Contains(gone, l.seq()) {
				out.Missing = append(out.Missing, deadLetterID(r.sub.ID, l.seq()))
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) logPurge(ctx context.Context, r webhookRow, n int64) {
	if n > 0 {
		s.logChange(ctx, "dead letters purged", "webhook", r.sub.ID, "count", n)
	}
}

// sequencesOf returns what the dispatcher knows letters by.
func sequencesOf(letters []deadLetter) []outbox.Seq {
	seqs := make([]outbox.Seq, 0, len(letters))
	for _, l := range letters {
		seqs = append(seqs, l.seq())
	}
	return seqs
}
