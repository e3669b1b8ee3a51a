// Package receiver is a scriptable webhook endpoint over real HTTP: it responds "500, 500, hang,
// 200" as told, records every POST, verifies signatures, and counts duplicates and order
// violations. Tests, the demo, benchmarks and `listen` use it.
package receiver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// maxBody bounds what is read of a POST, in bytes: twice the outbox's own limit.
const maxBody = 2 << 20

// Options are what a Receiver needs. The zero value responds 200 to everything on a free loopback
// port.
type Options struct {
	Addr   string // host:port to listen on; "" means 127.0.0.1:0
	Script Script // see SetScript
	// the script starts anew for each event id instead of running once over all POSTs
	PerEvent bool
	Secret   string        // verifies X-Webhook-Signature; "" leaves signatures unchecked
	Latency  time.Duration // wait before every response, on top of a step's own
	// deliveries kept for Deliveries, newest first to stay; 0 = all, negative = none (counters
	// only)
	Keep       int
	DropBodies bool // do not keep bodies
	// called for each POST before its response is written, one call at a time; must not block
	OnDelivery func(Delivery)
}

// Counts are totals since New.
type Counts struct {
	Posts             int // POSTs that arrived, hanging ones included
	Accepted          int // responded to with a 2xx
	Events            int // distinct event ids accepted
	Retried           int // accepted with X-Webhook-Attempt above 1
	Replayed          int // accepted with X-Webhook-Replay
	Duplicates        int // accepted again without being a replay
	OutOfOrder        int
	SignaturesValid   int // of POSTs that arrived
	SignaturesInvalid int
}

// Receiver is an endpoint. It is an http.Handler, or serves by itself after Start. Safe for
// concurrent use.
type Receiver struct {
	opt    Options
	server *http.Server
	closed chan struct{} // ends hanging responses
	done   chan struct{} // closed when Serve has returned; nil before Start

	mu       sync.Mutex
	url      string
	script   Script
	perEvent bool
	latency  time.Duration
	steps    map[string]int // next step: by event id, or "" for all
	accepted map[string]bool
	newest   map[string]uint64 // chat → highest accepted sequence
	kept     []Delivery
	counts   Counts
	changed  chan struct{} // closed and renewed at every change of counts
	closing  bool

	calls sync.Mutex // one OnDelivery at a time
}

// New makes a Receiver; nothing listens before Start.
func New(o Options) *Receiver {
	r := &Receiver{
		opt: o, script: o.Script, perEvent: o.PerEvent, latency: o.Latency,
		closed: make(chan struct{}), changed: make(chan struct{}),
		steps: map[string]int{}, accepted: map[string]bool{}, newest: map[string]uint64{},
	}
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second}
	return r
}

// Start listens and serves until Close. URL is known when it returns.
func (r *Receiver) Start() error {
	addr := r.opt.Addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("listen for webhooks on %s: %w", addr, err)
	}
	r.mu.Lock()
	r.url = "http://" + l.Addr().String() + "/hook"
	r.done = make(chan struct{})
	done := r.done
	r.mu.Unlock()
	go func() {
		defer close(done)
		// Serve always ends with an error; after Close it is ErrServerClosed, and before it there
		// is nobody to tell.
		_ = r.server.Serve(l)
	}()
	return nil
}

// URL is where to POST, "" before Start.
func (r *Receiver) URL() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.url
}

// Close stops serving: hanging responses end, the others finish within 5 s, and Close waits for
// them. It may be called twice.
func (r *Receiver) Close() error {
	r.mu.Lock()
	if !r.closing {
		r.closing = true
		close(r.closed)
	}
	done := r.done
	r.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := r.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = r.server.Close()
	}
	if done != nil {
		<-done
	}
	return err
}

// SetScript replaces the script and starts it from its first step, for every event id when
// perEvent.
func (r *Receiver) SetScript(s Script, perEvent bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.script, r.perEvent = s, perEvent
	clear(r.steps)
}

// SetLatency changes the wait before every later response.
func (r *Receiver) SetLatency(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.latency = d
}

// Counts returns the totals so far.
func (r *Receiver) Counts() Counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts
}

// Deliveries returns what is kept, in the order in which POSTs were recorded: hanging ones at once,
// the others when their response was decided. Headers and bodies are shared: do not change
// them.
func (r *Receiver) Deliveries() []Delivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Delivery(nil), r.kept...)
}

// Wait blocks until n POSTs were recorded, or ctx ends.
func (r *Receiver) Wait(ctx context.Context, n int) error {
	return r.WaitFor(ctx, func(c Counts) bool { return c.Posts >= n })
}

// WaitFor blocks until the counts satisfy ok, or ctx ends; the error then tells the counts reached.
func (r *Receiver) WaitFor(ctx context.Context, ok func(Counts) bool) error {
	for {
		r.mu.Lock()
		c, changed := r.counts, r.changed
		r.mu.Unlock()
		if ok(c) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for webhooks, so far %+v: %w", c, ctx.Err())
		}
	}
}

// ServeHTTP records a POST and responds by the script. Other methods get 405 and are not recorded.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	if q.Method != http.MethodPost {
		http.Error(w, "webhooks are POSTs", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, q.Body, maxBody))
	if err != nil {
		return // the client broke off, or MaxBytesReader has responded
	}
	d := newDelivery(q.Header, body, []byte(r.opt.Secret))
	step, latency := r.next(d.EventID)
	if !r.pause(q.Context(), step.After+latency) {
		r.record(d)
		return
	}
	switch {
	case step.Hang:
		r.record(d)
		select {
		case <-q.Context().Done():
		case <-r.closed:
		}
		panic(http.ErrAbortHandler) // no response, and the connection is of no more use
	case step.Reset:
		r.record(d)
		panic(http.ErrAbortHandler)
	}
	d.Status = step.Status
	r.record(d)
	if step.RetryAfter != "" {
		w.Header().Set("Retry-After", step.RetryAfter)
	}
	if step.Status >= 300 && step.Status <= 399 {
		w.Header().Set("Location", "/redirected")
	}
	w.WriteHeader(step.Status)
	// A client that went away does not matter here: the script goes on.
	_, _ = io.WriteString(w, step.Body)
}

// next takes the step for this POST.
func (r *Receiver) next(id string) (Step, time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := ""
	if r.perEvent {
		key = id
	}
	step := r.script.at(r.steps[key])
	r.steps[key]++
	return step, r.latency
}

// pause waits, and reports whether the client is still there.
func (r *Receiver) pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.closed:
		return true
	case <-ctx.Done():
		return false
	}
}

// record files a POST. It is called before the response is written, so that a sender that has its
// response finds it recorded.
func (r *Receiver) record(d Delivery) {
	r.calls.Lock()
	defer r.calls.Unlock()
	r.mu.Lock()
	d = r.count(d)
	if r.opt.DropBodies {
		d.Body = nil
	}
	if r.opt.Keep >= 0 {
		r.kept = append(r.kept, d)
		if r.opt.Keep > 0 && len(r.kept) > r.opt.Keep {
			r.kept = append(r.kept[:0], r.kept[len(r.kept)-r.opt.Keep:]...)
		}
	}
	close(r.changed)
	r.changed = make(chan struct{})
	r.mu.Unlock()
	if r.opt.OnDelivery != nil {
		r.opt.OnDelivery(d)
	}
}

// count updates the totals and marks duplicates and order violations. The caller holds mu.
func (r *Receiver) count(d Delivery) Delivery {
	c := &r.counts
	c.Posts++
	d.N = c.Posts
	switch d.Signature {
	case SignatureValid:
		c.SignaturesValid++
	case SignatureInvalid:
		c.SignaturesInvalid++
	}
	if !d.Accepted() {
		return d
	}
	c.Accepted++
	if d.Attempt > 1 {
		c.Retried++
	}
	seen := r.accepted[d.EventID]
	if !seen {
		r.accepted[d.EventID] = true
		c.Events++
	}
	switch {
	case d.Replay > 0:
		c.Replayed++
		return d
	case seen:
		d.Duplicate = true
		c.Duplicates++
		return d
	}
	if d.Chat == "" {
		return d
	}
	if d.Seq < r.newest[d.Chat] {
		d.OutOfOrder = true
		c.OutOfOrder++
	}
	r.newest[d.Chat] = max(r.newest[d.Chat], d.Seq)
	return d
}
