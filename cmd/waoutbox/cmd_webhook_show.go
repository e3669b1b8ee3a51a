package main

import (
	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

func newWebhookShowCmd(e *env) *cobra.Command {
	var verify string
	cmd := &cobra.Command{
		Use:   "show URL|ID",
		Short: "Show one webhook whole, or code that verifies its signature",
		Args:  arguments(1, 1, "a webhook's URL or id"),

		ValidArgsFunction: e.completeWebhooks,
		RunE: func(cmd *cobra.Command, args []string) error {
			if verify != "" {
				if _, err := verifier(verify); err != nil {
					return err
				}
			}
			return e.withService(cmd.Context(), needState, func(svc api.Service) error {
				w, err := svc.Webhook(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if verify != "" {
					code, err := verifier(verify)
					if err != nil {
						return err
					}
					if !w.Signed {
						e.note("note: %s has no secret, so its requests are not signed yet: %s", term.Clean(w.ID), e.command("webhook add %s --generate-secret", term.Clean(w.ID)))
					}
					e.printf("%s", code)
					return nil
				}
				if e.json {
					e.printJSON(w)
					return nil
				}
				e.showWebhook(w)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&verify, "verify", "", "print code that verifies X-Webhook-Signature: node, python or go")
	return cmd
}

func (e *env) showWebhook(w api.Webhook) {
	line := func(name, text string) { e.printf("%-9s %s\n", name, text) }
	yes := map[bool]string{true: "yes", false: "no"}
	line("webhook", e.style.Bold(term.Clean(w.ID)))
	line("url", term.Clean(w.URL))
	line("events", listText(w.Events))
	if len(w.Chats) > 0 {
		line("chats", listText(w.Chats))
	}
	if len(w.Headers) > 0 {
		line("headers", listText(w.Headers)+"  (values are not shown)")
	}
	line("signed", yes[w.Signed])
	if w.Ordered {
		line("order", "per chat")
	} else {
		line("order", "none")
	}
	state := e.statusStyle(w.Status)
	if w.Reason != "" {
		state += ": " + term.Clean(w.Reason)
	}
	line("state", state)
	pending := term.Count(w.Pending)
	if w.Pending > 0 {
		pending += ", the oldest for " + term.Age(secondsOf(w.OldestPendingSeconds))
	}
	line("pending", pending)
	line("dead", term.Count(w.Dead))
	line("added", e.clock(w.CreatedAt))
	if w.UpdatedAt.After(w.CreatedAt) {
		line("changed", e.clock(w.UpdatedAt))
	}
	if w.Dead > 0 {
		e.next("waoutbox deadletter --url %s", w.ID)
		return
	}
	e.next("waoutbox webhook test %s", w.ID)
}
