package main

import (
	"strings"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

func newWebhookTestCmd(e *env) *cobra.Command {
	event := ""
	cmd := &cobra.Command{
		Use:   "test URL|ID",
		Short: "Send one signed event straight to a webhook and show the answer",
		Long: `Sends one event straight to the endpoint, signed like any delivery and outside the outbox: a short
connection.update, or with --event the whole sample of that event, with "test":true beside its data. Exits 1 when
the endpoint does not accept it. When it does, a failing webhook goes on at once; a paused one stays paused.`,
		Example: `  waoutbox webhook test http://localhost:5678/webhook/wa --event message.received`,
		Args:    arguments(1, 1, "a webhook's URL or id"),

		ValidArgsFunction: e.completeWebhooks,
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.withService(cmd.Context(), modeState, func(svc api.Service) error {
				res, err := svc.TestWebhook(cmd.Context(), api.TestWebhook{Webhook: args[0], Event: event})
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
	once(cmd, &event, "event", "send the sample of this event")
	return cmd
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
	if answer := strings.Join(strings.Fields(res.Excerpt), " "); answer != "" {
		outcome += "  " + term.Clean(term.Short(answer, 200))
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
	res.ID, res.Error = term.Clean(res.ID), term.Clean(res.Error)
	e.printf("%s\n%s\n", e.style.Red(outcome), res.Advice(func(line string) string { return e.command("%s", line) }))
}
