package main

import (
	"strings"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

func newDeadLetterPurgeCmd(e *env) *cobra.Command {
	var sel selection
	var yes bool
	cmd := &cobra.Command{
		Use:               "purge (ID… | --url U | --event E | --since T | --all)",
		Short:             "Discard dead letters for good",
		Long:              `Discards dead letters for good. It asks on a terminal and needs --yes elsewhere.`,
		ValidArgsFunction: e.completeLetters,
		RunE: func(cmd *cobra.Command, ids []string) error {
			ctx := cmd.Context()
			f, err := sel.resolve("purge", ids, e.loc)
			if err != nil {
				return err
			}
			return e.withService(ctx, needState, func(svc api.Service) error {
				c, err := sel.count(ctx, svc, f)
				if err != nil {
					return err
				}
				n := c.live + c.removed
				what := "delete " + term.Plural(n, "dead letter", "dead letters") + " for good"
				switch {
				case sel.none():
					return usagef("this would %s: every one. Name ids, a webhook (--url), an event (--event) or a time (--since), or run it with --all --yes to do so.", what)
				case n == 0 && len(sel.ids) > 0:
					return api.Errorf(api.CodeNotFound, "no such dead letter: %s. See: %s", strings.Join(c.missing, ", "), e.command("deadletter list"))
				case n > 0 && !yes:
					if err := e.confirm(what, "--yes"); err != nil {
						return err
					}
				}
				res := api.PurgeResult{Missing: c.missing}
				if n > 0 {
					if res, err = svc.Purge(ctx, api.PurgeRequest{DeadLetterFilter: f, All: sel.all}); err != nil {
						return err
					}
				}
				if e.json {
					e.printJSON(res)
					return nil
				}
				e.printf("%s purged.\n", term.Plural(res.Purged, "dead letter", "dead letters"))
				e.leftOut(count{missing: res.Missing})
				e.next("waoutbox status")
				return nil
			})
		},
	}
	sel.flags(cmd)
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}
