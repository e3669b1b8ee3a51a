package main

import (
	"context"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

func newStartCmd(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "start",
		Short: "Start the service in the background",
		Long: `Starts the service detached from this terminal, logging to serve.log in the state directory, and
returns when it is ready. Settings given as flags are for this run; waoutbox config set keeps them.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.withStarted(cmd, modeSpawn, func(ctx context.Context, svc api.Service) error {
				st, err := svc.Status(ctx)
				if err != nil {
					return err
				}
				if e.json {
					e.printJSON(st.Daemon)
					return nil
				}
				if d := st.Daemon; d != nil {
					e.printf("waoutbox %s runs (pid %d) on %s\n", term.Clean(d.Version), d.PID, e.home(e.stateDir))
					e.sayListener(d)
				}
				e.statusNext(st)
				return nil
			})
		},
	}
	addSettingFlags(cmd)
	return cmd
}

// withStarted runs do with the daemon, started as m says with the settings cmd was given if none
// runs.
// Settings for a daemon that already runs are refused rather than ignored.
func (e *env) withStarted(cmd *cobra.Command, m mode, do func(ctx context.Context, svc api.Service) error) error {
	if _, err := e.config(); err != nil {
		return err
	}
	args := e.settingArgs()
	if len(args) > 0 {
		if b, err := e.connect(cmd.Context(), modeDaemon); err == nil {
			d, derr := b.daemon.Daemon(cmd.Context())
			if cerr := b.close(); derr == nil && cerr == nil {
				return usagef("waoutbox already runs (pid %d), and %s counts from the start only. Stop it first: %s", d.PID, args[0], e.command("stop"))
			}
		}
	}
	e.daemonArgs = args
	return e.withService(cmd.Context(), m, func(svc api.Service) error { return do(cmd.Context(), svc) })
}

// sayListener says where the HTTP listener of a service that was started can be reached.
func (e *env) sayListener(d *api.Daemon) {
	if d.HTTP == nil {
		return
	}
	e.printf("http       %s\n", term.Clean(d.HTTP.URL))
	e.sayReachable(d.HTTP)
}

// stoppedLine is `stop --json`.
type stoppedLine struct {
	Stopped bool `json:"stopped"`
	PID     int  `json:"pid"`
}

func newStopCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "stop",
		Short: "Stop the service; deliveries in flight are finished first",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, linked, err := e.stop(cmd.Context())
			if err != nil {
				return err
			}
			if e.json {
				e.printJSON(stoppedLine{true, d.PID})
				return nil
			}
			meanwhile := "WhatsApp keeps what arrives meanwhile; nothing is lost"
			if !linked {
				meanwhile = "No account is linked, so nothing arrives anyway"
			}
			e.printf("Stopped (pid %d). %s.\n", d.PID, meanwhile)
			e.next("waoutbox start")
			return nil
		},
	}
}

// stop stops the daemon and returns which one that was, and whether an account is linked, as far as
// can be known.
func (e *env) stop(ctx context.Context) (d api.Daemon, linked bool, err error) {
	b, err := e.connect(ctx, modeDaemon)
	if err != nil {
		return d, false, err
	}
	defer func() {
		if cerr := b.close(); err == nil {
			err = cerr
		}
	}()
	if d, err = b.daemon.Daemon(ctx); err != nil {
		return d, false, err
	}
	st, unknown := b.Status(ctx)
	return d, unknown != nil || st.Link.Account != "", b.daemon.Stop(ctx)
}
