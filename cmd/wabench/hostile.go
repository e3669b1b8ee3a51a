package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// What a hostile endpoint does with a POST.
const (
	answerSlowHeader = "slow-header" // a status line, then a byte of the header every second
	answerByte       = "byte"        // one byte every second, from the beginning
	answerEndless    = "endless"     // 500, and a body without end
	answerGzipBomb   = "gzip-bomb"   // 500, and 64 MiB of zeros in 64 KiB
	answerReset      = "reset"       // 500, and a reset in the body
	answerRedirect   = "redirect"    // 302 to itself
	answerChunks     = "bad-chunks"  // 500, and a chunk whose size is no number
	answerTLS        = "tls"         // a certificate that nobody trusts
	answer1xx        = "1xx"         // informational responses without end
	answer101        = "101"         // another protocol
	answerHugeHeader = "huge-header" // a header without end
	answerEarly      = "early"       // 500 when the header was read, and the body never is
	answerSecond     = "second"      // 500, and a 200 that nobody asked for
)

// aHostile returns what a hostile endpoint does with each of its connections.
func aHostile(answer string) func(net.Conn) {
	const failed, found, empty = "HTTP/1.1 500 No\r\n", "HTTP/1.1 302 Found\r\nLocation: /hook\r\n", "Content-Length: 0\r\n\r\n"
	switch answer {
	case answerSlowHeader:
		return trickling("HTTP/1.1 200 OK\r\nX-Slow: ")
	case answerByte:
		return trickling("")
	case answerEndless:
		return once(failed+"\r\n", strings.Repeat("x", 4096))
	case answerGzipBomb:
		return once(failed+"Content-Encoding: gzip\r\nConnection: close\r\n\r\n"+bomb(), "")
	case answerReset:
		return func(c net.Conn) {
			once(failed+"Content-Length: 100\r\n\r\nhalf", "")(c)
			if t, ok := c.(*net.TCPConn); ok {
				_ = t.SetLinger(0) // fails on a connection that has ended
			}
		}
	case answerRedirect:
		return each(found + empty)
	case answerChunks:
		return once(failed+"Transfer-Encoding: chunked\r\n\r\nzz\r\n", "")
	case answerTLS:
		return func(c net.Conn) { _, _ = c.Read(make([]byte, 1)) } // the handshake, which fails
	case answer1xx:
		return once("", "HTTP/1.1 100 Continue\r\n\r\n")
	case answer101:
		return once("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "")
	case answerHugeHeader:
		return once("HTTP/1.1 200 OK\r\n", header(flood))
	case answerEarly:
		return func(c net.Conn) {
			in := bufio.NewReaderSize(c, 16)
			for line, err := "", error(nil); err == nil && line != "\r\n"; line, err = in.ReadString('\n') {
			}
			_, _ = io.WriteString(c, failed+empty)
		}
	}
	return each(failed + empty + "HTTP/1.1 200 OK\r\n" + empty) // answerSecond
}

// hostileResponses are those of the comparison, all but hanging, failing and refusing ones.
func hostileResponses() []string {
	return []string{answerSlowHeader, answerByte, answerEndless, answerGzipBomb, answerReset, answerRedirect, answerChunks, answerTLS,
		answer1xx, answer101, answerHugeHeader, answerEarly, answerSecond}
}

// flood is how much of what has no end is written at once, in bytes. A sender that reads all of it
// reads too much; more would measure what the flooding takes from the processor.
const flood = 256 << 10

// once reads a request, writes text, and then more without end; when it returns, the connection is
// closed.
func once(text, more string) func(net.Conn) {
	if more != "" {
		text += strings.Repeat(more, max(1, flood/len(more)))
	}
	return func(c net.Conn) {
		if !readPost(bufio.NewReader(c)) {
			return
		}
		if _, err := io.WriteString(c, text); err == nil && more != "" {
			trickle(c, more)
		}
	}
}

// each writes text for every request of a connection.
func each(text string) func(net.Conn) {
	return func(c net.Conn) {
		for in := bufio.NewReader(c); readPost(in); {
			if _, err := io.WriteString(c, text); err != nil {
				return
			}
		}
	}
}

// trickling reads a request, writes text, and then a byte every second.
func trickling(text string) func(net.Conn) {
	return func(c net.Conn) {
		if !readPost(bufio.NewReader(c)) {
			return
		}
		if _, err := io.WriteString(c, text); err == nil {
			trickle(c, "H")
		}
	}
}

// trickle writes text every second until the connection ends.
func trickle(c net.Conn, text string) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, c)
	}()
	for {
		select {
		case <-tick.C:
			if _, err := io.WriteString(c, text); err != nil {
				_ = c.Close()
				<-ended
				return
			}
		case <-ended:
			return
		}
	}
}

func readPost(in *bufio.Reader) bool {
	q, err := http.ReadRequest(in)
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, q.Body)
	return err == nil
}

// bomb is 64 MiB of zeros, compressed.
func bomb() string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	for range 64 {
		_, _ = z.Write(make([]byte, 1<<20)) // into memory: never fails
	}
	_ = z.Close()
	return b.String()
}

// header returns as many fields of different names as fit into n bytes.
func header(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "X-%d: x\r\n", i)
	}
	return b.String()
}

// selfSigned makes a certificate that nobody trusts.
func selfSigned() (*tls.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, nil
}

// connServer gives each connection of a listener to a function, and closes it when that returns.
type connServer struct {
	serve func(net.Conn)

	mu   sync.Mutex
	open map[net.Conn]struct{}
	wg   sync.WaitGroup
}

// run serves until l is closed.
func (s *connServer) run(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.open == nil {
			s.open = map[net.Conn]struct{}{}
		}
		s.open[c] = struct{}{}
		s.mu.Unlock()
		s.wg.Go(func() {
			s.serve(c)
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.open, c)
			_ = c.Close()
		})
	}
}

// close ends all connections and waits until nothing of them goes on. run must have returned.
func (s *connServer) close() {
	s.mu.Lock()
	for c := range s.open {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}
