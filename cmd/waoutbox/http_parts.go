package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"

	"waoutbox/cmd/internal/config"
	"waoutbox/cmd/internal/control"
	"waoutbox/cmd/internal/httpserver"
	"waoutbox/cmd/internal/term"
	"waoutbox/mcptools"
	"waoutbox/outbox/api"
	"waoutbox/store"
)

// httpParts are what the service needs for its HTTP listener. The zero value has none.
type httpParts struct {
	token    httpserver.Token
	listener *httpserver.Listener // nil: the setting http is off
	server   *httpserver.Server
	tools    *mcptools.Server
}

// openHTTP takes the address of the setting http, if it is set, and makes the token if there is
// none. No webhook may point there from then on.
func (a *app) openHTTP(ctx context.Context, cfg config.Config) (h httpParts, err error) {
	h.token = httpserver.TokenIn(a.state.Dir())
	if cfg.HTTP == "" {
		return h, nil
	}
	if _, err := h.token.Make(); err != nil {
		return h, err
	}
	settings := listenerSettings(cfg)
	settings.Log = a.log
	h.listener, err = httpserver.Listen(settings)
	if _, ok := errors.AsType[*httpserver.UsageError](err); ok {
		return h, usageError(err)
	}
	if err == nil {
		a.own.Add(h.listener.Addr())
		switch l := h.listener; {
		case l.Open():
			a.log.WarnContext(ctx, "the HTTP listener is "+insecureNote, "url", l.URL())
		case l.Reachable():
			a.log.WarnContext(ctx, "the HTTP listener is "+reachableNote, "url", l.URL())
		}
	}
	return h, err
}

// listenerSettings are those of the HTTP listener.
func listenerSettings(cfg config.Config) httpserver.Settings {
	return httpserver.Settings{Address: cfg.HTTP, CertFile: cfg.HTTPCert, KeyFile: cfg.HTTPKey, Insecure: cfg.HTTPInsecure, Hosts: cfg.HTTPHosts}
}

// checkListener returns why a service with these settings would not start because of its HTTP
// listener, as far as that is known before.
func checkListener(cfg config.Config) error {
	if cfg.HTTP == "" {
		return nil
	}
	return listenerSettings(cfg).Check()
}

// unfitListener returns, after a change of a setting that concerns the listener, why no service
// would start, and the command that mends it.
func unfitListener(cfg config.Config, key string) (mend string, err error) {
	switch key {
	case config.KeyHTTP, config.KeyHTTPCert, config.KeyHTTPKey, config.KeyHTTPInsecure:
		err = checkListener(cfg)
	}
	switch {
	case err == nil:
		return "", nil
	case cfg.HTTPCert == "":
		return "waoutbox config set " + config.KeyHTTPCert + " FILE", err
	case cfg.HTTPKey == "":
		return "waoutbox config set " + config.KeyHTTPKey + " FILE", err
	}
	return "waoutbox config set " + config.KeyHTTP + " 127.0.0.1:8080", err // no address
}

// info is what status shows of the listener.
func (h httpParts) info() *api.HTTPListener {
	if h.listener == nil {
		return nil
	}
	return &api.HTTPListener{URL: h.listener.URL(), Insecure: h.listener.Open(), Reachable: h.listener.Reachable()}
}

// serve makes what serves the listener: the operations of calls, for programs and for agents.
func (h *httpParts) serve(a *app, calls *control.Server, operator *pageParts, metrics http.Handler, ready func() string) {
	if h.listener == nil {
		return
	}
	files := agentFiles{a.state.Dir()}
	h.tools = mcptools.New(mcptools.Options{
		Version: version, Events: eventNames(), EventTypes: eventTypes(), DownloadDir: downloadDir(), Headers: files.headers, KeepSecret: files.keepSecret, Command: term.Command(a.state.Dir()), Log: a.log,
		MediaPath: func(event string) string { return "/v1/events/" + event + "/media" },
		Backend:   func(context.Context, mcptools.ClientInfo) (mcptools.Backend, error) { return calls.Local(), nil },
		EventWebhooks: func(ctx context.Context) bool {
			offer, err := calls.Local().SubscriptionOffer(ctx)
			return err == nil && offer.Webhooks
		},
		Context: func(ctx context.Context, client mcptools.ClientInfo) context.Context {
			return control.WithAgent(ctx, control.Agent{Kind: api.CallerMCP, Name: cmp.Or(client.Name, "mcp"), Version: client.Version, Build: version, Principal: api.PrincipalToken})
		},
	})
	endpoint := h.tools.HTTP()
	o := httpserver.Options{
		Listener: h.listener, Token: h.token, MCP: endpoint, CloseStreams: endpoint.Close, API: calls.API(), Metrics: metrics, Ready: ready, Log: a.log,
	}
	if operator.http != nil {
		o.Page, o.CloseStreams = operator.page, func() { endpoint.Close(); operator.page.Close() }
	}
	h.server = httpserver.New(o)
}

// run serves until ctx ends, and gives the tools' calls a moment to come back.
func (h *httpParts) run(ctx context.Context) error {
	defer h.tools.Wait()
	return h.server.Run(ctx)
}

// rotate replaces the token, whether there is a listener or not.
func (h *httpParts) rotate(context.Context) error {
	if h.server == nil {
		return h.token.Rotate()
	}
	return h.server.RotateToken()
}

// close gives the address back when the service did not come to run.
func (h httpParts) close() error {
	if h.listener == nil {
		return nil
	}
	return h.listener.Close()
}

func (h *httpParts) alarms() []api.Alarm {
	if h.server == nil {
		return nil
	}
	return h.server.Alarms()
}

// say tells the person at the terminal where the listener is.
func (h httpParts) say(e *env) {
	if h.listener == nil {
		return
	}
	e.printf("http       %s  (/mcp, /v1, /metrics; token in %s)\n", h.listener.URL(), e.home(h.token.Path()))
	e.sayReachable(h.info())
}

// sayReachable says that other machines reach the listener, where they do.
func (e *env) sayReachable(l *api.HTTPListener) {
	switch {
	case l.Insecure:
		e.printf("           %s\n", e.style.Yellow(insecureNote))
	case l.Reachable:
		e.printf("           %s\n", reachableNote)
	}
}

const reachableNote = "reachable from other machines too, by this machine's address or a name in http-hosts"

const insecureNote = "without TLS, and reachable from other machines (http-insecure): what is before it must encrypt"

// notReady says in a word or two why the outbox takes no events, "" when it does.
func (a *app) notReady(ctx context.Context) string {
	if ctx.Err() != nil {
		return "stopping"
	}
	for _, f := range a.db.Stats().Faults {
		if f.Cause != store.CauseCompaction { // all others refuse appends
			return fmt.Sprintf("outbox_%s", f.Cause)
		}
	}
	return ""
}
