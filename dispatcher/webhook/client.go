package webhook

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"syscall"
	"time"

	"waoutbox/outbox"
)

const (
	// idleTimeout is below the 5 s after which node's server closes an idle connection: a POST that meets such a close would
	// cost an attempt.
	idleTimeout = 4 * time.Second
	// maxIdle bounds idle connections of one subscription; the dispatcher's slots bound those in use.
	maxIdle = 64
	// connectTimeout bounds a dial and a TLS handshake, each. net/http lets both outlive the attempt that asked for them: without a
	// limit of their own every attempt at an endpoint that accepts and then says nothing would leave a connection behind for good.
	connectTimeout = defaultTimeout
	// maxAnswerHeader bounds the header of an answer, in bytes.
	maxAnswerHeader = 64 << 10
)

// client is what one subscription needs to send: its parsed URL, transport, keys and custom headers. A change of URL or of the
// permission to use plain http makes a new one; a change of secret or headers only opens those anew. Safe for concurrent use.
type client struct {
	raw           string
	allowInsecure bool
	url           *url.URL
	transport     *http.Transport

	mu            sync.Mutex
	sealed        []byte
	signer        *signer
	sealedHeaders []byte
	headers       http.Header
}

func newClient(w outbox.Webhook, own func() []string) (*client, error) {
	u, err := parseURL(w.URL)
	if err != nil {
		return nil, err
	}
	g := guard{plain: u.Scheme == "http", allowInsecure: w.AllowInsecureHTTP, own: own, local: interfaceAddrs}
	dialer := &net.Dialer{
		Timeout:   connectTimeout,
		KeepAlive: 30 * time.Second,
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			ap, err := netip.ParseAddrPort(address)
			if err != nil {
				return fmt.Errorf("read the address to dial: %w", err)
			}
			return g.check(ap)
		},
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &client{
		raw: w.URL, allowInsecure: w.AllowInsecureHTTP, url: u,
		transport: &http.Transport{
			Proxy:                  nil, // see the package comment
			DialContext:            dialer.DialContext,
			Protocols:              protocols,
			MaxIdleConns:           maxIdle,
			MaxIdleConnsPerHost:    maxIdle,
			IdleConnTimeout:        idleTimeout,
			TLSHandshakeTimeout:    connectTimeout,
			MaxResponseHeaderBytes: maxAnswerHeader,
		},
	}, nil
}

// fits reports whether the client still serves this configuration.
func (c *client) fits(w outbox.Webhook) bool {
	return c.raw == w.URL && c.allowInsecure == w.AllowInsecureHTTP
}

// signerFor answers the signer of the webhook's secret, nil for an unsigned webhook. The opened secret is kept while its
// sealed form stays the same.
func (c *client) signerFor(sealed []byte, open func([]byte) ([]byte, error)) (*signer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(sealed) == 0 {
		c.sealed, c.signer = nil, nil
		return nil, nil
	}
	if c.signer != nil && bytes.Equal(c.sealed, sealed) {
		return c.signer, nil
	}
	secret, err := open(sealed)
	if err != nil {
		return nil, err
	}
	c.sealed, c.signer = bytes.Clone(sealed), newSigner(secret)
	return c.signer, nil
}

// headersFor answers the webhook's custom headers, nil for none. What was opened is kept while its sealed form stays the same; the
// caller must not change it.
func (c *client) headersFor(sealed []byte, open func([]byte) ([]byte, error)) (http.Header, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(sealed) == 0 {
		c.sealedHeaders, c.headers = nil, nil
		return nil, nil
	}
	if c.headers != nil && bytes.Equal(c.sealedHeaders, sealed) {
		return c.headers, nil
	}
	plain, err := open(sealed)
	if err != nil {
		return nil, err
	}
	h, err := parseHeaders(plain)
	if err != nil {
		return nil, err
	}
	c.sealedHeaders, c.headers = bytes.Clone(sealed), h
	return h, nil
}

func (c *client) close() { c.transport.CloseIdleConnections() }

// interfaceAddrs answers the addresses of this machine; none when they cannot be read.
func interfaceAddrs() []netip.Addr {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	out := make([]netip.Addr, 0, len(list))
	for _, a := range list {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			out = append(out, p.Addr())
		}
	}
	return out
}
