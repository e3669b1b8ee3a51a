package whatsappurl

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// ProxyFromEnvironment is the value of the setting whatsapp-proxy that means the proxy which the
// environment names (HTTPS_PROXY). Without it the environment is not asked.
const ProxyFromEnvironment = "environment"

// proxyFix ends every refusal of a proxy.
const proxyFix = "use http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT, with USER:PASSWORD@ before the host if it asks for them"

// CheckProxy accepts what ParseProxy does, and ProxyFromEnvironment. The error never repeats the
// value, which may hold credentials.
func CheckProxy(v string) error {
	if v == ProxyFromEnvironment {
		return nil
	}
	_, err := ParseProxy(v)
	return err
}

// ParseProxy returns the parts of a proxy's URL: scheme http, https or socks5, a host, maybe a port
// and credentials, nothing else. The port is there in what it returns.
func ParseProxy(v string) (*url.URL, error) {
	u, err := url.Parse(v)
	if err != nil || u.Opaque != "" || u.Host == "" {
		return nil, errors.New("it is not the URL of a proxy; " + proxyFix)
	}
	standard := map[string]string{"http": "80", "https": "443", "socks5": "1080"}
	// names are always the proxy's to look up
	u.Scheme = strings.Replace(u.Scheme, "socks5h", "socks5", 1)
	switch {
	case standard[u.Scheme] == "":
		return nil, fmt.Errorf("its scheme is %q; %s", u.Scheme, proxyFix)
	case u.Hostname() == "" || strings.Contains(u.Hostname(), ":") && !isAddress(u.Hostname()):
		return nil, errors.New("it has no host; " + proxyFix)
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("it must hold only scheme, credentials, host and port; " + proxyFix)
	}
	if p := u.Port(); p == "" {
		u.Host = net.JoinHostPort(u.Hostname(), standard[u.Scheme]) // "host:" has none either
	} else if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
		return nil, fmt.Errorf("its port %q is not between 1 and 65535; %s", p, proxyFix)
	}
	u.Path = ""
	return u, nil
}

// isAddress reports whether a host with colons is an IPv6 address.
func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}
