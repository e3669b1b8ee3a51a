package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
)

// maxAnswer bounds how much of an answer's body is read, in bytes after decompression; what is longer closes the connection.
const maxAnswer = 64 << 10

// defaultTimeout bounds an attempt whose caller set no deadline.
const defaultTimeout = 10 * time.Second

// Options are what a Sender needs.
type Options struct {
	// Unseal opens a sealed secret, context string(SubID)+"/secret", and sealed custom headers, context string(SubID)+"/headers".
	// Nil holds every webhook that has either: nothing goes unsigned or without its headers.
	Unseal func(sealed []byte, context string) ([]byte, error)
	// UserAgent is "waoutbox/<version>"; empty means "waoutbox".
	UserAgent string
	// OwnListeners answers the addresses this program listens on (host:port); they are never called. Nil for none. It is
	// called while dialling, from many goroutines.
	OwnListeners func() []string
	// Log receives a debug line when a subscription's client is opened or closed. Nil discards.
	Log *slog.Logger
}

// Sender makes signed POSTs. It is safe for concurrent use and starts no goroutine of its own; Close when done.
type Sender struct {
	opt Options

	mu      sync.Mutex
	clients map[outbox.SubID]*client
}

var _ dispatcher.Sender = (*Sender)(nil)

// New makes a Sender.
func New(o Options) *Sender {
	if o.UserAgent == "" {
		o.UserAgent = "waoutbox"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Sender{opt: o, clients: map[outbox.SubID]*client{}}
}

// Send makes one attempt and answers how it ended. It blocks until there is an answer, an error, or ctx ends; a ctx that was
// cancelled (not timed out) gives ClassLocal: cut off by us. It never retries and never follows a redirect.
func (s *Sender) Send(ctx context.Context, r dispatcher.Request) dispatcher.Result {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, defaultTimeout)
		defer cancel()
	}
	c, err := s.client(r.Sub, r.Webhook)
	if err != nil {
		return dispatcher.Result{Class: outbox.ClassAddress, Message: err.Error()}
	}
	open := func(what string) func([]byte) ([]byte, error) {
		return func(sealed []byte) ([]byte, error) {
			if s.opt.Unseal == nil {
				return nil, errors.New("there is no key to open it with")
			}
			return s.opt.Unseal(sealed, string(r.Sub)+what)
		}
	}
	sign, err := c.signerFor(r.Webhook.Secret, open("/secret"))
	if err != nil {
		return dispatcher.Result{Class: outbox.ClassLocal, Message: fmt.Sprintf("the signing secret cannot be opened, and nothing is sent unsigned: %v", err)}
	}
	custom, err := c.headersFor(r.Webhook.Headers, open("/headers"))
	if err != nil {
		return dispatcher.Result{Class: outbox.ClassLocal, Message: fmt.Sprintf("the custom headers cannot be opened, and nothing is sent without them (set them again, or remove them with --no-headers): %v", err)}
	}
	now := time.Now()
	req := (&http.Request{
		Method: http.MethodPost, URL: c.url, Host: c.url.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        header(r, s.opt.UserAgent, custom, sign, now),
		ContentLength: int64(len(r.Event.Body)),
		Body:          body(r.Event.Body),
		// Lets the transport try again when a kept connection turns out dead before a byte was written.
		GetBody: func() (io.ReadCloser, error) { return body(r.Event.Body), nil },
	}).WithContext(ctx)
	// RoundTrip and not Client.Do: no redirects, no cookies, and no URL in the errors.
	res, err := c.transport.RoundTrip(req)
	if err != nil {
		class, msg := classify(err)
		return dispatcher.Result{Class: class, Message: msg}
	}
	return answer(res)
}

func body(b []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(b)) }

// answer reads what is kept of the body and lets the connection be used again if the rest is short. The status decides; an
// error while reading the body changes nothing.
func answer(res *http.Response) dispatcher.Result {
	defer res.Body.Close()
	rest := io.LimitReader(res.Body, maxAnswer+1)
	excerpt := make([]byte, outbox.MaxExcerpt)
	n, err := io.ReadFull(rest, excerpt)
	if err == nil {
		// What is cut off here only costs a kept connection.
		_, _ = io.Copy(io.Discard, rest)
	}
	out := dispatcher.Result{Class: outbox.ClassHTTP, Status: res.StatusCode, Excerpt: excerpt[:n:n]}
	switch code := res.StatusCode; {
	case code >= 200 && code <= 299:
		out.Class = outbox.ClassOK
		return out
	case code >= 300 && code <= 399:
		out.Class = outbox.ClassRedirect
		out.Message = fmt.Sprintf("%s: redirects are never followed; register the final URL", statusText(code))
		return out
	case code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable:
		out.RetryAfter = retryAfter(res.Header.Get("Retry-After"), time.Now())
	}
	out.Message = statusText(res.StatusCode)
	return out
}

// statusText is "503 Service Unavailable", without the reason phrase the endpoint chose.
func statusText(code int) string {
	if t := http.StatusText(code); t != "" {
		return fmt.Sprintf("%d %s", code, t)
	}
	return fmt.Sprintf("status %d", code)
}

// client answers the subscription's client, made anew when its URL changed.
func (s *Sender) client(id outbox.SubID, w outbox.Webhook) (*client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.clients[id]
	if old != nil && old.fits(w) {
		return old, nil
	}
	c, err := newClient(w, s.opt.OwnListeners)
	if err != nil {
		return nil, err
	}
	if old != nil {
		old.close()
	}
	s.clients[id] = c
	s.opt.Log.Debug("webhook client opened", "subscription", id, "scheme", c.url.Scheme, "host", c.url.Host)
	return c, nil
}

// Forget closes the connections of a subscription that has ended. Requests in flight finish.
func (s *Sender) Forget(id outbox.SubID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.clients[id]; c != nil {
		c.close()
		delete(s.clients, id)
		s.opt.Log.Debug("webhook client closed", "subscription", id)
	}
}

// Close closes every idle connection. The Sender may be used again.
func (s *Sender) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.clients {
		c.close()
	}
	clear(s.clients)
}
