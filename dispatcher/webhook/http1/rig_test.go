package http1

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen soon.
const patience = time.Minute

// endpoint is a listener whose connections the test handles, byte by byte.
type endpoint struct {
	address string
	config  *tls.Config // of clients; nil for plain TCP
	opened  atomic.Int32
	wg      sync.WaitGroup
	serve   atomic.Value // func(net.Conn, *tls.Config): takes the place of what listen was given
}

// listen handles connection n, from 1, with serve, and closes it when serve returns.
func listen(t *testing.T, secure bool, serve func(c net.Conn, n int)) *endpoint {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &endpoint{address: l.Addr().String()}
	var config *tls.Config
	if secure {
		srv := httptest.NewTLSServer(http.NotFoundHandler())
		defer srv.Close()
		config = &tls.Config{Certificates: srv.TLS.Certificates}
		roots := x509.NewCertPool()
		roots.AddCert(srv.Certificate())
		e.config = &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}
	}
	var mu sync.Mutex
	var open []net.Conn
	e.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			n := int(e.opened.Add(1))
			e.wg.Go(func() {
				defer c.Close()
				if raw, ok := e.serve.Load().(func(net.Conn, *tls.Config)); ok {
					raw(c, config)
					return
				}
				if config != nil {
					serve(tls.Server(c, config), n)
					return
				}
				serve(c, n)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		e.wg.Wait()
	})
	return e
}

func (e *endpoint) dial(ctx context.Context) (net.Conn, error) {
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", e.address)
	if err != nil || e.config == nil {
		return raw, err
	}
	c := tls.Client(raw, e.config)
	if err := c.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, err
	}
	return c, nil
}

func pool(t *testing.T, dial func(context.Context) (net.Conn, error)) *Pool {
	t.Helper()
	p := New(Options{Dial: dial, MaxIdle: 64, IdleTimeout: time.Minute, MaxHeader: 64 << 10, MaxBody: 64 << 10})
	t.Cleanup(p.Close)
	return p
}

// post makes one exchange and returns the response's body, or the error.
func post(ctx context.Context, p *Pool, body string) (status int, text string, err error) {
	head := fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", len(body))
	x, err := p.Do(ctx, time.Now().Add(patience), []byte(head), []byte(body))
	if err != nil {
		return 0, "", err
	}
	defer x.Close()
	if x.Body == nil {
		return x.Status, "", nil
	}
	b, err := io.ReadAll(x.Body)
	return x.Status, string(b), err
}

// echoes responds to every request with its body, and then says more.
func echoes(more func(c net.Conn, n, request int)) func(net.Conn, int) {
	return func(c net.Conn, n int) {
		in := bufio.NewReader(c)
		for i := 1; ; i++ {
			q, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			b, err := io.ReadAll(q.Body)
			if err != nil {
				return
			}
			if _, err := fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(b), b); err != nil {
				return
			}
			if more != nil {
				more(c, n, i)
			}
		}
	}
}
