package main

import (
	"context"
	"net"

	"waoutbox/cmd/internal/config"
	"waoutbox/cmd/internal/httpserver"
	"waoutbox/cmd/internal/mcpclients"
	"waoutbox/cmd/internal/term"
)

// httpExample is an address for the HTTP listener.
const httpExample = "127.0.0.1:8080"

// httpClientConfig is what mcp config prints for programs about a client that uses HTTP.
type httpClientConfig struct {
	Client    string `json:"client"`
	URL       string `json:"url"`
	TokenFile string `json:"token_file"`
	Listening bool   `json:"listening"` // now
}

// mcpConfigHTTP says what to enter into a client that reaches the tools over HTTP.
func (e *env) mcpConfigHTTP(ctx context.Context, c mcpclients.Client, o configOptions) error {
	switch {
	case o.write:
		return usagef("%s keeps its servers in its own database: enter there what this prints without --write", c.Title)
	case o.readOnly:
		return usagef("--read-only is for clients that start the tools themselves: those of the HTTP listener are all there")
	}
	address, set, err := e.httpAddress()
	if err != nil {
		return err
	}
	out := httpClientConfig{Client: c.Name, URL: "http://" + address, TokenFile: httpserver.TokenIn(e.stateDir).Path()}
	if b, err := e.connect(ctx, modeDaemon); err == nil {
		if d, err := b.daemon.Daemon(ctx); err == nil && d.HTTP != nil {
			out.URL, out.Listening = d.HTTP.URL, true
		}
		_ = b.close() // it was only asked
	}
	out.URL += "/mcp"
	if e.json {
		e.printJSON(out)
		return nil
	}
	e.printf(`%s reaches the tools over HTTP. Give its AI Agent the tool "MCP Client Tool" and enter:

  Endpoint          %s
  Server Transport  HTTP Streamable
  Authentication    Bearer Auth; the token is what %s holds

In a container of Docker Desktop this machine is host.docker.internal, not 127.0.0.1; the listener takes that name after:
  %s
`, c.Title, term.Clean(out.URL), e.home(out.TokenFile), e.command("config set %s host.docker.internal", config.KeyHTTPHosts))
	switch {
	case out.Listening:
		e.next("waoutbox http-token")
	case set:
		e.next("waoutbox restart   (starts the listener that is set)")
	default:
		e.next("waoutbox config set %s %s && %s", config.KeyHTTP, httpExample, e.command("restart"))
	}
	return nil
}

// httpAddress returns where the listener is, by the settings that are kept; an example when there
// is none, or when any port will do.
func (e *env) httpAddress() (address string, set bool, err error) {
	address, set, err = config.Get(e.configPath(), config.KeyHTTP)
	if err != nil {
		return "", false, configError(err)
	}
	if _, port, err := net.SplitHostPort(address); !set || err != nil {
		return httpExample, false, nil
	} else if port == "0" {
		return httpExample, true, nil
	}
	return address, true, nil
}
