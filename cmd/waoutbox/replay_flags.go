package main

import (
	"context"
	"math"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// replayPace holds the flags that say how a replay goes about it.
type replayPace struct {
	rate                      float64
	dryRun, keepGoing, detach bool
}

func (p *replayPace) flags(cmd *cobra.Command) {
	cmd.Flags().Float64Var(&p.rate, "rate", api.DefaultReplayRate, "most deliveries per second; 0 is no limit")
	cmd.Flags().BoolVar(&p.dryRun, "dry-run", false, "only say what would be replayed")
	cmd.Flags().BoolVar(&p.keepGoing, "keep-going", false, "do not stop after ten failures in a row")
	cmd.Flags().BoolVar(&p.detach, "detach", false, "do not wait for the outcome: the service goes on by itself")
}

func (p *replayPace) check() error {
	if !(p.rate >= 0) || math.IsInf(p.rate, 0) { // NaN compares with nothing
		return usagef("--rate %g is no rate: write deliveries per second, like 20 or 0.5, or 0 for no limit", p.rate)
	}
	if p.dryRun && p.detach {
		return usagef("--dry-run begins nothing: leave out --detach")
	}
	return nil
}

func (p *replayPace) asked() api.ReplayPace {
	return api.ReplayPace{Rate: &p.rate, KeepGoing: p.keepGoing, DryRun: p.dryRun}
}

// replayAbout holds the flags that are about replays that run already.
type replayAbout struct {
	watch, status, stop bool
}

func (a *replayAbout) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&a.watch, "watch", false, "follow the replays that run, to their end")
	cmd.Flags().BoolVar(&a.status, "status", false, "say how far the replays are")
	cmd.Flags().BoolVar(&a.stop, "stop", false, "end the replays that run; --url names one webhook")
}

func (a *replayAbout) any() bool { return a.watch || a.status || a.stop }

// alone refuses whatever selects something to replay beside these flags.
func (a *replayAbout) alone(cmd *cobra.Command, ids []string) (err error) {
	name, n := "", 0
	for flag, given := range map[string]bool{"watch": a.watch, "status": a.status, "stop": a.stop} {
		if given {
			name = flag
			n++
		}
	}
	if n > 1 {
		return usagef("--watch, --status and --stop are three commands: choose one")
	}
	if len(ids) > 0 {
		return usagef("--%s is about the replays that run, not about ids: leave them out, or name a webhook with --url", name)
	}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if !slices.Contains([]string{name, "url", "all", "json", "state-dir"}, f.Name) && err == nil {
			err = usagef("--%s is about the replays that run: leave out --%s. With --url it is about one webhook alone", name, f.Name)
		}
	})
	return err
}

// aboutReplays watches, shows or stops the replays that run, of one webhook or of all.
func (e *env) aboutReplays(ctx context.Context, svc api.Service, a replayAbout, webhook string) error {
	runs, err := svc.Replays(ctx)
	if err != nil {
		return err
	}
	if webhook != "" {
		// the id, and a sentence for one that is not there
		hook, err := svc.Webhook(ctx, webhook)
		if err != nil {
			return err
		}
		webhook = hook.ID
		runs = slices.DeleteFunc(runs, func(r api.ReplayRun) bool { return r.Webhook != webhook })
	}
	switch running := runningReplays(runs); {
	case a.stop:
		stopped, err := svc.StopReplay(ctx, api.StopReplay{Webhook: webhook})
		if err != nil {
			return err
		}
		e.showStopped(stopped)
		return nil
	case a.status && e.json:
		for _, r := range runs {
			e.printJSON(r)
		}
		return nil
	case a.status && len(runs) > 0:
		e.showReplays(runs)
		return nil
	case len(running) == 0:
		if e.json {
			e.printJSON(api.ReplayResult{Missing: []string{}})
			return nil
		}
		e.printf("No replay runs.\n")
		e.next("waoutbox deadletter")
		return nil
	default:
		return e.watchReplays(ctx, svc, api.StartReplayResult{Runs: running})
	}
}

func (e *env) showStopped(stopped []api.ReplayRun) {
	if e.json {
		for _, r := range stopped {
			e.printJSON(r)
		}
		return
	}
	if len(stopped) == 0 {
		e.printf("No replay runs: there is nothing to stop.\n")
	}
	for _, r := range stopped {
		e.printf("Stopped the replay to %s: %s delivered, %s failed, %s left.\n", term.Clean(r.Webhook), term.Count(r.Delivered), term.Count(r.Failed), term.Count(r.Left))
		if r.Queued > 0 {
			e.printf("%s still on the way; the service goes on with %s.\n", term.Count(r.Queued), them(r.Queued))
		}
	}
	e.next("waoutbox deadletter")
}

// showReplays prints how far replays are, and how the last ones ended.
func (e *env) showReplays(runs []api.ReplayRun) {
	t := term.NewTable(term.Column{Name: "WEBHOOK"}, term.Column{Name: "STATE"}, term.Column{Name: "DELIVERED", Right: true}, term.Column{Name: "FAILED", Right: true},
		term.Column{Name: "QUEUED", Right: true}, term.Column{Name: "LEFT", Right: true}, term.Column{Name: "RATE", Right: true}, term.Column{Name: "TO GO", Right: true},
		term.Column{Name: "STARTED"}, term.Column{Name: "URL", Shrink: 16})
	for _, r := range runs {
		toGo, per := term.None, term.None
		if r.PerSecond > 0 {
			per = perSecondText(r.PerSecond)
		}
		if r.SecondsLeft > 0 {
			toGo = term.Age(secondsOf(r.SecondsLeft))
		}
		t.Row(term.Clean(r.Webhook), replayStateText(r), term.Count(r.Delivered), term.Count(r.Failed), term.Count(r.Queued), term.Count(r.Left),
			per, toGo, e.clock(r.StartedAt), shownURL(r.URL))
	}
	e.table(t, "")
	for _, r := range runs {
		switch {
		case r.Waiting != "":
			e.printf("%s waits: %s\n", term.Clean(r.Webhook), term.Clean(r.Waiting))
		case r.Ended != "":
			e.printf("%s: %s\n", term.Clean(r.Webhook), term.Clean(r.Ended))
		}
	}
	if len(runningReplays(runs)) > 0 {
		e.printf("Stop it: %s\n", e.command("deadletter replay --stop"))
		e.next("waoutbox deadletter replay --watch")
		return
	}
	e.next("waoutbox deadletter")
}

// replayStateText is a state in a table.
func replayStateText(r api.ReplayRun) string {
	state := string(r.State)
	if r.State == api.ReplayGaveUp {
		state = "gave up"
	}
	if r.Kind == api.ReplayRedrive {
		return "redrive " + state
	}
	return state
}
