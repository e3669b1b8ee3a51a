package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"

	"waoutbox/cmd/internal/control"
	"waoutbox/cmd/internal/control/daemon"
	"waoutbox/cmd/internal/explain"
	"waoutbox/outbox/api"
	"waoutbox/store"
)

// mode says which service a command can work with.
type mode int

const (
	modeState         mode = iota // the daemon if one runs, else this process on the locked state
	modeCreate                    // the same, and a state that is not there is made
	modeDaemon                    // a running daemon
	modeSpawn                     // a daemon, started if none runs
	modeSpawnExisting             // the same, and a state that is not there is not made
)

// daemonControl is what only a daemon can do.
type daemonControl interface {
	Daemon(ctx context.Context) (api.Daemon, error)
	Stop(ctx context.Context) error
	Metrics(ctx context.Context) (string, error)
	RotateHTTPToken(ctx context.Context) error
	Outbox(ctx context.Context) (io.ReadCloser, int64, error)
	Listen(ctx context.Context, in api.PutWebhook, started func(api.PutWebhookResult) error) error
	Examine(ctx context.Context, in api.Examine) (api.Examination, error)
	OpenPage(ctx context.Context) (api.PageLink, error)
}

// backend is an open service. daemon is nil when this process works on the state itself.
type backend struct {
	api.Service
	daemon daemonControl
	close  func() error
}

// backend returns the service for a command and the function that releases it.
func (e *env) backend(ctx context.Context, m mode) (api.Service, func() error, error) {
	b, err := e.connect(ctx, m)
	if err != nil {
		return nil, nil, err
	}
	return b.Service, b.close, nil
}

// agent returns how this command names itself to the daemon.
func agent() control.Agent {
	return control.Agent{Kind: api.CallerCLI, Name: "cli", Version: version, Build: version}
}

// connectService opens the service that mode allows; tests put a fake in its place.
func (e *env) connectService(ctx context.Context, m mode) (backend, error) {
	if err := e.checkStateDir(); err != nil {
		return backend{}, err
	}
	if m == modeSpawnExisting {
		if err := e.checkExists(); err != nil {
			return backend{}, err
		}
	}
	if m == modeSpawn || m == modeSpawnExisting {
		c, err := daemon.Ensure(ctx, daemon.Options{StateDir: e.stateDir, Args: e.daemonArgs, Managed: e.startManaged, Agent: agent(), Env: append(os.Environ(), e.daemonEnv...)})
		if err != nil {
			return backend{}, err
		}
		return remote(c), nil
	}
	c := control.NewClient(e.stateDir, agent())
	_, err := c.Daemon(ctx)
	switch {
	case err == nil:
		return remote(c), nil
	case m == modeDaemon || api.CodeOf(err) != api.CodeServiceUnavail:
		c.Close()
		if none := e.checkExists(); none != nil && api.CodeOf(err) == api.CodeServiceUnavail {
			err = api.Errorf(api.CodeServiceUnavail, "%v", none)
		}
		return backend{}, err
	}
	if m == modeState {
		if err := e.checkExists(); err != nil {
			c.Close()
			return backend{}, err
		}
	}
	b, err := e.openState(ctx)
	if !errors.Is(err, store.Owned) {
		c.Close()
		return b, err
	}
	// Somebody took the state meanwhile, or holds it without serving calls: look once more, and let
	// the client tell what it sees.
	if _, err := c.Daemon(ctx); err != nil {
		c.Close()
		return backend{}, err
	}
	return remote(c), nil
}

// checkExists returns an error when there is no state, and nobody who makes one.
func (e *env) checkExists() error {
	// what is wrong with the lock shows when it is taken
	_, owned, _ := store.ReadOwner(e.stateDir)
	if err := store.CheckOutbox(e.stateDir); err != nil && !owned {
		return explain.State(err)
	}
	return nil
}

// checkNamed returns an error when --state-dir names a directory that has no state, and nobody
// makes one: it is more likely mistyped than wished for.
func (e *env) checkNamed() error {
	if err := e.checkExists(); e.named && errors.Is(err, store.Missing) {
		return err
	}
	return nil
}

func remote(c *control.Client) backend {
	return backend{Service: c, daemon: remoteDaemon{c}, close: func() error { c.Close(); return nil }}
}

// remoteDaemon is the daemon at the other end of the control socket.
type remoteDaemon struct{ *control.Client }

// Stop satisfies daemonControl.
func (r remoteDaemon) Stop(ctx context.Context) error { return daemon.Stop(ctx, r.Client) }

// warningsLog is the log of a command that works on the state itself. It has only what is wrong:
// the command's own output says the rest.
func (e *env) warningsLog() *slog.Logger {
	if e.json { // nothing but an error stands on stderr
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(e.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// openState opens the state in this process.
func (e *env) openState(ctx context.Context) (backend, error) {
	store.Tighten(e.stateDir) // the service says so, a command need not
	cfg, err := e.config()
	if err != nil {
		return backend{}, err
	}
	svc, closeFn, err := openOffline(ctx, e.stateDir, cfg, e.warningsLog())
	if err != nil {
		return backend{}, err
	}
	return backend{Service: svc, close: closeFn}, nil
}
