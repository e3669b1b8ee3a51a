package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// selection is what replay and purge work on: ids, or what filters leave of everything.
type selection struct {
	deadLetterFilter
	all bool
	ids []string
}

func (s *selection) flags(cmd *cobra.Command) {
	s.deadLetterFilter.flags(cmd)
	cmd.Flags().BoolVar(&s.all, "all", false, "every dead letter that the filters leave")
}

// resolve reads ids and flags. Selecting nothing is left to the caller, whose sentence differs.
func (s *selection) resolve(verb string, ids []string, loc *time.Location) (api.DeadLetterFilter, error) {
	s.ids = unique(ids)
	f, err := s.filter(time.Now(), loc)
	if err != nil {
		return f, err
	}
	if len(s.ids) > 0 && (s.all || !s.deadLetterFilter.empty()) {
		return f, usagef("%s takes ids, or filters (%s) and --all: with ids leave the others out", verb, selectionFlags)
	}
	f.IDs = s.ids
	return f, nil
}

func (s *selection) none() bool { return len(s.ids) == 0 && !s.all && s.deadLetterFilter.empty() }

func newDeadLetterReplayCmd(e *env) *cobra.Command {
	var sel selection
	var pace replayPace
	var about replayAbout
	cmd := &cobra.Command{
		Use:   "replay (ID… | --url U | --event E | --chat C | --reason R | --since T | --until T | --all)",
		Short: "Deliver dead letters again, in their original order",
		Long: `Delivers dead letters again with the same event id and the same bytes, and waits for the outcome.
Each gets the full schedule of four attempts. Replayed events arrive after newer ones of the same
chat. Filters narrow one another.

The service does it, one replay at a time for each webhook, and goes on when this command is
interrupted: --watch follows it, --status says how far it is, --stop ends it, from any terminal;
the redrive of an outage (webhook add --redrive) is shown and stopped by them too.
It stops by itself after ten failures in a row and leaves the rest untouched. Nothing of it is
stored but what it has queued: after a stop, a failure or a restart, running the same again goes on.
Without a service the first letters, at most 256 of a webhook, are queued for its next start.`,
		Example: `  waoutbox deadletter replay --url https://crm.example/hook
  waoutbox deadletter replay --all --since 2h --dry-run
  waoutbox deadletter replay --reason timeout --rate 5 --detach
  waoutbox deadletter replay --stop`,
		ValidArgsFunction: e.completeDeadLetters,
		RunE: func(cmd *cobra.Command, ids []string) error {
			ctx := cmd.Context()
			if about.any() {
				if err := about.alone(cmd, ids); err != nil {
					return err
				}
				return e.withService(ctx, modeState, func(svc api.Service) error { return e.aboutReplays(ctx, svc, about, sel.url) })
			}
			f, err := sel.resolve("replay", ids, e.loc)
			if err != nil {
				return err
			}
			if sel.none() {
				return usagef("nothing is selected to replay: name ids, a webhook (--url), an event (--event), a time (--since), another filter, or --all. See: %s", e.command("deadletter"))
			}
			if err := pace.check(); err != nil {
				return err
			}
			return e.withService(ctx, modeState, func(svc api.Service) error {
				in := api.StartReplay{DeadLetterFilter: f, All: sel.all, ReplayPace: pace.asked()}
				return e.replayDeadLetters(ctx, svc, in, &sel, pace)
			})
		},
	}
	sel.flags(cmd)
	pace.flags(cmd)
	about.flags(cmd)
	return cmd
}

// replayDeadLetters counts what is selected, and replays it in the service, or queues the first of
// it where none runs.
func (e *env) replayDeadLetters(ctx context.Context, svc api.Service, in api.StartReplay, sel *selection, pace replayPace) error {
	st, err := svc.Status(ctx)
	if err != nil {
		return err
	}
	dry := in
	dry.DryRun = pace.dryRun || st.Daemon == nil
	res, err := svc.StartReplay(ctx, dry)
	switch {
	case err != nil:
		return err
	case len(res.Runs) == 0:
		return e.nothingToReplay(res, sel)
	case pace.dryRun:
		e.showDryRun(res, "dead letter", "dead letters")
		return nil
	case st.Daemon == nil:
		return e.queueReplay(ctx, svc, in, res)
	}
	return e.followStarted(ctx, svc, res, pace)
}

// followStarted says what runs besides, and watches what was begun, or leaves it to the service.
func (e *env) followStarted(ctx context.Context, svc api.Service, res api.StartReplayResult, pace replayPace) error {
	for _, busy := range res.Busy {
		e.note("left out: another replay of %s runs (%s)", term.Clean(busy.Webhook), replayCounts(busy))
	}
	if !pace.detach {
		return e.watchReplays(ctx, svc, res)
	}
	w := &watchedReplays{runs: res.Runs}
	if e.json {
		out := replayResult(w.sum(), res)
		out.Queued, out.Remaining = w.sum().Total, res.Removed
		out.Runs = res.Runs
		e.printJSON(out)
		return nil
	}
	title := e.replayTitle(res.Runs)
	e.printf("The service is %s.\n", title)
	e.leftOut(res)
	e.printf("Stop it: %s\n", e.command("deadletter replay --stop"))
	e.next("waoutbox deadletter replay --watch")
	return nil
}

// nothingToReplay tells why a selection holds nothing: it is empty, delivered long since, or of
// removed webhooks or without bodies only.
func (e *env) nothingToReplay(res api.StartReplayResult, sel *selection) error {
	if e.json {
		e.printJSON(replayResult(api.ReplayRun{}, res))
	}
	switch {
	case res.Removed > 0:
		return api.Errorf(api.CodeWebhookNotFound, "%s of a removed webhook. Add it again, then replay: %s",
			term.Plural(res.Removed, "dead letter is", "dead letters are all"), e.revivals(res.RemovedWebhooks))
	case res.OfEnded > 0:
		return api.Errorf(api.CodeNotReplayable, "%s", endedText(res.OfEnded))
	case res.Unreplayable > 0:
		return api.Errorf(api.CodeNotReplayable, "%s cannot be replayed: what expired has no body any more, and damaged bytes are never sent. How to discard them: %s",
			term.Plural(res.Unreplayable, "dead letter", "dead letters"), e.command("deadletter"))
	case len(sel.ids) > 0:
		return api.Errorf(api.CodeNotFound, "no such dead letter: %s. It was delivered or purged, or was never there. See: %s", strings.Join(res.Missing, ", "), e.command("deadletter list"))
	case !e.json:
		e.sayNoDeadLetters(&sel.deadLetterFilter)
	}
	return nil
}

// showDryRun says what a replay would do.
func (e *env) showDryRun(res api.StartReplayResult, one, many string) {
	w := &watchedReplays{runs: res.Runs}
	s := w.sum()
	if e.json {
		e.printJSON(api.ReplayResult{Queued: s.Total, Remaining: res.Removed, Missing: append([]string{}, res.Missing...), Unreplayable: res.Unreplayable, Note: leftOutText(res)})
		return
	}
	var urls []string
	longest := time.Duration(0)
	for _, r := range res.Runs {
		urls = append(urls, shownURL(r.URL))
		if r.Rate > 0 {
			longest = max(longest, time.Duration(float64(r.Total)/r.Rate*float64(time.Second)))
		}
	}
	takes := ""
	if longest >= 2*time.Second {
		takes = fmt.Sprintf(" in %s at least", term.Age(longest))
	}
	e.printf("%s would be replayed, oldest first, to %s%s. Nothing was changed.\n", term.Plural(s.Total, one, many), strings.Join(unique(urls), ", "), takes)
	for _, busy := range res.Busy {
		e.note("another replay of %s runs (%s)", term.Clean(busy.Webhook), replayCounts(busy))
	}
	e.leftOut(res)
	e.nextWithout("--dry-run")
}

// revivals are the commands that bring removed webhooks back.
func (e *env) revivals(ids []string) string {
	var commands []string
	for _, id := range ids {
		commands = append(commands, e.addAgain(id))
	}
	return strings.Join(commands, "; ")
}

// endedText tells of letters that nobody gets any more.
func endedText(n int64) string {
	return term.Plural(n, "dead letter is of a subscription of an MCP client that has ended", "dead letters are of subscriptions of MCP clients that have ended") +
		": nobody gets it again; its client begins anew, from a cursor on"
}

// leftOut names what a selection holds that cannot be replayed.
func (e *env) leftOut(res api.StartReplayResult) {
	if res.Removed > 0 {
		e.note("%s of a removed webhook left out. Add it again first: %s", term.Plural(res.Removed, "dead letter", "dead letters"), e.revivals(res.RemovedWebhooks))
	}
	if res.OfEnded > 0 {
		e.note("left out: %s", endedText(res.OfEnded))
	}
	if res.Unreplayable > 0 {
		e.note("%s left out: expired or damaged, so there is nothing to send", term.Plural(res.Unreplayable, "dead letter", "dead letters"))
	}
	if len(res.Missing) > 0 {
		e.note("not dead letters (delivered, purged or never there): %s", term.Clean(strings.Join(res.Missing, ", ")))
	}
}

// queueReplay moves letters into delivery while no service runs: as many as there is room for.
func (e *env) queueReplay(ctx context.Context, svc api.Service, in api.StartReplay, counted api.StartReplayResult) error {
	total := api.ReplayResult{Missing: []string{}}
	steps := []api.DeadLetterFilter{in.DeadLetterFilter}
	if len(in.IDs) > 0 {
		steps = steps[:0]
		for chunk := range slices.Chunk(in.IDs, pageSize) {
			steps = append(steps, api.DeadLetterFilter{IDs: chunk})
		}
	}
	for _, step := range steps {
		for {
			res, err := svc.Replay(ctx, api.ReplayRequest{DeadLetterFilter: step, All: in.All})
			if err != nil {
				return err
			}
			total.Queued += res.Queued
			total.Missing = append(total.Missing, res.Missing...)
			if res.Queued == 0 || res.Remaining == 0 || len(in.IDs) > 0 {
				break
			}
		}
	}
	total.Missing = append([]string{}, unique(total.Missing)...)
	total.Unreplayable = counted.Unreplayable
	left := (&watchedReplays{runs: counted.Runs}).sum().Total - total.Queued
	total.Remaining = max(0, left) + counted.Removed
	if e.json {
		total.Note = "no service runs: queued for its next start"
		e.printJSON(total)
		return nil
	}
	what := "they are"
	if total.Queued == 1 {
		what = "it is"
	}
	e.printf("%s queued; no service runs, so %s delivered when the service starts.\n", term.Plural(total.Queued, "dead letter", "dead letters"), what)
	e.leftOut(counted)
	if left > 0 {
		e.printf("%s left: a webhook has at most %d replayed events waiting. Start the service and run this again.\n", term.Count(left), pageSize)
	}
	e.next("waoutbox start")
	return nil
}
