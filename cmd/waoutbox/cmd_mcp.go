package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/config"
	"waoutbox/cmd/internal/control"
	"waoutbox/cmd/internal/control/daemon"
	"waoutbox/cmd/internal/garbage"
	"waoutbox/cmd/internal/parent"
	"waoutbox/connection/translate"
	"waoutbox/connection/translate/thin"
	"waoutbox/mcptools"
	"waoutbox/mcptools/mcpevents"
	"waoutbox/outbox/api"
)

func newMCPCmd(e *env) *cobra.Command {
	var readOnly, noSpawn bool
	cmd := &cobra.Command{
		Use:   "mcp",
		Short: "Serve MCP tools to an agent on stdin and stdout",
		Long: `Serves the MCP tools to one agent over stdin and stdout: the agent's program starts it, not a person.
The service is started at the first tool call if it does not run, and stays when the agent ends.
waoutbox mcp config CLIENT tells a program about it.`,
		Example: `  waoutbox mcp config claude-code
  claude mcp add whatsapp -- waoutbox mcp`,
		Args:        knownSubcommand,
		Annotations: stateless, // what is wrong with the state is told at the first call
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.mcp(cmd.Context(), e.resolveState(cmd), readOnly, noSpawn)
		},
	}
	cmd.Flags().BoolVar(&readOnly, "read-only", false, "offer only the tools that change nothing")
	cmd.Flags().BoolVar(&noSpawn, "no-spawn", false, "do not start the service")
	cmd.AddCommand(newMCPConfigCmd(e))
	return cmd
}

// mcp serves one agent until it hangs up, its process ends, or ctx does. noState is what is wrong
// with the state directory that was named: a server that ended for it would tell its user nothing.
func (e *env) mcp(ctx context.Context, noState error, readOnly, noSpawn bool) error {
	if e.stdinTerminal {
		e.note("This is an MCP server for an agent's program, which starts it and talks to it over stdin and stdout.\n"+
			"To connect one: %s   (or %s)\nHere it waits for messages that nobody types; Ctrl-D or Ctrl-C ends it.",
			e.command("mcp config %s", clientNames()[0]), strings.Join(clientNames()[1:], ", "))
	}
	ctx, release := parent.Watch(ctx)
	defer release()
	in, stop := garbage.TrimIdle(e.stdin, e.getenv)
	defer stop()
	// stdout is the protocol's
	log := slog.New(slog.NewTextHandler(e.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	server := mcptools.New(mcptools.Options{
		Version: version, Events: eventNames(), EventTypes: eventTypes(), ReadOnly: readOnly, DownloadDir: downloadDir(), Log: log,
		Headers: agentFiles{e.stateDir}.headers, KeepSecret: agentFiles{e.stateDir}.keepSecret, EventWebhooks: e.offersWebhooks, Command: e.command(""),
		Backend: func(ctx context.Context, client mcptools.ClientInfo) (mcptools.Backend, error) {
			if noState != nil {
				return nil, unavailable(noState)
			}
			return e.agentBackend(ctx, client, noSpawn)
		},
	})
	return server.ServeStdio(ctx, in, e.stdout)
}

// offersWebhooks reports whether MCP clients may have events sent to URLs that they name: as the
// service says, if one runs, else as the settings say.
func (e *env) offersWebhooks(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, offerLimit)
	defer cancel()
	c := control.NewClient(e.stateDir, control.Agent{Kind: api.CallerMCP, Build: version})
	defer c.Close()
	if offer, err := c.SubscriptionOffer(ctx); err == nil {
		return offer.Webhooks
	}
	cfg, err := config.Load(e.configPath(), e.settings, e.getenv)
	return err == nil && (cfg.WebhookPolicy == api.PolicyOpen || len(cfg.WebhookHosts) > 0)
}

// offerLimit bounds how long a list of event types waits for the service.
const offerLimit = 2 * time.Second

// agentBackend returns the service for a tool call, starting it if need be. The agent's own name
// goes into the audit trail. Whatever keeps the service from running is service_unavailable to the
// agent, with what its user can do.
func (e *env) agentBackend(ctx context.Context, client mcptools.ClientInfo, noSpawn bool) (mcptools.Backend, error) {
	c, err := daemon.Ensure(ctx, daemon.Options{
		StateDir: e.stateDir, NoSpawn: noSpawn, Managed: e.startManaged, Agent: control.Agent{Kind: api.CallerMCP, Name: client.Name, Version: client.Version, Build: version},
	})
	switch {
	case err == nil:
		return c, nil
	case ctx.Err() != nil:
		return nil, err // not a nil *Client in an interface
	}
	return nil, unavailable(err)
}

// unavailable makes any reason why there is no service one that an agent can tell from a wrong
// call.
func unavailable(err error) error {
	out := &api.Error{Code: api.CodeServiceUnavail, Message: err.Error()}
	if e, ok := errors.AsType[*api.Error](err); ok {
		out.Message, out.Retryable = e.Message, e.Retryable
	}
	return out
}

func eventNames() []mcptools.EventName {
	var names []mcptools.EventName
	for _, ev := range translate.Catalog() {
		names = append(names, mcptools.EventName{Name: ev.Name, Description: ev.Description})
	}
	return names
}

func eventTypes() []mcpevents.Type {
	var all []mcpevents.Type
	for _, t := range thin.Types() {
		all = append(all, mcpevents.Type{Name: t.Name, Description: t.Description, Input: t.Input, Payload: t.Payload, Webhook: t.Webhook})
	}
	return all
}

// downloadDir is where an agent finds the files that it downloads: outside the state, which is not
// for agents. "" where the user has no place for what may be thrown away.
func downloadDir() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(cache, "waoutbox", "media")
}
