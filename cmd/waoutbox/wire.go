package main

import (
	"context"
	"errors"
	"log/slog"

	"waoutbox/cmd/internal/admin"
	"waoutbox/cmd/internal/config"
	"waoutbox/connection"
	"waoutbox/dispatcher"
	"waoutbox/dispatcher/webhook"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
)

// stack is the state opened by this process: everything the daemon and a daemon-less command have in common.
type stack struct {
	state  *store.State
	db     *store.DB
	box    *boltbox.Box
	keys   *keyring
	sender *webhook.Sender
	disp   *dispatcher.Dispatcher
	log    *slog.Logger
}

// openStack takes ownership of the state and opens what lies in it. Nothing runs yet. On error nothing stays open.
func openStack(ctx context.Context, stateDir string, cfg config.Config, log *slog.Logger) (_ *stack, err error) {
	s := &stack{log: log}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.state, err = store.OpenState(ctx, stateDir, store.Options{Version: version}); err != nil {
		return nil, err
	}
	if s.db, err = store.Open(s.state.Path("outbox.db"), store.DBOptions{MinFree: uint64(cfg.MinFreeBytes), Log: log}); err != nil {
		return nil, err
	}
	if s.box, err = boltbox.Open(ctx, s.db, boltbox.Options{Log: log}); err != nil {
		return nil, err
	}
	sealed, err := hasSealed(ctx, s.box)
	if err != nil {
		return nil, err
	}
	if s.keys, err = openKeyring(s.state.Path(store.KeyFile), sealed, log); err != nil {
		return nil, err
	}
	s.sender = webhook.New(webhook.Options{Unseal: s.keys.unseal, UserAgent: "waoutbox/" + version, Log: log})
	s.disp = dispatcher.New(dispatcher.Options{
		Source: s.box, Subscriptions: s.box, Sender: s.sender, Log: log, MaxInFlight: cfg.MaxInFlight,
	})
	return s, nil
}

// close gives everything back, the lock last. Safe on a partly opened stack.
func (s *stack) close() error {
	var errs []error
	if s.sender != nil {
		s.sender.Close()
	}
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	if s.state != nil {
		errs = append(errs, s.state.Close())
	}
	return errors.Join(errs...)
}

// service makes the administration over the stack. link and daemon are nil while no daemon runs.
func (s *stack) service(link admin.Link, daemon *api.Daemon) *admin.Service {
	names := []string{}
	for _, e := range connection.Catalog() {
		names = append(names, e.Name)
	}
	return admin.New(admin.Options{
		Engine: s.box, Dispatcher: s.disp, Sender: s.sender, Link: link, Daemon: daemon, StateDir: s.state.Dir(),
		EventNames: names, Seal: s.keys.seal, CheckURL: webhook.CheckURL, Resolve: webhook.Resolve, TestBody: connection.TestBody,
		Alarms: s.keys.alarms, Log: s.log,
	})
}

// hasSealed reports whether any webhook holds a sealed secret or sealed headers: then the key file must be there.
func hasSealed(ctx context.Context, box *boltbox.Box) (bool, error) {
	subs, err := box.Subs(ctx)
	if err != nil {
		return false, err
	}
	for _, sub := range subs {
		if cfg, err := outbox.DecodeWebhook(sub.Config); err == nil && len(cfg.Secret)+len(cfg.Headers) > 0 {
			return true, nil
		}
	}
	return false, nil
}

// openOffline serves a command while no daemon runs: the administration over the state, owned by this process until close.
func openOffline(ctx context.Context, stateDir string, cfg config.Config, log *slog.Logger) (api.Service, func() error, error) {
	s, err := openStack(ctx, stateDir, cfg, log)
	if err != nil {
		return nil, nil, err
	}
	return s.service(nil, nil), s.close, nil
}
