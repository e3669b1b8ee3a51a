package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

func secondsOf(n int64) time.Duration { return time.Duration(n) * time.Second }

func newWebhookTestCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "test URL|ID",
		Short: "Send one signed event straight to a webhook and show the answer",
		Long: `Sends one connection.update event straight to the endpoint, signed like any delivery and
outside the outbox. Exits 1 when the endpoint does not accept it.`,
		Args: arguments(1, 1, "a webhook's URL or id"),

		ValidArgsFunction: e.completeWebhooks,
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.withService(cmd.Context(), needState, func(svc api.Service) error {
				res, err := svc.TestWebhook(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if e.json {
					e.printJSON(res)
				} else {
					e.showTest(res)
				}
				if !res.Success {
					return &resultError{exitFailed}
				}
				return nil
			})
		},
	}
}

func (e *env) showTest(res api.TestWebhookResult) {
	signed := "not signed"
	if res.Signed {
		signed = "signed"
	}
	e.printf("POST %s  %s  %s  %s\n", shownURL(res.URL), term.Clean(res.Event), term.Clean(term.Short(res.EventID, 13)), signed)
	answer := term.Clean(res.Error)
	if res.Status > 0 {
		answer = statusText(res.Status) + " in " + term.Millis(res.Ms)
	} else if res.Ms > 0 {
		answer += " after " + term.Millis(res.Ms)
	}
	if res.Excerpt != "" {
		answer += "  " + term.Clean(term.Short(res.Excerpt, 200))
	}
	if res.Success {
		e.printf("%s\n", e.style.Green(answer))
		e.next("waoutbox status")
		return
	}
	e.printf("%s\n%s\n", e.style.Red(answer), testAdvice(res))
}

// testAdvice says what to do about an endpoint that did not accept the test.
func testAdvice(res api.TestWebhookResult) string {
	again := "then run this again."
	switch {
	case res.Status == http.StatusNotFound && strings.Contains(res.Excerpt, "webhook") && strings.Contains(res.Excerpt, "not registered"):
		return "n8n answers 404 while the workflow is not active. Activate it, " + again
	case res.Status == http.StatusNotFound:
		return "Nothing is served at this path. Correct the path in the receiver or add the right URL, " + again
	case res.Status == http.StatusUnauthorized || res.Status == http.StatusForbidden:
		return "The endpoint refuses the request. If it checks X-Webhook-Signature, give both sides the same secret, " + again
	case res.Status >= 300 && res.Status < 400 || res.Class == "redirect":
		return "Redirects are never followed. Add the URL it points to instead: waoutbox webhook add URL"
	case res.Status >= 500:
		return "The endpoint failed. Look into its log, " + again
	case res.Status > 0:
		return "Only a 2xx answer counts as delivered. Let the receiver answer 200, " + again
	case res.Class == "refused":
		return "Nothing listens there. Start the receiver, " + again
	case res.Class == "dns":
		return "The name does not resolve on this machine. Check its spelling and the DNS, " + again
	case res.Class == "timeout":
		return "No answer within 10 s. Let the receiver answer first and work afterwards, " + again
	case res.Class == "tls":
		return "The certificate or the handshake failed. Check that it is valid for this name, " + again
	case res.Class == "address":
		return "Webhooks never go to this address."
	}
	return "Check the endpoint, " + again
}

func newWebhookRemoveCmd(e *env) *cobra.Command {
	var yes, purge bool
	cmd := &cobra.Command{
		Use:     "remove URL|ID",
		Aliases: []string{"rm"},
		Short:   "Remove a webhook; what it is still owed becomes dead letters",
		Long: `Removes a webhook. Events it has not received become dead letters, which stay until they are
purged; adding the same URL again makes them replayable. --purge discards them at once.`,
		Args: arguments(1, 1, "a webhook's URL or id"),

		ValidArgsFunction: e.completeWebhooks,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			return e.withService(ctx, needState, func(svc api.Service) error {
				if err := e.confirmRemove(ctx, svc, args[0], purge, yes); err != nil {
					return err
				}
				res, err := svc.RemoveWebhook(ctx, api.RemoveWebhook{Webhook: args[0], Purge: purge})
				if err != nil {
					return err
				}
				if e.json {
					e.printJSON(res)
					return nil
				}
				e.showRemoved(res)
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.Flags().BoolVar(&purge, "purge", false, "discard its backlog and its dead letters for good")
	return cmd
}

// confirmRemove asks when something is at stake: a backlog, or dead letters with --purge. A webhook that was removed before can
// still be purged.
func (e *env) confirmRemove(ctx context.Context, svc api.Service, ref string, purge, yes bool) error {
	var pending, dead int64
	w, err := svc.Webhook(ctx, ref)
	switch {
	case err == nil:
		pending, dead = w.Pending, w.Dead
	case purge && api.CodeOf(err) == api.CodeWebhookNotFound:
		page, perr := svc.DeadLetters(ctx, api.DeadLetterQuery{DeadLetterFilter: api.DeadLetterFilter{Webhook: ref}, Limit: 1})
		if perr != nil {
			return err
		}
		dead = page.Total
	default:
		return err
	}
	if yes {
		return nil
	}
	switch {
	case purge && pending+dead > 0:
		return e.confirm(fmt.Sprintf("discard %s of %s for good", term.Plural(pending+dead, "event", "events"), ref), "--yes")
	case pending > 0:
		return e.confirm(fmt.Sprintf("remove %s and turn the %s it is still owed into dead letters", ref, term.Plural(pending, "event", "events")), "--yes")
	}
	return nil
}

func (e *env) showRemoved(res api.RemoveWebhookResult) {
	name := strings.TrimSpace(term.Clean(res.ID) + "  " + shownURL(res.URL))
	if res.Removed {
		e.printf("Removed %s\n", name)
	} else {
		e.printf("%s was removed before.\n", name)
	}
	if res.Purged > 0 {
		e.printf("%s discarded.\n", term.Plural(res.Purged, "event", "events"))
	}
	if kept := res.DeadLettered - res.Purged; kept > 0 {
		e.printf("%s kept as dead letters; add the URL again to replay them.\n", term.Plural(kept, "undelivered event", "undelivered events"))
		e.next("waoutbox deadletter --url %s", res.ID)
		return
	}
	e.next("waoutbox webhook list")
}
