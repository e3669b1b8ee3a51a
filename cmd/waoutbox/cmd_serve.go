package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/alerts"
	"waoutbox/cmd/internal/control"
	"waoutbox/cmd/internal/control/daemon"
	"waoutbox/cmd/internal/control/socket"
	"waoutbox/cmd/internal/garbage"
	"waoutbox/cmd/internal/httpserver"
	"waoutbox/cmd/internal/servicemanager"
	"waoutbox/connection"
	"waoutbox/connection/wire"
	"waoutbox/outbox/api"
	"waoutbox/store"
	"waoutbox/store/device"
	"waoutbox/store/private"
)

func newServeCmd(e *env) *cobra.Command {
	newOutbox, asService := false, false
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the service in the foreground",
		Long: `Owns the state, the WhatsApp link and the deliveries, until it is stopped. Logs to stderr; on a terminal,
and started in the background, to serve.log beside the state (three files of 10 MiB). A terminal shows the
QR code while no account is linked, the link as it changes, and one line for what arrives and for each delivery.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			e.settings = givenSettings(cmd)
			if asService {
				return serveAsService(cmd.Context(), e, newOutbox)
			}
			starter := daemon.Inherited(e.getenv)
			err := serve(cmd.Context(), e, newOutbox, starter)
			if err != nil {
				starter.Failed(codeOf(err), err.Error())
			}
			if exitCode(err) == exitUsage && servicemanager.Waits(e.getenv) {
				return &badSettings{err}
			}
			return err
		},
	}
	addSettingFlags(cmd)
	cmd.Flags().BoolVar(&newOutbox, "new-outbox", false, "begin an empty outbox where the old one was lost (its webhooks and events with it)")
	if runtime.GOOS == "windows" {
		cmd.Flags().BoolVar(&asService, servicemanager.AsService, false, "run as the service of Windows that this process was started as")
		_ = cmd.Flags().MarkHidden(servicemanager.AsService) // it is there
	}
	return cmd
}

// serve opens everything in order, tells starter that it is ready, runs until ctx ends or a part
// fails, and stops in reverse order: link, replays, dispatcher, control, store. What was accepted
// is on disk at every instant; the order only decides how much is delivered twice, and keeps the
// store open until the last call has ended. starter is nil for a service that somebody started by
// hand.
func serve(ctx context.Context, e *env, newOutbox bool, starter *daemon.Report) (err error) {
	began := time.Now()
	tightened, kept := store.Tighten(e.stateDir)
	if err := e.checkStateDir(); err != nil { // before anything in it is believed
		return err
	}
	cfg, err := e.config()
	if err != nil {
		return err
	}
	out := e.serveLog(starter != nil || e.ready != nil)
	defer out.close()
	log := newLogger(out, cfg, e.stateDir)
	if len(tightened) > 0 {
		log.Warn("others could read or write parts of the state; they cannot any more", "made_private", tightened)
	}
	for _, what := range append(kept, private.Given(e.stateDir)...) {
		log.Warn("others may reach the state: see that nobody else is given this volume", "what", what)
	}
	defer garbage.Bound(e.getenv)()
	server, err := wire.CheckServer(cfg.WhatsAppURL, cfg.WhatsAppRootKey)
	if err != nil {
		return usageError(err)
	}
	a, err := openApp(ctx, e.stateDir, cfg, newOutbox, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	log = a.log
	a.keys.logMissing()
	proxy, err := a.proxy(e.configPath(), cfg)
	if err != nil {
		return usageError(err)
	}
	rootKey := ""
	if server != nil {
		rootKey = server.RootKeyHex()
	}
	dev, err := device.Open(ctx, a.state.Path(store.WhatsAppFile), rootKey, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dev.Close()) }()
	var newest time.Time // when this service was last seen alive
	if ev, err := a.box.Newest(ctx); err == nil {
		newest = ev.Time
	}
	downSince, err := connection.LastUp(ctx, a.box)
	if err != nil {
		log.Warn("the gap before this start is told from the newest event on", "error", err)
		downSince = newest
	}
	linked, err := connection.WasLinked(ctx, a.box)
	if err != nil {
		log.Warn("whether an account was linked before this start is not known", "error", err)
	}
	spool, err := a.openSpool(cfg)
	if err != nil {
		return err
	}
	route := wire.Route{Server: server, Proxy: proxy}
	client, err := connection.New(connection.Options{
		Device: dev, Appender: a.box, Sends: a.box, Messages: quotedMessages{a.box}, Route: route, Log: log, LogContent: cfg.LogContent, Version: version, DownSince: downSince, WasLinked: linked,
		MaxSends: cfg.MaxSends, Spool: spool,
	})
	if err != nil {
		return err
	}
	a.clockAhead = client.ClockAhead
	if err := client.Look(ctx); err != nil {
		return err
	}
	files, err := a.openMedia(cfg, spool, client, log)
	if err != nil {
		return err
	}
	keep := a.retention(cfg, newest)
	web, err := a.openHTTP(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, web.close()) }()
	info := api.Daemon{PID: os.Getpid(), Version: version, StartedAt: began.UTC().Truncate(time.Millisecond), HTTP: web.info(), Settings: settingsGiven(cfg)}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	svc := a.service(client, &info, files, web.alarms, func() []api.Alarm { return deviceAlarms(dev) })
	svc.RemoveTemporary(control.WithAgent(ctx, agent()))
	ready := func() string { return a.notReady(ctx) }
	meters := a.metrics(svc)
	rotateToken := func(ctx context.Context) error { return svc.Outside(ctx, "http-token.rotate", web.rotate) }
	var operator *pageParts
	openPage := func(ctx context.Context) (link api.PageLink, err error) {
		defer svc.Recorded(ctx, "page.open", &err)
		return operator.link(ctx)
	}
	calls := control.NewServer(control.ServerOptions{
		Service: svc, Metrics: meters, Health: httpserver.Health(ready), RotateToken: rotateToken, CopyOutbox: a.copyOutbox(svc), Examine: a.examiner(cfg, route), Listen: svc.Listen, OpenPage: openPage, StateDir: e.stateDir, Daemon: info, Stop: stop, Log: log,
	})
	if operator, err = a.openPage(calls, info, web, e.home(e.stateDir)); err != nil {
		return err
	}
	web.serve(a, calls, operator, meters, ready)
	ln, err := socket.Listen(e.stateDir)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "waoutbox %s  state %s  control.sock ready in %d ms\n", version, e.stateDir, time.Since(began).Milliseconds())
	web.say(e)
	if out.path != "" {
		fmt.Fprintf(e.stdout, "log in %s\n", out.path)
	}
	log.Info("service started", "version", version, "pid", info.PID)
	if client.Link().Account == "" {
		log.Info("no account is linked: no events arrive until one is")
	}
	starter.Ready(info)
	defer ignoreHangup(func() { log.Info("SIGHUP is ignored: settings count from the next start") })()
	if err := servicemanager.Notify(e.getenv, servicemanager.Ready); err != nil {
		log.Warn("the service manager was not told that the service is ready", "error", err)
	}
	if e.ready != nil {
		e.ready()
	}
	defer servicemanager.Notify(e.getenv, servicemanager.Stopping) //nolint:errcheck // it sees the end of the process

	parts := []part{ // stopped from the first to the last
		{name: "whatsapp link", run: client.Run},
		{name: "device store", run: dev.Run, anew: true},
		{name: "watchdog", run: func(ctx context.Context) error { return servicemanager.KeepAlive(ctx, e.getenv, a.alive) }, anew: true},
		{name: "replays", run: svc.Run},
		{name: "samples", run: svc.RunSamples, anew: true},
		{name: "subscriptions", run: svc.RunSubscriptions, anew: true},
		{name: "retention", run: keep.Run, anew: true}, // its steps go through the lanes
		{name: "dispatcher", run: a.disp.Run},
		{name: "control", run: func(ctx context.Context) error { return calls.Serve(ctx, ln) }},
		{name: "compaction", run: func(ctx context.Context) error { return a.db.RunCompaction(ctx, store.DefaultCompactPolicy()) }, anew: true},
	}
	if cfg.AlertWebhook != "" {
		told := alerts.New(alerts.Options{URL: cfg.AlertWebhook, Version: version, Client: a.sender.FetchClient(false), Status: svc.Status, Log: log, Path: a.state.Path(store.AlertsFile)})
		parts = append([]part{{name: "alerts", run: told.Run, anew: true}}, parts...)
	}
	if files.kept != nil { // it ends before the link that it fetches by
		parts = append([]part{{name: "kept media", run: files.kept.Run}}, parts...)
	}
	// they end before the calls that they pass on
	front := []part{{name: "page", run: operator.run}}
	if web.server != nil {
		front = append(front, part{name: "http", run: web.run})
	}
	parts = slices.Insert(parts, slices.IndexFunc(parts, func(p part) bool { return p.name == "control" }), front...)
	return runParts(ctx, log, parts, func(ctx context.Context) { foreground(ctx, e, client, a.live) })
}
