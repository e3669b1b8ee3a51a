package view

import (
	"net/url"
	"strings"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// Address is a URL in the parts that page.css shortens one after the other: first Middle, then
// Last, at the end Origin. The query is left out: it may hold a token.
type Address struct {
	Origin, Middle, Last string
	Whole                string // without the query, for copying and screen readers
	Query                bool   // there is one
}

// AddressOf takes a webhook's URL apart.
func AddressOf(raw string) Address {
	bare, _, query := strings.Cut(raw, "?")
	bare = term.Clean(bare)
	a := Address{Origin: bare, Whole: bare, Query: query}
	if u, err := url.Parse(bare); err == nil && u.Host != "" {
		a.Origin = u.Scheme + "://" + u.Host
		path := strings.TrimPrefix(bare, a.Origin)
		if cut := strings.LastIndexByte(path, '/'); cut > 0 {
			a.Middle, a.Last = path[:cut+1], path[cut+1:]
		} else {
			a.Last = path
		}
	}
	if query {
		a.Last += "?…"
	}
	return a
}

// Title is the whole address, and says that there is a query.
func (a Address) Title() string {
	if a.Query {
		return a.Whole + " (the query is not shown)"
	}
	return a.Whole
}

// Query returns the query of a URL with its question mark, "" without one.
func Query(raw string) string {
	if _, query, ok := strings.Cut(raw, "?"); ok {
		return "?" + term.Clean(query)
	}
	return ""
}

// HostPath is a webhook's address without scheme and query: the heading of its page.
func HostPath(raw string) string {
	bare, _, _ := strings.Cut(raw, "?")
	if _, rest, ok := strings.Cut(bare, "://"); ok {
		bare = rest
	}
	return term.Clean(bare)
}

// Names calls each webhook by its short name, by id: its host with the port, and where two share
// it, the last part of the path too.
func Names(hooks []api.Webhook) map[string]string {
	hosts := map[string]int{}
	for _, w := range hooks {
		hosts[hostOf(w.URL)]++
	}
	out := make(map[string]string, len(hooks))
	for _, w := range hooks {
		out[w.ID] = hostOf(w.URL)
		if hosts[out[w.ID]] > 1 {
			out[w.ID] += "/…" + strings.TrimSuffix(AddressOf(w.URL).Last, "?…")
		}
	}
	return out
}

// ShortName is a webhook's host with its port.
func ShortName(raw string) string { return hostOf(raw) }

func hostOf(raw string) string {
	host, _, _ := strings.Cut(HostPath(raw), "/")
	return host
}
