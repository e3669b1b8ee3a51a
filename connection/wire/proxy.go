package wire

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/net/proxy"

	"waoutbox/connection/whatsappurl"
)

// Proxy is what every connection of the link goes through, with media: none goes around it.
type Proxy struct {
	url   *url.URL
	roots *x509.CertPool // who may certify an https proxy; nil is the system's
}

// CheckProxy reads the setting whatsapp-proxy. "" means no proxy: a nil Proxy and no error. What is
// refused is told with a sentence that names the setting and holds no credentials.
func CheckProxy(setting string) (*Proxy, error) {
	switch setting {
	case "":
		return nil, nil
	case whatsappurl.ProxyFromEnvironment:
		u, err := http.ProxyFromEnvironment(&http.Request{URL: &url.URL{Scheme: "https", Host: "web.whatsapp.com"}})
		if err != nil || u == nil {
			return nil, errors.New("whatsapp-proxy is \"environment\", but the environment names no proxy for https://web.whatsapp.com: set HTTPS_PROXY, or whatsapp-proxy to the proxy's URL")
		}
		setting = u.String()
	}
	u, err := whatsappurl.ParseProxy(setting)
	if err != nil {
		return nil, fmt.Errorf("whatsapp-proxy: %w", err)
	}
	return &Proxy{url: u}, nil
}

// String is the proxy's URL without credentials.
func (p *Proxy) String() string { return p.url.Scheme + "://" + p.url.Host }

// ProxyError is a proxy that did not make a connection. Its text holds no credentials.
type ProxyError struct {
	Proxy string
	Err   error
}

func (e *ProxyError) Error() string { return "the proxy " + e.Proxy + " " + e.Err.Error() }
func (e *ProxyError) Unwrap() error { return e.Err }

// Refusal is what the proxy itself refused, "" if it was not reached or did not reach WhatsApp.
func (e *ProxyError) Refusal() string {
	if r, ok := errors.AsType[refused](e.Err); ok {
		return r.Error()
	}
	return ""
}

// dialFunc makes a connection.
type dialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

// dial returns a function that connects through the proxy, which is reached with direct. Names are
// the proxy's to look up.
func (p *Proxy) dial(direct *net.Dialer) dialFunc {
	through := p.tunnel(direct)
	if p.url.Scheme == "socks5" {
		var auth *proxy.Auth
		if u := p.url.User; u != nil {
			password, _ := u.Password()
			auth = &proxy.Auth{User: u.Username(), Password: password}
		}
		socks, err := proxy.SOCKS5("tcp", p.url.Host, auth, direct)
		if err != nil { // never: the dialler takes a context
			return func(context.Context, string, string) (net.Conn, error) { return nil, err }
		}
		through = socks.(proxy.ContextDialer).DialContext
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, dialTimeout)
		defer cancel()
		c, err := through(ctx, network, addr)
		if err != nil {
			return nil, &ProxyError{Proxy: p.String(), Err: proxyFailure(err)}
		}
		return c, nil
	}
}

// proxyFailure continues the sentence that begins with the proxy.
func proxyFailure(err error) error {
	if _, ok := errors.AsType[refused](err); ok {
		return err
	}
	return fmt.Errorf("makes no connection: %w", err)
}

// refused is a proxy's own refusal.
type refused struct{ status int }

func (r refused) Error() string {
	if r.status == http.StatusProxyAuthRequired {
		return "does not accept the credentials (407): set whatsapp-proxy with USER:PASSWORD@ before the host"
	}
	return fmt.Sprintf("refuses the connection (%d %s)", r.status, http.StatusText(r.status))
}

// tunnel asks an HTTP proxy for a connection with CONNECT.
func (p *Proxy) tunnel(direct *net.Dialer) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := direct.DialContext(ctx, network, p.url.Host)
		if err != nil {
			return nil, err
		}
		stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) }) //nolint:errcheck // it is closed below
		if p.url.Scheme == "https" {
			c = tls.Client(c, &tls.Config{ServerName: p.url.Hostname(), MinVersion: tls.VersionTLS12, RootCAs: p.roots})
		}
		if err := p.connect(c, addr); err != nil {
			stop()
			c.Close()
			if ctx.Err() != nil {
				err = ctx.Err()
			}
			return nil, err
		}
		if !stop() {
			c.Close()
			return nil, ctx.Err()
		}
		return c, nil
	}
}

// connect has the proxy at the other end of c connect to addr.
func (p *Proxy) connect(c net.Conn, addr string) error {
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: addr}, Host: addr, Header: http.Header{}}
	if u := p.url.User; u != nil {
		password, _ := u.Password()
		req.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password)))
	}
	if err := req.Write(c); err != nil {
		return err
	}
	// nobody at the other end speaks first, so that nothing follows the response
	resp, err := http.ReadResponse(bufio.NewReaderSize(c, 4<<10), req)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return refused{resp.StatusCode}
	}
	return nil
}
