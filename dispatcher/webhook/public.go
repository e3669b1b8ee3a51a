package webhook

import (
	"context"
	"fmt"
	"net"
	"net/netip"
)

// Public returns a sentence where the host of a URL that CheckURL returned is this machine or in a
// private network, by its name, its address, or any address that it resolves to now. A name that
// does not resolve is public. It blocks for at most 3 s and sends nothing but the look-up.
func Public(ctx context.Context, normalised string) error {
	e, err := EndpointOf(normalised)
	if err != nil {
		return err
	}
	if e.Loopback() {
		return fmt.Errorf("%s is this machine", e.Host)
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	addrs := []netip.Addr{}
	if a, err := netip.ParseAddr(e.Host); err == nil {
		addrs = append(addrs, a)
	} else if addrs, err = net.DefaultResolver.LookupNetIP(ctx, "ip", e.Host); err != nil {
		return nil
	}
	for _, a := range addrs {
		if public, err := checkAddr(a); err != nil || !public {
			return fmt.Errorf("%s is in a private network", e.Host)
		}
	}
	return nil
}
