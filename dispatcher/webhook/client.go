package webhook

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"waoutbox/dispatcher/webhook/http1"
	"waoutbox/outbox"
)

const (
	// idleTimeout is below the 5 s after which node's server closes an idle connection: a POST that
	// meets such a close would cost an attempt.
	idleTimeout = 4 * time.Second
	// maxIdle bounds idle connections of one subscription; the dispatcher's slots bound those in
	// use.
	maxIdle = 64
)

// client is what one subscription needs to send: its parsed URL, connections, keys and custom
// headers. A change of URL, of the permission to use plain http or of the CA makes a new one; a
// change of secrets or headers only opens those anew. Safe for concurrent use.
type client struct {
	raw           string
	allowInsecure bool
	public        bool
	ca            []byte
	url           *url.URL
	userAgent     string
	dial          func(ctx context.Context) (net.Conn, error)
	pool          *http1.Pool

	mu     sync.Mutex                  // held while opening
	opened atomic.Pointer[credentials] // nil before the first
}

// newClient returns an *AddressError or a sentence for a URL that nothing may be sent to, and a
// *localError when this machine is not able to send to it now. resolver is nil for the system's.
func newClient(w outbox.Webhook, userAgent string, m *machine, own *Own, resolver *net.Resolver) (*client, error) {
	u, err := parseURL(w.URL)
	if err != nil {
		return nil, err
	}
	var config *tls.Config
	port := "80"
	if u.Scheme == "https" {
		roots, err := m.trusted(w.CA)
		if err != nil {
			return nil, err
		}
		config = &tls.Config{
			ServerName: u.Hostname(), RootCAs: roots, NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12,
		}
		port = "443"
	}
	g := guardOf(u.Hostname(), u.Scheme == "http", w.AllowInsecureHTTP, own)
	g.public = publicOnly(&w)
	address := net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port))
	c := &client{
		raw: w.URL, allowInsecure: w.AllowInsecureHTTP, public: g.public, ca: bytes.Clone(w.CA), url: u, userAgent: userAgent,
		dial: newDialer(address, g, config, m, resolver).dial,
	}
	c.pool = http1.New(http1.Options{
		Dial:    func(ctx context.Context) (net.Conn, error) { return c.dial(ctx) },
		MaxIdle: maxIdle, IdleTimeout: idleTimeout, MaxHeader: maxResponseHeader, MaxBody: maxResponse,
	})
	return c, nil
}

// fits reports whether the client still serves this configuration.
func (c *client) fits(w *outbox.Webhook) bool {
	return c.raw == w.URL && c.allowInsecure == w.AllowInsecureHTTP && bytes.Equal(c.ca, w.CA) && c.public == publicOnly(w)
}

// publicOnly reports whether a webhook goes to public addresses alone.
func publicOnly(w *outbox.Webhook) bool { return w.Lease != nil && w.Lease.Public }

// withoutQuery returns a sentence without the URL's query, which may hold a token: an endpoint that
// repeats the request line gets it into net/http's errors.
func (c *client) withoutQuery(s string) string {
	if c.url.RawQuery == "" {
		return s
	}
	return strings.ReplaceAll(s, c.url.RawQuery, redacted)
}

// shown is what may be kept of a sentence that may repeat what was sent.
func (c *client) shown(s string, cred *credentials, sent signatures) string {
	return bounded(cred.hide.redactText(c.withoutQuery(s), sent))
}
