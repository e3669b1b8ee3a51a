package main

import (
	"context"
	"fmt"
	"sync"

	"waoutbox/cmd/internal/control"
	"waoutbox/cmd/internal/httpserver"
	"waoutbox/cmd/internal/page"
	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// pageParts are what the service needs for the operator's page: it is served by the HTTP listener,
// or, where that does not run or would carry it in clear text over a network, by a listener of its
// own on this machine, which is opened when somebody first asks for the page.
type pageParts struct {
	page *page.Server
	app  *app
	http *httpserver.Listener // nil: it has one of its own

	mu      sync.Mutex
	own     *httpserver.Listener
	opened  chan *httpserver.Listener // to run
	stopped bool
}

// openPage makes the page over the operations of calls.
func (a *app) openPage(calls *control.Server, daemon api.Daemon, web httpParts, place string) (*pageParts, error) {
	server, err := page.New(page.Options{
		Service: calls.Local(), Place: place, Version: version, Started: daemon.StartedAt, Events: catalogNames(), Arrivals: a.arrivals.Counts, Log: a.log,
		Caller: func(ctx context.Context, client string) context.Context {
			return control.WithAgent(ctx, control.Agent{Kind: api.CallerPage, Name: client, Build: version})
		},
		Command: func(words ...string) string { return term.Command(a.state.Dir(), words...) },
	})
	if err != nil {
		return nil, err
	}
	p := &pageParts{page: server, app: a, opened: make(chan *httpserver.Listener, 1)}
	if web.listener != nil && !web.listener.Open() {
		p.http = web.listener
	}
	return p, nil
}

// link makes a link to the page, for whoever calls over the control socket.
func (p *pageParts) link(context.Context) (api.PageLink, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.http
	switch {
	case p.stopped:
		return api.PageLink{}, api.Retryf(api.CodeServiceUnavail, "waoutbox is stopping")
	case at == nil && p.own == nil:
		ln, err := httpserver.Listen(httpserver.Settings{Address: "127.0.0.1:0", Log: p.app.log})
		if err != nil {
			return api.PageLink{}, api.Errorf(api.CodeServiceUnavail, "the page cannot be served: %v", err)
		}
		p.app.own.Add(ln.Addr()) // no webhook points there
		p.own = ln
		p.opened <- ln
		fallthrough
	case at == nil:
		at = p.own
	}
	return p.page.Link(pageBase(at)), nil
}

// pageBase is how a browser calls a listener: where that has certificates, by a name that they may
// be for.
func pageBase(at *httpserver.Listener) string {
	if hosts := at.Hosts(); at.TLS() && len(hosts) > 0 {
		return fmt.Sprintf("https://%s:%d", hosts[0], at.Addr().Port())
	}
	return at.URL()
}

// run serves the listener of the page's own, if it comes to be, until ctx ends.
func (p *pageParts) run(ctx context.Context) error {
	defer p.page.Close()
	select {
	case ln := <-p.opened:
		server := httpserver.New(httpserver.Options{Listener: ln, Page: p.page, CloseStreams: p.page.Close, Ready: func() string { return "" }, Log: p.app.log})
		err := server.Run(ctx)
		p.stop()
		return err
	case <-ctx.Done():
		p.stop()
		return nil
	}
}

// stop makes no more links, and gives back a listener that did not come to run.
func (p *pageParts) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	if p.own != nil {
		_ = p.own.Close() // whose address nobody uses any more
	}
}
