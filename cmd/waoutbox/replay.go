package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// replayTick is how often a command looks how far the replays are that it watches.
const replayTick = 200 * time.Millisecond

// watchedReplays are replays in the service that a command follows to their end.
type watchedReplays struct {
	svc  api.Service
	runs []api.ReplayRun // as they were seen last
	lost bool            // the service knows one of them no more: it was restarted
	// of webhooks that are paused: nothing comes of watching on
	paused map[string]string // webhook: why
}

// follow looks until all have ended, ctx ends, or nothing comes of watching on. shown is called
// after each look.
func (w *watchedReplays) follow(ctx context.Context, shown func()) error {
	tick := time.NewTicker(replayTick)
	defer tick.Stop()
	for {
		shown()
		if w.ended() {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if err := w.look(ctx); err != nil {
			return err
		}
	}
}

func (w *watchedReplays) look(ctx context.Context) error {
	all, err := w.svc.Replays(ctx)
	if err != nil {
		return err
	}
	for i, run := range w.runs {
		j := slices.IndexFunc(all, func(r api.ReplayRun) bool { return r.ID == run.ID })
		switch {
		case j >= 0:
		case run.Kind == api.ReplayRedrive: // its lane was loaded again: the rest is another one
			w.runs[i].State = api.ReplayDone
			continue
		default:
			w.lost = w.lost || run.State == api.ReplayRunning
			continue
		}
		w.runs[i] = all[j]
		if err := w.lookForPause(ctx, all[j]); err != nil {
			return err
		}
	}
	return nil
}

// lookForPause notes that a replay waits for its webhook to be resumed.
func (w *watchedReplays) lookForPause(ctx context.Context, run api.ReplayRun) error {
	delete(w.paused, run.Webhook)
	if run.State != api.ReplayRunning || run.Waiting == "" {
		return nil
	}
	hook, err := w.svc.Webhook(ctx, run.Webhook)
	if api.CodeOf(err) == api.CodeWebhookNotFound {
		return nil // the replay finds out by itself
	}
	if err == nil && hook.Status == api.WebhookPaused {
		w.paused[run.Webhook] = cmp.Or(hook.Reason, "by its user")
	}
	return err
}

// ended reports whether there is nothing to watch any more.
func (w *watchedReplays) ended() bool {
	return w.lost || !slices.ContainsFunc(w.runs, func(r api.ReplayRun) bool {
		_, paused := w.paused[r.Webhook]
		return r.State == api.ReplayRunning && !paused
	})
}

// sum adds the runs up.
func (w *watchedReplays) sum() (s api.ReplayRun) {
	for _, r := range w.runs {
		s.Total += r.Total
		s.Delivered += r.Delivered
		s.Failed += r.Failed
		s.Queued += r.Queued
		s.Left += r.Left
		s.Missing += r.Missing
		s.Unreplayable += r.Unreplayable
		s.PerSecond += r.PerSecond
		s.SecondsLeft = max(s.SecondsLeft, r.SecondsLeft)
	}
	return s
}

// progressNote is what stands behind the bar.
func (w *watchedReplays) progressNote() string {
	s := w.sum()
	var parts []string
	if s.PerSecond > 0 {
		parts = append(parts, perSecondText(s.PerSecond))
	}
	if s.Failed > 0 {
		parts = append(parts, term.Count(s.Failed)+" failed")
	}
	if s.SecondsLeft > 0 {
		parts = append(parts, term.Age(secondsOf(s.SecondsLeft))+" left")
	}
	for _, r := range w.runs {
		if r.State == api.ReplayRunning && r.Waiting != "" {
			parts = append(parts, term.Clean(inShort(r.Waiting)))
		}
	}
	return strings.Join(parts, "  ")
}

// inShort returns what a replay waits for up to its reasons, which no bar has room for.
func inShort(waiting string) string {
	if i := strings.IndexAny(waiting, ",:"); i > 0 {
		return waiting[:i]
	}
	return waiting
}

func perSecondText(n float64) string {
	if n < 1 {
		return fmt.Sprintf("%.1f/s", n)
	}
	return fmt.Sprintf("%.0f/s", math.Round(n))
}

// watchReplays follows replays with their progress and says how they ended. res is what the command
// knows besides: what it left out.
func (e *env) watchReplays(ctx context.Context, svc api.Service, res api.StartReplayResult) error {
	w := &watchedReplays{svc: svc, runs: res.Runs, paused: map[string]string{}}
	bar := term.NewBar(e.stderr, term.IsTerminal(e.stderr) && !e.json, e.replayTitle(res.Runs))
	err := w.follow(ctx, func() { s := w.sum(); bar.Draw(s.Delivered+s.Failed, s.Total, w.progressNote()) })
	bar.Clear()
	e.showReplay(w, res, err == nil && !w.lost)
	s := w.sum()
	switch {
	case err != nil && ctx.Err() != nil:
		return &interruption{fmt.Sprintf("interrupted; the replay goes on in the service. Watch it: %s. Stop it: %s",
			e.command("deadletter replay --watch"), e.command("deadletter replay --stop"))}
	case err != nil:
		return err
	case w.lost:
		return fmt.Errorf("the service was restarted while it replayed. What it had queued goes on, what it had not touched is as it was: run the same again to go on")
	case s.Failed > 0 || slices.ContainsFunc(w.runs, func(r api.ReplayRun) bool { return r.State != api.ReplayRunning && r.State != api.ReplayDone }):
		return &resultError{exitFailed}
	}
	return nil
}

// replayTitle is what stands before the bar: "replaying 23 to https://crm.example/hook".
func (e *env) replayTitle(runs []api.ReplayRun) string {
	var total int64
	var urls []string
	for _, r := range runs {
		total += r.Total
		urls = append(urls, shownURL(r.URL))
	}
	title := "replaying " + term.Count(total)
	if urls = unique(urls); len(urls) == 1 {
		title += " to " + urls[0]
	}
	return title
}

// replayResult is the last line for a program.
func replayResult(s api.ReplayRun, res api.StartReplayResult) api.ReplayResult {
	return api.ReplayResult{
		Queued: s.Delivered + s.Failed + s.Queued, Remaining: s.Failed + s.Left + res.Removed, Missing: append([]string{}, res.Missing...),
		Unreplayable: res.Unreplayable + s.Unreplayable, Delivered: s.Delivered, Failed: s.Failed, Note: leftOutText(res),
	}
}

// leftOutText says what a replay leaves out for a time: webhooks of which another one runs, and
// what comes anyway.
func leftOutText(res api.StartReplayResult) string {
	var parts []string
	if res.NotYet {
		parts = append(parts, "events that the webhook is still owed are left out: it gets them anyway")
	}
	for _, r := range res.Busy {
		parts = append(parts, fmt.Sprintf("another replay of %s runs (%s)", term.Clean(r.Webhook), replayCounts(r)))
	}
	return strings.Join(parts, "; ")
}

// showReplay prints how replays ended: one line for a program, a few for people.
func (e *env) showReplay(w *watchedReplays, res api.StartReplayResult, finished bool) {
	s := w.sum()
	if e.json {
		e.printJSON(replayResult(s, res))
		return
	}
	e.printf("%s delivered, %s failed, %s left.\n", term.Count(s.Delivered), term.Count(s.Failed), term.Count(s.Left))
	queued := s.Queued
	for _, r := range w.runs {
		if why, paused := w.paused[r.Webhook]; paused && r.State == api.ReplayRunning {
			queued -= r.Queued
			goesOn := ""
			if r.Left > 0 {
				goesOn = ", and the replay goes on,"
			}
			e.printf("%s queued: %s is paused (%s). They leave%s when it is resumed: %s\n",
				term.Count(r.Queued), term.Clean(r.Webhook), term.Clean(why), goesOn, e.resume(r.Webhook))
		}
	}
	if queued > 0 {
		e.printf("%s still on the way; the service goes on with %s.\n", term.Count(queued), them(queued))
	}
	if s.Missing > 0 {
		e.note("%s left out: delivered or purged meanwhile", term.Count(s.Missing))
	}
	res.Unreplayable += s.Unreplayable
	e.leftOut(res)
	if !finished { // the error that follows tells
		return
	}
	next := "waoutbox status"
	for _, r := range w.runs {
		if e.sayReplayEnd(r, len(w.runs) > 1) {
			next = "waoutbox deadletter"
		}
	}
	e.next("%s", next)
}

// sayReplayEnd says why a replay was no success, and reports whether it was none.
func (e *env) sayReplayEnd(r api.ReplayRun, named bool) bool {
	who := ""
	if named {
		who = term.Clean(r.Webhook) + ": "
	}
	last := ""
	if r.LastError != nil {
		last = lastErrorText(*r.LastError)
	}
	switch {
	case r.State == api.ReplayGaveUp:
		e.printf("%sStopped after %d failures in a row (the last: %s). Mend the endpoint and run it again, or go on regardless: --keep-going\n", who, r.FailedInRow, last)
	case r.State == api.ReplayStopped:
		e.printf("%sIt was %s. Run the same again to go on.\n", who, term.Clean(r.Ended))
	case r.State == api.ReplayEnded || r.State == api.ReplayInterrupted:
		e.printf("%sIt ended early: %s\n", who, term.Clean(r.Ended))
	case r.Failed > 0:
		e.printf("%sThe last failure: %s\n", who, last)
	default:
		return false
	}
	return true
}

// sayReplays tells of the replays that run, and how to watch and stop them; false when none does.
func (e *env) sayReplays(runs []api.ReplayRun) bool {
	running := runningReplays(runs)
	for _, r := range running {
		doing := "Replaying to"
		if r.Kind == api.ReplayRedrive {
			doing = "Redriving an outage to"
		}
		e.printf("%s %s: %s\n", doing, term.Clean(r.Webhook), replayCounts(r))
	}
	if len(running) > 0 {
		e.printf("  watch it: %s      stop it: %s\n", e.command("deadletter replay --watch"), e.command("deadletter replay --stop"))
	}
	return len(running) > 0
}

func runningReplays(runs []api.ReplayRun) []api.ReplayRun {
	return slices.DeleteFunc(slices.Clone(runs), func(r api.ReplayRun) bool { return r.State != api.ReplayRunning })
}

// replayCounts is how far a replay is, on one line.
func replayCounts(r api.ReplayRun) string {
	text := fmt.Sprintf("%s of %s delivered, %s failed, %s queued, %s left", term.Count(r.Delivered), term.Count(r.Total), term.Count(r.Failed), term.Count(r.Queued), term.Count(r.Left))
	if r.PerSecond > 0 {
		text += ", " + perSecondText(r.PerSecond)
	}
	if r.SecondsLeft > 0 {
		text += ", " + term.Age(secondsOf(r.SecondsLeft)) + " to go"
	}
	if r.Waiting != "" {
		text += "; waits: " + term.Clean(r.Waiting)
	}
	return text
}

// them is the pronoun of n deliveries.
func them(n int64) string {
	if n == 1 {
		return "it"
	}
	return "them"
}
