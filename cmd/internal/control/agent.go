package control

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"waoutbox/outbox/api"
	"waoutbox/outbox/api/untrusted"
)

// Agent is who calls, for the audit trail and the policy for hosts: the CLI (Name "cli") or an MCP
// client by its own name. It is a claim, not a credential.
type Agent struct {
	// api.CallerCLI, api.CallerMCP, api.CallerPage or api.CallerHTTP; whoever does not say is a
	// program
	Kind          string
	Name, Version string // the caller's name and version
	// version of the waoutbox binary that calls, for "versions differ" sentences; "" means Version
	Build string
	// as whom it was let in (api.PrincipalLocal …): this is no claim, and no header has it
	Principal string
}

func (a Agent) build() string {
	if a.Build != "" {
		return a.Build
	}
	return a.Version
}

type agentKey struct{}

// WithAgent returns ctx with the caller in it, as the server does for every call; in-process
// administration does it for itself.
func WithAgent(ctx context.Context, a Agent) context.Context {
	return context.WithValue(ctx, agentKey{}, a)
}

// AgentFrom returns the caller of the operation that runs under ctx, and false when it is not
// known.
func AgentFrom(ctx context.Context) (Agent, bool) {
	a, ok := ctx.Value(agentKey{}).(Agent)
	return a, ok
}

func (a Agent) writeTo(h http.Header) {
	if a.Kind != "" {
		h.Set(headerCaller, a.Kind)
	}
	if a.Name != "" {
		h.Set(headerAgentName, url.QueryEscape(clean(a.Name)))
	}
	if a.Version != "" {
		h.Set(headerAgentVersion, url.QueryEscape(clean(a.Version)))
	}
}

func agentOf(h http.Header) Agent {
	read := func(key string) string {
		v, err := url.QueryUnescape(h.Get(key))
		if err != nil {
			return ""
		}
		return clean(v)
	}
	a := Agent{Kind: api.CallerHTTP, Name: read(headerAgentName), Version: read(headerAgentVersion)}
	if kind := h.Get(headerCaller); kind == api.CallerCLI || kind == api.CallerMCP {
		a.Kind = kind
	}
	return a
}

// clean returns a name that a client chose in a form fit for one line of a log: printable, bounded.
func clean(s string) string {
	var b strings.Builder
	for _, r := range untrusted.Strip(s) {
		if !unicode.IsPrint(r) {
			continue
		}
		if b.Len()+utf8.RuneLen(r) > maxAgentBytes {
			break
		}
		b.WriteRune(r)
	}
	return b.String()
}
