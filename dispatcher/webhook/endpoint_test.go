package webhook

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for what must happen soon; generous, since machines are busy.
const patience = 30 * time.Second

// endpoint is a TCP listener whose connections are handled by the test, byte by byte.
type endpoint struct {
	url  string
	done func() bool // waits until every connection is closed, false after patience
}

// listen handles each connection with serve and closes it only when the client has done so, so that
// a connection left open shows. config is nil for plain TCP.
func listen(t *testing.T, config *tls.Config, serve func(net.Conn)) endpoint {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var open []net.Conn
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			wg.Go(func() {
				defer c.Close()
				if config != nil {
					tc := tls.Server(c, config)
					if tc.Handshake() != nil {
						return
					}
					serve(tc)
				} else {
					serve(c)
				}
				_, _ = io.Copy(io.Discard, c) // until the client closes
			})
		}
	})
	ended := make(chan struct{})
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range open {
			_ = c.Close()
		}
		<-ended
	})
	e := endpoint{url: "http://" + l.Addr().String() + "/hook"}
	if config != nil {
		e.url = "https://" + l.Addr().String() + "/hook"
	}
	var once sync.Once
	e.done = func() bool {
		once.Do(func() {
			_ = l.Close()
			go func() {
				wg.Wait()
				close(ended)
			}()
		})
		select {
		case <-ended:
			return true
		case <-time.After(patience):
			return false
		}
	}
	t.Cleanup(func() { e.done() })
	return e
}

// certificate returns a server configuration for 127.0.0.1 and the roots that trust it.
func certificate(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	srv := httptest.NewTLSServer(http.NotFoundHandler())
	defer srv.Close()
	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	return &tls.Config{Certificates: srv.TLS.Certificates}, pool
}

// readRequest reads one request with its body.
func readRequest(c net.Conn) {
	if q, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
		_, _ = io.Copy(io.Discard, q.Body)
	}
}

// readHeader reads the header of one request and of its body no more than comes along.
func readHeader(c net.Conn) {
	in := bufio.NewReader(c)
	for {
		if line, err := in.ReadString('\n'); err != nil || line == "\r\n" {
			return
		}
	}
}

// says responds with text to one request, and then nothing.
func says(text string) func(net.Conn) {
	return func(c net.Conn) {
		readRequest(c)
		_, _ = io.WriteString(c, text)
	}
}

// floods is says and then more without end.
func floods(text, more string) func(net.Conn) {
	return func(c net.Conn) {
		says(text)(c)
		for {
			if _, err := io.WriteString(c, more); err != nil {
				return
			}
		}
	}
}

// trickles is floods with a pause after each piece.
func trickles(text, more string) func(net.Conn) {
	return func(c net.Conn) {
		says(text)(c)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			if _, err := io.WriteString(c, more); err != nil {
				return
			}
		}
	}
}
