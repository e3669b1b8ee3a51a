package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/control"
	"waoutbox/connection"
	"waoutbox/outbox/api"
	"waoutbox/store/device"
)

// daemon is what `serve` runs: the one place where every package meets.
type daemon struct {
	*stack
	dev    *device.Store
	client *connection.Client
	server *control.Server
}

func newServeCmd(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the service in the foreground",
		Long:  "Owns the state, the WhatsApp link and the deliveries, until it is stopped. Logs to stderr; on a terminal to serve.log beside the state,\nand the terminal shows the QR code while no account is linked, and the link as it changes.",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			e.settings = givenSettings(cmd)
			return serve(cmd.Context(), e)
		},
	}
	addSettingFlags(cmd)
	return cmd
}

// serve opens everything in order, runs until ctx ends or a part fails, and stops in reverse order: link, dispatcher, control,
// store. What was accepted is on disk at every instant; the order only decides how much is delivered twice.
func serve(ctx context.Context, e *env) (err error) {
	began := time.Now()
	if err := e.checkStateDir(); err != nil { // before anything in it is believed
		return err
	}
	cfg, err := e.config()
	if err != nil {
		return err
	}
	out := e.serveLog()
	defer out.close()
	log := newLogger(out, cfg)
	server, err := connection.CheckServer(cfg.WhatsAppURL, cfg.WhatsAppRootKey)
	if err != nil {
		return usageError(err)
	}
	st, err := openStack(ctx, e.stateDir, cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.close()) }()

	d := &daemon{stack: st}
	rootKey := ""
	if server != nil {
		rootKey = server.RootKeyHex()
	}
	if d.dev, err = device.Open(ctx, st.state.Path("whatsapp.db"), rootKey, log); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.dev.Close()) }()
	var downSince time.Time // when this service was last seen alive, for the gap in connection.update
	if ev, err := st.box.Newest(ctx); err == nil {
		downSince = ev.Time
	}
	if d.client, err = connection.New(connection.Options{
		Device: d.dev, Appender: st.box, Sends: st.box, Messages: quotable{st.box}, Server: server, Log: log, Version: version, DownSince: downSince,
	}); err != nil {
		return err
	}
	info := api.Daemon{PID: os.Getpid(), Version: version, StartedAt: began.UTC().Truncate(time.Millisecond)}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	svc := st.service(d.client, &info)
	d.server = control.NewServer(control.ServerOptions{Service: svc, Daemon: info, Stop: stop, Log: log})
	ln, err := control.Listen(e.stateDir)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "waoutbox %s  state %s  control.sock ready in %d ms\n", version, e.stateDir, time.Since(began).Milliseconds())
	if out.path != "" {
		fmt.Fprintf(e.stdout, "log in %s\n", out.path)
	}
	log.Info("service started", "version", version, "pid", info.PID)

	stages := []stage{ // stopped from the first to the last
		{"whatsapp link", d.client.Run},
		{"dispatcher", st.disp.Run},
		{"control", func(ctx context.Context) error { return d.server.Serve(ctx, ln) }},
		{"log", func(ctx context.Context) error { return control.CapLog(ctx, e.stateDir, out.file(), log) }},
	}
	return runStages(ctx, log, stages, func(ctx context.Context) { foreground(ctx, e, d.client) })
}
