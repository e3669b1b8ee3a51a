package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/config"
	"waoutbox/cmd/internal/httpserver"
	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
	"waoutbox/store"
)

// httpTokenLine is `http-token --json`. The token itself is in the file alone.
type httpTokenLine struct {
	Path string `json:"path"`
	URL  string `json:"url,omitempty"` // of the listener, where one runs
	// of a change: what was not done besides
	Warnings []string `json:"warnings,omitempty"`
}

func newHTTPTokenCmd(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "http-token",
		Short: "Say where the token of the HTTP listener is and how to use it",
		Long: `The HTTP listener (waoutbox serve --http 127.0.0.1:8080) serves only those who send its token: the file http-token in
the state directory, which its owner alone can read. It is made when it is first needed, here or there.`,
		Args: knownSubcommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			token := httpserver.TokenIn(e.stateDir)
			if err := e.checkStateDir(); err != nil {
				return err
			}
			if err := e.checkNamed(); err != nil {
				return err
			}
			if err := store.MakeDir(e.stateDir); err != nil {
				return err
			}
			if _, err := token.Make(); err != nil {
				return err
			}
			return e.sayToken(cmd.Context(), token)
		},
	}
	cmd.AddCommand(newHTTPTokenRotateCmd(e))
	return cmd
}

func newHTTPTokenRotateCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "rotate",
		Short: "Make a new token; the one before stops working at once",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			token := httpserver.TokenIn(e.stateDir)
			b, err := e.connect(cmd.Context(), modeDaemon)
			switch {
			case err == nil: // which ends what goes on with the old one
				err = b.daemon.RotateHTTPToken(cmd.Context())
				_ = b.close()
			case api.CodeOf(err) == api.CodeServiceUnavail && e.nobodyOwns():
				err = e.rotateOwned(cmd.Context(), token)
			}
			if err != nil {
				return err
			}
			if !e.json {
				e.printf("A new token was made; the one before is worth nothing now. Give it to the programs and agents that had that.\n")
			}
			return e.sayToken(cmd.Context(), token)
		},
	}
}

// rotateOwned makes a new token while no service runs, and records that. A state that cannot be
// opened, or has no audit trail yet, keeps nobody from a new token.
func (e *env) rotateOwned(ctx context.Context, token httpserver.Token) (err error) {
	if err := e.checkNamed(); err != nil {
		return err
	}
	if err := store.MakeDir(e.stateDir); err != nil {
		return err
	}
	if store.CheckOutbox(e.stateDir) != nil {
		return token.Rotate()
	}
	var a *app
	cfg, unopened := e.configOrDefaults()
	if unopened == nil {
		a, unopened = openApp(ctx, e.stateDir, cfg, false, e.warningsLog())
	}
	switch {
	case errors.Is(unopened, store.Owned): // meanwhile
		return unopened
	case unopened != nil:
		if err = token.Rotate(); err == nil {
			e.warn([]string{"this is not in the audit trail: " + unopened.Error()})
		}
		return err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	return a.service(nil, nil, mediaParts{}).Outside(ctx, "http-token.rotate", func(context.Context) error { return token.Rotate() })
}

// nobodyOwns reports whether no process works on the state.
func (e *env) nobodyOwns() bool {
	_, owned, err := store.ReadOwner(e.stateDir)
	return err == nil && !owned
}

// sayToken says where the token is and how it is used.
func (e *env) sayToken(ctx context.Context, token httpserver.Token) error {
	line := httpTokenLine{Path: token.Path()}
	runs := false
	if b, err := e.connect(ctx, modeDaemon); err == nil {
		if d, err := b.daemon.Daemon(ctx); err == nil && d.HTTP != nil {
			line.URL = d.HTTP.URL
		}
		runs = true
		_ = b.close()
	}
	if e.json {
		line.Warnings = e.remarks
		e.printJSON(line)
		return nil
	}
	e.printf("The token of the HTTP listener is in %s\n", e.home(line.Path))
	address, set, err := e.httpAddress()
	if err != nil { // the token is as good without the settings
		address, set = httpExample, false
	}
	url := line.URL
	if url == "" {
		url = "http://" + address
	}
	e.printf("Programs   curl -H \"Authorization: Bearer $(cat %s)\" %s/v1/status\n", term.Quote(line.Path), url)
	e.printf("Agents     %s/mcp, with the header Authorization: Bearer TOKEN\n", url)
	if line.URL != "" {
		e.next("waoutbox http-token rotate   (makes a new one)")
		return nil
	}
	e.printf("No listener runs.\n")
	switch {
	case set && runs:
		e.next("waoutbox restart   (starts the listener that is set)")
	case set:
		e.next("waoutbox start")
	case runs:
		e.next("waoutbox config set %s %s && %s", config.KeyHTTP, httpExample, e.command("restart"))
	default:
		e.next("waoutbox serve --http %s", httpExample)
	}
	return nil
}
