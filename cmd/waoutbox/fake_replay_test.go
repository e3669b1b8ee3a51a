package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"waoutbox/cmd/internal/admin/replay"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

type fakeReplay struct {
	letter api.DeadLetterDetail
	due    time.Time
}

// endDue ends the replays that are due, with f.mu held.
func (f *fakeService) endDue() {
	now := time.Now()
	var still []fakeReplay
	for _, fl := range f.replayed {
		switch {
		case fl.due.After(now):
			still = append(still, fl)
		case f.fate != nil && !f.fate(fl.letter.ID):
			fl.letter.FailedAt = fl.due
			f.letters = append(f.letters, fl.letter)
		}
	}
	f.replayed = still
	slices.SortStableFunc(f.letters, func(a, b api.DeadLetterDetail) int { return compareIDs(a.ID, b.ID) })
}

func (f *fakeService) Replay(_ context.Context, in api.ReplayRequest) (api.ReplayResult, error) {
	done, err := f.begin("Replay")
	defer done()
	res := api.ReplayResult{Missing: []string{}}
	if err != nil {
		return res, err
	}
	f.replays = append(f.replays, in.IDs)
	return f.queue(in, res), nil
}

// queue does Replay with f.mu held.
func (f *fakeService) queue(in api.ReplayRequest, res api.ReplayResult) api.ReplayResult {
	selected := f.matching(in.DeadLetterFilter)
	for _, id := range in.IDs {
		dead := slices.ContainsFunc(f.letters, func(l api.DeadLetterDetail) bool { return l.ID == id })
		away := slices.ContainsFunc(f.replayed, func(l fakeReplay) bool { return l.letter.ID == id })
		if !dead && !away {
			res.Missing = append(res.Missing, id)
		}
	}
	for _, l := range selected {
		if f.room > 0 && len(f.replayed) >= f.room || l.Removed {
			res.Remaining++
			continue
		}
		res.Queued++
		l.Replay++
		f.replayed = append(f.replayed, fakeReplay{l, time.Now().Add(f.took)})
		f.letters = slices.DeleteFunc(f.letters, func(o api.DeadLetterDetail) bool { return o.ID == l.ID })
	}
	f.mostOutstanding = max(f.mostOutstanding, len(f.replayed))
	return res
}

// StartReplay counts what is selected, and has the service's own runner replay it.
func (f *fakeService) StartReplay(_ context.Context, in api.StartReplay) (api.StartReplayResult, error) {
	done, err := f.begin("StartReplay")
	defer done()
	res := api.StartReplayResult{Runs: []api.ReplayRun{}, Missing: []string{}}
	if err != nil {
		return res, err
	}
	for _, id := range in.IDs {
		if !slices.ContainsFunc(f.letters, func(l api.DeadLetterDetail) bool { return l.ID == id }) {
			res.Missing = append(res.Missing, id)
		}
	}
	var jobs []*fakeJob
	for _, l := range f.matching(in.DeadLetterFilter) {
		switch {
		case !api.Replayable(l.LastError.Class):
			res.Unreplayable += max(1, l.Count)
			continue
		case l.Removed:
			res.Removed++
			res.RemovedWebhooks = unique(append(res.RemovedWebhooks, l.Webhook))
			continue
		}
		i := slices.IndexFunc(jobs, func(j *fakeJob) bool { return string(j.job.Webhook) == l.Webhook })
		if i < 0 {
			i = len(jobs)
			jobs = append(jobs, f.newJob(l, in.ReplayPace))
		}
		jobs[i].add(l)
	}
	for _, j := range jobs {
		if in.DryRun {
			res.Runs = append(res.Runs, api.ReplayRun{Webhook: string(j.job.Webhook), URL: j.job.URL, Total: j.job.Total, Left: j.job.Total, Rate: j.job.Rate})
			continue
		}
		run, err := f.runs.Start(j.job)
		if err != nil {
			res.Busy = append(res.Busy, run)
			continue
		}
		res.Runs = append(res.Runs, run)
	}
	return res, nil
}

// fakeJob is a replay of some of the fake's letters.
type fakeJob struct {
	job   replay.Job
	items []replay.Item
	ids   map[outbox.Seq]string
}

func (j *fakeJob) add(l api.DeadLetterDetail) {
	j.job.Total++
	var seq outbox.Seq
	fmt.Sscanf(l.ID[strings.LastIndexByte(l.ID, '_')+1:], "%d", &seq)
	j.items = append(j.items, replay.Item{Seq: seq, Replay: l.Replay})
	j.ids[seq] = l.ID
}

var errFakeGone = errors.New("the webhook is gone")

func (f *fakeService) newJob(l api.DeadLetterDetail, pace api.ReplayPace) *fakeJob {
	j := &fakeJob{ids: map[outbox.Seq]string{}}
	j.job = replay.Job{Webhook: outbox.SubID(l.Webhook), URL: l.URL, Kind: api.ReplayDeadLetters, Rate: *pace.Rate, KeepGoing: pace.KeepGoing, StartedBy: "cli"}
	j.job.Next = func(context.Context) ([]replay.Item, int64, error) {
		n := min(len(j.items), outbox.MaxBatch)
		items := j.items[:n:n]
		j.items = j.items[n:]
		return items, 0, nil
	}
	j.job.Move = func(ctx context.Context, seqs []outbox.Seq) (missing []outbox.Seq, err error) {
		in := api.ReplayRequest{}
		for _, seq := range seqs {
			in.IDs = append(in.IDs, j.ids[seq])
		}
		res, err := f.Replay(ctx, in)
		for _, seq := range seqs {
			if slices.Contains(res.Missing, j.ids[seq]) {
				missing = append(missing, seq)
			}
		}
		return missing, err
	}
	j.job.Fate = func(_ context.Context, item replay.Item, _ bool) (replay.Fate, api.LastError, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.endDue()
		known := slices.ContainsFunc(f.hooks, func(w api.Webhook) bool { return w.ID == l.Webhook })
		pending := slices.ContainsFunc(f.replayed, func(r fakeReplay) bool { return r.letter.ID == j.ids[item.Seq] })
		i := slices.IndexFunc(f.letters, func(d api.DeadLetterDetail) bool { return d.ID == j.ids[item.Seq] })
		switch {
		case !known:
			return replay.Pending, api.LastError{}, errFakeGone
		case pending:
			return replay.Pending, api.LastError{}, nil
		case i < 0:
			return replay.Delivered, api.LastError{}, nil
		case f.letters[i].Replay == item.Replay:
			return replay.Untouched, api.LastError{}, nil
		}
		return replay.Dead, f.letters[i].LastError, nil
	}
	j.job.Outstanding = func(context.Context) (int, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.room > 0 {
			return max(0, replay.Window-f.room+len(f.replayed)), nil
		}
		return len(f.replayed), nil
	}
	j.job.Blocked = func() string {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, w := range f.hooks {
			if w.ID == l.Webhook && w.Status == api.WebhookPaused {
				return "the webhook is paused: " + w.Reason
			}
		}
		return ""
	}
	j.job.Ended = func() {}
	j.job.Judge = func(err error) (string, bool) { return err.Error(), errors.Is(err, errFakeGone) }
	return j
}

func (f *fakeService) Replays(context.Context) ([]api.ReplayRun, error) {
	done, err := f.begin("Replays")
	done()
	return f.runs.List(), err
}

func (f *fakeService) StopReplay(_ context.Context, in api.StopReplay) ([]api.ReplayRun, error) {
	return f.runs.Stop(outbox.SubID(in.Webhook), "stopped by cli"), f.fail["StopReplay"]
}
