package main

import (
	"strings"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/config"
	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

func newWebhookAllowCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "allow [HOST[/PATH]]",
		Short: "Allow agents and programs to send events to a host",
		Long: `Allows a host of webhooks, for agents and programs: a.example, *.b.example (what is below it) or
192.168.1.5:5678; with a path, a.example/hooks/mine, what is there and below it alone. It holds at once
and is kept in the setting webhook-hosts. This machine is always allowed, and what you add yourself on
the command line is never asked for. Without HOST it lists what is allowed.

MCP clients that subscribe to events at a URL of theirs (events/subscribe) get them at what is listed
here alone, this machine included, and with webhook-policy open everywhere else but in private networks.

What happens with other hosts is the setting webhook-policy: ask has the agent's client ask you, where
it can, and lets it through with a warning where it cannot; locked refuses; open allows all.`,
		Example: "  waoutbox webhook allow n8n.example.com\n  waoutbox webhook allow big.example/hooks/mine\n  waoutbox config set webhook-policy locked",
		Args:    arguments(0, 1, "one host"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.changeHosts(cmd, api.AllowHost{Host: strings.Join(args, "")})
		},
	}
}

func newWebhookDisallowCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "disallow HOST[/PATH]",
		Short: "Take back that a host is allowed",
		Long: `Takes back what webhook allow allowed, written the same way. Webhooks that were registered meanwhile
stay: remove them with webhook remove.`,
		Example: "  waoutbox webhook disallow n8n.example.com",
		Args:    arguments(1, 1, "one host"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.changeHosts(cmd, api.AllowHost{Host: args[0], Disallow: true})
		},
	}
}

func (e *env) changeHosts(cmd *cobra.Command, in api.AllowHost) error {
	return e.withService(cmd.Context(), modeState, func(svc api.Service) error {
		res, err := svc.AllowHost(cmd.Context(), in)
		if err != nil {
			return err
		}
		e.warn(res.Warnings)
		if e.json {
			e.printJSON(res)
			return nil
		}
		switch {
		case in.Host == "":
		case !res.Changed && in.Disallow:
			e.printf("%s was not allowed.\n", term.Clean(in.Host))
		case !res.Changed:
			e.printf("%s is allowed already.\n", term.Clean(in.Host))
		case in.Disallow:
			e.printf("%s is not allowed any more.\n", term.Clean(in.Host))
		default:
			e.printf("%s is allowed.\n", term.Clean(in.Host))
		}
		allowed := "this machine"
		if len(res.Hosts) > 0 {
			allowed += ", " + term.Clean(strings.Join(res.Hosts, ", "))
		}
		e.printf("Agents and programs may send events to: %s.\n", allowed)
		e.printf("Other hosts: %s.\n", map[string]string{
			api.PolicyAsk:    "the agent's client asks you, and where it cannot they are let through with a warning (webhook-policy ask)",
			api.PolicyLocked: "refused (webhook-policy locked)",
			api.PolicyOpen:   "let through (webhook-policy open)",
		}[res.Policy])
		if res.Policy == api.PolicyLocked {
			e.next("waoutbox webhook list")
		} else {
			e.next("waoutbox config set %s %s", config.KeyWebhookPolicy, api.PolicyLocked)
		}
		return nil
	})
}
