package webhook

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
)

// defaultTimeout bounds an attempt whose caller set no deadline.
const defaultTimeout = 10 * time.Second

// Options are what a Sender needs.
type Options struct {
	// Unseal opens a sealed secret, context outbox.SecretContext or, for the one before a rotation,
	// outbox.PreviousContext, sealed custom headers, context outbox.HeadersContext, and the seal of
	// the settings. It is called from many goroutines. Nil holds every webhook that has one of
	// them: nothing goes unsigned or without its headers.
	Unseal func(sealed []byte, context string) ([]byte, error)
	// Sealed has only webhooks sent to whose settings are as they were sealed (outbox.CheckSeal).
	Sealed bool
	// UserAgent is "waoutbox/<version>"; empty means "waoutbox".
	UserAgent string
	// Own are the addresses of our own listeners, to which nothing is sent. Nil: there are none.
	Own *Own
	// Occurrence makes the body of an event for the receiver of a lease: thin, with the cursor
	// before watermark, below which the lease has finished everything; preview lets the beginning
	// of a text be in it. Cursor is that cursor alone. Without them nothing is sent to leases.
	Occurrence func(ev outbox.Event, preview bool, watermark outbox.Seq) ([]byte, error)
	Cursor     func(watermark outbox.Seq) string
	// Log receives a debug line when a subscription's client is opened or closed. Nil discards.
	Log *slog.Logger
}

// Sender makes signed POSTs. It is safe for concurrent use and starts no goroutine of its own;
// Close when done.
type Sender struct {
	opt      Options
	machine  *machine
	resolver *net.Resolver // nil for the system's; tests set it before the first Send
	// bounds a challenge; tests set it before the first one
	challenge time.Duration

	buffers sync.Pool // of *[]byte

	mu      sync.RWMutex
	clients map[outbox.SubID]*client
}

var _ dispatcher.Sender = (*Sender)(nil)

// New makes a Sender. It does no I/O.
func New(o Options) *Sender {
	if o.UserAgent == "" {
		o.UserAgent = "waoutbox"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Sender{opt: o, machine: &machine{resolverFile: resolverFile}, challenge: challengeTime, clients: map[outbox.SubID]*client{}}
}

// Send makes one attempt and returns how it ended. It blocks until there is a response, an error,
// or ctx ends, and whatever the endpoint does not longer than a few milliseconds after that; a ctx
// without a deadline gets one of 10 s. After a 2xx it returns within 250 ms. A ctx that was
// cancelled (not timed out) before a response gives ClassLocal: cut off by us. Send never retries
// and never follows a redirect. Message and Excerpt of the result hold neither the webhook's
// secrets nor the value of one of its custom headers. To the receiver of a lease the body is what
// Options.Occurrence returns.
func (s *Sender) Send(ctx context.Context, r dispatcher.Request) dispatcher.Result {
	if r.Webhook.Lease == nil {
		return s.send(ctx, &r, nil)
	}
	return s.send(ctx, &r, func() (leaseMessage, error) {
		body, err := s.leaseBody(&r)
		return leaseMessage{id: r.Event.Key, subscription: r.Webhook.Lease.ID, body: body}, err
	})
}

// send makes one attempt: of r's event, or, for the receiver of a lease, of the message that lease
// returns.
func (s *Sender) send(ctx context.Context, r *dispatcher.Request, lease func() (leaseMessage, error)) dispatcher.Result {
	now := time.Now()
	limit, ok := ctx.Deadline()
	if !ok {
		limit = now.Add(defaultTimeout)
	}
	c, err := s.client(r.Sub, &r.Webhook)
	if err != nil {
		class := outbox.ClassAddress
		if isLocal(err) {
			class = outbox.ClassLocal
		}
		return dispatcher.Result{Class: class, Message: bounded(err.Error())}
	}
	cred, err := c.credentials(r, now, s.opt.Sealed, s.unseal)
	if err == nil && lease != nil && cred.sign == nil {
		err = errUnsignedLease
	}
	if err != nil {
		return dispatcher.Result{Class: outbox.ClassLocal, Message: bounded(err.Error())}
	}
	buffer := s.buffer()
	defer s.buffers.Put(buffer) // nothing of the exchange goes on then
	head, body, sent := (*buffer)[:0], r.Event.Body, signatures{}
	if lease == nil {
		head, sent, err = cred.head.append(head, r, cred, now)
	} else {
		var m leaseMessage
		if m, err = lease(); err == nil {
			current, previous := cred.signers(now)
			head, sent, err = m.head(head, c.url, c.userAgent, now, current, previous)
			body = m.body
		}
	}
	if err != nil {
		return dispatcher.Result{Class: outbox.ClassInternal, Message: bounded(err.Error())}
	}
	x, err := c.pool.Do(ctx, limit, head, body)
	if err != nil {
		class, msg := classify(err)
		return dispatcher.Result{Class: class, Message: c.shown(msg, cred, sent)}
	}
	defer x.Close()
	return c.result(x, cred, sent)
}

// bufferSize holds the head of a request and a usual body.
const bufferSize = 8 << 10

func (s *Sender) buffer() *[]byte {
	if b, ok := s.buffers.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, 0, bufferSize)
	return &b
}

func (s *Sender) unseal(sealed []byte, sealedAs string) ([]byte, error) {
	if s.opt.Unseal == nil {
		return nil, errors.New("there is no key to open it with")
	}
	return s.opt.Unseal(sealed, sealedAs)
}

// client returns the subscription's client, made anew when its URL changed.
func (s *Sender) client(id outbox.SubID, w *outbox.Webhook) (*client, error) {
	s.mu.RLock()
	c := s.clients[id]
	s.mu.RUnlock()
	if c != nil && c.fits(w) {
		return c, nil
	}
	c, old, err := s.replace(id, w)
	if old != nil {
		old.pool.Close()
	}
	return c, err
}

// replace returns the subscription's client, and the one that it replaces, if any, for closing
// without the lock: that may take some milliseconds a connection.
func (s *Sender) replace(id outbox.SubID, w *outbox.Webhook) (c, old *client, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old = s.clients[id]
	if old != nil && old.fits(w) {
		return old, nil, nil
	}
	if c, err = newClient(*w, s.opt.UserAgent, s.machine, s.opt.Own, s.resolver); err != nil {
		return nil, nil, err
	}
	s.clients[id] = c
	s.opt.Log.Debug("webhook client opened", "subscription", id, "scheme", c.url.Scheme, "host", c.url.Host)
	return c, old, nil
}

// Forget closes the connections of a subscription that has ended. Attempts in flight finish.
func (s *Sender) Forget(id outbox.SubID) {
	s.mu.Lock()
	c := s.clients[id]
	delete(s.clients, id)
	s.mu.Unlock()
	if c != nil {
		c.pool.Close()
		s.opt.Log.Debug("webhook client closed", "subscription", id)
	}
}

// Close closes every idle connection. Attempts in flight finish; the Sender may be used again.
func (s *Sender) Close() {
	s.mu.Lock()
	old := s.clients
	s.clients = map[outbox.SubID]*client{}
	s.mu.Unlock()
	for _, c := range old {
		c.pool.Close()
	}
}
