package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"waoutbox/outbox"
)

// dialer opens the connections of one webhook: every address is judged before it is called.
type dialer struct {
	net     net.Dialer
	address string      // host and port
	tls     *tls.Config // nil for http
	machine *machine
}

func newDialer(address string, g guard, tlsConfig *tls.Config, m *machine, r *net.Resolver) *dialer {
	return &dialer{address: address, tls: tlsConfig, machine: m, net: net.Dialer{
		KeepAlive: 30 * time.Second,
		Resolver:  r,
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			ap, err := netip.ParseAddrPort(address)
			if err != nil {
				return fmt.Errorf("read the address to dial: %w", err)
			}
			return g.checkPort(ap)
		},
	}}
}

// dial opens a connection, and finishes the handshake of one with TLS. It ends with ctx.
func (d *dialer) dial(ctx context.Context) (net.Conn, error) {
	raw, err := d.net.DialContext(ctx, "tcp", d.address)
	if err != nil {
		return nil, d.machine.explain(err)
	}
	if d.tls == nil {
		return raw, nil
	}
	conn := tls.Client(quickClose{raw}, d.tls)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close() // the handshake's error is the one to report
		return nil, &handshakeError{err}
	}
	return conn, nil
}

// FetchClient returns a client that fetches what somebody names by its URL: it calls the addresses
// that a delivery without permissions of its own may call, or with publicOnly those of them that
// are in no private network and not this machine, judged as they are dialled. It asks no proxy,
// keeps no connection, and returns a redirect instead of following it. It has no time limit: end
// requests by their contexts.
func (s *Sender) FetchClient(publicOnly bool) *http.Client {
	dial := func(ctx context.Context, address string, tlsToo bool) (net.Conn, error) {
		var config *tls.Config
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		if tlsToo {
			roots, err := s.machine.trusted(nil)
			if err != nil {
				return nil, err
			}
			config = &tls.Config{ServerName: host, RootCAs: roots, NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12}
		}
		g := guardOf(host, !tlsToo, false, s.opt.Own)
		if publicOnly {
			g.public, g.whyPublic = true, whyPrivateFile
		}
		return newDialer(address, g, config, s.machine, s.resolver).dial(ctx)
	}
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            func(ctx context.Context, _, address string) (net.Conn, error) { return dial(ctx, address, false) },
			DialTLSContext:         func(ctx context.Context, _, address string) (net.Conn, error) { return dial(ctx, address, true) },
			ResponseHeaderTimeout:  fetchHeaderTimeout,
			MaxResponseHeaderBytes: maxResponseHeader,
			DisableKeepAlives:      true,
			DisableCompression:     true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// fetchHeaderTimeout is how long a server may take until it begins its response.
const fetchHeaderTimeout = 30 * time.Second

// handshakeError says that a TLS handshake failed: not all that crypto/tls returns has a type.
type handshakeError struct{ err error }

func (e *handshakeError) Error() string { return "TLS handshake: " + e.err.Error() }
func (e *handshakeError) Unwrap() error { return e.err }

// closeTime is what closing a connection may take.
const closeTime = 10 * time.Millisecond

// quickClose is the connection under a TLS one. Closing that writes a last alert and gives it 5 s,
// which an attempt would wait for when its endpoint has stopped reading. It is the only one that
// sets a deadline for writing alone.
type quickClose struct{ net.Conn }

// NetConn returns the connection below.
func (c quickClose) NetConn() net.Conn { return c.Conn }

func (c quickClose) SetWriteDeadline(t time.Time) error {
	if last := time.Now().Add(closeTime); t.After(last) {
		t = last
	}
	return c.Conn.SetWriteDeadline(t)
}

// Reach connects to a webhook's endpoint as a delivery would, with every check of its address and
// the TLS handshake, and sends nothing. It returns the sentence a failed attempt would have.
func (s *Sender) Reach(ctx context.Context, w outbox.Webhook) error {
	c, err := newClient(w, s.opt.UserAgent, s.machine, s.opt.Own, s.resolver)
	if err != nil {
		return err
	}
	defer c.pool.Close()
	conn, err := c.dial(ctx)
	if err != nil {
		_, message := classify(err)
		return errors.New(bounded(c.withoutQuery(message)))
	}
	return conn.Close()
}
