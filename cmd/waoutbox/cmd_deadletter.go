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
	"waoutbox/connection"
	"waoutbox/outbox/api"
)

// pageSize is the most dead letters one call answers.
const pageSize = 256

// listShown is how many dead letters `list` prints for people.
const listShown = 50

// letterFilter holds the filter flags that all deadletter commands share.
type letterFilter struct {
	url, event, since string
	at                time.Time // what since means, once read
}

func (f *letterFilter) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.url, "url", "", "only of this webhook: its URL or id, removed ones too")
	cmd.Flags().StringVar(&f.event, "event", "", "only events of this name")
	cmd.Flags().StringVar(&f.since, "since", "", "only what died since: a duration like 1h or 2d, or a time like 2026-01-31T09:00:00Z")
}

func (f *letterFilter) empty() bool { return f.url == "" && f.event == "" && f.since == "" }

// filter reads the flags.
func (f *letterFilter) filter(now time.Time, loc *time.Location) (api.DeadLetterFilter, error) {
	out := api.DeadLetterFilter{Webhook: f.url, Event: f.event}
	if err := knownEvent(f.event); err != nil {
		return out, err
	}
	if f.since == "" {
		return out, nil
	}
	t, err := parseSince(f.since, now, loc)
	f.at, out.Since = t, t
	return out, err
}

// knownEvent refuses the name of an event that does not exist, which would match nothing for ever; "" is every event.
func knownEvent(name string) error {
	if name == "" {
		return nil
	}
	names := &cobra.Command{SuggestionsMinimumDistance: 3} // cobra knows which names are near
	var known []string
	for _, ev := range connection.Catalog() {
		if ev.Name == name {
			return nil
		}
		known = append(known, ev.Name)
		names.AddCommand(&cobra.Command{Use: ev.Name, Run: func(*cobra.Command, []string) {}})
	}
	hint := ""
	if near := names.SuggestionsFor(name); len(near) > 0 {
		hint = " Did you mean " + strings.Join(near, " or ") + "?"
	}
	return api.Errorf(api.CodeInvalidEvents, "unknown event %q.%s Known: %s", name, hint, strings.Join(known, ", "))
}

// arguments renders the filter as it would be typed.
func (f *letterFilter) arguments() string {
	var b strings.Builder
	since := ""
	if !f.at.IsZero() {
		since = f.at.UTC().Format(time.RFC3339) // "1h" would mean another moment when it is typed again
	}
	for _, a := range []struct{ name, value string }{{"url", f.url}, {"event", f.event}, {"since", since}} {
		if a.value != "" {
			b.WriteString(" --" + a.name + " " + shellQuote(a.value))
		}
	}
	return b.String()
}

// parseSince reads a moment: how long ago (1h, 90m, 2d), RFC 3339, or a local date with or without a time.
func parseSince(text string, now time.Time, loc *time.Location) (time.Time, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := parseDays(days); err == nil {
			return now.Add(-n), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil {
		if d < 0 {
			return time.Time{}, usagef("--since %s lies in the future: write how long ago, like 1h", text)
		}
		return now.Add(-d), nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, text, loc); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usagef("--since %q is neither a duration like 1h, 30m or 2d, nor a time like 2026-01-31T09:00:00Z", text)
}

func parseDays(text string) (time.Duration, error) {
	var n float64
	if _, err := fmt.Sscanf(text, "%f", &n); err != nil || n < 0 || n > 36500 {
		return 0, fmt.Errorf("not a number of days")
	}
	if strings.Trim(text, "0123456789.") != "" {
		return 0, fmt.Errorf("not a number of days")
	}
	return time.Duration(n * float64(24*time.Hour)), nil
}

func newDeadLetterCmd(e *env) *cobra.Command {
	var f letterFilter
	cmd := &cobra.Command{
		Use:     "deadletter",
		Aliases: []string{"deadletters", "dead-letter", "dlq"},
		Short:   "See what could not be delivered, and replay it",
		Long: `Dead letters are events a webhook did not accept in four attempts, or was still owed when it was
removed. They are kept until they are replayed or purged, with their body, the time and outcome of
every attempt, and the text of the last answer. Alone, this command sums them up.`,
		Args: knownSubcommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter, err := f.filter(time.Now(), e.loc)
			if err != nil {
				return err
			}
			return e.withService(cmd.Context(), needState, func(svc api.Service) error {
				groups, err := svc.DeadLetterSummary(cmd.Context(), filter)
				if err != nil {
					return err
				}
				hooks, err := svc.Webhooks(cmd.Context())
				if err != nil {
					return err
				}
				e.showSummary(groups, hooks, &f)
				return nil
			})
		},
	}
	f.flags(cmd)
	cmd.AddCommand(newDeadLetterListCmd(e), newDeadLetterShowCmd(e), newDeadLetterReplayCmd(e), newDeadLetterPurgeCmd(e))
	return cmd
}

func (e *env) showSummary(groups []api.DeadLetterGroup, hooks []api.Webhook, f *letterFilter) {
	if e.json {
		for _, g := range groups {
			e.printJSON(g)
		}
		return
	}
	if len(groups) == 0 {
		e.noLetters(f)
		return
	}
	t := term.NewTable(term.Column{Name: "WEBHOOK"}, term.Column{Name: "REASON"}, term.Column{Name: "COUNT", Right: true},
		term.Column{Name: "FIRST"}, term.Column{Name: "LAST"}, term.Column{Name: "URL"})
	var total int64
	var live, removed []api.DeadLetterGroup
	for _, g := range groups {
		t.Row(term.Clean(g.Webhook), reasonText(g.Reason), term.Count(g.Count), e.clock(g.First), e.clock(g.Last), shownURL(g.URL)+removedMark(g.Removed))
		if g.Removed {
			removed = append(removed, g)
			continue
		}
		live = append(live, g)
		total += g.Count
	}
	e.table(t, "")
	e.printf("\n")
	if len(removed) > 0 {
		e.printf("Add a removed webhook again before its dead letters can be replayed:\n")
		for _, id := range webhooksOf(removed) {
			e.printf("  %s\n", e.addAgain(id))
		}
	}
	ids := webhooksOf(live)
	for _, w := range hooks {
		if w.Status == api.WebhookPaused && slices.Contains(ids, w.ID) {
			e.printf("%s is paused (%s), so what is replayed to it only waits. Resume it first:\n  %s\n", term.Clean(w.ID),
				term.Clean(cmp.Or(w.Reason, "by its user")), e.addAgain(w.ID))
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

// replayArguments selects what the summary shows: by webhook if it is one, with the filters that were given, else all.
func replayArguments(f *letterFilter, groups []api.DeadLetterGroup) string {
	if !f.empty() {
		return f.arguments()
	}
	if ids := webhooksOf(groups); len(ids) == 1 {
		return " --url " + shellQuote(ids[0])
	}
	return " --all"
}

// webhooksOf answers the ids of the groups' webhooks.
func webhooksOf(groups []api.DeadLetterGroup) []string {
	var ids []string
	for _, g := range groups {
		ids = append(ids, g.Webhook)
	}
	return unique(ids)
}

func removedMark(removed bool) string {
	if removed {
		return " (removed)"
	}
	return ""
}

func (e *env) noLetters(f *letterFilter) {
	if !f.empty() {
		e.printf("No dead letters match%s.\n", f.arguments())
		e.next("waoutbox deadletter")
		return
	}
	e.printf("No dead letters: everything was delivered or is on its way.\n")
	e.next("waoutbox status")
}

func newDeadLetterListCmd(e *env) *cobra.Command {
	var f letterFilter
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
			return e.withService(cmd.Context(), needState, func(svc api.Service) error {
				if e.json {
					return e.streamLetters(cmd.Context(), svc, filter)
				}
				page, err := svc.DeadLetters(cmd.Context(), api.DeadLetterQuery{DeadLetterFilter: filter, Limit: listShown})
				if err != nil {
					return err
				}
				e.showLetters(page, &f)
				return nil
			})
		},
	}
	f.flags(cmd)
	return cmd
}

// streamLetters prints every dead letter, one JSON object a line, page by page: memory does not grow with their number.
func (e *env) streamLetters(ctx context.Context, svc api.Service, filter api.DeadLetterFilter) error {
	q := api.DeadLetterQuery{DeadLetterFilter: filter, Limit: pageSize}
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

func (e *env) showLetters(page api.DeadLetterPage, f *letterFilter) {
	if len(page.Items) == 0 {
		e.noLetters(f)
		return
	}
	t := term.NewTable(term.Column{Name: "ID"}, term.Column{Name: "EVENT"}, term.Column{Name: "CHAT"}, term.Column{Name: "TRIES", Right: true},
		term.Column{Name: "LAST ERROR"}, term.Column{Name: "SINCE"}, term.Column{Name: "URL"})
	for _, l := range page.Items {
		t.Row(term.Clean(l.ID), nameOr(l.Event, "(expired)"), chatText(l.Chat), term.Count(int64(l.Attempts)), lastErrorText(l.LastError),
			e.clock(l.FailedAt), shownURL(l.URL)+removedMark(l.Removed))
	}
	e.table(t, "")
	if more := page.Total - int64(len(page.Items)); page.NextCursor != "" && more > 0 {
		e.printf("\n%s more. Narrow them down with --url, --event or --since, or stream all: %s\n", term.Count(more), e.command("deadletter list%s --json", f.arguments()))
	}
	e.next("waoutbox deadletter show %s", page.Items[0].ID)
}

func nameOr(name, none string) string {
	if name == "" {
		return none
	}
	return term.Clean(name)
}
