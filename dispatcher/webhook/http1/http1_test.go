package http1

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func TestConnectionsAreKept(t *testing.T) {
	for _, secure := range []bool{false, true} {
		e := listen(t, secure, echoes(nil))
		p := pool(t, e.dial)
		for i := range 20 {
			// The larger ones are written beside.
			want := fmt.Sprint("event ", i, strings.Repeat(".", i*3000))
			if status, got, err := post(t.Context(), p, want); err != nil || status != 200 || got != want {
				t.Fatalf("TLS %v, %d: status %d, %d bytes, %v", secure, i, status, len(got), err)
			}
		}
		if n := e.opened.Load(); n != 1 {
			t.Errorf("TLS %v: %d connections", secure, n)
		}
	}
}

// A response that came along with the one before is nobody's: its connection is given up. With the
// client of net/http, 5 of 20,000 such requests were told "stray".
//
// Mutation of exchange.go: the same in one packet with the response before.
func TestAStrayResponseIsNobodys(t *testing.T) {
	const stray = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray"
	for _, secure := range []bool{false, true} {
		e := listen(t, secure, func(c net.Conn, _ int) {
			q, err := http.ReadRequest(bufio.NewReader(c))
			if err != nil {
				return
			}
			b, _ := io.ReadAll(q.Body) // of a broken request the test says enough
			_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s%s", len(b), b, stray)
			_, _ = io.Copy(io.Discard, c)
		})
		p := pool(t, e.dial)
		for i := range 50 {
			want := fmt.Sprint("event ", i)
			if _, got, err := post(t.Context(), p, want); got != want || err != nil {
				t.Fatalf("TLS %v: %q, %v; want %q", secure, got, err, want) // nothing more comes
			}
		}
	}
}

// corked collects what is written until flush.
type corked struct {
	net.Conn
	on   bool
	held []byte
}

func (c *corked) Write(b []byte) (int, error) {
	if !c.on {
		return c.Conn.Write(b)
	}
	c.held = append(c.held, b...)
	return len(b), nil
}

// A TLS record that came along with the response's is read ahead by crypto/tls: neither the socket
// nor the buffer above tells of it.
//
// Mutation of conn.go: the same in the record of TLS that brought the response before.
func TestAStrayRecordIsNobodys(t *testing.T) {
	e := listen(t, true, nil)
	e.serve.Store(func(raw net.Conn, config *tls.Config) {
		under := &corked{Conn: raw}
		c := tls.Server(under, config)
		q, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		b, _ := io.ReadAll(q.Body) // of a broken request the test says enough
		under.on = true
		_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(b), b)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray")
		_, _ = raw.Write(under.held)
		_, _ = io.Copy(io.Discard, c)
	})
	p := pool(t, e.dial)
	for i := range 20 {
		want := fmt.Sprint("event ", i)
		if _, got, err := post(t.Context(), p, want); got != want || err != nil {
			t.Fatalf("%q, %v; want %q", got, err, want)
		}
	}
}

// A dial and its handshake end with the limit of the exchange, whatever the caller's context says.
//
// Mutation of pool.go: an endpoint that never ends its response keeps its attempt.
// Mutation of pool.go: a dial is waited for beyond the attempt's limit.
func TestADialEndsWithItsLimit(t *testing.T) {
	e := listen(t, true, nil)
	e.serve.Store(func(raw net.Conn, _ *tls.Config) { _, _ = io.Copy(io.Discard, raw) })
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p := pool(t, e.dial)
	go func() {
		_, err := p.Do(ctx, time.Now().Add(50*time.Millisecond), nil, nil)
		done <- err
	}()
	select {
	case err := <-done:
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("still dialling")
		cancel()
		<-done
	}
}

// An exchange with an endpoint that takes the request and stays silent ends with its limit,
// whatever the caller's context says, over a new connection and over a kept one.
//
// Mutation of pool.go: a handshake is waited for beyond the attempt's limit.
// Mutation of conn.go: a silent endpoint is waited for beyond the attempt's limit.
func TestAnExchangeEndsWithItsLimit(t *testing.T) {
	silent := make(chan struct{})
	e := listen(t, false, func(c net.Conn, _ int) {
		in := bufio.NewReader(c)
		for {
			q, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, q.Body)
			if q.URL.Path == "/silent" {
				silent <- struct{}{}
				continue
			}
			_, _ = io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
		}
	})
	for _, kept := range []bool{false, true} {
		p := pool(t, e.dial)
		if kept {
			if status, _, err := post(t.Context(), p, ""); status != 204 || err != nil {
				t.Fatalf("%d, %v", status, err)
			}
		}
		done := make(chan error, 1)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			_, err := p.Do(ctx, time.Now().Add(300*time.Millisecond), []byte("POST /silent HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"), nil)
			done <- err
		}()
		<-silent
		select {
		case err := <-done:
			if !isTimeout(err) {
				t.Errorf("kept %v: %v", kept, err)
			}
		case <-time.After(patience):
			t.Errorf("kept %v: still waiting", kept)
			cancel()
			<-done
		}
		cancel()
	}
}

// A kept connection that the endpoint has closed is noticed before it is used.
func TestAClosedConnectionIsNotUsed(t *testing.T) {
	for _, secure := range []bool{false, true} {
		var posts atomic.Int32
		closed := make(chan struct{}, 10)
		e := listen(t, secure, func(c net.Conn, _ int) {
			q, err := http.ReadRequest(bufio.NewReader(c))
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, q.Body)
			posts.Add(1)
			_, _ = io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
			_ = c.Close()
			closed <- struct{}{}
		})
		p := pool(t, e.dial)
		for range 5 {
			if status, _, err := post(t.Context(), p, "x"); status != 204 || err != nil {
				t.Errorf("TLS %v: %d, %v", secure, status, err)
			}
			<-closed
		}
		if posts.Load() != 5 {
			t.Errorf("TLS %v: %d POSTs for five requests", secure, posts.Load())
		}
	}
}

// A request that may have arrived is not sent again: the endpoint reads the second one of its
// connection and closes.
//
// Mutation of exchange.go: a request that may have arrived is sent again inside one attempt.
func TestARequestIsSentOnce(t *testing.T) {
	var posts atomic.Int32
	e := listen(t, false, func(c net.Conn, _ int) {
		in := bufio.NewReader(c)
		for i := range 2 {
			q, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, q.Body)
			posts.Add(1)
			if i == 0 {
				_, _ = io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
			}
		}
	})
	p := pool(t, e.dial)
	if status, _, err := post(t.Context(), p, "one"); status != 204 || err != nil {
		t.Fatal(status, err)
	}
	if _, _, err := post(t.Context(), p, "two"); err == nil {
		t.Error("the second one succeeded")
	}
	if posts.Load() != 2 || e.opened.Load() != 1 {
		t.Errorf("%d POSTs over %d connections, want 2 over 1", posts.Load(), e.opened.Load())
	}
}

// dying is a connection that takes no byte of its second request.
type dying struct {
	*net.TCPConn
	writes int
}

func (d *dying) Write(b []byte) (int, error) {
	if d.writes++; d.writes > 1 {
		return 0, syscall.EPIPE
	}
	return d.TCPConn.Write(b)
}

// A kept connection that takes no byte costs nothing: the request goes out on another one.
func TestAKeptConnectionThatTakesNothingIsReplaced(t *testing.T) {
	e := listen(t, false, echoes(nil))
	p := pool(t, func(ctx context.Context) (net.Conn, error) {
		c, err := e.dial(ctx)
		if err != nil {
			return nil, err
		}
		return &dying{TCPConn: c.(*net.TCPConn)}, nil
	})
	for _, want := range []string{"one", "two", "three"} {
		if _, got, err := post(t.Context(), p, want); got != want || err != nil {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
	}
}

// An endpoint that refuses a body by closing has its reason heard.
func TestARefusalIsHeardThoughTheBodyCouldNotBeWritten(t *testing.T) {
	for _, size := range []int{4 << 10, 8 << 20} {
		e := listen(t, false, func(c net.Conn, _ int) {
			in := bufio.NewReader(c)
			for {
				if line, err := in.ReadString('\n'); err != nil || line == "\r\n" {
					break
				}
			}
			_, _ = io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
			_, _ = io.Copy(io.Discard, io.LimitReader(c, 1<<20))
			_ = c.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, c)
		})
		p := pool(t, e.dial)
		if status, _, err := post(t.Context(), p, strings.Repeat("x", size)); status != 413 {
			t.Errorf("%d bytes: status %d, %v", size, status, err)
		}
	}
}

// Idle connections are closed after a while, also when no request comes any more, and by Close.
func TestIdleConnectionsAreClosed(t *testing.T) {
	ended := make(chan struct{}, 10)
	e := listen(t, false, func(c net.Conn, n int) {
		echoes(nil)(c, n)
		ended <- struct{}{}
	})
	wait := func(what string) {
		t.Helper()
		select {
		case <-ended:
		case <-time.After(patience):
			t.Errorf("%s: the connection stays open", what)
		}
	}
	p := New(Options{Dial: e.dial, MaxIdle: 1, IdleTimeout: 50 * time.Millisecond, MaxHeader: 1 << 10, MaxBody: 1 << 10})
	for range 2 { // the timer works more than once
		if _, _, err := post(t.Context(), p, "x"); err != nil {
			t.Fatal(err)
		}
		wait("after the timeout")
	}
	p.Close()
	if _, _, err := post(t.Context(), p, "x"); err != nil {
		t.Fatal(err)
	}
	wait("after Close")
}

// A caller that cancels ends its exchange at once, whatever it waits for, and closing twice is
// harmless.
func TestCancelling(t *testing.T) {
	for name, serve := range map[string]func(net.Conn){
		"header": func(net.Conn) {},
		"body":   func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx") },
	} {
		read := make(chan struct{})
		e := listen(t, false, func(c net.Conn, _ int) {
			if q, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				_, _ = io.Copy(io.Discard, q.Body)
			}
			serve(c)
			close(read)
			_, _ = io.Copy(io.Discard, c)
		})
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-read
			cancel()
		}()
		begin := time.Now()
		_, _, err := post(ctx, pool(t, e.dial), "x")
		if err == nil || time.Since(begin) > patience/2 {
			t.Errorf("%s: %v after %v", name, err, time.Since(begin))
		}
		if name == "header" && !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Many callers, some of which give up, on one Pool that is closed under them: every response is its
// own request's.
func TestManyAtOnce(t *testing.T) {
	for _, secure := range []bool{false, true} {
		e := listen(t, secure, echoes(nil))
		p := pool(t, e.dial)
		var wg sync.WaitGroup
		var answered atomic.Int32
		for i := range 16 {
			wg.Go(func() {
				for j := range 50 {
					ctx, cancel := context.WithCancel(t.Context())
					if (i+j)%5 == 0 {
						go cancel()
					}
					want := fmt.Sprint(i, " ", j)
					_, got, err := post(ctx, p, want)
					if err == nil && got != want {
						t.Errorf("%q got %q", want, got)
					}
					if err != nil && ctx.Err() == nil {
						t.Errorf("%q: %v", want, err)
					}
					if err == nil {
						answered.Add(1)
					}
					cancel()
					if j == 25 && i == 0 {
						p.Close()
					}
				}
			})
		}
		wg.Wait()
		if answered.Load() < 16*50*4/5 {
			t.Errorf("%d answered", answered.Load())
		}
	}
}
