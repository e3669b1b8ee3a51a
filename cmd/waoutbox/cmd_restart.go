package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/explain"
	"waoutbox/cmd/internal/term"
	"waoutbox/connection/wire"
	"waoutbox/outbox/api"
	"waoutbox/store"
)

func newRestartCmd(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restart",
		Short: "Stop the service and start it again in the background",
		Long: `Stops the service, deliveries in flight finished first, and starts it again in the background: with
this program's version. One that does not run is started. Settings that the service was started
with as flags or in the environment are taken over, unless they are given anew or are in config.json;
where the value is secret, it is said before anything is stopped. waoutbox config set keeps them.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return e.restart(cmd.Context()) },
	}
	addSettingFlags(cmd)
	return cmd
}

// restarted is what restart prints for programs.
type restarted struct {
	Stopped *api.Daemon `json:"stopped,omitempty"` // absent when none ran
	Started *api.Daemon `json:"started"`
}

// restart replaces the daemon. What keeps a new one from starting, as far as it can be told before,
// is found out while the old one still runs.
func (e *env) restart(ctx context.Context) error {
	if err := e.checkStateDir(); err != nil {
		return err
	}
	taken, err := e.takeOverSettings(ctx)
	if err != nil {
		return err
	}
	cfg, err := e.config()
	if err != nil {
		return err
	}
	if _, err := wire.CheckServer(cfg.WhatsAppURL, cfg.WhatsAppRootKey); err != nil {
		return usageError(err)
	}
	if err := checkListener(cfg); err != nil {
		return usageError(err)
	}
	var out restarted
	if out.Stopped, err = e.stopIfRunning(ctx); err != nil {
		return err
	}
	if out.Stopped == nil { // settings may be all that is there yet
		if err := store.CheckDir(e.stateDir); err != nil {
			return explain.State(err)
		}
	}
	e.daemonArgs = e.settingArgs()
	err = e.withService(ctx, modeSpawn, func(svc api.Service) error {
		st, err := svc.Status(ctx)
		if err != nil {
			return err
		}
		out.Started = st.Daemon
		if e.json {
			e.printJSON(out)
			return nil
		}
		e.printRestarted(out)
		e.printTaken(taken)
		e.statusNext(st)
		return nil
	})
	if err == nil || out.Stopped == nil || out.Started != nil || errors.Is(err, context.Canceled) {
		return err
	}
	return api.Errorf(codeOf(err), "the service was stopped and did not start again: %s. Nothing is lost: WhatsApp keeps what arrives, the outbox what is owed. Mend that, then: %s (its log: %s)",
		strings.TrimSuffix(err.Error(), "."), e.command("start"), e.command("logs"))
}

// stopIfRunning stops the daemon and returns which one that was, nil when none runs. A state whose
// owner does not respond is an error: nothing can be started beside it.
func (e *env) stopIfRunning(ctx context.Context) (*api.Daemon, error) {
	d, _, err := e.stop(ctx)
	if err == nil {
		return &d, nil
	}
	if api.CodeOf(err) == api.CodeServiceUnavail && e.nobodyOwns() {
		return nil, nil // none is what there is
	}
	return nil, err
}

func (e *env) printRestarted(r restarted) {
	if r.Started == nil {
		return
	}
	now := fmt.Sprintf("waoutbox %s runs (pid %d) on %s", term.Clean(r.Started.Version), r.Started.PID, e.home(e.stateDir))
	switch {
	case r.Stopped == nil:
		e.printf("It did not run. Now %s\n", now)
	case r.Stopped.Version != r.Started.Version:
		e.printf("Restarted: %s, before it was version %s (pid %d)\n", now, term.Clean(r.Stopped.Version), r.Stopped.PID)
	default:
		e.printf("Restarted: %s, before it was pid %d\n", now, r.Stopped.PID)
	}
	e.sayListener(r.Started)
}
