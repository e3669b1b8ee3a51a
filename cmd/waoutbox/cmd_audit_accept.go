package main

import (
	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

func newAuditAcceptCmd(e *env) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "accept",
		Short: "Take an audit trail that something else changed as it is",
		Long: `Takes an audit trail that audit --verify finds changed or damaged as it is from now on: its records form a
chain anew, sealed with the key of the state, and what cannot be read is removed. When, by whom, and what
was found is recorded in it. Until then status and doctor show the alarm outbox_audit_changed.

First find out who changed it, and keep the file as it is: waoutbox backup FILE. It asks on a terminal and
needs --yes elsewhere. Links that you noted before say afterwards that they cannot be compared any more.`,
		Example: "  waoutbox audit --verify\n  waoutbox backup before.backup\n  waoutbox audit accept",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			return e.withService(ctx, modeState, func(svc api.Service) error {
				check, err := svc.VerifyAudit(ctx, api.VerifyAudit{})
				if err != nil {
					return err
				}
				if !check.Intact && !yes {
					if !e.json {
						e.showBroken(check)
					}
					if err := e.confirm("take the audit trail as it is"); err != nil {
						return err
					}
				}
				done := api.AcceptedAudit{Found: check}
				if !check.Intact {
					if done, err = svc.AcceptAudit(ctx, api.AcceptAudit{}); err != nil {
						return err
					}
				}
				e.showAccepted(done, !yes)
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// showAccepted prints what was found and taken as it is; shown: the places were printed before.
func (e *env) showAccepted(done api.AcceptedAudit, shown bool) {
	switch {
	case e.json:
		e.printJSON(done)
		return
	case done.Found.Intact:
		e.printf("The audit trail is as it was stored: there is nothing to accept.\n")
	default:
		if !shown {
			e.showBroken(done.Found)
		}
		e.printf("Taken as it is, with what was found: %s.\n", term.Clean(done.Record))
	}
	e.next("waoutbox audit --verify")
}

// showBroken prints the places at which a trail is not what was stored.
func (e *env) showBroken(check api.AuditCheck) {
	for _, b := range check.Broken {
		e.printf("%s\n", term.Clean(b.String()))
	}
}
