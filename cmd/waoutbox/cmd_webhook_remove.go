package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

func newWebhookRemoveCmd(e *env) *cobra.Command {
	var yes, purge bool
	cmd := &cobra.Command{
		Use:     "remove URL|ID",
		Aliases: []string{"rm"},
		Short:   "Remove a webhook; what it is still owed becomes dead letters",
		Long: `Removes a webhook. Events it has not received become dead letters, which stay until they are
purged. Adding its URL or id again brings it back with its settings, and makes them replayable.
--purge discards its dead letters and its settings at once.

What an MCP client subscribed ends for good: its receiver is told, and nobody but the client can
subscribe again, where its host is still allowed (webhook disallow).`,
		Args: arguments(1, 1, "a webhook's URL or id"),

		ValidArgsFunction: e.completeWebhooks,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			return e.withService(ctx, modeState, func(svc api.Service) error {
				if err := e.confirmRemove(ctx, svc, args[0], purge, yes); err != nil {
					return err
				}
				res, err := svc.RemoveWebhook(ctx, api.RemoveWebhook{Webhook: args[0], Purge: purge})
				if err != nil {
					return err
				}
				e.warn(res.Warnings)
				if e.json {
					e.printJSON(res)
				} else {
					e.showRemoved(res)
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.Flags().BoolVar(&purge, "purge", false, "discard its backlog and its dead letters for good")
	return cmd
}

// confirmRemove asks when something is at stake: a backlog, or dead letters with --purge. A webhook
// that was removed before can still be purged.
func (e *env) confirmRemove(ctx context.Context, svc api.Service, ref string, purge, yes bool) error {
	var pending, dead int64
	w, err := svc.Webhook(ctx, ref)
	switch {
	case err == nil && w.CountsUnknown && !yes:
		return e.confirm(fmt.Sprintf("remove %s, whose backlog cannot be counted now", ref))
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
		return e.confirm(fmt.Sprintf("discard %s of %s for good", term.Plural(pending+dead, "event", "events"), ref))
	case pending > 0:
		return e.confirm(fmt.Sprintf("remove %s and turn the %s it is still owed into dead letters", ref, term.Plural(pending, "event", "events")))
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
	if res.Forgotten {
		e.printf("Its settings are forgotten.\n")
	}
	if kept := res.DeadLettered - res.Purged; kept > 0 {
		replay := "; add the URL again to replay them"
		if res.Subscription != "" {
			replay = ", to be looked at: its MCP client alone can subscribe again"
		}
		e.printf("%s kept as dead letters%s.\n", term.Plural(kept, "undelivered event", "undelivered events"), replay)
		e.next("waoutbox deadletter --url %s", res.ID)
		return
	}
	e.next("waoutbox webhook list")
}
