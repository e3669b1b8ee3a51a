package main

import (
	"strings"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

func newDeadLetterPurgeCmd(e *env) *cobra.Command {
	var sel selection
	var yes, dryRun bool
	cmd := &cobra.Command{
		Use:   "purge (ID… | --url U | --event E | --chat C | --reason R | --since T | --until T | --all)",
		Short: "Discard dead letters for good",
		Long: `Discards dead letters for good. It asks on a terminal and needs --yes elsewhere. Filters narrow one
another; expired and damaged ones go like every other.`,
		Example: `  waoutbox deadletter purge --reason expired
  waoutbox deadletter purge --all --until 7d --dry-run`,
		ValidArgsFunction: e.completeDeadLetters,
		RunE: func(cmd *cobra.Command, ids []string) error {
			ctx := cmd.Context()
			f, err := sel.resolve("purge", ids, e.loc)
			if err != nil {
				return err
			}
			return e.withService(ctx, modeState, func(svc api.Service) error {
				in := api.PurgeRequest{DeadLetterFilter: f, All: sel.all || sel.none(), DryRun: true}
				counted, err := svc.Purge(ctx, in)
				if err != nil {
					return err
				}
				n := counted.Purged
				what := "delete " + term.Plural(n, "dead letter", "dead letters") + " for good"
				switch {
				case sel.none():
					return usagef("this would %s: every one. Name ids, a webhook (--url), an event (--event) or a time (--since), or run it with --all --yes to do so.", what)
				case n == 0 && len(sel.ids) > 0:
					return api.Errorf(api.CodeNotFound, "no such dead letter: %s. See: %s", strings.Join(counted.Missing, ", "), e.command("deadletter list"))
				case dryRun:
					e.showPurgeDryRun(counted, what, &sel.deadLetterFilter)
					return nil
				case n > 0 && !yes:
					if err := e.confirm(what); err != nil {
						return err
					}
				}
				res := counted
				res.DryRun = false
				if n > 0 {
					in.DryRun = false
					if res, err = svc.Purge(ctx, in); err != nil {
						return err
					}
				}
				e.showPurged(res)
				if res.Note != "" { // only a part was
					return &resultError{exitFailed}
				}
				return nil
			})
		},
	}
	sel.flags(cmd)
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only say what would be deleted")
	return cmd
}

func (e *env) showPurgeDryRun(res api.PurgeResult, what string, f *deadLetterFilter) {
	switch {
	case e.json:
		e.printJSON(res)
		return
	case res.Purged == 0:
		e.sayNoDeadLetters(f)
		return
	}
	e.printf("This would %s. Nothing was changed.\n", what)
	e.leftOut(api.StartReplayResult{Missing: res.Missing})
	e.nextWithout("--dry-run")
}

func (e *env) showPurged(res api.PurgeResult) {
	if res.Note != "" {
		e.warn([]string{res.Note})
	}
	if e.json {
		e.printJSON(res)
		return
	}
	e.printf("%s purged.\n", term.Plural(res.Purged, "dead letter", "dead letters"))
	e.leftOut(api.StartReplayResult{Missing: res.Missing})
	e.next("waoutbox status")
}
