package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/control"
	"waoutbox/cmd/internal/control/daemon"
	"waoutbox/connection/translate"
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
			// stdout is the protocol's
			log := slog.New(slog.NewTextHandler(e.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
			server := mcptools.New(mcptools.Options{
				Version: version, Events: eventNames(), ReadOnly: readOnly, DownloadDir: downloadDir(), Log: log,
				Headers: agentFiles{e.stateDir}.headers, KeepSecret: agentFiles{e.stateDir}.keepSecret,
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

// agentBackend returns the service for a tool call, starting it if need be. The agent's own name
// goes into the audit trail.
func (e *env) agentBackend(ctx context.Context, client mcptools.ClientInfo, noSpawn bool) (mcptools.Backend, error) {
	c, err := daemon.Ensure(ctx, daemon.Options{
		StateDir: e.stateDir, NoSpawn: noSpawn, Agent: control.Agent{Name: client.Name, Version: client.Version, Build: version},
	})
	if err != nil {
		return nil, err // not a nil *Client in an interface
	}
	return c, nil
}

func eventNames() []mcptools.EventName {
	var names []mcptools.EventName
	for _, ev := range translate.Catalog() {
		names = append(names, mcptools.EventName{Name: ev.Name, Description: ev.Description})
	}
	return names
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
