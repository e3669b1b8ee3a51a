// Package hosts is the policy for the hosts of webhooks: which ones an agent or a program may send
// events to without its user's consent. It is set outside MCP, in the settings webhook-policy and
// webhook-hosts.
package hosts

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

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
// domain, each with or without a port, and with or without a path below which URLs are allowed. An
// international name is in its ASCII form.
func Normalise(pattern string) (string, error) {
	typed := strings.TrimSpace(pattern)
	domain, wild := strings.CutPrefix(typed, "*.")
	domain, path, below := strings.Cut(domain, "/")
	e, err := webhook.ParseEndpoint(domain)
	if strings.Contains(typed, "://") {
		err = errors.New("give the host alone, without https://")
	}
	if err == nil && wild {
		if _, address := netip.ParseAddr(e.Host); address == nil || !strings.Contains(e.Host, ".") {
			err = errors.New("*. goes before a domain of two parts at least")
		}
	}
	if err == nil && below {
		path, err = normalisePath("/" + path)
	}
	if err != nil {
		return "", fmt.Errorf("%q is no host (%w); write a.example, a.example/hooks, *.b.example or 192.168.1.5:5678", typed, err)
	}
	if wild {
		e.Host = "*." + e.Host
	}
	return e.String() + path, nil
}

// normalisePath returns a path as it stands in the identity of a URL, without a slash at its end.
func normalisePath(path string) (string, error) {
	if strings.ContainsAny(path, "?#,\\") {
		return "", errors.New("a path ends before ? and #, and has neither commas nor backslashes")
	}
	whole, err := webhook.CheckURL("https://a.example"+path, false)
	if err != nil {
		return "", err
	}
	path = strings.TrimRight(strings.TrimPrefix(whole, "https://a.example"), "/")
	if !plainPath(path) {
		return "", errors.New("its path goes up, or has an encoded slash, a control character or bytes that are no UTF-8: a prefix of it says nothing")
	}
	return path, nil
}

// plainPath reports whether every server reads a path as it stands there: none of its parts goes
// up, whatever is decoded of it first, trimmed or has a parameter, and none has bytes that some
// servers drop, or take for a dot or a slash in too many bytes.
func plainPath(path string) bool {
	for _, part := range strings.Split(path, "/") {
		plain, err := url.PathUnescape(part)
		name, _, _ := strings.Cut(plain, ";")
		up := name != "" && strings.Trim(name, ". ") == ""
		if err != nil || up || !utf8.ValidString(plain) || strings.ContainsFunc(plain, unicode.IsControl) || strings.ContainsAny(plain, "/\\%") {
			return false
		}
	}
	return true
}

// Has reports whether the list allows an endpoint, which has a port, and a path on it. A pattern
// without a port allows every port, one without a path every path, one with a path that and what is
// below it; *.b.example allows what is below b.example, and not that itself.
func (l List) Has(e webhook.Endpoint, path string) bool {
	return slices.ContainsFunc(l, func(pattern string) bool {
		domain, wild := strings.CutPrefix(pattern, "*.")
		domain, prefix, below := strings.Cut(domain, "/")
		p, err := webhook.ParseEndpoint(domain)
		if err != nil || p.Port != "" && p.Port != e.Port {
			return false
		}
		if prefix = "/" + prefix; below && (!plainPath(path) || path != prefix && !strings.HasPrefix(path, prefix+"/")) {
			return false
		}
		if wild {
			return strings.HasSuffix(e.Host, "."+p.Host)
		}
		return e.Host == p.Host
	})
}
