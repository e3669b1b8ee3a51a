package main

import (
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

		ValidArgsFunction: e.completeLetters,
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.withService(cmd.Context(), needState, func(svc api.Service) error {
				d, err := svc.DeadLetter(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				switch {
				case curl:
					e.showCurl(d)
				case e.json:
					e.printJSON(d)
				default:
					e.showLetter(d)
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&curl, "curl", false, "print the request as a curl command, unsigned and with the whole URL")
	return cmd
}

func (e *env) showLetter(d api.DeadLetterDetail) {
	e.printf("%s  %s  chat %s  to %s %s%s\n", e.style.Bold(nameOr(d.Event, "(expired)")), nameOr(d.EventID, term.None), term.Clean(d.Chat),
		term.Clean(d.Webhook), shownURL(d.URL), removedMark(d.Removed))
	e.printf("dead since %s: %s\n", e.clock(d.FailedAt), deathText(d.DeadLetter))
	if len(d.AttemptLog) > 0 {
		e.printf("\n")
		e.attempts(d)
	}
	e.printf("\n")
	switch {
	case d.Body == "":
		e.printf("The body is gone: the event passed its retention.\n")
	case e.live:
		e.printf("%s\n", term.Clean(d.Body))
	default:
		e.printf("%s\n", d.Body) // a pipe gets the exact bytes
	}
	e.printf("\n")
	if d.Removed {
		e.printf("Its webhook was removed. Add it again, then replay: %s\n", e.addAgain(d.Webhook))
		return
	}
	e.printf("Replay: %s      As a request: add --curl\n", e.command("deadletter replay %s", d.ID))
}

// deathText says why it is dead.
func deathText(d api.DeadLetter) string {
	if d.LastError.Class == "unregistered" {
		return lastErrorText(d.LastError)
	}
	text := term.Plural(int64(d.Attempts), "attempt", "attempts") + " failed"
	if d.LastError.Message != "" {
		text += ", the last with: " + term.Clean(d.LastError.Message)
	}
	return text
}

func (e *env) attempts(d api.DeadLetterDetail) {
	t := term.NewTable(term.Column{Name: "#", Right: true}, term.Column{Name: "AT"}, term.Column{Name: "TOOK", Right: true}, term.Column{Name: "RESULT"})
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

// showCurl prints the request, ready to paste. The signature is left out: the secret never leaves the state directory.
func (e *env) showCurl(d api.DeadLetterDetail) {
	e.printf("curl -i -X POST %s", shellQuote(d.URL))
	for _, h := range []string{"Content-Type: application/json", "X-Webhook-Id: " + d.EventID, "X-Webhook-Event: " + d.Event,
		"X-Webhook-Subscription: " + d.Webhook, "Idempotency-Key: " + d.EventID} {
		e.printf(" \\\n  -H %s", shellQuote(h))
	}
	e.printf(" \\\n  --data-binary %s\n", shellQuote(d.Body))
	e.note("note: left out are the signature (the secret is not shown), the attempt, the account and the sequence. A receiver that checks X-Webhook-Signature answers 401;\n"+
		"for a signed request: %s", e.command("deadletter replay %s", d.ID))
}
