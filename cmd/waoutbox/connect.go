package main

import (
	"context"
	"errors"
	"log/slog"

	"waoutbox/cmd/internal/control"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// need says which service a command can work with.
type need int

const (
	needState  need = iota // the daemon if one answers, else this process on the locked state
	needDaemon             // a running daemon
	needSpawn              // a daemon, started if none runs
)

// daemonControl is what only a daemon can be asked.
type daemonControl interface {
	Daemon(ctx context.Context) (api.Daemon, error)
	Stop(ctx context.Context) error
}

// backend is an open service. daemon is nil when this process works on the state itself.
type backend struct {
	api.Service
	daemon daemonControl
	close  func() error
}

// backend answers the service for a command and the function that releases it.
func (e *env) backend(ctx context.Context, n need) (api.Service, func() error, error) {
	b, err := e.connect(ctx, n)
	if err != nil {
		return nil, nil, err
	}
	return b.Service, b.close, nil
}

// agent is how this command introduces itself to the daemon.
func agent() control.Agent { return control.Agent{Name: "cli", Version: version, Build: version} }

// connectService is the real way to the service.
func (e *env) connectService(ctx context.Context, n need) (backend, error) {
	if err := e.checkStateDir(); err != nil {
		return backend{}, err
	}
	if n == needSpawn {
		c, err := control.Ensure(ctx, control.EnsureOptions{StateDir: e.stateDir, Args: e.daemonArgs, Agent: agent()})
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
	case n == needDaemon || api.CodeOf(err) != api.CodeServiceUnavail:
		c.Close()
		return backend{}, err
	}
	b, err := e.openState(ctx)
	if !errors.Is(err, outbox.ErrOwned) {
		c.Close()
		return b, err
	}
	// Somebody took the state meanwhile, or holds it without answering: ask once more, and let the client tell what it sees.
	if _, err := c.Daemon(ctx); err != nil {
		c.Close()
		return backend{}, err
	}
	return remote(c), nil
}

func remote(c *control.Client) backend {
	return backend{Service: c, daemon: c, close: func() error { c.Close(); return nil }}
}

// openState opens the state in this process. It logs only what is wrong: the command's own output says the rest.
func (e *env) openState(ctx context.Context) (backend, error) {
	cfg, err := e.config()
	if err != nil {
		return backend{}, err
	}
	log := slog.New(slog.NewTextHandler(e.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	svc, closeFn, err := openOffline(ctx, e.stateDir, cfg, log)
	if err != nil {
		return backend{}, err
	}
	return backend{Service: svc, close: closeFn}, nil
}
