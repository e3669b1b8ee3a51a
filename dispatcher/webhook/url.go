package webhook

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// maxURL bounds a webhook URL; what is longer is a mistake, and some servers refuse it.
const maxURL = 2048

// resolveTimeout bounds the look-up while registering: it only serves a clearer message.
const resolveTimeout = 3 * time.Second

// CheckURL returns the identity of a webhook URL, or one sentence that says why it is refused. In
// the identity scheme and host are in lower case, an international host name is in its ASCII form,
// the default port is dropped, an empty path is "/", and what may not stand in a path or query as
// it is (spaces, other than ASCII, a lone %) is percent-encoded; the rest stays as it was typed.
// It does no I/O: names are judged by Resolve and again when dialling. No error repeats the query
// or the credentials of raw. It is safe for concurrent use.
func CheckURL(raw string, allowInsecure bool) (normalised string, err error) {
	return (*Own)(nil).CheckURL(raw, allowInsecure)
}

// CheckURL is the function of that name, and refuses the addresses in o too.
func (o *Own) CheckURL(raw string, allowInsecure bool) (normalised string, err error) {
	u, err := parseURL(raw)
	if err != nil {
		return "", err
	}
	normalised = u.String()
	if len(normalised) > maxURL {
		return "", fmt.Errorf("the URL is longer than %d characters, as it has to be sent (percent-encoded)", maxURL)
	}
	addr, err := netip.ParseAddr(u.Hostname())
	if err != nil {
		return normalised, nil
	}
	g := guardOf(u.Hostname(), u.Scheme == "http", allowInsecure, o)
	if err := g.checkPort(netip.AddrPortFrom(addr, portOf(u))); err != nil {
		return "", err
	}
	return normalised, nil
}

// Resolve looks up the host of a URL that CheckURL returned and judges its addresses as dialling
// will. A name that does not resolve now is accepted with a warning, and so is one of which some
// addresses would be refused; one whose every address would be refused is an error. It blocks for
// at most 3 s, sends nothing but the look-up, and is safe for concurrent use.
func Resolve(ctx context.Context, normalised string, allowInsecure bool) (warning string, err error) {
	return (*Own)(nil).Resolve(ctx, normalised, allowInsecure)
}

// Resolve is the function of that name, and refuses the addresses in o too.
func (o *Own) Resolve(ctx context.Context, normalised string, allowInsecure bool) (warning string, err error) {
	u, err := parseURL(normalised)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return u.Hostname() + " does not resolve yet; until it does, what is sent there fails, and becomes dead letters after its last attempt." +
			" They are kept and can be replayed.", nil
	}
	return judge(u, addrs, guardOf(u.Hostname(), u.Scheme == "http", allowInsecure, o))
}

// judge applies the dial guard to what a name resolved to.
func judge(u *url.URL, addrs []netip.Addr, g guard) (warning string, err error) {
	var refused error
	n := 0
	for _, a := range addrs {
		if err := g.checkPort(netip.AddrPortFrom(a, portOf(u))); err != nil {
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
	return "", fmt.Errorf("%s resolves to an address that is never called: %w", u.Hostname(), refused)
}

// portOf is the port that a parsed URL is sent to.
func portOf(u *url.URL) uint16 {
	if n, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
		return uint16(n)
	}
	if u.Scheme == "http" {
		return 80
	}
	return 443
}

// withScheme guesses the URL that was meant by one without a scheme; text that may hold more than
// host, port and path is not repeated.
func withScheme(raw string) string {
	host, _, _ := strings.Cut(raw, "/")
	name, _, _ := strings.Cut(host, ":")
	plain := func(r rune) bool {
		return r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(".:/-_", r))
	}
	if name == "" || strings.Contains(raw, "//") || strings.ContainsFunc(raw, func(r rune) bool { return !plain(r) }) {
		return "https://example.com/hook"
	}
	ip := net.ParseIP(name)
	if !strings.Contains(name, ".") || ip != nil && (ip.IsLoopback() || ip.IsPrivate()) {
		return "http://" + raw
	}
	return "https://" + raw
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
		return nil, errors.New("that is not a URL; write it like " + withScheme(raw))
	}
	u.Scheme = strings.ToLower(u.Scheme)
	if u.Scheme != "http" && u.Scheme != "https" || u.Opaque != "" {
		return nil, errors.New("a URL here begins with https:// or http://, for example " + withScheme(raw))
	}
	if u.User != nil {
		return nil, errors.New("the URL holds credentials; take them out (user:password@) and pass them as the header Authorization: Basic …")
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
	u.RawPath = percentEncode(cmp.Or(u.RawPath, u.EscapedPath(), "/"), "/")
	if u.Path, err = url.PathUnescape(u.RawPath); err != nil {
		return nil, errors.New("the path of the URL is not valid; write it like https://example.com/hook")
	}
	u.RawQuery, u.ForceQuery = percentEncode(u.RawQuery, "/?"), false
	return u, nil
}

// percentEncode encodes every byte that RFC 3986 lets stand neither in a path segment nor among
// also. What is encoded already stays as it is; a % that begins no encoding is encoded itself.
func percentEncode(s, also string) string {
	const allowed = "-._~!$&'()*+,;=:@" // besides letters and digits
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9',
			strings.IndexByte(allowed, c) >= 0, strings.IndexByte(also, c) >= 0,
			c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// normaliseHost returns an address in its usual form, or a name in lower case and ASCII.
func normaliseHost(host string) (string, error) {
	typed := host
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
	// Names such as my_service, which are no internet host names, are common in container networks.
	if ascii, err := idna.Lookup.ToASCII(host); err == nil {
		host = strings.TrimSuffix(ascii, ".")
	}
	// What follows comes after ToASCII: it makes digits and dots of other digits and dots.
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().String(), nil
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	if _, err := strconv.ParseUint(last, 0, 64); err == nil {
		// Browsers read 127.1, 0x7f.1 or 2130706433 as addresses: refused, so that nobody reads one
		// thing and we another.
		return "", fmt.Errorf("%q is neither a name nor an address; write an IPv4 address as four decimal numbers", typed)
	}
	if !isHostName(host) {
		return "", fmt.Errorf("%q is not a valid host name", typed)
	}
	return host, nil
}

// isHostName accepts what resolvers take although it is no internet host name: letters, digits,
// '-', '_' and dots.
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

// normalisePort returns ":port", or "" for none or the scheme's own.
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

// Endpoint is where a webhook's requests go: a host as it stands in the identity of a URL, and a
// port.
type Endpoint struct{ Host, Port string }

// EndpointOf returns the endpoint of a URL that CheckURL returned, with the scheme's own port where
// the URL names none.
func EndpointOf(normalised string) (Endpoint, error) {
	u, err := url.Parse(normalised)
	if err != nil || u.Host == "" {
		return Endpoint{}, errors.New("that is not a URL; write it like https://example.com/hook")
	}
	e := Endpoint{Host: u.Hostname(), Port: u.Port()}
	if e.Port == "" {
		e.Port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return e, nil
}

// ParseEndpoint reads a host with or without a port, in any form in which a URL may name it; an
// international name becomes its ASCII form. Port is "" where none is given.
func ParseEndpoint(text string) (e Endpoint, err error) {
	host, port := strings.TrimSpace(text), ""
	if strings.ContainsAny(host, "/?#@ ") {
		return Endpoint{}, errors.New("give the host alone, without https:// and path")
	}
	if h, p, err := net.SplitHostPort(host); err == nil {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return Endpoint{}, errors.New("ports go from 1 to 65535")
		}
		host, port = h, strconv.FormatUint(n, 10)
	}
	if bare, ok := strings.CutPrefix(host, "["); ok {
		host = strings.TrimSuffix(bare, "]")
	}
	if e.Host, err = normaliseHost(host); err != nil {
		return Endpoint{}, err
	}
	e.Port = port
	return e, nil
}

// String is the endpoint as it is written.
func (e Endpoint) String() string {
	if e.Port == "" {
		return e.Host
	}
	return net.JoinHostPort(e.Host, e.Port)
}

// Loopback reports whether the endpoint is on this machine by its name: a name that resolves to it
// is not.
func (e Endpoint) Loopback() bool {
	if addr, err := netip.ParseAddr(e.Host); err == nil {
		return addr.IsLoopback()
	}
	return e.Host == "localhost" || strings.HasSuffix(e.Host, ".localhost")
}
