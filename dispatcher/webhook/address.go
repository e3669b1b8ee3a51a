package webhook

import (
	"cmp"
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
	whyNotPublic   = "in a private network, or this machine: what an MCP client subscribed went to a public address at first, and goes to no other."
	whyPrivateFile = "in a private network, or this machine: what an agent or a program names is fetched from there only when its user allows the host: waoutbox webhook allow HOST."
	whyPublicPlain = "a public address, and plain http would show the events to everyone on the way;" +
		" use https, or allow it with: waoutbox webhook add URL --allow-insecure-http."
)

// refusal is a range that nothing is sent to, and who says what it is.
type refusal struct {
	prefix netip.Prefix
	why    string
	source string
}

// refusals has a sentence for each range; what IANA lists as special purpose besides is refused by
// special. Clouds serve credentials on link-local addresses, and on these: some are in ranges of
// private networks, which are allowed otherwise.
var refusals = []refusal{
	{netip.MustParsePrefix("0.0.0.0/8"), whyUnspecified, "RFC 1122, section 3.2.1.3"},
	{netip.MustParsePrefix("::/128"), whyUnspecified, "RFC 4291, section 2.5.2"},
	{netip.MustParsePrefix("169.254.0.0/16"), whyLinkLocal, "RFC 3927; metadata of most clouds at .169.254, .170.2, .170.23, .42.42"},
	{netip.MustParsePrefix("fe80::/10"), whyLinkLocal, "RFC 4291, section 2.5.6; OpenStack metadata at fe80::a9fe:a9fe"},
	{netip.MustParsePrefix("fec0::/10"), whyLinkLocal, "RFC 3879: deprecated, and still routed like link-local by some"},
	{netip.MustParsePrefix("224.0.0.0/4"), whyMulticast, "RFC 5771"},
	{netip.MustParsePrefix("ff00::/8"), whyMulticast, "RFC 4291, section 2.7"},
	{netip.MustParsePrefix("255.255.255.255/32"), whyMulticast, "RFC 919, section 7"},
	{netip.MustParsePrefix("100.100.100.200/32"), whyMetadata, "Alibaba Cloud, ECS: View instance metadata"},
	{netip.MustParsePrefix("168.63.129.16/32"), whyMetadata, "Microsoft Azure: What is IP address 168.63.129.16?"},
	{netip.MustParsePrefix("192.0.0.192/32"), whyMetadata, "Oracle Cloud Infrastructure Compute Classic: Retrieving Instance Metadata"},
	{netip.MustParsePrefix("fd00:ec2::/32"), whyMetadata, "Amazon VPC: instance metadata ::254, resolver ::253, time ::123, and of EKS Pod Identity ::23"},
	{netip.MustParsePrefix("fd20:ce::254/128"), whyMetadata, "Google Compute Engine: View and query VM metadata, IPv6"},
	{netip.MustParsePrefix("fd00:c1::a9fe:a9fe/128"), whyMetadata, "Oracle Cloud Infrastructure: Getting Instance Metadata, IPv6"},
	{netip.MustParsePrefix("fd00:42::42/128"), whyMetadata, "Scaleway Instances: metadata API, IPv6"},
	{netip.MustParsePrefix("fd00:a9fe:a9fe::1/128"), whyMetadata, "Akamai (Linode): Metadata service API, IPv6"},
	// Its prefix has any length from 48 to 96, so where an address leads cannot be told.
	{netip.MustParsePrefix("64:ff9b:1::/48"), whyEmbedded, "RFC 8215; RFC 6052, section 2.2"},
}

var (
	nat64      = ssrf.IPv6NAT64Prefix
	sixToFour  = netip.MustParsePrefix("2002::/16")
	compatible = netip.MustParsePrefix("::/96") // deprecated IPv4-compatible form

	private4 = []netip.Prefix{
		netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"),
		netip.MustParsePrefix("172.16.0.0/12"),
		netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("100.64.0.0/10"),
	}
	private6 = []netip.Prefix{netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("fc00::/7")}

	// special refuses what IANA lists as special purpose.
	special = ssrf.New(ssrf.WithAnyPort(), ssrf.WithAnyNetwork(),
		ssrf.WithAllowedV4Prefixes(private4...), ssrf.WithAllowedV6Prefixes(private6...))
)

// checkAddr judges one address: nil, or an *AddressError. public says whether it lies outside
// loopback and private networks.
func checkAddr(a netip.Addr) (public bool, err error) {
	a = a.WithZone("").Unmap()
	for _, r := range refusals {
		if r.prefix.Contains(a) {
			return false, &AddressError{a, r.why}
		}
	}
	if v4, ok := embedded(a); ok {
		if public, err := checkAddr(v4); err != nil || !public {
			return false, &AddressError{a, whyEmbedded}
		}
		if !isISATAP(a) {
			return true, nil
		}
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
	case nat64.Contains(a):
		return netip.AddrFrom4([4]byte(b[12:16])), true
	case sixToFour.Contains(a):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	case compatible.Contains(a) && !a.IsLoopback() && !a.IsUnspecified(), isISATAP(a):
		return netip.AddrFrom4([4]byte(b[12:16])), true
	}
	return netip.Addr{}, false
}

// isISATAP reports whether the last half of an address is an interface id of ISATAP (RFC 5214,
// section 6.1), under whatever prefix: a router passes it on to the IPv4 address in it.
func isISATAP(a netip.Addr) bool {
	b := a.As16()
	return a.Is6() && b[8]&^2 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe
}

// guard decides for one webhook whether an address may be dialled.
type guard struct {
	plain         bool // the URL is http
	allowInsecure bool
	own           *Own
	// the name stands for this machine, as the policy for hosts believes: whatever it resolves to
	thisMachine bool
	public      bool   // nothing else is called: it was one when a client subscribed
	whyPublic   string // instead of whyNotPublic
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
	if g.public && !public {
		return &AddressError{a, cmp.Or(g.whyPublic, whyNotPublic)}
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
