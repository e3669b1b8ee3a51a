package webhook

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"waoutbox/outbox"
)

func TestStatusDecides(t *testing.T) {
	for status, want := range map[int]outbox.Class{
		200: outbox.ClassOK, 204: outbox.ClassOK, 299: outbox.ClassOK, 302: outbox.ClassRedirect, 304: outbox.ClassRedirect,
		307: outbox.ClassRedirect, 400: outbox.ClassHTTP, 404: outbox.ClassHTTP, 410: outbox.ClassHTTP, 500: outbox.ClassHTTP, 503: outbox.ClassHTTP,
	} {
		var followed atomic.Bool
		url := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/other" {
				followed.Store(true)
			}
			w.Header().Set("Location", "/other")
			w.WriteHeader(status)
		})
		res := sender(t).Send(t.Context(), request(url, "", "{}"))
		if res.Class != want || res.Status != status || (res.Message == "") != (want == outbox.ClassOK) {
			t.Errorf("%d: %+v, want class %s", status, res, want)
		}
		if followed.Load() {
			t.Errorf("%d: the redirect was followed", status)
		}
	}
}

// Mutation of header.go: a negative Retry-After is believed.
func TestRetryAfterOnlyWhereItCounts(t *testing.T) {
	date := time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat)
	for _, c := range []struct {
		status   int
		value    string
		from, to time.Duration
	}{
		{429, "7", 7 * time.Second, 7 * time.Second},
		{503, date, 85 * time.Second, 90 * time.Second},
		{503, "-3", 0, 0},
		{503, "soon", 0, 0},
		{503, "99999999999999", maxRetryAfter, maxRetryAfter},
		{429, "99999999999999999999", maxRetryAfter, maxRetryAfter},
		{429, "-99999999999999999999", 0, 0},
		{429, "0", 0, 0},
		{429, "-0", 0, 0},
		{429, "1", time.Second, time.Second},
		{429, "86400", maxRetryAfter, maxRetryAfter},
		{429, "86401", maxRetryAfter, maxRetryAfter},
		{429, "9223372036", maxRetryAfter, maxRetryAfter},
		{429, "9223372037", maxRetryAfter, maxRetryAfter},
		{429, "-9223372036", 0, 0},
		{429, "-9223372037", 0, 0}, // was 292 years: the product with a second overflowed
		{429, "-18446744074", 0, 0},
		{429, "9223372036854775807", maxRetryAfter, maxRetryAfter},
		{429, "-9223372036854775808", 0, 0},
		{429, "1.5", 0, 0},
		{429, "1e3", 0, 0},
		{429, "0x10", 0, 0},
		{429, "", 0, 0},
		{429, "7, 9", 0, 0},
		{503, "Thu, 01 Jan 1970 00:00:00 GMT", 0, 0},
		{503, "Mon, 01 Jan 0001 00:00:00 GMT", 0, 0},
		{503, "Fri, 31 Dec 9999 23:59:59 GMT", maxRetryAfter, maxRetryAfter},
		{503, "Fri, 31 Dec 9999", 0, 0},
		{500, "7", 0, 0},
		{200, "7", 0, 0},
	} {
		url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", c.value)
			w.WriteHeader(c.status)
		})
		if got := sender(t).Send(t.Context(), request(url, "", "{}")).RetryAfter; got < c.from || got > c.to {
			t.Errorf("%d %q: %v, want %v to %v", c.status, c.value, got, c.from, c.to)
		}
	}
}

func TestExcerptOfABombIsBounded(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(500)
		z := gzip.NewWriter(w)
		// 16 MiB of one letter: a bomb of 16 KiB. The client hangs up early, so errors are
		// expected.
		for range 16 {
			if _, err := z.Write(bytes.Repeat([]byte("x"), 1<<20)); err != nil {
				return
			}
		}
		_ = z.Close()
	})
	res := sender(t).Send(t.Context(), request(url, "", "{}"))
	if res.Status != 500 || string(res.Excerpt) != strings.Repeat("x", outbox.MaxExcerpt) {
		t.Errorf("status %d, excerpt of %d bytes", res.Status, len(res.Excerpt))
	}
}

func TestA2xxWhoseBodyNeverEndsIsDelivered(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if res := sender(t).Send(ctx, request(url, "", "{}")); res.Class != outbox.ClassOK {
		t.Errorf("%+v", res)
	}
}

// Mutation of dial.go: the address that was resolved is not judged when it is dialled.
func TestTransportErrorsByType(t *testing.T) {
	hang := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	reset := serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	tlsServer := httptest.NewTLSServer(http.NotFoundHandler())
	tlsServer.Config.ErrorLog = discardLog()
	t.Cleanup(tlsServer.Close)
	plain := serve(t, func(http.ResponseWriter, *http.Request) {})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + l.Addr().String()
	_ = l.Close()
	for name, c := range map[string]struct {
		url  string
		want outbox.Class
	}{
		"hang":         {hang, outbox.ClassTimeout},
		"reset":        {reset, outbox.ClassReset},
		"certificate":  {tlsServer.URL, outbox.ClassTLS},
		"http to tls":  {strings.Replace(plain, "http://", "https://", 1), outbox.ClassTLS},
		"refused":      {closed, outbox.ClassRefused},
		"own policy":   {"http://169.254.169.254/latest?token=hush", outbox.ClassAddress},
		"no url":       {"ftp://x/?token=hush", outbox.ClassAddress},
		"public plain": {"http://192.0.1.1/?token=hush", outbox.ClassAddress},
	} {
		timeout := 20 * time.Second
		if c.want == outbox.ClassTimeout {
			timeout = 100 * time.Millisecond
		}
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		res := sender(t).Send(ctx, request(c.url, "", "{}"))
		cancel()
		if res.Class != c.want || res.Message == "" || res.Status != 0 {
			t.Errorf("%s: %+v, want class %s", name, res, c.want)
		}
		if strings.Contains(res.Message, "hush") {
			t.Errorf("%s: the query is in the message: %s", name, res.Message)
		}
	}
}

// Permission for plain http that is withdrawn holds for the next attempt: the client that was made
// with it is not used again.
//
// Mutation of client.go: plain http that was withdrawn is still sent.
func TestWithdrawnInsecureHTTPIsNotSent(t *testing.T) {
	s := sender(t)
	r := request("http://192.0.1.1/hook", "", "{}")
	r.Webhook.AllowInsecureHTTP = true
	allowed, err := s.client(r.Sub, &r.Webhook)
	if err != nil {
		t.Fatal(err)
	}
	r.Webhook.AllowInsecureHTTP = false
	if c, err := s.client(r.Sub, &r.Webhook); err != nil || c == allowed {
		t.Fatalf("the client that may is kept (%v)", err)
	}
	if res := s.Send(t.Context(), r); res.Class != outbox.ClassAddress {
		t.Errorf("%+v, want class %s", res, outbox.ClassAddress)
	}
}

func TestClassifyErrorsThatNeedNoNetwork(t *testing.T) {
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	for _, c := range []struct {
		err  error
		want outbox.Class
	}{
		{dial(syscall.EADDRNOTAVAIL), outbox.ClassLocal},
		{&net.DNSError{Err: "no such host", Name: "nowhere", IsNotFound: true}, outbox.ClassDNS},
		{&net.DNSError{Err: "i/o timeout", Name: "nowhere", IsTimeout: true}, outbox.ClassDNS},
		{context.Canceled, outbox.ClassLocal},
		{context.DeadlineExceeded, outbox.ClassTimeout},
		{dial(syscall.ECONNRESET), outbox.ClassReset},
		{dial(syscall.EHOSTUNREACH), outbox.ClassNetwork},
		{errors.New("something\nelse"), outbox.ClassNetwork},
	} {
		got, msg := classify(fmt.Errorf("wrapped: %w", c.err))
		if got != c.want || msg == "" || strings.ContainsAny(msg, "\n\r") {
			t.Errorf("%v: class %s (%q), want %s", c.err, got, msg, c.want)
		}
	}
}

// Each number that only this machine reports is our own trouble; EPERM, EACCES, ENETDOWN and
// EAFNOSUPPORT were class network and spent attempts.
func TestErrorNumbersOfThisMachineAreOurs(t *testing.T) {
	for _, numbers := range [][]error{errnoExhausted, errnoNoPort, errnoForbidden, errnoNoNetwork} {
		for _, errno := range numbers {
			err := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", errno)}
			if got, msg := classify(err); got != outbox.ClassLocal || !strings.Contains(msg, "this machine") {
				t.Errorf("%v: class %s (%s), want local", errno, got, msg)
			}
		}
	}
	if got, msg := classify(x509.SystemRootsError{Err: syscall.EMFILE}); got != outbox.ClassLocal {
		t.Errorf("no root certificates: class %s (%s), want local", got, msg)
	}
}

func TestCutOffByUsIsOurs(t *testing.T) {
	arrived := make(chan struct{})
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	if res := sender(t).Send(ctx, request(url, "", "{}")); res.Class != outbox.ClassLocal {
		t.Errorf("%+v", res)
	}
}

// Mutation of credentials.go: a webhook whose secret cannot be opened is sent unsigned.
func TestNothingIsSentUnsigned(t *testing.T) {
	var posts atomic.Int32
	url := serve(t, func(http.ResponseWriter, *http.Request) { posts.Add(1) })
	for name, unseal := range map[string]func([]byte, string) ([]byte, error){
		"no key":    nil,
		"wrong key": func([]byte, string) ([]byte, error) { return nil, errors.New("cannot open") },
	} {
		s := New(Options{Unseal: unseal})
		if res := s.Send(t.Context(), request(url, "sealed", "{}")); res.Class != outbox.ClassLocal {
			t.Errorf("%s: %+v", name, res)
		}
		s.Close()
	}
	if posts.Load() != 0 {
		t.Errorf("%d POSTs arrived", posts.Load())
	}
}

func TestUnsealContextAndRotation(t *testing.T) {
	var contexts, signatures []string
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		signatures = append(signatures, r.Header.Get("X-Webhook-Signature"))
	})
	s := New(Options{Unseal: func(b []byte, c string) ([]byte, error) {
		contexts = append(contexts, c)
		return b, nil
	}})
	defer s.Close()
	for _, secret := range []string{"one", "one", "two", ""} {
		s.Send(t.Context(), request(url, secret, "{}"))
	}
	if strings.Join(contexts, " ") != "wh_1/secret wh_1/secret" {
		t.Errorf("unsealed %q: want once for each of two secrets", contexts)
	}
	one, two := Signature([]byte("one"), []byte("{}")), Signature([]byte("two"), []byte("{}"))
	if want := strings.Join([]string{one, one, two, ""}, " "); strings.Join(signatures, " ") != want {
		t.Errorf("signatures %q", signatures)
	}
}

// Mutation of sender.go: webhooks share their connections.
func TestOneConnectionPoolPerSubscription(t *testing.T) {
	var opened atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 1 {
			t.Errorf("protocol %s", r.Proto)
		}
	}))
	srv.Config.ConnState = func(_ net.Conn, st http.ConnState) {
		if st == http.StateNew {
			opened.Add(1)
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	s := sender(t)
	r := request(srv.URL, "", "{}")
	for range 3 {
		s.Send(t.Context(), r)
	}
	if opened.Load() != 1 {
		t.Errorf("%d connections for three attempts", opened.Load())
	}
	r.Sub = "wh_2"
	s.Send(t.Context(), r)
	s.Forget("wh_2")
	s.Send(t.Context(), r)
	if opened.Load() != 3 {
		t.Errorf("%d connections, want 3: a pool each, closed by Forget", opened.Load())
	}
}

// An endpoint that accepts and then says nothing to a TLS client costs its attempt, and leaves no
// connection behind.
func TestSilentHandshakeLeavesNoConnection(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	s := sender(t)
	req := request("https://"+ln.Addr().String()+"/hook", "", "{}")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second) // in which it has connected
	defer cancel()
	if res := s.Send(ctx, req); res.Class != outbox.ClassTimeout {
		t.Errorf("%+v, want a timeout", res)
	}
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, conn); err != nil {
		t.Errorf("the connection stays open after the attempt: %v", err)
	}
}
