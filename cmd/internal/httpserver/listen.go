package httpserver

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"

	"golang.org/x/net/netutil"
)

// Settings say where to listen and with what.
type Settings struct {
	Address  string   // HOST:PORT; port 0 picks a free one, no host is every address
	CertFile string   // PEM, with KeyFile; "" is no TLS
	KeyFile  string   // PEM
	Insecure bool     // may listen without TLS where others can reach it
	Hosts    []string // names besides its own by which it is called, in lower case
	Log      *slog.Logger
}

// UsageError says that the settings do not fit together, as opposed to a system that refuses.
type UsageError struct{ text string }

func (e *UsageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return &UsageError{fmt.Sprintf(format, args...)} }

// Listener is an address that is taken, and what its requests must look like. Nothing is served
// until a Server runs on it.
type Listener struct {
	settings Settings
	network  string
	at       netip.AddrPort
	most     int           // connections at once
	certs    *certificates // nil without TLS

	mu sync.Mutex
	ln net.Listener // nil while it is to be taken again
}

// Check returns the *UsageError that Listen would return for settings that do not fit together, as
// far as that is known before their files are there.
func (s Settings) Check() error {
	_, err := s.resolve()
	return err
}

// resolve returns the address to listen on.
func (s Settings) resolve() (*net.TCPAddr, error) {
	at, err := net.ResolveTCPAddr("tcp", s.Address)
	if err != nil {
		return nil, usagef("http: the address %s cannot be used: %v. Write it like 127.0.0.1:8080", s.Address, err)
	}
	if (s.CertFile == "") != (s.KeyFile == "") {
		return nil, usagef("http-tls-cert and http-tls-key belong together: set both, or neither")
	}
	if !at.IP.IsLoopback() && s.CertFile == "" && !s.Insecure {
		return nil, usagef("http: %s can be reached from other machines, and without TLS the token and the messages could be read on the way. "+
			"Set http-tls-cert and http-tls-key; or http-insecure where something before it encrypts, such as the proxy of a container; or listen on 127.0.0.1", s.Address)
	}
	return at, nil
}

// Listen takes the address of the settings. Another address than loopback needs TLS or Insecure.
// Its errors name the setting to change; those about the settings themselves are *UsageError.
func Listen(s Settings) (*Listener, error) {
	l := &Listener{settings: s, most: maxConnections}
	at, err := s.resolve()
	if err != nil {
		return nil, err
	}
	if s.CertFile != "" {
		if l.certs, err = openCertificates(s.CertFile, s.KeyFile, s.Log); err != nil {
			return nil, err
		}
	}
	if l.network = "tcp"; at.IP.To4() != nil {
		l.network = "tcp4" // 0.0.0.0 would be every IPv6 address too
	}
	ln, err := net.ListenTCP(l.network, at)
	if err != nil {
		return nil, fmt.Errorf("http: cannot listen on %s: %w. Choose another address with the setting http, like 127.0.0.1:0 for any free port, or end what uses this one", s.Address, reason(err))
	}
	l.ln, l.at = ln, ln.Addr().(*net.TCPAddr).AddrPort() //nolint:forcetypeassert // of a TCP listener
	return l, nil
}

// reason is what the system said, without the words around it.
func reason(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}

// Addr is the address that is taken, with its port.
func (l *Listener) Addr() netip.AddrPort { return l.at }

// URL is where the listener is reached on this machine.
func (l *Listener) URL() string {
	host, _, _ := net.SplitHostPort(l.settings.Address) // it was used to listen
	addr := l.at.Addr().Unmap()
	switch {
	case addr.IsUnspecified() && strings.Contains(host, ":"):
		host = "::1"
	case addr.IsUnspecified():
		host = "127.0.0.1"
	case host == "":
		host = addr.String()
	}
	scheme := "http"
	if l.certs != nil {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(host, fmt.Sprint(l.at.Port()))
}

// Hosts are the names of the settings by which it is called besides its own.
func (l *Listener) Hosts() []string { return l.settings.Hosts }

// TLS reports whether connections are encrypted.
func (l *Listener) TLS() bool { return l.certs != nil }

// Open reports whether the listener can be reached from other machines in clear text.
func (l *Listener) Open() bool { return l.certs == nil && l.Reachable() }

// Reachable reports whether the listener can be reached from other machines.
func (l *Listener) Reachable() bool { return !l.at.Addr().Unmap().IsLoopback() }

// Close gives the address back when no Server ran, and does nothing otherwise.
func (l *Listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ln == nil {
		return nil
	}
	ln := l.ln
	l.ln = nil
	return ln.Close()
}

// take returns the listener to serve, taking its address again when the last one failed.
func (l *Listener) take() (net.Listener, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ln := l.ln
	l.ln = nil
	if ln == nil {
		var err error
		if ln, err = net.ListenTCP(l.network, net.TCPAddrFromAddrPort(l.at)); err != nil {
			return nil, reason(err)
		}
	}
	ln = netutil.LimitListener(ln, l.most)
	if l.certs != nil {
		ln = tls.NewListener(ln, l.certs.config())
	}
	return ln, nil
}

// serves reports whether the listener is called by that host: a name or address without its port.
// Names are how a page of a browser reaches what its user can reach, so only its own are served.
func (l *Listener) serves(host string, local net.Addr) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if host == "localhost" {
		return true
	}
	if addr, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		addr = addr.WithZone("").Unmap()
		own := l.at.Addr().Unmap()
		if t, ok := local.(*net.TCPAddr); ok && own.IsUnspecified() {
			own = t.AddrPort().Addr().Unmap()
		}
		return addr.IsLoopback() || addr == own.WithZone("")
	}
	configured, _, _ := net.SplitHostPort(l.settings.Address) // it was used to listen
	if strings.EqualFold(host, configured) && host != "" {
		return true
	}
	for _, h := range l.settings.Hosts {
		if host == h {
			return true
		}
	}
	return l.certs != nil && l.certs.names(host)
}
