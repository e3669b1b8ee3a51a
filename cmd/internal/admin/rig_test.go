package admin

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"waoutbox/cmd/internal/admin/replay"
	"waoutbox/cmd/internal/hosts"
	"waoutbox/dispatcher"
	"waoutbox/dispatcher/recent"
	"waoutbox/dispatcher/webhook"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
	"waoutbox/store/storetest"
)

// rig is the administration over a real file, a real dispatcher that does not run, and a sender
// that responds as told.
type rig struct {
	*Service
	t      *testing.T
	box    *boltbox.Box
	disp   *dispatcher.Dispatcher
	sender *fakeEndpoint
	key    *store.Key
	ends   *replay.Ends
	recent *recent.Recent
	n      int
}

// fakeEndpoint is the endpoint's part: a small consumer interface, no HTTP.
type fakeEndpoint struct {
	mu     sync.Mutex
	result dispatcher.Result
	each   func(r dispatcher.Request) dispatcher.Result // in place of result
	got    []dispatcher.Request
	limit  time.Time // of the last request
}

func (a *fakeEndpoint) Send(ctx context.Context, r dispatcher.Request) dispatcher.Result {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.limit, _ = ctx.Deadline()
	a.got = append(a.got, r)
	if a.each != nil {
		return a.each(r)
	}
	return a.result
}

// set makes the endpoint respond with res from now on.
func (a *fakeEndpoint) set(res dispatcher.Result) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.result = res
}

// count returns how many requests were sent for one webhook.
func (a *fakeEndpoint) count(id outbox.SubID) (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, req := range a.got {
		if req.Sub == id {
			n++
		}
	}
	return n
}

func newRig(t *testing.T) *rig {
	t.Helper()
	return newRigOn(t, store.DBOptions{})
}

// newRigOn is newRig on a file with its own options.
func newRigOn(t *testing.T, o store.DBOptions) *rig {
	t.Helper()
	o.Schema = boltbox.Schema()
	box, err := boltbox.Open(t.Context(), storetest.Open(t, o), boltbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	key, err := store.OpenKey(filepath.Join(t.TempDir(), "key"), false)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, box: box, key: key, sender: &fakeEndpoint{result: dispatcher.Result{Class: outbox.ClassHTTP, Status: 500, Message: "500 Internal Server Error"}}}
	r.ends, r.recent = &replay.Ends{}, &recent.Recent{}
	r.disp = dispatcher.New(dispatcher.Options{
		Source: box, Subscriptions: box, Sender: r.sender, Schedule: dispatcher.Schedule{0, 0, 0, 0}, Observers: []dispatcher.Observer{r.ends, r.recent},
	})
	r.Service = New(Options{
		Engine: box, Dispatcher: r.disp, Sender: r.sender, Ends: r.ends, StateDir: t.TempDir(),
		Hosts:      hosts.New(api.PolicyAsk, nil, func(change func(hosts.List) hosts.List) (hosts.List, string, error) { return change(nil), "", nil }),
		EventNames: []string{"message.received", "message.sent", "presence.update"},
		Seal:       key.Seal, Unseal: key.Open, CheckURL: webhook.CheckURL,
		Resolve: func(context.Context, string, bool) (string, error) { return "", nil },
		TestBody: func(event string, _ time.Time) []byte {
			return []byte(`{"event":"connection.update","timestamp":1,"data":{"test":true}}`)
		},
		Log: slog.New(slog.DiscardHandler),
	})
	return r
}

// put registers a webhook for some events. It never holds any back: all of them may become dead
// letters.
func (r *rig) put(url string, events ...string) api.PutWebhookResult {
	r.t.Helper()
	in := api.PutWebhook{URL: url, HoldAfter: new(0)}
	if len(events) > 0 {
		in.Events = &events
	}
	res, err := r.PutWebhook(r.t.Context(), in)
	if err != nil {
		r.t.Fatalf("PutWebhook(%s): %v", url, err)
	}
	return res
}

// stored returns a webhook's configuration as it lies on disk, decoded.
func (r *rig) stored(id string) outbox.Webhook {
	r.t.Helper()
	sub, err := r.box.Sub(r.t.Context(), outbox.SubID(id))
	if err != nil {
		r.t.Fatal(err)
	}
	cfg, err := outbox.DecodeWebhook(sub.Config)
	if err != nil {
		r.t.Fatal(err)
	}
	return cfg
}

// arrive appends n events.
func (r *rig) arrive(name string, n int) {
	r.t.Helper()
	for range n {
		r.n++
		if _, err := r.box.Append(r.t.Context(), outbox.Event{
			Key: fmt.Sprintf("evt_%032d", r.n), Time: time.UnixMilli(int64(1000 + r.n)), Name: name, Chat: fmt.Sprintf("%d@lid", r.n%3),
			Body: fmt.Appendf(nil, `{"event":%q,"timestamp":%d,"data":{}}`, name, 1000+r.n),
		}); err != nil {
			r.t.Fatal(err)
		}
	}
}

// deliver lets the dispatcher run until ok.
func (r *rig) deliver(what string, ok func() bool) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan error, 1)
	go func() { done <- r.disp.Run(ctx) }()
	r.await(what, ok)
	cancel()
	if err := <-done; err != nil {
		r.t.Fatal(err)
	}
}

// await polls until ok, at most a minute.
func (r *rig) await(what string, ok func() bool) {
	r.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			r.t.Fatalf("waited a minute until %s", what)
		}
	}
}

func (r *rig) status() api.Status {
	r.t.Helper()
	st, err := r.Status(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return st
}

// wantError checks a failure's code and that its sentence names something.
func wantError(t *testing.T, err error, code api.Code, names string) {
	t.Helper()
	if api.CodeOf(err) != code || !strings.Contains(err.Error(), names) {
		t.Errorf("got %v (%s), want %s naming %q", err, api.CodeOf(err), code, names)
	}
}
