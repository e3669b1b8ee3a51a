package admin

import (
	"context"
	"fmt"
	"slices"
	"time"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// runsNow returns the replays that run, redrives among them, and the last ended one of each kind
// and webhook: those that run first.
func (s *Service) runsNow(ctx context.Context) []api.ReplayRun {
	running := func(r api.ReplayRun) bool { return r.State == api.ReplayRunning }
	all := s.replays.List()
	for id, r := range s.o.Dispatcher.Redrives() {
		all = append(all, s.redriveRun(ctx, id, r))
	}
	slices.SortStableFunc(all, func(a, b api.ReplayRun) int {
		switch {
		case running(a) == running(b):
			return 0
		case running(a):
			return -1
		}
		return 1
	})
	return all
}

// redriveRun is a redrive in the words of a replay.
func (s *Service) redriveRun(ctx context.Context, id outbox.SubID, r dispatcher.Redrive) api.ReplayRun {
	run := api.ReplayRun{
		ID: fmt.Sprintf("rd_%s_%d", id, r.Begun.UnixMilli()), Webhook: string(id), Kind: api.ReplayRedrive, State: api.ReplayRunning,
		Total: r.Delivered + r.Failed + r.Queued, Delivered: r.Delivered, Failed: r.Failed, Queued: r.Queued, KeepGoing: true,
		StartedBy: "--redrive, for the outage that began at " + r.Outage.UTC().Format(time.RFC3339), StartedAt: r.Begun.UTC(),
	}
	if row, err := s.findAny(ctx, string(id)); err == nil {
		run.URL = row.cfg.URL
	}
	switch {
	case r.Stopped:
		run.State, run.Ended = api.ReplayStopped, "stopped"
	case r.Ended.IsZero():
		run.Waiting = blocked(s.o.Dispatcher.State(id))
		return run
	default:
		run.State = api.ReplayDone
	}
	if r.Ended.After(r.Begun) {
		run.EndedAt, run.PerSecond = r.Ended.UTC(), float64(r.Delivered+r.Failed)/r.Ended.Sub(r.Begun).Seconds()
	}
	return run
}

// stopRedrives ends the redrives of one webhook, or with "" of all, and returns how those that it
// ended stand.
func (s *Service) stopRedrives(ctx context.Context, id outbox.SubID) (stopped []api.ReplayRun, err error) {
	for sub, r := range s.o.Dispatcher.Redrives() {
		if id != "" && id != sub || !r.Ended.IsZero() {
			continue
		}
		did, err := s.o.Dispatcher.StopRedrive(ctx, sub)
		if err != nil {
			return stopped, s.laneError(err, "stop the redrive of "+string(sub))
		}
		if did {
			stopped = append(stopped, s.redriveRun(ctx, sub, s.o.Dispatcher.Redrives()[sub]))
		}
	}
	return stopped, nil
}
