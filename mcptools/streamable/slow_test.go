package streamable

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"waoutbox/mcptools/mcpevents"
	"waoutbox/outbox/api"

	"github.com/mark3labs/mcp-go/server"
)

// A client that takes nothing ends its call, however much is to be sent, and holds no goroutine.
func TestClientThatDoesNotRead(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.h.patience = 50 * time.Millisecond
	returned := make(chan error, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.h.ServeHTTP(w, q)
		returned <- nil
	}))
	defer srv.Close()
	session := r.begin()
	conn, err := net.Dial("tcp", strings.TrimPrefix(srv.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"large"}}`
	if _, err := fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nMcp-Session-Id: %s\r\nContent-Length: %d\r\n\r\n%s", session, len(body), body); err != nil {
		t.Fatal(err)
	}
	await(t, returned)
}

// A message that does not arrive is not waited for.
//
// Mutation of handler.go: a message of an MCP client over HTTP is waited for without end.
func TestMessageThatDoesNotArrive(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.h.patience = 50 * time.Millisecond
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	raw := make([]byte, 1024)
	if n, err := conn.Read(raw); err != nil || !strings.HasPrefix(string(raw[:n]), "HTTP/1.1 400 ") {
		t.Errorf("%q, %v", raw[:n], err)
	}
}

// A stream is not opened by a long message, which would have its place for as long as its client
// likes: a few of them, and nobody's long message would be served.
//
// Mutation of handler.go: a stream has the place of a long message for as long as its client likes.
func TestNoStreamHoldsThePlaceOfALongMessage(t *testing.T) {
	t.Parallel()
	events := mcpevents.New(mcpevents.Options{
		Types: []mcpevents.Type{{Name: "message.received", Input: []byte(`{}`), Payload: []byte(`{}`)}}, Log: slog.New(slog.DiscardHandler),
		Open: func(ctx context.Context, _ mcpevents.Client) (context.Context, mcpevents.Backend, error) {
			return ctx, endless{make(chan error, 1)}, nil
		},
	})
	h := New(server.NewMCPServer("test", "1"), events, slog.New(slog.DiscardHandler))
	srv := httptest.NewServer(h)
	defer func() { h.Close(); srv.Close() }()
	for _, method := range []string{"events/stream", "subscriptions/listen"} {
		body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":{"name":"message.received","notifications":{"toolsListChanged":true},"pad":%q,%s}}`, method, strings.Repeat("x", smallBody), modernMeta)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Accept", "application/json, text/event-stream")
		req.Header.Set("Mcp-Protocol-Version", "2026-07-28")
		req.Header.Set("Mcp-Method", method)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: status %d, %d long messages are being served", method, resp.StatusCode, len(h.large))
		}
		resp.Body.Close()
	}
}

// However many clients send long messages at the same time, few of them are in memory: the others
// wait for a place, and are refused when none comes free. Short ones are served meanwhile.
//
// Mutation of bodies.go: long messages of agents are in memory however many there are.
func TestLongMessagesAreServedAFewAtATime(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	session := r.begin()
	long := func(who string) string {
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"slow","arguments":{"who":%q,"pad":%q}}}`, who, strings.Repeat("x", 2*smallBody))
	}
	ended := make(chan int, largeBodies+1)
	call := func(body string) {
		resp, err := http.DefaultClient.Do(r.request(t.Context(), http.MethodPost, session, body))
		if err != nil {
			t.Error(err)
			ended <- 0
			return
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		ended <- resp.StatusCode
	}
	for range largeBodies {
		go call(long("large"))
		await(t, r.begun)
	}
	go call(strings.Replace(long("small"), strings.Repeat("x", 2*smallBody), "", 1))
	if who := await(t, r.begun); who != "small" {
		t.Errorf("%s has begun", who)
	}
	h := *r.h // its clients wait less
	h.patience = 20 * time.Millisecond
	out := httptest.NewRecorder()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel() // one that is served all the same ends
		select {
		case <-r.begun:
		case <-ctx.Done():
		}
	}()
	h.ServeHTTP(out, r.request(ctx, http.MethodPost, session, long("one more")))
	cancel()
	if out.Code != http.StatusServiceUnavailable || !strings.Contains(out.Body.String(), "try again") {
		t.Errorf("one more: %d %s", out.Code, out.Body)
	}
	for range largeBodies + 1 {
		r.release <- struct{}{}
	}
	for range largeBodies + 1 {
		if status := await(t, ended); status != http.StatusOK {
			t.Errorf("status %d", status)
		}
	}
	// they are given back after the response
	for deadline := time.Now().Add(30 * time.Second); len(r.h.large) > 0; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d places are held", len(r.h.large))
		}
	}
}

// deadlines is a connection of which only the deadlines are looked at.
type deadlines struct {
	httptest.ResponseRecorder
	set []time.Time
}

func (d *deadlines) SetWriteDeadline(at time.Time) error {
	d.set = append(d.set, at)
	return nil
}

// A stream lives as long as its client takes what comes: between two messages there is no deadline.
func TestStreamsHaveNoDeadline(t *testing.T) {
	t.Parallel()
	d := &deadlines{ResponseRecorder: *httptest.NewRecorder()}
	w := &writer{ResponseWriter: d, ctl: http.NewResponseController(d), patience: time.Minute}
	if _, err := w.Write([]byte("data: x\n\n")); err != nil {
		t.Fatal(err)
	}
	if len(d.set) != 1 || d.set[0].Before(time.Now()) {
		t.Errorf("before a write: %v", d.set)
	}
	w.Flush()
	if last := d.set[len(d.set)-1]; !last.IsZero() || !d.Flushed {
		t.Errorf("after a message: %v", d.set)
	}
}

// endless streams events for as long as they are taken.
type endless struct{ ended chan error }

func (endless) Occurrences(context.Context, api.OccurrenceQuery) (api.OccurrencePage, error) {
	return api.OccurrencePage{}, nil
}

func (endless) Subscribe(context.Context, api.Subscribe) (api.Subscribed, error) {
	return api.Subscribed{}, nil
}

func (endless) Unsubscribe(context.Context, api.Unsubscribe) (api.Unsubscribed, error) {
	return api.Unsubscribed{}, nil
}

func (endless) RefuseSubscription(context.Context, api.RefuseSubscription) (api.RefusedSubscription, error) {
	return api.RefusedSubscription{}, nil
}

func (e endless) StreamOccurrences(ctx context.Context, _ api.OccurrenceQuery, each func(api.OccurrencePage) error) error {
	page := api.OccurrencePage{Cursor: "c", Items: []api.Occurrence{{ID: "evt_1", Event: "message.received", Data: []byte(`{"pad":"` + strings.Repeat("x", 64<<10) + `"}`)}}}
	for {
		if err := each(page); err != nil || ctx.Err() != nil {
			e.ended <- err
			return err
		}
	}
}

// A client that takes nothing of a stream of events is dropped: the stream ends, and so does what
// it reads from.
func TestSubscriberThatDoesNotRead(t *testing.T) {
	t.Parallel()
	backend := endless{make(chan error, 1)}
	events := mcpevents.New(mcpevents.Options{
		Types: []mcpevents.Type{{Name: "message.received", Input: []byte(`{}`), Payload: []byte(`{}`)}}, Log: slog.New(slog.DiscardHandler),
		Open: func(ctx context.Context, _ mcpevents.Client) (context.Context, mcpevents.Backend, error) {
			return ctx, backend, nil
		},
	})
	h := New(server.NewMCPServer("test", "1"), events, slog.New(slog.DiscardHandler))
	h.patience = 50 * time.Millisecond
	srv := httptest.NewServer(h)
	defer func() { h.Close(); srv.Close() }()
	conn, err := net.Dial("tcp", strings.TrimPrefix(srv.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	body := `{"jsonrpc":"2.0","id":1,"method":"events/stream","params":{"name":"message.received",` + modernMeta + `}}`
	if _, err := fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nMcp-Protocol-Version: 2026-07-28\r\nMcp-Method: events/stream\r\nContent-Length: %d\r\n\r\n%s", len(body), body); err != nil {
		t.Fatal(err)
	}
	if err := await(t, backend.ended); err == nil {
		t.Error("an event was taken that nobody read")
	}
}
