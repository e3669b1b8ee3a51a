package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// pageSize is the most dead letters one call returns.
const pageSize = 256

// listShown is how many dead letters `list` prints for people.
const listShown = 50

func newDeadLetterCmd(e *env) *cobra.Command {
	var f deadLetterFilter
	cmd := &cobra.Command{
		Use:     "deadletter",
		Aliases: []string{"deadletters", "dead-letter", "dlq"},
		Short:   "See what could not be delivered, and replay it",
		Long: `Dead letters are events a webhook did not accept in four attempts, was still owed when it was
removed, or was passed over for when it was resumed. They are kept until they are replayed or
purged, with their body, the time and outcome of every attempt, and the text of the last answer.
What waited too long is listed with them as expired, its body gone. Alone, this command sums them
up; filters narrow one another.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && strings.HasPrefix(args[0], "dl_") {
				return usagef("%s is a dead letter. Look at it: %s", args[0], e.command("deadletter show %s", term.Quote(args[0])))
			}
			return knownSubcommand(cmd, args)
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter, err := f.filter(time.Now(), e.loc)
			if err != nil {
				return err
			}
			return e.withService(cmd.Context(), modeState, func(svc api.Service) error {
				groups, err := svc.DeadLetterSummary(cmd.Context(), filter)
				if err != nil {
					return err
				}
				hooks, err := svc.Webhooks(cmd.Context())
				if err != nil {
					return err
				}
				runs, err := svc.Replays(cmd.Context())
				if err != nil {
					return err
				}
				e.showSummary(groups, hooks, runs, &f)
				return nil
			})
		},
	}
	f.flags(cmd)
	cmd.AddCommand(newDeadLetterListCmd(e), newDeadLetterShowCmd(e), newDeadLetterReplayCmd(e), newDeadLetterPurgeCmd(e))
	return cmd
}

func (e *env) showSummary(groups []api.DeadLetterGroup, hooks []api.Webhook, runs []api.ReplayRun, f *deadLetterFilter) {
	if e.json {
		for _, g := range groups {
			e.printJSON(g)
		}
		return
	}
	if len(groups) == 0 {
		if e.sayReplays(runs) {
			e.printf("\n")
		}
		e.sayNoDeadLetters(f)
		return
	}
	t := term.NewTable(term.Column{Name: "WEBHOOK"}, term.Column{Name: "REASON", Shrink: 12, Prose: true}, term.Column{Name: "COUNT", Right: true},
		term.Column{Name: "FIRST"}, term.Column{Name: "LAST"}, urlColumn())
	var total, gone int64
	var live, removed, lost []api.DeadLetterGroup
	for _, g := range groups {
		t.Row(term.Clean(g.Webhook), reasonText(g.Reason), term.Count(g.Count), e.clock(g.First), e.clock(g.Last), shownURL(g.URL)+removedMark(g.Removed))
		switch {
		case !api.Replayable(g.Reason):
			lost = append(lost, g)
			gone += g.Count
		case g.Removed:
			removed = append(removed, g)
		default:
			live = append(live, g)
			total += g.Count
		}
	}
	e.table(t, "")
	e.printf("\n")
	if e.sayReplays(runs) {
		e.printf("\n")
	}
	if gone > 0 {
		e.printf("%s cannot be replayed: expired bodies are gone, damaged ones are kept as evidence. Discard them:\n", term.Count(gone))
		for _, reason := range reasonsOf(lost) {
			e.printf("  %s\n", e.command("deadletter purge --reason %s", reason))
		}
	}
	if len(removed) > 0 {
		e.printf("Add a removed webhook again before its dead letters can be replayed:\n")
		for _, id := range webhooksOf(removed) {
			e.printf("  %s\n", e.addAgain(id))
		}
	}
	ids := webhooksOf(live)
	for _, w := range hooks {
		if w.Status == api.WebhookFailing && slices.Contains(ids, w.ID) {
			e.printf("%s is failing, so what is replayed to it waits for the next try, a minute at most. When its endpoint works again:\n  %s\n",
				term.Clean(w.ID), e.command("webhook test %s", term.Clean(w.ID)))
		}
		if w.Status == api.WebhookPaused && slices.Contains(ids, w.ID) {
			e.printf("%s is paused (%s), so what is replayed to it only waits. Resume it first:\n  %s\n", term.Clean(w.ID),
				term.Clean(cmp.Or(w.Reason, "by its user")), e.resume(w.ID))
		}
	}
	if total > 0 {
		what := fmt.Sprintf("all %s, oldest first", term.Count(total))
		if total == 1 {
			what = "it"
		}
		e.printf("Replay %s:\n  %s\n", what, e.command("deadletter replay%s", replayArguments(f, live)))
	}
}

// replayArguments selects what the summary shows: by webhook if it is one, with the filters that
// were given, else all.
func replayArguments(f *deadLetterFilter, groups []api.DeadLetterGroup) string {
	if !f.empty() {
		return f.arguments()
	}
	if ids := webhooksOf(groups); len(ids) == 1 {
		return " --url " + term.Quote(ids[0])
	}
	return " --all"
}

// webhooksOf returns the ids of the groups' webhooks.
func webhooksOf(groups []api.DeadLetterGroup) []string {
	var ids []string
	for _, g := range groups {
		ids = append(ids, g.Webhook)
	}
	return unique(ids)
}

// reasonsOf returns the groups' reasons.
func reasonsOf(groups []api.DeadLetterGroup) []string {
	var reasons []string
	for _, g := range groups {
		reasons = append(reasons, g.Reason)
	}
	return unique(reasons)
}

// markRemoved stands behind the URL of a removed webhook.
const markRemoved = " (removed)"

func removedMark(removed bool) string {
	if removed {
		return markRemoved
	}
	return ""
}

// urlColumn is a column of URLs that may have that mark.
func urlColumn() term.Column {
	return term.Column{Name: "URL", Shrink: 16, Tail: markRemoved, Optional: true}
}

func (e *env) sayNoDeadLetters(f *deadLetterFilter) {
	if !f.empty() {
		e.printf("No dead letters match%s.\n", f.arguments())
		e.next("waoutbox deadletter")
		return
	}
	e.printf("No dead letters: everything was delivered or is on its way.\n")
	e.next("waoutbox status")
}

func newDeadLetterListCmd(e *env) *cobra.Command {
	var f deadLetterFilter
	var all bool
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List dead letters by webhook, oldest first; --json streams all of them",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter, err := f.filter(time.Now(), e.loc)
			if err != nil {
				return err
			}
			return e.withService(cmd.Context(), modeState, func(svc api.Service) error {
				if e.json {
					return e.streamDeadLetters(cmd.Context(), svc, filter)
				}
				return e.listDeadLetters(cmd.Context(), svc, filter, &f, all)
			})
		},
	}
	f.flags(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "print all of them, not the first 50 only")
	return cmd
}

// streamDeadLetters prints every dead letter, one JSON object a line, page by page: memory does not
// grow with their number.
func (e *env) streamDeadLetters(ctx context.Context, svc api.Service, filter api.DeadLetterFilter) error {
	// the first line is not kept waiting for a count that nobody prints
	q := api.DeadLetterQuery{DeadLetterFilter: filter, Limit: pageSize, SkipTotal: true}
	for {
		page, err := svc.DeadLetters(ctx, q)
		if err != nil {
			return err
		}
		for _, l := range page.Items {
			e.printJSON(l)
		}
		if page.NextCursor == "" || e.written.err != nil {
			return e.written.err
		}
		q.Cursor = page.NextCursor
	}
}

// listDeadLetters prints the first dead letters as a table, or all of them, a table a page.
func (e *env) listDeadLetters(ctx context.Context, svc api.Service, filter api.DeadLetterFilter, f *deadLetterFilter, all bool) error {
	q := api.DeadLetterQuery{DeadLetterFilter: filter, Limit: listShown}
	if all {
		q.Limit, q.SkipTotal = pageSize, true
	}
	first := ""
	for {
		page, err := svc.DeadLetters(ctx, q)
		switch {
		case err != nil:
			return err
		case len(page.Items) == 0 && first == "":
			e.sayNoDeadLetters(f)
			return nil
		case len(page.Items) == 0:
		case first == "":
			first = page.Items[0].ID
		}
		e.deadLetterTable(page.Items, e.letterNames(ctx, svc, page.Items))
		if page.NextCursor != "" && all && e.written.err == nil {
			q.Cursor = page.NextCursor
			continue
		}
		shown := int64(0)
		for _, l := range page.Items {
			shown += max(1, l.Count)
		}
		if more := page.Total - shown; page.NextCursor != "" && more > 0 && !all {
			e.printf("\n%s more. Narrow them down with %s, see them all with --all, or stream them: %s\n",
				term.Count(more), selectionFlags, e.command("deadletter list%s --json", f.arguments()))
		}
		e.next("waoutbox deadletter show %s", first)
		return nil
	}
}

// letterNames names the chats of letters whose address has no phone number.
func (e *env) letterNames(ctx context.Context, svc api.Service, letters []api.DeadLetter) chatNames {
	var chats []string
	for _, l := range letters {
		if phoneOf(l.Chat, l.ChatAlt) == "" {
			chats = append(chats, l.Chat)
		}
	}
	return e.namesOf(ctx, svc, chats...)
}

func (e *env) deadLetterTable(letters []api.DeadLetter, names chatNames) {
	t := term.NewTable(term.Column{Name: "ID"}, term.Column{Name: "EVENT", Shrink: 12}, term.Column{Name: "CHAT", Shrink: 12},
		term.Column{Name: "TRIES", Right: true, Optional: true}, term.Column{Name: "LAST ERROR", Shrink: 12, Prose: true}, term.Column{Name: "SINCE"},
		urlColumn())
	for _, l := range letters {
		t.Row(term.Clean(l.ID), eventText(l), names.text(l.Chat, l.ChatAlt), term.Count(int64(l.Attempts)), lastErrorText(l.LastError),
			e.clock(l.FailedAt), shownURL(l.URL)+removedMark(l.Removed))
	}
	e.table(t, "")
}

// eventText names a letter's event, or what is known of it.
func eventText(l api.DeadLetter) string {
	switch {
	case l.Count > 0:
		return "(" + term.Plural(l.Count, "event", "events") + ")"
	case l.Event == "" && l.LastError.Class == api.ReasonCorrupt:
		return "(damaged)"
	}
	return nameOr(l.Event, "(gone)")
}

func nameOr(name, none string) string {
	if name == "" {
		return none
	}
	return term.Clean(name)
}
