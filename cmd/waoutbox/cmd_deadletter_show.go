package main

import (
	"cmp"
	"strings"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

func newDeadLetterShowCmd(e *env) *cobra.Command {
	var curl bool
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show one dead letter: every attempt, the last answer and the body",
		Args:  arguments(1, 1, "the id of one dead letter (dl_…)"),

		ValidArgsFunction: e.completeDeadLetters,
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.withService(cmd.Context(), modeState, func(svc api.Service) error {
				d, err := svc.DeadLetter(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				switch {
				case curl && d.Unreplayable != "":
					return api.Errorf(api.CodeNotReplayable, "%s has no body that could be sent: %s", d.ID, d.Unreplayable)
				case curl:
					e.showCurl(d)
				case e.json:
					e.printJSON(d)
				default:
					e.showDeadLetter(d, e.letterNames(cmd.Context(), svc, []api.DeadLetter{d.DeadLetter}))
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&curl, "curl", false, "print the request as a shell script with curl, with the whole URL; it signs with the secret that you set")
	return cmd
}

func (e *env) showDeadLetter(d api.DeadLetterDetail, names chatNames) {
	chat := cmp.Or(phoneOf(d.Chat, d.ChatAlt), names.whole(d.Chat), term.None)
	e.printf("%s  %s  chat %s  to %s %s%s\n", e.style.Bold(eventText(d.DeadLetter)), nameOr(d.EventID, term.None), chat,
		term.Clean(d.Webhook), shownURL(d.URL), removedMark(d.Removed))
	e.printf("dead since %s: %s\n", e.clock(d.FailedAt), deathText(d.DeadLetter))
	if d.Count > 0 {
		e.printf("It stands for %s, of the sequences %d to %d.\n", term.Plural(d.Count, "event", "events"), d.First, d.Sequence)
	}
	if d.Replay > 0 {
		e.printf("Replayed %s before; the attempts below are of all replays.\n", times(d.Replay))
	}
	if len(d.AttemptLog) > 0 {
		e.printf("\n")
		e.attempts(d)
	}
	e.printf("\n")
	switch {
	case d.Damaged:
		e.printf("The stored bytes are damaged, so they are not shown. They stay in outbox.db as evidence: keep a copy of it, and check the disk.\n")
	case d.Body == "":
		e.printf("The body is gone: the event passed its retention.\n")
	case e.live:
		e.printf("%s\n", term.Clean(d.Body))
	default:
		e.printf("%s\n", d.Body) // a pipe gets the exact bytes
	}
	e.printf("\n")
	if d.Unreplayable != "" {
		e.printf("It cannot be replayed: %s. Discard it: %s\n", term.Clean(d.Unreplayable), e.command("deadletter purge %s", d.ID))
		return
	}
	if d.Removed {
		e.printf("Its webhook was removed. Add it again, then replay: %s\n", e.addAgain(d.Webhook))
		return
	}
	e.printf("Replay: %s      As a request: add --curl\n", e.command("deadletter replay %s", d.ID))
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return term.Count(int64(n)) + " times"
}

// deathText says why it is dead.
func deathText(d api.DeadLetter) string {
	switch d.LastError.Class {
	case api.ReasonUnregistered, api.ReasonSkipped, api.ReasonExpired, api.ReasonCorrupt:
		return term.Clean(d.LastError.Message)
	}
	text := term.Plural(int64(d.Attempts), "attempt", "attempts") + " failed"
	if d.LastError.Message != "" {
		text += ", the last with: " + term.Clean(d.LastError.Message)
	}
	return text
}

func (e *env) attempts(d api.DeadLetterDetail) {
	t := term.NewTable(term.Column{Name: "#", Right: true}, term.Column{Name: "AT"}, term.Column{Name: "TOOK", Right: true}, term.Column{Name: "RESULT", Shrink: 16, Prose: true})
	for _, a := range d.AttemptLog {
		result := reasonText(a.Class)
		if a.Status > 0 {
			result = statusText(a.Status)
		}
		if a.Response != "" {
			result += "  " + quoteShort(a.Response)
		}
		at := a.At.In(e.loc).Format("2006-01-02 15:04:05.000")
		t.Row(term.Count(int64(a.N)), at, term.Millis(a.Ms), result)
	}
	e.table(t, "  ")
}

// quoteShort shows the start of an answer on one line.
func quoteShort(s string) string {
	return `"` + term.Clean(term.Short(strings.Join(strings.Fields(s), " "), 120)) + `"`
}
