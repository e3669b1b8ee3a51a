package main

import (
	"context"

	"github.com/spf13/cobra"

	"waoutbox/outbox/api"
)

func newUnpairCmd(e *env) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "unpair",
		Short: "Log out of WhatsApp and forget the account",
		Long: `Removes this device from the account, as "Log out" on the phone does, and erases what is kept of the account
in whatsapp.db. Webhooks, stored events and dead letters stay, and another account can be linked at once.
Where WhatsApp cannot be reached the account is forgotten here all the same.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !yes && (!e.interactive || e.json) {
				return e.confirm("log the account out of WhatsApp and forget it here")
			}
			return e.withStarted(cmd, modeSpawnExisting, func(ctx context.Context, svc api.Service) error {
				return e.unpair(ctx, svc, yes)
			})
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	addSettingFlags(cmd)
	return cmd
}

func (e *env) unpair(ctx context.Context, svc api.Service, yes bool) error {
	if !yes {
		st, err := svc.Status(ctx)
		if err != nil {
			return err
		}
		if st.Link.Account != "" {
			if err := e.confirm("log " + person(st.Link.Account, st.Link.Name) + " out of WhatsApp and forget it here"); err != nil {
				return err
			}
		}
	}
	res, err := svc.Unpair(ctx, api.UnpairRequest{})
	if err != nil {
		return err
	}
	if e.json {
		e.printJSON(res)
		return nil
	}
	switch {
	case res.Account == "":
		e.printf("No WhatsApp account is linked.\n")
	case res.Told:
		e.printf("%s is logged out: the phone no longer lists this device.\n", person(res.Account, res.Name))
	default:
		e.printf("%s is forgotten here.\n", person(res.Account, res.Name))
	}
	if res.Note != "" {
		e.warn([]string{res.Note})
	}
	e.next("waoutbox pair")
	return nil
}
