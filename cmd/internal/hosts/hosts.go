// Package hosts is the policy for the hosts of webhooks: which ones an agent or a program may send
// events to without its user's consent. It is set outside MCP, in the settings webhook-policy and
// webhook-hosts.
package hosts

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"waoutbox/dispatcher/webhook"
)

// maxHosts bounds the list: a policy nobody can read is none.
const maxHosts = 500

// List is what webhook-hosts names.
type List []string

// Parse reads a list with commas or spaces between the patterns. The result is in normal form,
// sorted, each once.
func Parse(text string) (List, error) {
	var out List
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		p, err := Normalise(word)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	slices.Sort(out)
	if out = slices.Compact(out); len(out) > maxHosts {
		return nil, fmt.Errorf("%d hosts are more than %d", len(out), maxHosts)
	}
	return out, nil
}

// String is the list as it stands in the settings.
func (l List) String() string { return strings.Join(l, ",") }

// Normalise returns a pattern in the form in which it is kept: a host, an address, or *. and a
// domain, each with or without a port. An international name is in its ASCII form.
func Normalise(pattern string) (string, error) {
	typed := strings.TrimSpace(pattern)
	domain, wild := strings.CutPrefix(typed, "*.")
	e, err := webhook.ParseEndpoint(domain)
	if err == nil && wild {
		if _, address := netip.ParseAddr(e.Host); address == nil || !strings.Contains(e.Host, ".") {
			err = errors.New("*. goes before a domain of two parts at least")
		}
	}
	if err != nil {
		return "", fmt.Errorf("%q is no host (%w); write a.example, *.b.example or 192.168.1.5:5678", typed, err)
	}
	if wild {
		e.Host = "*." + e.Host
	}
	return e.String(), nil
}

// Has reports whether the list allows an endpoint, which has a port. A pattern without one allows
// every port; *.b.example allows what is below b.example, and not that itself.
func (l List) Has(e webhook.Endpoint) bool {
	return slices.ContainsFunc(l, func(pattern string) bool {
		domain, wild := strings.CutPrefix(pattern, "*.")
		p, err := webhook.ParseEndpoint(domain)
		if err != nil || p.Port != "" && p.Port != e.Port {
			return false
		}
		if wild {
			return strings.HasSuffix(e.Host, "."+p.Host)
		}
		return e.Host == p.Host
	})
}
