package main

import (
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

func newWebhookTestCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "test URL|ID",
		Short: "Send one signed event straight to a webhook and show the answer",
		Long: `Sends one connection.update event straight to the endpoint, signed like any delivery and
outside the outbox. Exits 1 when the endpoint does not accept it. When it does, a failing webhook
goes on at once; a paused one stays paused.`,
		Args: arguments(1, 1, "a webhook's URL or id"),

		ValidArgsFunction: e.completeWebhooks,
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.withService(cmd.Context(), modeState, func(svc api.Service) error {
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
	outcome := term.Clean(res.Error)
	if res.Status > 0 {
		outcome = statusText(res.Status) + " in " + term.Millis(res.Ms)
	} else if res.Ms > 0 {
		outcome += " (after " + term.Millis(res.Ms) + ")"
	}
	if res.Excerpt != "" {
		outcome += "  " + term.Clean(term.Short(res.Excerpt, 200))
	}
	if res.Success {
		e.printf("%s\n", e.style.Green(outcome))
		switch res.Was {
		case api.WebhookFailing:
			e.printf("It was failing and is active again: what waits for it goes on, in order.\n")
		case api.WebhookPaused:
			e.printf("It is paused still: nothing else is sent to it until it is resumed.\n")
			e.next("waoutbox webhook resume %s", term.Clean(res.ID))
			return
		}
		e.next("waoutbox status")
		return
	}
	e.printf("%s\n%s\n", e.style.Red(outcome), e.testAdvice(res))
}

// testAdvice says what to do about an endpoint that did not accept the test.
func (e *env) testAdvice(res api.TestWebhookResult) string {
	again := "then run this again."
	// what the sender found out is behind the status: where a redirect points, which scheme it
	// wants
	_, found, _ := strings.Cut(res.Error, ": ")
	found = term.Clean(found)
	switch {
	case res.Status == http.StatusNotFound && strings.Contains(res.Excerpt, "webhook") && strings.Contains(res.Excerpt, "not registered"):
		return "n8n answers 404 while the workflow is not active. Activate it, " + again
	case res.Status == http.StatusNotFound:
		return "Nothing is served at this path. Correct the path in the receiver or add the right URL, " + again
	case res.Status == http.StatusUnauthorized || res.Status == http.StatusForbidden:
		return "The endpoint refuses the request. If it checks X-Webhook-Signature, give both sides the same secret, " + again
	case res.Status >= 300 && res.Status < 400 && found != "":
		return sentence(found) + "\n" + e.command("webhook add URL")
	case res.Status >= 300 && res.Status < 400 || res.Class == "redirect":
		return "Redirects are never followed. Add the URL it points to instead: " + e.command("webhook add URL")
	case res.Status == http.StatusGone:
		return "The endpoint says that it is gone for good, and an event answered like this pauses the webhook. Let the receiver answer 200, " + again
	case strings.Contains(found, "use http"):
		advice := "Add the URL with the right scheme or port instead: " + e.command("webhook add URL")
		if res.Status > 0 {
			advice = sentence(found) + ".\n" + advice
		}
		return advice
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
	case res.Class == "tls" && strings.Contains(res.Error, "authority"):
		return "This machine does not know who signed the certificate. Name the authority: " + e.command("webhook add %s --ca-file FILE", term.Clean(res.ID)) + ", " + again
	case res.Class == "tls":
		return "The certificate or the handshake failed. Check that it is valid for this name, " + again
	case res.Class == "local":
		return "That is on this machine, not at the endpoint. Mend it, " + again
	case res.Class == "address":
		return "Webhooks never go to this address."
	}
	return "Check the endpoint, " + again
}

// sentence returns s with its first letter as at the start of a sentence.
func sentence(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[size:]
}
