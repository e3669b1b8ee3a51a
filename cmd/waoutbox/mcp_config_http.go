package main

import (
	"net"
	"path/filepath"

	"waoutbox/cmd/internal/config"
	"waoutbox/cmd/internal/mcpclients"
)

// httpSetting is the setting of the HTTP listener's address, httpExample one for it.
const (
	httpSetting = "http"
	httpExample = "127.0.0.1:8080"
)

// httpClientConfig is what mcp config prints for programs about a client that uses HTTP.
type httpClientConfig struct {
	Client    string `json:"client"`
	URL       string `json:"url"`
	TokenFile string `json:"token_file"`
	Listening bool   `json:"listening"` // the setting is there
}

// mcpConfigHTTP says what to enter into a client that reaches the tools over HTTP.
func (e *env) mcpConfigHTTP(c mcpclients.Client, o configOptions) error {
	switch {
	case o.write:
		return usagef("%s keeps its servers in its own database: enter there what this prints without --write", c.Title)
	case o.readOnly:
		return usagef("--read-only is for clients that start the tools themselves: those of the HTTP listener are all there")
	}
	address, set, err := config.Get(e.configPath(), httpSetting)
	if err != nil {
		set = false // FIXME after the merge
	}
	if _, port, err := net.SplitHostPort(address); !set || err != nil || port == "0" {
		address, set = httpExample, false
	}
	out := httpClientConfig{Client: c.Name, URL: "http://" + address + "/mcp", TokenFile: filepath.Join(e.stateDir, "http-token"), Listening: set}
	if e.json {
		e.printJSON(out)
		return nil
	}
	e.printf(`%s reaches the tools over HTTP. Give its AI Agent the tool "MCP Client Tool" and enter:

  Endpoint          %s
  Server Transport  HTTP Streamable
  Authentication    Bearer Auth; the token is what %s holds

In a container, this machine is host.docker.internal, not 127.0.0.1.
`, c.Title, out.URL, e.home(out.TokenFile))
	if !set {
		e.next("waoutbox config set %s %s && %s: the service listens there from then on", httpSetting, httpExample, e.command("restart"))
		return nil
	}
	e.next("waoutbox status says whether the service listens")
	return nil
}
