package main

import (
	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

func newWebhookCmd(e *env) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:     "webhook",
		Aliases: []string{"webhooks"},
		Short:   "Add, list, test, pause and remove webhooks",
		Long:    `Webhooks: the URLs that receive events. A webhook is named by its URL or its id (wh_…).`,
	})
	cmd.AddCommand(newWebhookAddCmd(e), newWebhookListCmd(e), newWebhookShowCmd(e), newWebhookTestCmd(e),
		newWebhookPauseCmd(e), newWebhookResumeCmd(e), newWebhookRotateCmd(e), newWebhookRemoveCmd(e),
		newWebhookAllowCmd(e), newWebhookDisallowCmd(e))
	return cmd
}

func newWebhookListCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the webhooks with their backlog",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.withService(cmd.Context(), modeState, func(svc api.Service) error {
				hooks, err := svc.Webhooks(cmd.Context())
				if err != nil {
					return err
				}
				switch {
				case e.json:
					for _, w := range hooks {
						e.printJSON(w)
					}
				case len(hooks) == 0:
					e.printf("No webhooks.\n")
					e.next("waoutbox webhook add URL")
				default:
					e.webhookTable(hooks)
					for _, w := range hooks {
						if w.Reason != "" {
							e.printWrapped(2, "%s %s: %s", term.Clean(w.ID), term.Clean(string(w.Status)), term.Clean(w.Reason))
						}
					}
					e.next("waoutbox webhook show %s", hooks[0].ID)
				}
				return nil
			})
		},
	}
}
