package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"waoutbox/cmd/internal/admin"
	"waoutbox/cmd/internal/admin/replay"
	"waoutbox/cmd/internal/config"
	"waoutbox/cmd/internal/control"
	"waoutbox/cmd/internal/explain"
	"waoutbox/cmd/internal/hosts"
	"waoutbox/cmd/internal/metrics"
	"waoutbox/cmd/internal/term"
	"waoutbox/connection/translate"
	"waoutbox/connection/translate/thin"
	"waoutbox/connection/wire"
	"waoutbox/dispatcher"
	"waoutbox/dispatcher/recent"
	"waoutbox/dispatcher/webhook"
	"waoutbox/outbox/api"
	"waoutbox/outbox/boltbox"
	"waoutbox/outbox/retention"
	"waoutbox/store"
	"waoutbox/store/device"
)

// app is the state opened by this process: everything the daemon and a daemon-less command have
// in common.
type app struct {
	state  *store.State
	db     *store.DB
	box    *boltbox.Box
	keys   *keyring
	own    *webhook.Own // where this process listens
	sender *webhook.Sender
	ends   *replay.Ends
	recent *recent.Recent
	// the events of the last hour, counted
	arrivals *recent.Arrivals
	meters   *metrics.Metrics
	live     *liveView // for the terminal of `serve`
	disp     *dispatcher.Dispatcher
	log      *slog.Logger
	hosts    *hosts.Policy
	rules    admin.SubscriptionRules
	keep     *retention.Retention // nil while no daemon runs
	pend     time.Duration        // how long a delivery may wait
	linkDown time.Duration        // how long the link may be down without an alarm
	// by how much the clock is ahead of WhatsApp's; nil while no daemon runs
	clockAhead func() (ahead time.Duration, known bool)
}

// openApp takes ownership of the state and opens what lies in it. Nothing runs yet. On error
// nothing stays open.
//
// An outbox that was lost is not begun anew, unless newOutbox says so.
func openApp(ctx context.Context, stateDir string, cfg config.Config, newOutbox bool, log *slog.Logger) (_ *app, err error) {
	meters := metrics.New(version, catalogNames())
	log = slog.New(meters.CountPanics(log.Handler()))
	a := &app{log: log, own: &webhook.Own{}, pend: cfg.RetainPending, linkDown: cfg.LinkDownAfter, hosts: hostPolicy(stateDir, cfg), rules: subscriptionRules(cfg), meters: meters, arrivals: &recent.Arrivals{}, live: newLiveView()}
	defer func() {
		if err != nil {
			err = errors.Join(explain.State(err), a.close())
		}
	}()
	if a.state, err = store.OpenState(ctx, stateDir, store.Options{Version: version}); err != nil {
		return nil, err
	}
	opts := store.DBOptions{Schema: boltbox.Schema(), MinFree: uint64(cfg.MinFreeBytes), MaxBytes: cfg.MaxSize, Observer: a.meters, Log: log}
	if newOutbox {
		if err := unsealedAnew(a.state); err != nil {
			return nil, err
		}
	} else {
		opts.Companions = []string{a.state.Path(store.KeyFile), a.state.Path(store.WhatsAppFile)}
	}
	if a.db, err = store.Open(a.state.Path(store.OutboxFile), opts); err != nil {
		return nil, err
	}
	if a.box, err = boltbox.Open(ctx, a.db, boltbox.Options{Observer: appendObservers{a.meters, a.arrivals, a.live}, Log: log}); err != nil {
		return nil, err
	}
	sealed := func() (bool, error) { return a.somethingSealed(ctx) }
	if a.keys, err = openKeyring(ctx, a.state.Path(store.KeyFile), a.db, sealed, log); err != nil {
		return nil, err
	}
	if err := a.sealWebhooks(ctx); err != nil { // the next start tries again
		log.Error("not all webhooks' settings could be sealed: those without a seal are held", "error", err)
	}
	if err := a.sealAudit(ctx); err != nil { // the next start tries again
		log.Error("the audit trail could not be sealed", "error", err)
	}
	thinly := occurrences{cfg.MCPPreview, a.box}
	a.sender = webhook.New(webhook.Options{
		Unseal: a.keys.unseal, Sealed: true, UserAgent: "waoutbox/" + version, Own: a.own, Occurrence: thinly.body, Cursor: thinly.cursor, Log: log,
	})
	a.ends, a.recent = &replay.Ends{}, &recent.Recent{}
	a.disp = dispatcher.New(dispatcher.Options{
		Source: a.box, Subscriptions: a.box, Sender: a.sender, Observers: []dispatcher.Observer{a.ends, a.recent, a.meters, a.live}, Log: log, MaxInFlight: cfg.MaxInFlight,
		Drain: max(cfg.DrainTimeout, 1), // 0 would be the default
	})
	return a, nil
}

// alive returns when the outbox can be read: a process that hangs does not get there.
func (a *app) alive(ctx context.Context) error {
	_, err := a.box.Newest(ctx)
	return err
}

// proxy returns what the link goes through, nil for none. Credentials that stand in the settings'
// file as they are get sealed there.
func (a *app) proxy(configPath string, cfg config.Config) (*wire.Proxy, error) {
	if cfg.From(config.KeyWhatsAppProxy) == config.SourceFile && config.HasProxyCredentials(cfg.WhatsAppProxy) {
		sealed, err := config.SealProxy(cfg.WhatsAppProxy, a.keys.seal)
		if err == nil {
			err = config.Set(configPath, config.KeyWhatsAppProxy, sealed)
		}
		if err != nil { // the next start tries again
			a.log.Warn("the credentials of whatsapp-proxy were not sealed", "error", err)
		}
	}
	text, err := config.UnsealProxy(cfg.WhatsAppProxy, a.keys.unseal)
	if err != nil {
		return nil, err
	}
	p, err := wire.CheckProxy(text)
	if err == nil && p != nil {
		a.log.Info("WhatsApp is reached through a proxy", "proxy", p.String())
	}
	return p, err
}

// close gives everything back, the lock last. Safe on a partly opened app.
func (a *app) close() error {
	var errs []error
	if a.sender != nil {
		a.sender.Close()
	}
	if a.db != nil {
		errs = append(errs, a.db.Close())
	}
	if a.state != nil {
		errs = append(errs, a.state.Close())
	}
	return errors.Join(errs...)
}

// service makes the administration over the app. link and daemon are nil, and there are no media,
// while no daemon runs. Status shows the alarms of more too.
func (a *app) service(link admin.Link, daemon *api.Daemon, m mediaParts, more ...func() []api.Alarm) *admin.Service {
	var lately admin.Recent
	var files admin.Files
	var sources admin.Sources
	if m.files != nil {
		files, sources = m.files, m.sources
	}
	caller, stored := ownCommand, a.storedLink
	if daemon != nil {
		lately, caller, stored = a.recent, callerOf, nil
	}
	return admin.New(admin.Options{
		Engine: a.box, Dispatcher: a.disp, Sender: a.sender, Link: link, StoredLink: stored, Files: files, Sources: sources, Media: m.status, Daemon: daemon, Ends: a.ends, Recent: lately, StateDir: a.state.Dir(),
		EventNames: catalogNames(), EventKinds: catalogKinds(), Seal: a.keys.seal, Unseal: a.keys.unseal, CheckURL: a.own.CheckURL, Resolve: a.own.Resolve, TestBody: translate.TestBody, Thin: thin.Data,
		Receivers: receivers{a.sender}, Subscriptions: a.rules, Public: webhook.Public,
		Caller: caller, Hosts: a.hosts, Alarms: func() []api.Alarm {
			all := append(a.alarms(), m.alarms()...)
			for _, of := range more {
				all = append(all, of()...)
			}
			return all
		}, LinkDownAfter: a.linkDown, RetainPending: a.pend, Log: a.log,
	})
}

// metrics serves the metrics of the running service svc.
func (a *app) metrics(svc *admin.Service) http.Handler {
	a.meters.Watch(metrics.Source{Status: svc.Status, Database: func() (live, free int64) {
		st := a.db.Stats()
		return st.LiveBytes, st.FreeBytes
	}})
	return a.meters.Handler()
}

// retention makes what removes what is old. newest is the creation of the newest event of before.
func (a *app) retention(cfg config.Config, newest time.Time) *retention.Retention {
	a.keep = retention.New(a.box, a.disp, retention.Policy{Delivered: cfg.Retain, Pending: cfg.RetainPending, Dead: cfg.RetainDead, MaxBytes: cfg.MaxSize}, newest, a.log)
	return a.keep
}

// alarms are those of the parts that the administration does not know.
func (a *app) alarms() []api.Alarm {
	out := append(a.keys.alarms(), a.clockAlarms()...)
	if a.keep == nil {
		return out
	}
	for _, l := range a.keep.Losses() {
		out = append(out, api.Alarm{Code: "events_expired", Webhook: string(l.Webhook), Since: l.Since.UTC(), Message: fmt.Sprintf(
			"The outbox was nearly as large as it may be (max-size), so the oldest %d deliveries of %s expired: they are lost to it. "+
				"Let it get its events, remove it, or allow more and restart the service: %s", l.Events, l.Webhook, term.Command(a.state.Dir(), "config set max-size 20GiB"))})
	}
	return out
}

// deviceAlarms tells that the open device store lost its name.
func deviceAlarms(dev *device.Store) []api.Alarm {
	since, err := dev.Displaced()
	if err == nil {
		return nil
	}
	return []api.Alarm{{Code: "device_store_displaced", Since: since.UTC(), Message: err.Error()}}
}

// callerOf returns who calls a running service. Whoever is not known is a program: one that cannot
// be asked anything.
func callerOf(ctx context.Context) api.Caller {
	agent, ok := control.AgentFrom(ctx)
	switch {
	case !ok || agent.Kind == "":
		return api.Caller{Kind: api.CallerHTTP, Client: agent.Name, Version: agent.Version}
	case agent.Kind == api.CallerCLI:
		return api.Caller{Kind: agent.Kind, Version: agent.Version}
	case agent.Kind == api.CallerPage:
		return api.Caller{Kind: agent.Kind, Client: agent.Name}
	}
	return api.Caller{Kind: agent.Kind, Client: agent.Name, Version: agent.Version, Principal: agent.Principal}
}

// ownCommand is who asks of a command that works on the state itself.
func ownCommand(context.Context) api.Caller { return api.Caller{Kind: api.CallerCLI, Version: version} }

// catalogNames returns the name of every event there is.
func catalogNames() []string {
	names := []string{}
	for _, e := range translate.Catalog() {
		names = append(names, e.Name)
	}
	return names
}

// catalogKinds returns the kinds of chat that each event can be of.
func catalogKinds() map[string][]string {
	kinds := map[string][]string{}
	for _, e := range translate.Catalog() {
		kinds[e.Name] = e.Kinds
	}
	return kinds
}

// openOffline serves a command while no daemon runs: the administration over the state, owned by
// this process until close.
func openOffline(ctx context.Context, stateDir string, cfg config.Config, log *slog.Logger) (api.Service, func() error, error) {
	a, err := openApp(ctx, stateDir, cfg, false, log)
	if err != nil {
		return nil, nil, err
	}
	return a.service(nil, nil, mediaParts{}), a.close, nil
}
