package connection

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
)

// chatPath is where WhatsApp's websocket lives.
const chatPath = "/ws/chat"

// The limits of one connection attempt. Without the answer limit a server that accepts and stays silent would hold it for ever.
const (
	dialTimeout   = 15 * time.Second
	answerTimeout = 20 * time.Second
)

// Server is another server that speaks WhatsApp's protocol, on this machine: a simulator. Whoever names one owns the session, so
// it is only ever reached over loopback.
type Server struct {
	url     *url.URL
	rootKey [32]byte
}

// RootKeyHex is the key the server's certificates are checked against, as 64 hex digits.
func (s *Server) RootKeyHex() string { return hex.EncodeToString(s.rootKey[:]) }

// URL is the server's address as it was given.
func (s *Server) URL() string { return s.url.String() }

// CheckServer reads the settings whatsapp-url and whatsapp-root-key. Both empty mean WhatsApp itself: a nil Server and no error.
// Anything but a ws:// URL to this machine with a root key of 64 hex digits is refused with a sentence that names the setting.
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
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("whatsapp-url is not a URL (%w): use ws://127.0.0.1:PORT%s", err, chatPath)
	}
	if u.Scheme != "ws" {
		return nil, fmt.Errorf("whatsapp-url must start with ws://, not %q: use ws://127.0.0.1:PORT%s", u.Scheme+"://", chatPath)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("whatsapp-url must hold only host, port and path: use ws://127.0.0.1:PORT%s", chatPath)
	}
	if !isLoopback(u.Hostname()) {
		return nil, fmt.Errorf("whatsapp-url points at %q, which is not this machine; only 127.0.0.1, ::1 and localhost are accepted, since that server would own the session: use ws://127.0.0.1:PORT%s", u.Hostname(), chatPath)
	}
	s := &Server{url: u}
	key, err := hex.DecodeString(rootKeyHex)
	if err != nil || len(key) != len(s.rootKey) {
		return nil, fmt.Errorf("whatsapp-root-key is not 64 hex digits: set it to the key the server prints")
	}
	copy(s.rootKey[:], key)
	return s, nil
}

// isLoopback accepts what names this machine without asking anyone: literal addresses and localhost.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Zone() == "" && ip.Unmap().IsLoopback()
}

// httpClient makes the client for everything the library fetches. With a Server nothing leaves this machine, whatever the
// library asks for and whatever the environment says about proxies.
func (s *Server) httpClient() *http.Client {
	if s == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.DialContext = (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext
		t.ResponseHeaderTimeout = answerTimeout
		return &http.Client{Transport: t}
	}
	dialer := &net.Dialer{Timeout: dialTimeout, Control: loopbackOnly}
	t := &http.Transport{Proxy: nil, DialContext: dialer.DialContext, ResponseHeaderTimeout: answerTimeout, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute}
	return &http.Client{Transport: &rewrite{to: s.url, next: t}}
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
	if req.URL.Path == chatPath && strings.Trim(r.to.Path, "/") != "" {
		req.URL.Path, req.URL.RawPath = r.to.Path, r.to.RawPath
	}
	req.URL.Scheme, req.URL.Host = "http", r.to.Host
	return r.next.RoundTrip(req)
}

// CloseIdleConnections lets http.Client.CloseIdleConnections reach the transport.
func (r *rewrite) CloseIdleConnections() { r.next.CloseIdleConnections() }

// trust makes the library accept the server's certificates instead of WhatsApp's. The library knows one key for the whole
// process, so that a process talks to WhatsApp or to one other server, never to both.
func (s *Server) trust() {
	if s != nil && whatsmeow.WACertPubKey != s.rootKey {
		whatsmeow.WACertPubKey = s.rootKey
	}
}
