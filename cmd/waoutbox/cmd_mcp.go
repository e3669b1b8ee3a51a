package main

import (
	"context"
	"log/slog"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/control"
	"waoutbox/connection"
	"waoutbox/mcptools"
)

func newMCPCmd(e *env) *cobra.Command {
	var readOnly, noSpawn bool
	cmd := &cobra.Command{
		Use:   "mcp",
		Short: "Serve MCP tools to an agent on stdin and stdout",
		Long: `Serves the MCP tools to one agent over stdin and stdout. The service is started at the first tool
call if it does not run, and stays when the agent ends.`,
		Example: `  claude mcp add whatsapp -- waoutbox mcp`,
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log := slog.New(slog.NewTextHandler(e.stderr, &slog.HandlerOptions{Level: slog.LevelWarn})) // stdout is the protocol's
			server := mcptools.New(mcptools.Options{
				Version: version, Events: eventNames(), ReadOnly: readOnly, Log: log,
				Backend: func(ctx context.Context, client mcptools.ClientInfo) (mcptools.Backend, error) {
					return e.agentBackend(ctx, client, noSpawn)
				},
			})
			return server.ServeStdio(cmd.Context(), e.stdin, e.stdout)
		},
	}
	cmd.Flags().BoolVar(&readOnly, "read-only", false, "offer only the tools that change nothing")
	cmd.Flags().BoolVar(&noSpawn, "no-spawn", false, "do not start the service")
	return cmd
}

// agentBackend answers the service for a tool call, starting it if need be. The agent's own name goes into the audit trail.
func (e *env) agentBackend(ctx context.Context, client mcptools.ClientInfo, noSpawn bool) (mcptools.Backend, error) {
	c, err := control.Ensure(ctx, control.EnsureOptions{
		StateDir: e.stateDir, NoSpawn: noSpawn, Agent: control.Agent{Name: client.Name, Version: client.Version, Build: version},
	})
	if err != nil {
		return nil, err // not a nil *Client in an interface
	}
	return c, nil
}

func eventNames() []mcptools.EventName {
	var names []mcptools.EventName
	for _, ev := range connection.Catalog() {
		names = append(names, mcptools.EventName{Name: ev.Name, Description: ev.Description})
	}
	return names
}
