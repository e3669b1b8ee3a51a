package webhook

import (
	"net"
	"net/netip"
	"strings"
	"sync"

	"code.dny.dev/ssrf"
)

// AddressError says that the guard refuses an address, and why. It costs no attempt.
type AddressError struct {
	Addr netip.Addr
	Why  string // completes "<addr> is …"
}

func (e *AddressError) Error() string { return e.Addr.String() + " is " + e.Why }

// The sentences of a refusal; each completes "<address> is …".
const (
	whyLinkLocal   = "a link-local address; nothing is sent there or fetched from there (it serves cloud credentials)."
	whyMetadata    = "a cloud metadata address; nothing is sent there or fetched from there (it serves cloud credentials)."
	whyUnspecified = "the unspecified address; name the machine instead, for example 127.0.0.1."
	whyMulticast   = "a multicast or broadcast address; webhooks go to one machine."
	whySpecial     = "in a range that is reserved for special purposes; nothing is sent there or fetched from there."
	whyEmbedded    = "an address form that leads to a private or reserved address; write that address itself."
	whyOwn         = "where waoutbox itself listens (the setting http); a webhook goes to another program."
	whyNotLocal    = "not this machine, which localhost and the names below it stand for; write the name or the address that is meant."
	whyPublicPlain = "a public address, and plain http would show the events to everyone on the way;" +
		" use https, or allow it with --allow-insecure-http."
)

var (
	nat64       = ssrf.IPv6NAT64Prefix
	nat64Local  = netip.MustParsePrefix("64:ff9b:1::/48") // RFC 8215
	sixToFour   = netip.MustParsePrefix("2002::/16")
	compatible  = netip.MustParsePrefix("::/96") // deprecated IPv4-compatible form
	thisNetwork = netip.MustParsePrefix("0.0.0.0/8")
	linkLocal6  = netip.MustParsePrefix("fe80::/10")
	// deprecated, still routed like link-local by some
	siteLocal6 = netip.MustParsePrefix("fec0::/10")

	private4 = []netip.Prefix{
		netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"),
		netip.MustParsePrefix("172.16.0.0/12"),
		netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("100.64.0.0/10"),
	}
	private6 = []netip.Prefix{netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("fc00::/7")}

	metadata = []netip.Addr{
		netip.MustParseAddr("100.100.100.200"), netip.MustParseAddr("168.63.129.16"),
		netip.MustParseAddr("fd00:ec2::254"), netip.MustParseAddr("fd20:ce::254"),
	}

	// special refuses what IANA lists as special purpose, beyond the rules below that have
	// sentences of their own.
	special = ssrf.New(ssrf.WithAnyPort(), ssrf.WithAnyNetwork(),
		ssrf.WithAllowedV4Prefixes(private4...), ssrf.WithAllowedV6Prefixes(private6...))
)

// checkAddr judges one address: nil, or an *AddressError. public says whether it lies outside
// loopback and private networks.
func checkAddr(a netip.Addr) (public bool, err error) {
	a = a.WithZone("").Unmap()
	if v4, ok := embedded(a); ok {
		if public, err := checkAddr(v4); err != nil || !public {
			return false, &AddressError{a, whyEmbedded}
		}
		return true, nil
	}
	for _, m := range metadata {
		if a == m {
			return false, &AddressError{a, whyMetadata}
		}
	}
	switch {
	case a.IsUnspecified() || thisNetwork.Contains(a):
		return false, &AddressError{a, whyUnspecified}
	case a.IsLinkLocalUnicast() || linkLocal6.Contains(a) || siteLocal6.Contains(a):
		return false, &AddressError{a, whyLinkLocal}
	case a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return false, &AddressError{a, whyMulticast}
	}
	if err := special.SafeAddr(a); err != nil {
		return false, &AddressError{a, whySpecial}
	}
	return !isPrivate(a), nil
}

func isPrivate(a netip.Addr) bool {
	for _, p := range append(private4[:len(private4):len(private4)], private6...) {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// embedded returns the IPv4 address inside a translated or tunnelled IPv6 form. Unmapped forms
// only.
func embedded(a netip.Addr) (netip.Addr, bool) {
	if !a.Is6() {
		return netip.Addr{}, false
	}
	b := a.As16()
	switch {
	case nat64.Contains(a), nat64Local.Contains(a):
		return netip.AddrFrom4([4]byte(b[12:16])), true
	case sixToFour.Contains(a):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	case compatible.Contains(a) && !a.IsLoopback() && !a.IsUnspecified():
		return netip.AddrFrom4([4]byte(b[12:16])), true
	}
	return netip.Addr{}, false
}

// guard decides for one webhook whether an address may be dialled.
type guard struct {
	plain         bool // the URL is http
	allowInsecure bool
	own           *Own
	// the name stands for this machine, as the policy for hosts believes: whatever it resolves to
	thisMachine bool
}

// guardOf is the guard for a URL's host.
func guardOf(host string, plain, allowInsecure bool, own *Own) guard {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	_, literal := netip.ParseAddr(host)
	return guard{plain: plain, allowInsecure: allowInsecure, own: own, thisMachine: literal != nil && Endpoint{Host: host}.Loopback()}
}

// checkPort is check for an address with its port.
func (g guard) checkPort(at netip.AddrPort) error {
	if err := g.check(at.Addr()); err != nil {
		return err
	}
	return g.own.check(at)
}

// check returns nil or an *AddressError.
func (g guard) check(a netip.Addr) error {
	public, err := checkAddr(a)
	if err != nil {
		return err
	}
	if g.thisMachine && !a.Unmap().IsLoopback() {
		return &AddressError{a, whyNotLocal}
	}
	if g.plain && public && !g.allowInsecure {
		return &AddressError{a, whyPublicPlain}
	}
	return nil
}

// Own are the addresses at which this program listens itself. Nothing is sent there or fetched from
// there: it would be this program asking itself, with the trust it puts in what is on this machine.
// The zero value, and nil, has none. Safe for concurrent use.
type Own struct {
	mu sync.RWMutex
	at []netip.AddrPort
}

// Add notes an address that a listener has taken; the unspecified one stands for every address of
// this machine.
func (o *Own) Add(at netip.AddrPort) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.at = append(o.at, netip.AddrPortFrom(at.Addr().WithZone("").Unmap(), at.Port()))
}

// check returns an *AddressError for an address of a listener of ours.
func (o *Own) check(to netip.AddrPort) error {
	if o == nil {
		return nil
	}
	o.mu.RLock()
	defer o.mu.RUnlock()
	addr := to.Addr().WithZone("").Unmap()
	for _, at := range o.at {
		if at.Port() == to.Port() && (at.Addr() == addr || at.Addr().IsUnspecified() && ofThisMachine(addr)) {
			return &AddressError{addr, whyOwn}
		}
	}
	return nil
}

// ofThisMachine reports whether an address is one of this machine.
func ofThisMachine(a netip.Addr) bool {
	if a.IsLoopback() {
		return true
	}
	list, err := net.InterfaceAddrs()
	if err != nil {
		return true // what is not known is not called
	}
	for _, l := range list {
		if p, err := netip.ParsePrefix(l.String()); err == nil && p.Addr().Unmap() == a {
			return true
		}
	}
	return false
}
