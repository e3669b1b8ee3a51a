package wire

import (
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"go.mau.fi/whatsmeow"

	"waoutbox/connection/whatsappurl"
)

// The limits of one connection attempt. Without the second one a server that accepts and stays
// silent would hold it for ever.
const (
	dialTimeout     = 15 * time.Second
	responseTimeout = 20 * time.Second
)

// Server is another server that speaks WhatsApp's protocol, on this machine: a simulator. Whoever
// names one owns the session, so it is only ever reached over loopback.
type Server struct {
	url     *url.URL
	rootKey [32]byte
}

// RootKeyHex is the key the server's certificates are checked against, as 64 hex digits.
func (s *Server) RootKeyHex() string { return hex.EncodeToString(s.rootKey[:]) }

// URL is the server's address as it was given.
func (s *Server) URL() string { return s.url.String() }

// CheckServer reads the settings whatsapp-url and whatsapp-root-key. Both empty mean WhatsApp
// itself: a nil Server and no error. What package whatsappurl does not accept is refused with a
// sentence that names the setting.
func CheckServer(rawURL, rootKeyHex string) (*Server, error) {
	rawURL, rootKeyHex = strings.TrimSpace(rawURL), strings.TrimSpace(rootKeyHex)
	switch {
	case rawURL == "" && rootKeyHex == "":
		return nil, nil
	case rawURL == "":
		return nil, fmt.Errorf("whatsapp-root-key is set but whatsapp-url is not: set both for another server, or neither for WhatsApp")
	case rootKeyHex == "":
		return nil, fmt.Errorf("whatsapp-url is set but whatsapp-root-key is not: set it to the 64 hex digits the server prints, or unset both for WhatsApp")
	}
	u, err := whatsappurl.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("whatsapp-url: %w", err)
	}
	key, err := whatsappurl.ParseRootKey(rootKeyHex)
	if err != nil {
		return nil, fmt.Errorf("whatsapp-root-key: %w", err)
	}
	return &Server{url: u, rootKey: key}, nil
}

// Route is how the link reaches WhatsApp. The zero Route is the direct way to WhatsApp itself; what
// the environment says about proxies counts only where Proxy was read from it.
type Route struct {
	Server *Server // nil is WhatsApp
	Proxy  *Proxy  // nil is none
}

// Transport carries the websocket and short requests. With a Server nothing leaves this machine,
// whatever is asked for: the proxy must be here too.
func (r Route) Transport() *Transport {
	t := r.transport()
	t.ResponseHeaderTimeout = responseTimeout
	return New(r.to(t))
}

// Media carries uploads and downloads, whose responses may take longer.
func (r Route) Media() http.RoundTripper { return r.to(r.transport()) }

// Where names the other end, for people.
func (r Route) Where() string {
	if r.Server != nil {
		return r.Server.URL()
	}
	return "WhatsApp"
}

func (r Route) transport() *http.Transport {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	if r.Server != nil {
		dialer.Control = loopbackOnly
	}
	dial := dialer.DialContext
	if r.Proxy != nil {
		dial = r.Proxy.dial(dialer)
	}
	return &http.Transport{
		Proxy: nil, DialContext: dial, TLSHandshakeTimeout: dialTimeout, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute,
		ForceAttemptHTTP2: r.Server == nil,
	}
}

func (r Route) to(t *http.Transport) http.RoundTripper {
	if r.Server == nil {
		return t
	}
	return &rewrite{to: r.Server.url, next: t}
}

// loopbackOnly is the last guard: it sees the address that a name became.
func loopbackOnly(_, address string, _ syscall.RawConn) error {
	if ap, err := netip.ParseAddrPort(address); err != nil || !ap.Addr().Unmap().IsLoopback() {
		return fmt.Errorf("%s is not this machine: whatsapp-url may only point at loopback", address)
	}
	return nil
}

// rewrite sends every request to one server on this machine.
type rewrite struct {
	to   *url.URL
	next *http.Transport
}

func (r *rewrite) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	if req.URL.Path == whatsappurl.ChatPath && strings.Trim(r.to.Path, "/") != "" {
		req.URL.Path, req.URL.RawPath = r.to.Path, r.to.RawPath
	}
	req.URL.Scheme, req.URL.Host = "http", r.to.Host
	return r.next.RoundTrip(req)
}

// CloseIdleConnections lets http.Client.CloseIdleConnections reach the transport.
func (r *rewrite) CloseIdleConnections() { r.next.CloseIdleConnections() }

// Trust makes the library accept the server's certificates instead of WhatsApp's. The library knows
// one key for the whole process, so that a process talks to WhatsApp or to one other server, never
// to both.
func (s *Server) Trust() {
	if s != nil && whatsmeow.WACertPubKey != s.rootKey {
		whatsmeow.WACertPubKey = s.rootKey
	}
}
