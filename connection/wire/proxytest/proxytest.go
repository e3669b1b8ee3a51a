// Package proxytest has proxies on loopback for tests: HTTP with CONNECT, the same behind TLS, and
// SOCKS5, each with or without credentials.
package proxytest

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Proxy is one that runs.
type Proxy struct {
	scheme, user string // user is USER:PASSWORD, "" if nobody is asked
	ln           net.Listener
	cert         *httptest.Server // owns the certificate of an https proxy

	mu      sync.Mutex
	targets []string
	conns   []net.Conn
}

// Start runs a proxy of that scheme (http, https, socks5) until the test ends. user is the
// USER:PASSWORD it asks for, "" for none.
func Start(t testing.TB, scheme, user string) *Proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{scheme: scheme, user: user, ln: ln}
	if scheme == "https" {
		p.cert = httptest.NewTLSServer(nil)
		p.ln = tls.NewListener(ln, &tls.Config{Certificates: p.cert.TLS.Certificates})
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := p.ln.Accept()
			if err != nil {
				return
			}
			p.keep(c)
			wg.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() {
		p.Stop()
		wg.Wait()
		if p.cert != nil {
			p.cert.Close()
		}
	})
	return p
}

// Stop ends the proxy and what goes through it.
func (p *Proxy) Stop() {
	p.ln.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
}

// URL is the proxy's, with its credentials.
func (p *Proxy) URL() string {
	at := ""
	if p.user != "" {
		at = p.user + "@"
	}
	return p.scheme + "://" + at + p.ln.Addr().String()
}

// Certificate is whom a client must trust for an https proxy.
func (p *Proxy) Certificate() *httptest.Server { return p.cert }

// Targets are where clients wanted to go, in order.
func (p *Proxy) Targets() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.targets)
}

func (p *Proxy) keep(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = append(p.conns, c)
}

func (p *Proxy) serve(c net.Conn) {
	defer c.Close()
	in := bufio.NewReader(c)
	accept := p.acceptHTTP
	if p.scheme == "socks5" {
		accept = p.acceptSOCKS
	}
	target, err := accept(c, in)
	if err != nil {
		return
	}
	p.mu.Lock()
	p.targets = append(p.targets, target)
	p.mu.Unlock()
	to, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	p.keep(to)
	defer to.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		io.Copy(to, in) //nolint:errcheck // the other direction sees the end
		to.Close()
	}()
	io.Copy(c, to) //nolint:errcheck // the other direction sees the end
	c.Close()
	<-done
}

var errRefused = errors.New("refused")

func (p *Proxy) acceptHTTP(c net.Conn, in *bufio.Reader) (string, error) {
	req, err := http.ReadRequest(in)
	if err != nil {
		return "", err
	}
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte(p.user))
	switch {
	case p.user != "" && req.Header.Get("Proxy-Authorization") != want:
		io.WriteString(c, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n") //nolint:errcheck // it is refused
		return "", errRefused
	case req.Method != http.MethodConnect:
		io.WriteString(c, "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n") //nolint:errcheck // it is refused
		return "", errRefused
	}
	_, err = io.WriteString(c, "HTTP/1.1 200 Connection established\r\n\r\n")
	return req.Host, err
}

// acceptSOCKS is RFC 1928 and 1929 as far as clients here speak it.
func (p *Proxy) acceptSOCKS(c net.Conn, in *bufio.Reader) (string, error) {
	read := func(n int) []byte {
		b := make([]byte, n)
		io.ReadFull(in, b) //nolint:errcheck // zeros are refused
		return b
	}
	methods := read(int(read(2)[1]))
	method := byte(0)
	if p.user != "" {
		method = 2
	}
	if !slices.Contains(methods, method) {
		c.Write([]byte{5, 0xff}) //nolint:errcheck // it is refused
		return "", errRefused
	}
	if _, err := c.Write([]byte{5, method}); err != nil {
		return "", err
	}
	if method == 2 {
		user := string(read(int(read(2)[1])))
		password := string(read(int(read(1)[0])))
		if user+":"+password != p.user {
			c.Write([]byte{1, 1}) //nolint:errcheck // it is refused
			return "", errRefused
		}
		if _, err := c.Write([]byte{1, 0}); err != nil {
			return "", err
		}
	}
	head := read(4)
	var host string
	switch head[3] {
	case 1:
		host = net.IP(read(4)).String()
	case 3:
		host = string(read(int(read(1)[0])))
	case 4:
		host = net.IP(read(16)).String()
	}
	port := strconv.Itoa(int(binary.BigEndian.Uint16(read(2))))
	if host == "" || strings.Contains(host, "\x00") {
		return "", errRefused
	}
	_, err := c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	return net.JoinHostPort(host, port), err
}
