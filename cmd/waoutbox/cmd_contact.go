package main

import (
	"cmp"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

func newContactCmd(e *env) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "contact",
		Short: "Find people and groups to write to, and watch who is online",
	})
	cmd.AddCommand(newContactFindCmd(e), newContactWatchCmd(e))
	return cmd
}

func newContactFindCmd(e *env) *cobra.Command {
	var in api.FindRecipients
	cmd := &cobra.Command{
		Use:   "find NAME|NUMBER",
		Short: "Find a contact or group by a part of its name, or by its number",
		Long: `Finds contacts and groups by a part of their name or number, the best first. A whole number with
its country code that no contact has is looked up at WhatsApp.`,
		Example: `  waoutbox contact find carol
  waoutbox contact find "+1 555 010 0124" --json`,
		Args: arguments(1, 1, "a part of a name, or a number"),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Query = args[0]
			return e.withService(cmd.Context(), modeSpawnExisting, func(svc api.Service) error {
				res, err := svc.FindRecipients(cmd.Context(), in)
				if err != nil {
					return err
				}
				e.showFound(in.Query, res)
				return nil
			})
		},
	}
	cmd.Flags().IntVar(&in.Limit, "limit", 20, "how many at most, up to 100")
	return cmd
}

func (e *env) showFound(query string, res api.FoundRecipients) {
	switch {
	case e.json:
		for _, r := range res.Items {
			e.printJSON(r)
		}
		return
	case len(res.Items) == 0:
		e.printf("Nobody and no group is found for %s. A name is known once its owner has written, or the phone's contacts have come.\n", term.Clean(term.Quote(query)))
		e.next("waoutbox group list")
		return
	}
	t := term.NewTable(term.Column{Name: "NAME", Shrink: 10}, term.Column{Name: "KIND"}, term.Column{Name: "PHONE"}, term.Column{Name: "JID"})
	for _, r := range res.Items {
		t.Row(cmp.Or(term.Clean(r.Name), "–"), string(r.Kind), cmp.Or(term.Clean(r.Phone), "–"), term.Clean(r.JID))
	}
	e.table(t, "")
	if more := res.Total - len(res.Items); more > 0 {
		e.printf("\nand %s more: give more of the name, or --limit\n", term.Count(int64(more)))
	}
	e.next("waoutbox send text %s TEXT", term.Quote(res.Items[0].JID))
}

func newContactWatchCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "watch WHO",
		Short: "Ask WhatsApp to tell when a person is online: presence.update events",
		Long: `Subscribes to a person's presence until the service stops. presence.update events follow as far as
the person's privacy settings allow, and WhatsApp: to an account that is never shown as online
itself it tells little.`,
		Args: arguments(1, 1, "a phone number or JID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.withService(cmd.Context(), modeSpawnExisting, func(svc api.Service) error {
				res, err := svc.WatchPresence(cmd.Context(), api.WatchPresence{Of: args[0]})
				if err != nil {
					return err
				}
				if e.json {
					e.printJSON(res)
					return nil
				}
				e.printf("Watching the presence of %s until the service stops.\n", e.namesOf(cmd.Context(), svc, res.JID).whole(res.JID))
				e.next("waoutbox event list --follow --event presence.update")
				return nil
			})
		},
	}
}
