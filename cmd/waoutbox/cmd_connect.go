package main

import (
	"context"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

func newConnectCmd(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "connect",
		Short: "Connect the link to WhatsApp again",
		Long: `Opens a link that waoutbox disconnect closed, takes back a session that another program has taken over, and tries
at once where the next try is far away. Returns when the link is up, or says why it is not.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.withStarted(cmd, modeSpawnExisting, func(ctx context.Context, svc api.Service) error {
				link, err := svc.Connect(ctx)
				if err != nil {
					return err
				}
				e.showLink(link)
				return nil
			})
		},
	}
	addSettingFlags(cmd)
	return cmd
}

func newDisconnectCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "disconnect",
		Short: "Close the link to WhatsApp until it is connected again",
		Long: `Closes the link and keeps it closed, over restarts too, until waoutbox connect. The account stays linked, and what
is stored is delivered; WhatsApp keeps what arrives meanwhile, for some weeks at most.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.withService(cmd.Context(), modeDaemon, func(svc api.Service) error {
				link, err := svc.Disconnect(cmd.Context())
				if err != nil {
					return err
				}
				e.showLink(link)
				return nil
			})
		},
	}
}

// showLink tells how the link stands after it was opened or closed, and what to do next.
func (e *env) showLink(link api.Link) {
	if e.json {
		e.printJSON(link)
		return
	}
	who := person(link.Account, link.Name)
	switch {
	case link.Account == "":
		e.printf("No WhatsApp account is linked.\n")
		e.next("waoutbox pair")
	case link.Closed:
		e.printf("%s is disconnected, and stays so until it is connected again.\n", who)
		e.next("waoutbox connect")
	case link.State == api.LinkConnected:
		e.printf("%s is connected.\n", who)
		e.next("waoutbox status")
	default:
		e.printf("%s is %s: %s\n", who, term.Clean(string(link.State)), term.Clean(link.Reason))
		e.next("waoutbox status")
	}
}
