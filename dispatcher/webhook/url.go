package webhook

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/idna"
)

// maxURL bounds a webhook URL; what is longer is a mistake, and some servers refuse it.
const maxURL = 2048

// resolveTimeout bounds the look-up while registering: it only serves a clearer message.
const resolveTimeout = 3 * time.Second

// CheckURL answers the identity of a webhook URL (scheme and host in lower case, default port dropped, empty path "/", query
// kept), or one sentence that says why it is refused. It does no I/O: names are judged by Resolve and again when dialling.
// No error repeats the query or the credentials of raw.
func CheckURL(raw string, allowInsecure bool) (normalised string, err error) {
	u, err := parseURL(raw)
	if err != nil {
		return "", err
	}
	host := u.Hostname()
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return u.String(), nil
	}
	public, err := checkAddr(addr)
	if err != nil {
		return "", err
	}
	if public && u.Scheme == "http" && !allowInsecure {
		return "", &AddressError{addr, whyPublicPlain}
	}
	return u.String(), nil
}

// Resolve looks up the host of a URL that CheckURL answered and judges its addresses as dialling will. A name that does not
// resolve now is accepted with a warning; one whose every address would be refused is an error. It takes at most 3 s.
func Resolve(ctx context.Context, normalised string, allowInsecure bool) (warning string, err error) {
	u, err := parseURL(normalised)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return u.Hostname() + " does not resolve yet; until it does, events become dead letters after four attempts. They are kept and can be replayed.", nil
	}
	return judge(u, addrs, allowInsecure)
}

// judge applies the dial guard to what a name resolved to.
func judge(u *url.URL, addrs []netip.Addr, allowInsecure bool) (warning string, err error) {
	g := guard{plain: u.Scheme == "http", allowInsecure: allowInsecure}
	var refused error
	n := 0
	for _, a := range addrs {
		if err := g.check(netip.AddrPortFrom(a, 0)); err != nil {
			n++
			refused = err
		}
	}
	switch {
	case n == 0:
		return "", nil
	case n < len(addrs):
		return fmt.Sprintf("%s has %d addresses that are never called: %v", u.Hostname(), n, refused), nil
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return "", refused
	}
	return "", fmt.Errorf("%s resolves to %w", u.Hostname(), refused)
}

// parseURL parses and normalises raw, and refuses what no webhook URL may hold.
func parseURL(raw string) (*url.URL, error) {
	raw = strings.TrimSpace(raw)
	if raw == "" {
		return nil, errors.New("the URL is empty; write it like https://example.com/hook")
	}
	if len(raw) > maxURL {
		return nil, fmt.Errorf("the URL is longer than %d characters", maxURL)
	}
	u, err := url.Parse(raw)
	if err != nil {
		// url.Error would repeat the whole text, credentials and query included.
		return nil, errors.New("that is not a URL; write it like https://example.com/hook")
	}
	u.Scheme = strings.ToLower(u.Scheme)
	if u.Scheme != "http" && u.Scheme != "https" || u.Opaque != "" {
		return nil, errors.New("a webhook URL begins with https:// or http://, for example https://example.com/hook")
	}
	if u.User != nil {
		return nil, errors.New("the URL holds credentials; take them out (user:password@) and use a signing secret instead")
	}
	if u.Fragment != "" || strings.Contains(raw, "#") {
		return nil, errors.New("the URL has a fragment (#…), which is never sent; take it out")
	}
	host, err := normaliseHost(u.Hostname())
	if err != nil {
		return nil, err
	}
	port, err := normalisePort(u)
	if err != nil {
		return nil, err
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	u.Host = host + port
	if u.Path == "" {
		u.Path = "/"
	}
	u.ForceQuery = false
	return u, nil
}

func normaliseHost(host string) (string, error) {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if host == "" {
		return "", errors.New("the URL names no host; write it like https://example.com/hook")
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().String(), nil
	}
	if strings.ContainsAny(host, ":%") {
		return "", errors.New("the host of the URL is not a valid IPv6 address")
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	if _, err := strconv.ParseUint(last, 0, 64); err == nil {
		// Browsers read 127.1, 0x7f.1 or 2130706433 as addresses: refused, so that nobody reads one thing and we another.
		return "", fmt.Errorf("%q is neither a name nor an address; write an IPv4 address as four decimal numbers", host)
	}
	ascii, err := idna.Lookup.ToASCII(host)
	if err != nil {
		ascii = host // names such as my_service are common in container networks
	}
	if !isHostName(ascii) {
		return "", fmt.Errorf("%q is not a valid host name", host)
	}
	return ascii, nil
}

// isHostName accepts what resolvers take although it is no internet host name: letters, digits, '-', '_' and dots.
func isHostName(s string) bool {
	for _, label := range strings.Split(s, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for _, c := range label {
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
	}
	return len(s) <= 253
}

// normalisePort answers ":port", or "" for none or the scheme's own.
func normalisePort(u *url.URL) (string, error) {
	p := u.Port()
	if p == "" {
		return "", nil
	}
	n, err := strconv.ParseUint(p, 10, 16)
	if err != nil || n == 0 {
		return "", fmt.Errorf("port %s is out of range; ports go from 1 to 65535", p)
	}
	if u.Scheme == "http" && n == 80 || u.Scheme == "https" && n == 443 {
		return "", nil
	}
	return ":" + strconv.FormatUint(n, 10), nil
}
