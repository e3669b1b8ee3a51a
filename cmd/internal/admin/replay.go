package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"waoutbox/cmd/internal/admin/replay"
	"waoutbox/cmd/internal/term"
	"waoutbox/dispatcher"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// Replay delivers dead letters again. With a service it begins replays that run in it (StartReplay)
// and counts what they were given. Without one it moves the first of each webhook, in order, at
// most 256 outstanding, for the next start; after the first are queued nothing is an error any
// more: a note in the result says why only a part was, and the same call again goes on.
func (s *Service) Replay(ctx context.Context, in api.ReplayRequest) (out api.ReplayResult, err error) {
	if s.o.Daemon != nil && !in.DryRun && in.Limit == 0 {
		return s.replayInService(ctx, in)
	}
	defer func() { s.refused(ctx, &err, aboutWebhook("deadletter.replay", in.Webhook)) }()
	out.Missing = []string{}
	sel, err := s.selected(ctx, in.DeadLetterFilter, in.All, "replay")
	if err != nil {
		return out, err
	}
	out.Missing = append(out.Missing, sel.missing...)
	removed, ended, err := s.replay(ctx, sel, in, &out)
	var notes []string
	if err != nil {
		if out.Queued == 0 || in.DryRun {
			return out, s.laneError(err, "replay")
		}
		s.o.Log.WarnContext(ctx, "a replay stopped", "queued", out.Queued, "error", err)
		notes = append(notes, "Not all were queued ("+cause(err)+"). Run it again to go on.")
	}
	if len(removed) > 0 {
		text := s.removedText(removed)
		if out.Queued == 0 && len(sel.rows) == len(removed) {
			return out, api.Errorf(api.CodeWebhookNotFound, "%s", text)
		}
		notes = append(notes, text)
	}
	if ended > 0 {
		if out.Queued == 0 && len(removed) == 0 {
			return out, api.Errorf(api.CodeNotReplayable, "%s", ofEndedText(ended))
		}
		notes = append(notes, ofEndedText(ended))
	}
	if out.Unreplayable > 0 {
		notes = append(notes, fmt.Sprintf("%d cannot be replayed: their bodies are gone or damaged.", out.Unreplayable))
	}
	if out.Queued > 0 && !in.DryRun {
		s.logChange(ctx, "dead letters queued again", "webhook", in.Webhook, "count", out.Queued)
	}
	if out.Queued > 0 && s.o.Daemon == nil && !in.DryRun {
		notes = append(notes, "No service runs: they are queued and leave when it starts ("+s.command("start")+").")
	}
	out.Note = strings.Join(notes, " ")
	return out, nil
}

func (s *Service) removedText(removed []string) string {
	return fmt.Sprintf("%s was removed; its dead letters are kept. Add it again, then replay: %s", strings.Join(removed, ", "), s.addAgain(outbox.SubID(removed[0])))
}

// ofEndedText tells of letters that nobody gets any more.
func ofEndedText(n int64) string {
	return term.Plural(n, "is of a subscription of an MCP client that has ended: its client alone can begin it again, from a cursor on",
		"are of subscriptions of MCP clients that have ended: their clients alone can begin them again, from a cursor on") + "."
}

// replayInService begins replays and tells of them as Replay does.
func (s *Service) replayInService(ctx context.Context, in api.ReplayRequest) (api.ReplayResult, error) {
	out := api.ReplayResult{Missing: []string{}}
	res, err := s.StartReplay(ctx, api.StartReplay{DeadLetterFilter: in.DeadLetterFilter, All: in.All})
	out.Missing, out.Remaining, out.Unreplayable = append(out.Missing, res.Missing...), res.Removed, res.Unreplayable
	if err != nil {
		return out, err
	}
	var notes []string
	for _, run := range res.Runs {
		out.Queued += run.Total
	}
	if out.Queued > 0 {
		notes = append(notes, fmt.Sprintf("The service delivers them, at most %d a second, and stops after 10 failures in a row. How far it is: %s",
			api.DefaultReplayRate, s.command("deadletter replay --status")))
	}
	for _, run := range res.Busy {
		notes = append(notes, s.busyError(run).Error())
	}
	if len(res.RemovedWebhooks) > 0 {
		text := s.removedText(res.RemovedWebhooks)
		if out.Queued == 0 && len(res.Busy) == 0 {
			return out, api.Errorf(api.CodeWebhookNotFound, "%s", text)
		}
		notes = append(notes, text)
	}
	if res.OfEnded > 0 {
		if out.Queued == 0 && len(res.Busy)+len(res.RemovedWebhooks) == 0 {
			return out, api.Errorf(api.CodeNotReplayable, "%s", ofEndedText(res.OfEnded))
		}
		notes = append(notes, ofEndedText(res.OfEnded))
	}
	if out.Unreplayable > 0 {
		notes = append(notes, fmt.Sprintf("%d cannot be replayed: their bodies are gone or damaged.", out.Unreplayable))
	}
	out.Note = strings.Join(notes, " ")
	return out, nil
}

// replay queues what is selected, webhook by webhook, and returns the ids of those that are
// removed, and how many letters are of subscriptions that have ended.
func (s *Service) replay(ctx context.Context, sel selection, in api.ReplayRequest, out *api.ReplayResult) (removed []string, ended int64, err error) {
	left := in.Limit
	for _, r := range sel.rows {
		n, err := s.countSelected(ctx, sel, r)
		if err != nil {
			return removed, ended, err
		}
		out.Unreplayable += n.unreplayable
		switch {
		case n.replayable == 0:
			continue
		case r.sub.Removed && r.cfg.Lease != nil:
			ended += n.replayable
			continue
		case r.sub.Removed:
			removed = append(removed, string(r.sub.ID))
			out.Remaining += n.replayable
			continue
		case in.DryRun:
			out.Queued += n.replayable
			continue
		}
		others, err := s.outstanding(ctx, r.sub.ID)
		if err != nil {
			return removed, ended, err
		}
		room := max(0, replay.Window-others)
		if in.Limit > 0 {
			room = min(room, left)
		}
		record, err := s.carry(ctx, aboutRow("deadletter.replay", r, plural(min(int64(room), n.replayable), "dead letter")))
		if err != nil {
			return removed, ended, err
		}
		queued, missing, err := s.queueLetters(ctx, sel, r, room, record)
		s.cameTo(ctx, record, plural(int64(queued), "dead letter"))
		out.Missing = append(out.Missing, missing...)
		out.Queued += int64(queued)
		out.Remaining += max(0, n.replayable-int64(queued)-int64(len(missing)))
		left -= queued
		switch {
		case errors.Is(err, dispatcher.ErrRemoved): // meanwhile
			removed = append(removed, string(r.sub.ID))
		case err != nil:
			return removed, ended, err
		}
	}
	return removed, ended, nil
}

// queueLetters moves the first of a webhook's selected letters into delivery, at most room of them.
func (s *Service) queueLetters(ctx context.Context, sel selection, r webhookRow, room int, record *carried) (queued int, missing []string, err error) {
	var chunk []outbox.Seq
	move := func() error {
		n, gone, err := s.o.Dispatcher.Replay(ctx, r.sub.ID, chunk, record.audit...)
		record.did(n)
		queued += n
		for _, seq := range gone {
			missing = append(missing, deadLetterID(r.sub.ID, seq))
		}
		chunk = nil
		return err
	}
	taken := 0
	for l, err := range s.letters(ctx, sel, r, 0) {
		if err != nil {
			return queued, missing, err
		}
		if taken == room {
			break
		}
		if l.unreplayable() != "" {
			continue
		}
		taken++
		if chunk = append(chunk, l.seq()); len(chunk) == outbox.MaxBatch {
			if err := move(); err != nil {
				return queued, missing, err
			}
		}
	}
	if len(chunk) > 0 {
		err = move()
	}
	return queued, missing, err
}
