package webhook

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"waoutbox/dispatcher"
	"waoutbox/dispatcher/receiver"
	"waoutbox/outbox"
	"waoutbox/outbox/outboxtest"
)

const okHeader, failHeader, chunks = "HTTP/1.1 200 OK\r\n", "HTTP/1.1 500 No\r\n", "Transfer-Encoding: chunked\r\n\r\n"

// tcp is a connection that can be ended in every way.
type tcp interface {
	net.Conn
	CloseWrite() error
	SetLinger(seconds int) error
}

// then is says, and an end of the connection.
func then(text string, end func(tcp) error) func(net.Conn) {
	return func(c net.Conn) {
		says(text)(c)
		_ = end(c.(tcp)) // the client may have been first
	}
}

// resets ends a connection with an RST.
func resets(c tcp) error {
	if err := c.SetLinger(0); err != nil {
		return err
	}
	return c.Close()
}

// What is wrong after the status line of a response costs its excerpt and its connection, and
// changes nothing of the outcome; what is wrong in the header is no response.
//
// Mutation of dispatcher/webhook/http1/exchange.go: informational responses without end are all
// read.
// Mutation of dispatcher/webhook/http1/conn.go: a header of short lines is read whole.
// Mutation of client.go: a response's header is read whatever its length.
// Mutation of dispatcher/webhook/http1/exchange.go: a response's header has any number of lines.
// Mutation of dispatcher/webhook/http1/exchange.go: any number of informational responses is read.
func TestBrokenResponses(t *testing.T) {
	// A second request that is written before the half close arrives is lost with its connection,
	// as with any client: it waits until the endpoint has closed.
	halfClosed := make(chan struct{}, 4)
	halfCloses := func(c tcp) error { defer func() { halfClosed <- struct{}{} }(); return c.CloseWrite() }
	for _, c := range []struct {
		name   string
		serve  func(net.Conn)
		class  outbox.Class
		status int
	}{
		{"chunk size is no number", says(okHeader + chunks + "zz\r\nx"), outbox.ClassOK, 200},
		{"chunk size is negative", says(failHeader + chunks + "-1\r\nx"), outbox.ClassHTTP, 500},
		{"chunk size is beyond reason", says(failHeader + chunks + "fffffffffffffffff\r\nx"), outbox.ClassHTTP, 500},
		{"chunk without its end", then(okHeader+chunks+"5\r\nhelloX", tcp.Close), outbox.ClassOK, 200},
		{"chunks with long extensions", floods(okHeader+chunks, "1;"+strings.Repeat("x", 3000)+"\r\nx\r\n"), outbox.ClassOK, 200},
		{"trailers without end", floods(failHeader+chunks+"0\r\n", "X-Trailer: x\r\n"), outbox.ClassHTTP, 500},
		{"both lengths", answering(okHeader + "Content-Length: 3\r\n" + chunks + "5\r\nhello\r\n0\r\n\r\n"), outbox.ClassOK, 200},
		{"both lengths, and more", says(okHeader + "Content-Length: 300\r\n" + chunks + "0\r\n\r\n" + okHeader + "\r\n"), outbox.ClassOK, 200},
		{"two lengths", says(okHeader + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"), outbox.ClassNetwork, 0},
		{"length is negative", says(okHeader + "Content-Length: -3\r\n\r\nabc"), outbox.ClassNetwork, 0},
		{"length is no number", says(okHeader + "Content-Length: 0x3\r\n\r\nabc"), outbox.ClassNetwork, 0},
		{"encoding of transfer is unknown", says(okHeader + "Transfer-Encoding: gzip\r\n\r\nabc"), outbox.ClassNetwork, 0},
		{"chunked twice", says(okHeader + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"), outbox.ClassNetwork, 0},
		{"status is no number", says("HTTP/1.1 20x OK\r\n\r\n"), outbox.ClassNetwork, 0},
		{"status of four digits", says("HTTP/1.1 2000 OK\r\n\r\n"), outbox.ClassNetwork, 0},
		{"another protocol", says("HTTP/3.7 200 OK\r\n\r\n"), outbox.ClassOK, 200},
		{"header without a colon", says(okHeader + "no colon\r\n\r\n"), outbox.ClassNetwork, 0},
		{"header of 63 KiB", answering(okHeader + "X-Long: " + strings.Repeat("x", 63<<10) + "\r\nContent-Length: 0\r\n\r\n"), outbox.ClassOK, 200},
		{"header of 65 KiB", says(okHeader + "X-Long: " + strings.Repeat("x", 65<<10) + "\r\n\r\n"), outbox.ClassNetwork, 0},
		{"header of 250 lines", answering(okHeader + strings.Repeat("X: x\r\n", 250) + "Content-Length: 0\r\n\r\n"), outbox.ClassOK, 200},
		{"header of 1,500 lines", says(okHeader + strings.Repeat("X: x\r\n", 1500) + "\r\n"), outbox.ClassNetwork, 0},
		{"body of 9,000 lines", says(failHeader + "Content-Length: 9000\r\n\r\n" + strings.Repeat("\n", 9000)), outbox.ClassHTTP, 500},
		{"half closed before the response", func(c net.Conn) { _ = c.(tcp).CloseWrite() }, outbox.ClassReset, 0},
		{"half closed in the header", then(okHeader+"X-Half: ", tcp.CloseWrite), outbox.ClassReset, 0},
		{"half closed after the response", then(okHeader+"Content-Length: 2\r\n\r\nok", halfCloses), outbox.ClassOK, 200},
		{"reset in the header", then(okHeader+"X-Half: ", resets), outbox.ClassReset, 0},
		{"reset in the body", then(failHeader+"Content-Length: 100\r\n\r\nhalf", resets), outbox.ClassHTTP, 500},
		{"closed in the body", then(okHeader+"Content-Length: 100\r\n\r\nhalf", tcp.Close), outbox.ClassOK, 200},
		{"ten informational ones first", answering(strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 10) + okHeader + "Content-Length: 0\r\n\r\n"), outbox.ClassOK, 200},
		{"70 informational ones first", says(strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 70) + okHeader + "Content-Length: 0\r\n\r\n"), outbox.ClassNetwork, 0},
		{"204 with a body", says("HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc"), outbox.ClassOK, 204},
		{"304 with a body", says("HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\nabc"), outbox.ClassRedirect, 304},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := sender(t)
			e := listen(t, nil, c.serve)
			for range 2 { // the second attempt is not misled by what is left of the first
				res, _ := timedSend(t, s, request(e.url, "secret", "{}"), patience)
				// A reset may overtake what was said before it.
				if early := strings.HasPrefix(c.name, "reset in the body") && res.Class == outbox.ClassReset; early {
					continue
				}
				if res.Class != c.class || res.Status != c.status {
					t.Errorf("%+v; want class %s, status %d", res, c.class, c.status)
				}
				if c.name == "half closed after the response" {
					<-halfClosed
				}
			}
			s.Close()
			if !e.done() {
				t.Error("a connection stays open")
			}
		})
	}
}

// hostile is an endpoint that means no good.
type hostile struct {
	name  string
	tls   *tls.Config
	serve func(net.Conn)
	whole bool // it reads requests and answers each: there are as many of them as attempts
}

func hostiles(t *testing.T, own authority) []hostile {
	t.Helper()
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	for range 64 {
		if _, err := z.Write(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	expired := own.issue(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	elsewhere := own.issue(t, func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"crm.example"} })
	selfSigned, _ := certificate(t)
	silent := func(net.Conn) {}
	return []hostile{
		{name: "slow header", serve: trickles(okHeader+"X-Long: ", "x")},
		{name: "a byte at a time", serve: trickles("", "H")},
		{name: "endless body", serve: floods(failHeader+"\r\n", strings.Repeat("x", 4096))},
		{name: "gzip bomb", serve: says(failHeader + "Content-Encoding: gzip\r\nConnection: close\r\n\r\n" + bomb.String()), whole: true},
		{name: "reset in the body", serve: then(failHeader+"Content-Length: 100\r\n\r\nhalf", resets), whole: true},
		{name: "reset at once", serve: func(c net.Conn) { _ = resets(c.(tcp)) }},
		{name: "redirects for ever", serve: answering("HTTP/1.1 302 Found\r\nLocation: /hook\r\nContent-Length: 0\r\n\r\n"), whole: true},
		{name: "invalid chunks", serve: says(failHeader + chunks + "zz\r\n"), whole: true},
		{name: "both lengths", serve: says(failHeader + "Content-Length: 3\r\n" + chunks + "0\r\n\r\n" + okHeader + "Content-Length: 0\r\n\r\n"), whole: true},
		{name: "100 without end", serve: floods("", "HTTP/1.1 100 Continue\r\n\r\n")},
		{name: "101", serve: says("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"), whole: true},
		{name: "huge header", serve: floods(okHeader, "X-Many: "+strings.Repeat("x", 1000)+"\r\n")},
		{name: "fails before the body was read", serve: func(c net.Conn) {
			readHeader(c)
			_, _ = io.WriteString(c, failHeader+"Content-Length: 0\r\n\r\n")
		}},
		{name: "never reads", serve: silent},
		{name: "closes after each response", serve: then(failHeader+"Content-Length: 0\r\n\r\n", tcp.Close), whole: true},
		{name: "half closes", serve: then(failHeader+"Content-Length: 0\r\n\r\n", tcp.CloseWrite), whole: true},
		{name: "a response too many", serve: answering(failHeader + "Content-Length: 0\r\n\r\n" + okHeader + "Content-Length: 0\r\n\r\n")},
		{name: "stalls the handshake", tls: &tls.Config{}, serve: nil},
		{name: "expired", tls: expired, serve: silent},
		{name: "another host's", tls: elsewhere, serve: silent},
		{name: "self-signed", tls: selfSigned, serve: silent},
		{name: "plain text", tls: &tls.Config{}, serve: says("HTTP/1.1 400 Bad Request\r\n\r\n")},
	}
}

// answering says text to every request of a connection.
func answering(text string) func(net.Conn) {
	return func(c net.Conn) {
		in := bufio.NewReader(c)
		for {
			q, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, q.Body)
			if _, err := io.WriteString(c, text); err != nil {
				return
			}
		}
	}
}

// attemptsOf counts the attempts of each webhook, and the successes.
type attemptsOf struct {
	*Sender
	mu        sync.Mutex
	made      map[outbox.SubID]int
	delivered map[outbox.SubID]int
}

func (a *attemptsOf) Send(ctx context.Context, r dispatcher.Request) dispatcher.Result {
	a.mu.Lock()
	a.made[r.Sub]++
	a.mu.Unlock()
	res := a.Sender.Send(ctx, r)
	a.mu.Lock()
	defer a.mu.Unlock()
	if res.Class == outbox.ClassOK {
		a.delivered[r.Sub]++
	}
	return res
}

func (a *attemptsOf) of(sub outbox.SubID) (made, delivered int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.made[sub], a.delivered[sub]
}

// counted is a connection whose requests are counted as they arrive.
type counted struct {
	tcp
	posts *atomic.Int32
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.tcp.Read(b)
	c.posts.Add(int32(bytes.Count(b[:n], []byte("POST /hook"))))
	return n, err
}

// A healthy webhook beside hostile ones, in one dispatcher: it gets every event once and in order
// while the others do their worst; none of them is delivered a thing, gets more requests than there
// were attempts, nor keeps the dispatcher from stopping, and no connection is left.
//
// Mutation of sender.go: one webhook's attempt waits for another's.
func TestAHealthyWebhookNoticesNothingOfHostileOnes(t *testing.T) {
	own := newAuthority(t, "own")
	fake, recv := outboxtest.NewFake(), receiver.New(receiver.Options{Secret: "s"})
	if err := recv.Start(); err != nil {
		t.Fatal(err)
	}
	put := func(id outbox.SubID, w outbox.Webhook) {
		t.Helper()
		w.Secret = []byte("s")
		cfg, err := outbox.EncodeWebhook(w)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fake.PutSub(t.Context(), outbox.Subscription{ID: id, Config: cfg,
			Epochs: []outbox.Epoch{{Filter: outbox.Filter{Events: []string{outbox.Any}}}}}); err != nil {
			t.Fatal(err)
		}
	}
	all := hostiles(t, own)
	posts := make([]atomic.Int32, len(all))
	ends := make([]endpoint, len(all))
	never := 0
	for i, h := range all {
		serve, config := h.serve, h.tls
		if config != nil && len(config.Certificates) == 0 { // below TLS
			config = nil
			if serve == nil {
				serve = func(net.Conn) {}
			}
		}
		ends[i] = listen(t, config, func(c net.Conn) {
			if h.whole {
				c = counted{c.(tcp), &posts[i]}
			}
			serve(c)
		})
		url := ends[i].url
		if h.tls != nil {
			url = strings.Replace(url, "http:", "https:", 1)
		}
		put(outbox.SubID(fmt.Sprint("wh_", i)), outbox.Webhook{URL: url, CA: own.pem, HoldAfter: &never})
	}
	put("wh_good", outbox.Webhook{URL: recv.URL()})
	sends := &attemptsOf{made: map[outbox.SubID]int{}, delivered: map[outbox.SubID]int{},
		Sender: New(Options{Unseal: func(b []byte, _ string) ([]byte, error) { return b, nil }})}
	d := dispatcher.New(dispatcher.Options{Source: fake, Subscriptions: fake, Sender: sends, MaxInFlight: 8, Drain: time.Millisecond,
		Schedule: dispatcher.Schedule{0, 100 * time.Millisecond, 100 * time.Millisecond, 100 * time.Millisecond}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()

	const events = 100
	for i := range events {
		if _, err := fake.Append(t.Context(), outbox.Event{Key: fmt.Sprint("evt_", i), Random: true, Name: "message.received",
			Chat: fmt.Sprint("chat", i%10), Time: time.Now(), Body: fmt.Appendf(nil, `{"data":{"id":"chat%d"},"n":%d}`, i%10, i)}); err != nil {
			t.Fatal(err)
		}
	}
	waiting, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	if err := recv.WaitFor(waiting, func(c receiver.Counts) bool { return c.Events == events }); err != nil {
		t.Fatal(err)
	}
	// Each of the others has had its chance: an attempt, and where it reads requests one of them.
	for i, h := range all {
		for {
			made, _ := sends.of(outbox.SubID(fmt.Sprint("wh_", i)))
			if made > 0 && (!h.whole || posts[i].Load() > 0) {
				break
			}
			select {
			case <-time.After(time.Millisecond):
			case <-waiting.Done():
				t.Fatalf("%s: %d attempts, no request", h.name, made)
			}
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	sends.Close()
	if c := recv.Counts(); c.Posts != events || c.Duplicates != 0 || c.OutOfOrder != 0 || c.SignaturesValid != events {
		t.Errorf("the healthy one: %+v", c)
	}
	for i, h := range all {
		made, delivered := sends.of(outbox.SubID(fmt.Sprint("wh_", i)))
		got := int(posts[i].Load())
		if delivered != 0 || got > made {
			t.Errorf("%s: %d attempts, %d requests, %d taken for delivered", h.name, made, got, delivered)
		}
		if !ends[i].done() {
			t.Errorf("%s: a connection stays open", h.name)
		}
	}
	if err := recv.Close(); err != nil {
		t.Error(err)
	}
}
