package admin

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"waoutbox/cmd/internal/admin/replay"
	"waoutbox/dispatcher"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// maxReplayRate bounds the deliveries a second somebody may ask for.
const maxReplayRate = 100_000

// StartReplay begins a replay for every webhook that the selection has letters of. Webhooks for
// which one runs are left alone; when that leaves nothing to begin it is an error.
func (s *Service) StartReplay(ctx context.Context, in api.StartReplay) (out api.StartReplayResult, err error) {
	defer func() { s.refused(ctx, &err, aboutWebhook("deadletter.replay", in.Webhook)) }()
	out = api.StartReplayResult{Runs: []api.ReplayRun{}, Missing: []string{}}
	perSecond, err := replayRate(in.Rate)
	if err != nil {
		return out, err
	}
	if err := s.canRunReplays(in.DryRun); err != nil {
		return out, err
	}
	sel, err := s.selected(ctx, in.DeadLetterFilter, in.All, "replay")
	if err != nil {
		return out, err
	}
	out.Missing = append(out.Missing, sel.missing...)
	for _, r := range sel.rows {
		n, err := s.countSelected(ctx, sel, r)
		if err != nil {
			return out, apiError(err, "replay")
		}
		out.Unreplayable += n.unreplayable
		switch {
		case n.replayable == 0:
		case r.sub.Removed && r.cfg.Lease != nil:
			out.OfEnded += n.replayable
		case r.sub.Removed:
			out.Removed += n.replayable
			out.RemovedWebhooks = append(out.RemovedWebhooks, string(r.sub.ID))
		default:
			record, err := s.carry(ctx, aboutRow("deadletter.replay", r, plural(n.replayable, "dead letter")))
			if err != nil {
				return out, apiError(err, "replay")
			}
			j := s.replayJob(ctx, r, in.ReplayPace, perSecond)
			j.Kind, j.Total = api.ReplayDeadLetters, n.replayable
			s.fromLetters(&j, sel, r)
			s.moves(&j, record, s.o.Dispatcher.Replay)
			s.startRun(ctx, j, record.audit, in.DryRun, &out)
		}
	}
	if len(out.Runs) == 0 && len(out.Busy) > 0 {
		return out, s.busyError(out.Busy[0])
	}
	return out, nil
}

// canRunReplays refuses a replay where nothing would follow it.
func (s *Service) canRunReplays(dryRun bool) error {
	if s.o.Daemon == nil && !dryRun {
		return api.Errorf(api.CodeServiceUnavail, "a replay runs in the service, and none runs. Start it: %s", s.command("start"))
	}
	return nil
}

// replayRate returns the deliveries a second that are asked for.
func replayRate(asked *float64) (float64, error) {
	if asked == nil {
		return api.DefaultReplayRate, nil
	}
	// NaN compares with nothing
	if !(*asked >= 0 && *asked <= maxReplayRate) || math.IsInf(*asked, 0) {
		return 0, api.Errorf(api.CodeInvalidArguments, "rate %g is no rate: give deliveries per second, like 20 or 0.5, at most %d, or 0 for no limit", *asked, maxReplayRate).In("rate")
	}
	return *asked, nil
}

// mover is Replay or Redeliver of a Dispatcher.
type mover func(ctx context.Context, id outbox.SubID, seqs []outbox.Seq, audit ...outbox.Audit) (queued int, missing []outbox.Seq, err error)

// moves makes j move its deliveries with do; the first that are moved carry the record.
func (s *Service) moves(j *replay.Job, record *carried, do mover) {
	id, first := j.Webhook, *record
	j.Move = func(ctx context.Context, seqs []outbox.Seq) ([]outbox.Seq, error) {
		s.o.Ends.Watch(id, seqs)
		n, missing, err := do(ctx, id, seqs, first.audit...)
		first.did(n)
		return missing, err
	}
}

// startRun begins one replay, or with dryRun says what it would be. Its record is stored when it
// has begun, if the first deliveries that it moves were not earlier: it may have none to move for
// long.
func (s *Service) startRun(ctx context.Context, j replay.Job, audit []outbox.Audit, dryRun bool, out *api.StartReplayResult) {
	if dryRun {
		out.Runs = append(out.Runs, api.ReplayRun{
			Webhook: string(j.Webhook), URL: j.URL, Kind: j.Kind, Total: j.Total, Left: j.Total, Rate: j.Rate, KeepGoing: j.KeepGoing,
		})
		return
	}
	run, err := s.replays.Start(j)
	switch {
	case errors.Is(err, replay.ErrRunning):
		out.Busy = append(out.Busy, run)
	case err == nil:
		out.Runs = append(out.Runs, run)
		s.store(ctx, audit, string(j.Kind), run.Webhook)
	default: // the service stops, and nothing of it will run
		run = api.ReplayRun{Webhook: string(j.Webhook), URL: j.URL, Kind: j.Kind, State: api.ReplayInterrupted, Total: j.Total, Left: j.Total, Ended: err.Error()}
		out.Runs = append(out.Runs, run)
	}
}

// busyError tells of the replay that stands in the way.
func (s *Service) busyError(run api.ReplayRun) error {
	return api.Retryf(api.CodeReplayRunning, "a replay of %s runs already: %d of %d delivered, %d failed, %d left. Watch it: %s. Stop it: %s", run.Webhook,
		run.Delivered, run.Total, run.Failed, run.Left, s.command("deadletter replay --watch"), s.command("deadletter", "replay", "--stop", "--url", run.Webhook))
}

// replayJob is what the replays of one webhook have in common.
func (s *Service) replayJob(ctx context.Context, r webhookRow, pace api.ReplayPace, perSecond float64) replay.Job {
	id := r.sub.ID
	j := replay.Job{Webhook: id, URL: r.cfg.URL, Rate: perSecond, KeepGoing: pace.KeepGoing}
	j.StartedBy = s.caller(ctx)
	j.Fate = func(ctx context.Context, item replay.Item, onDisk bool) (replay.Fate, api.LastError, error) {
		fate, why, err := s.fate(ctx, r, item, onDisk)
		if err == nil && fate != replay.Pending {
			s.o.Ends.Unwatch(id, item.Seq)
		}
		return fate, why, err
	}
	j.Ended = func() { s.o.Ends.Forget(id) }
	j.Outstanding = func(ctx context.Context) (int, error) { return s.outstanding(ctx, id) }
	j.Blocked = func() string { return blocked(s.o.Dispatcher.State(id)) }
	j.Judge = func(err error) (string, bool) {
		switch {
		case errors.Is(err, dispatcher.ErrRemoved):
			return "the webhook was removed. " + s.again(r), true
		case errors.Is(err, outbox.ErrNotFound):
			return "the webhook is gone: it was removed for good", true
		case errors.Is(err, outbox.ErrClosed):
			return "the outbox is closed: the service is stopping or met a fault", true
		}
		return cause(err), false
	}
	return j
}

// fromLetters makes j replay the selected letters of a webhook. Each is taken once: what dies while
// the replay runs is not of it.
func (s *Service) fromLetters(j *replay.Job, sel selection, r webhookRow) {
	began, after := time.Now(), outbox.Seq(0)
	j.Next = func(ctx context.Context) (items []replay.Item, skipped int64, err error) {
		for l, err := range s.letters(ctx, sel, r, after) {
			if err != nil {
				return items, skipped, err
			}
			after = l.seq()
			switch {
			case l.unreplayable() != "":
				if api.Replayable(l.rec.Reason) && !namesEvents(sel.filter) && sel.byID == nil {
					skipped++ // it was counted before its event was looked at
				}
			case sel.byID == nil && !l.rec.At.Before(began) && !l.rec.At.After(time.Now()):
			default:
				items = append(items, replay.Item{Seq: l.seq(), Replay: l.rec.Replay})
			}
			if len(items) == outbox.MaxBatch {
				break
			}
		}
		return items, skipped, nil
	}
}

// fate tells where a delivery of a replay is. It has ended when that is on disk; how it ended is
// what the dispatcher told before: a delivery without a record may have been delivered or purged.
func (s *Service) fate(ctx context.Context, r webhookRow, item replay.Item, onDisk bool) (replay.Fate, api.LastError, error) {
	told := func() (replay.Fate, api.LastError, bool) { return s.o.Ends.Told(r.sub.ID, item.Seq) }
	if _, _, known := told(); !known && !onDisk {
		return replay.Pending, api.LastError{}, nil
	}
	rec, err := s.o.Engine.RecordAt(ctx, r.sub.ID, item.Seq)
	switch {
	case errors.Is(err, outbox.ErrNotFound):
		fate, why, known := told()
		switch {
		case known:
			return fate, why, nil
		case !item.Moved():
			return replay.Untouched, api.LastError{}, nil
		}
		return replay.Gone, api.LastError{}, nil
	case err != nil:
		return replay.Pending, api.LastError{}, fmt.Errorf("look up %s: %w", deadLetterID(r.sub.ID, item.Seq), err)
	case rec.State == outbox.Pending:
		return replay.Pending, api.LastError{}, nil
	case rec.Replay <= item.Replay:
		return replay.Untouched, api.LastError{}, nil
	}
	return replay.Dead, deadLetter{row: r, rec: rec}.shown().LastError, nil
}

// outstanding counts the replayed deliveries of a webhook that are pending.
func (s *Service) outstanding(ctx context.Context, id outbox.SubID) (n int, err error) {
	_, _, pending, err := s.o.Engine.Load(ctx, id)
	for _, p := range pending {
		if p.Replay > 0 {
			n++
		}
	}
	return n, err
}

// blocked says why a webhook is sent nothing at the moment.
func blocked(lane dispatcher.LaneState) string {
	switch lane.Status {
	case dispatcher.StatusPaused:
		return "the webhook is paused: " + lane.Reason
	case dispatcher.StatusHeld:
		return "the webhook is held: " + lane.Reason
	}
	if !lane.Failure.Since.IsZero() {
		return "the webhook is failing, so one delivery at a time is tried, a minute apart at most; the last error: " + lane.Failure.LastError
	}
	return ""
}

// Replays returns the replays that run, redrives among them, and the last ended ones of each
// webhook.
func (s *Service) Replays(ctx context.Context) ([]api.ReplayRun, error) { return s.runsNow(ctx), nil }

// StopReplay ends replays; what they had queued goes on.
func (s *Service) StopReplay(ctx context.Context, in api.StopReplay) (stopped []api.ReplayRun, err error) {
	defer func() {
		s.ended(ctx, &err, aboutWebhook("replay.stop", in.Webhook), func(e *outbox.AuditEntry) {
			if e.Result = plural(int64(len(stopped)), "replay"); len(stopped) == 0 {
				e.Operation = ""
			}
		})
	}()
	id := outbox.SubID("")
	if in.Webhook != "" {
		r, err := s.findAny(ctx, in.Webhook)
		if err != nil {
			return nil, err
		}
		id = r.sub.ID
	}
	by := "stopped"
	if who := s.caller(ctx); who != "" {
		by = "stopped by " + who
	}
	stopped = s.replays.Stop(id, by)
	redrives, err := s.stopRedrives(ctx, id)
	stopped = append(stopped, redrives...)
	for _, run := range stopped {
		s.logChange(ctx, "replay stopped", "webhook", run.Webhook, "kind", run.Kind, "left", run.Left)
	}
	return stopped, err
}

// Run follows the replays until ctx ends; then it ends them and returns. End it before the
// dispatcher.
func (s *Service) Run(ctx context.Context) error {
	<-ctx.Done()
	s.replays.Close()
	return nil
}
