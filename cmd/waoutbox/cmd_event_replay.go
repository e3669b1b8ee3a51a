package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

func newEventReplayCmd(e *env) *cobra.Command {
	var f eventFilter
	var url string
	var pace replayPace
	cmd := &cobra.Command{
		Use:   "replay --url U (--since T [--until T] | ID…)",
		Short: "Deliver past events to one webhook again, in their original order",
		Long: `Delivers events of the log to one webhook again, with the same ids and the same bytes, and waits for
the outcome: what was delivered to it before, what is dead for it, and what it was not owed, as far
as its filter of now wants them. What it is still owed is left out: it gets that anyway.
Receivers that drop repeats by X-Webhook-Id drop these too; X-Webhook-Replay tells them apart.

The service does it, one replay at a time for each webhook, as with dead letters:
waoutbox deadletter replay --watch follows it, --stop ends it. Without a service the first events,
at most 256, are queued for its next start.`,
		Example: `  waoutbox event replay --url http://localhost:5678/webhook/wa --since 2h --dry-run
  waoutbox event replay --url wh_7K2M --since 2026-01-31T09:00:00Z --until 2026-01-31T10:00:00Z --event message.received
  waoutbox event replay --url wh_7K2M evt_5f0c9d2b7a1e4f60`,
		RunE: func(cmd *cobra.Command, ids []string) error {
			filter, err := f.filter(time.Now(), e.loc)
			if err != nil {
				return err
			}
			ids = unique(ids)
			switch {
			case url == "":
				return usagef("name the webhook that gets the events again: --url with its URL or id. See: %s", e.command("webhook list"))
			case len(ids) > 0 && f.arguments() != "":
				return usagef("ids name the events themselves: leave them out, or leave out%s", f.arguments())
			case len(ids) == 0 && f.since == "":
				return usagef("say which events: from when on (--since 2h, and with --until up to when), or their ids. See: %s", e.command("event list%s", f.arguments()))
			}
			if err := pace.check(); err != nil {
				return err
			}
			in := api.ReplayEvents{Webhook: url, IDs: ids, EventFilter: filter, ReplayPace: pace.asked()}
			return e.withService(cmd.Context(), modeState, func(svc api.Service) error { return e.replayEvents(cmd.Context(), svc, in, pace) })
		},
	}
	once(cmd, &url, "url", "the webhook: its URL or id")
	f.flags(cmd)
	pace.flags(cmd)
	return cmd
}

func (e *env) replayEvents(ctx context.Context, svc api.Service, in api.ReplayEvents, pace replayPace) error {
	st, err := svc.Status(ctx)
	if err != nil {
		return err
	}
	res, err := svc.ReplayEvents(ctx, in)
	if err != nil {
		return err
	}
	if len(res.Missing) > 0 {
		e.note("not in the outbox, or not what the webhook's filter wants: %s", term.Clean(strings.Join(res.Missing, ", ")))
	}
	if res.NotYet {
		e.note("left out: events that the webhook is still owed. It gets them anyway")
	}
	shown := res
	shown.Missing = nil // said above, in other words than those of dead letters
	switch {
	case len(res.Runs) == 0:
		if e.json {
			e.printJSON(replayResult(api.ReplayRun{}, res))
		}
		if len(res.Missing) > 0 {
			return api.Errorf(api.CodeNotFound, "nothing to replay: none of the events named is in the outbox and wanted by the webhook's filter. See: %s", e.command("event list"))
		}
		if !e.json {
			e.printf("No events match, of those that are kept and that the webhook's filter wants.\n")
			e.next("waoutbox event list")
		}
		return nil
	case pace.dryRun && e.json:
		e.showDryRun(res, "event", "events")
		return nil
	case pace.dryRun:
		e.showDryRun(shown, "event", "events")
		return nil
	case st.Daemon == nil:
		e.showQueuedEvents(res)
		return nil
	case e.json:
		return e.followStarted(ctx, svc, res, pace)
	}
	return e.followStarted(ctx, svc, shown, pace)
}

// showQueuedEvents says what was queued while no service runs.
func (e *env) showQueuedEvents(res api.StartReplayResult) {
	total := (&watchedReplays{runs: res.Runs}).sum().Total
	if e.json {
		out := replayResult(api.ReplayRun{}, res)
		out.Queued, out.Remaining, out.Note = res.Queued, max(0, total-res.Queued), "no service runs: queued for its next start"
		e.printJSON(out)
		return
	}
	e.printf("%s queued; no service runs, so they leave when the service starts.\n", term.Plural(res.Queued, "event", "events"))
	if left := total - res.Queued; left > 0 {
		e.printf("%s left: a webhook has at most %d replayed events waiting. Start the service and run this again for the rest.\n", term.Count(left), pageSize)
	}
	e.next("waoutbox start")
}
