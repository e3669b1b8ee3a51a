package mcptools

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// httpEvents is the endpoint of a server with events.
type httpEvents struct {
	t    *testing.T
	url  string
	stop func()
}

func serveHTTPEvents(t *testing.T, b Backend) *httpEvents {
	t.Helper()
	s := New(eventOptions(b))
	endpoint := s.HTTP()
	srv := httptest.NewServer(endpoint)
	t.Cleanup(func() { endpoint.Close(); srv.Close(); s.Wait() })
	return &httpEvents{t: t, url: srv.URL, stop: endpoint.Close}
}

const modernMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"}}`

// post sends a message; header is "Name: value" of what differs from a request as it should be.
func (h *httpEvents) post(ctx context.Context, body string, header ...string) httpResponse {
	h.t.Helper()
	// a stream that does not end is a fault, and no wait for ever
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	h.t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { resp.Body.Close() })
	return httpResponse{resp.StatusCode, resp.Header, bufio.NewReader(resp.Body)}
}

func (h *httpEvents) modern(ctx context.Context, method, params string, header ...string) httpResponse {
	h.t.Helper()
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":"m","method":%q,"params":{%s,%s}}`, method, params, modernMeta)
	return h.post(ctx, body, append([]string{"Mcp-Protocol-Version: 2026-07-28", "Mcp-Method: " + method}, header...)...)
}

// httpResponse is what came back. Its body is closed when the test is over.
type httpResponse struct {
	status int
	header http.Header
	body   *bufio.Reader
}

// rest reads the body to its end.
func (r httpResponse) rest(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	if _, err := r.body.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// List, poll and stream over the HTTP of today; a stream ends with its connection, or is told when
// the service stops.
//
// Mutation of mcptools/streamable/extension.go: a stream outlives the service's stop.
func TestEventsOverHTTP(t *testing.T) {
	t.Parallel()
	b := newEventBackend()
	h := serveHTTPEvents(t, b)
	resp := h.modern(t.Context(), "server/discover", `"x":1`)
	if raw := resp.rest(t); resp.status != 200 || !strings.Contains(raw, `"events":{}`) || !strings.Contains(raw, `"io.modelcontextprotocol/events":{}`) {
		t.Errorf("discover: %d %s", resp.status, raw)
	}
	resp = h.modern(t.Context(), "events/list", `"x":1`)
	if raw := resp.rest(t); resp.status != 200 || !strings.Contains(raw, `"delivery":["poll","push"]`) || resp.header.Get("Content-Type") != "application/json" {
		t.Errorf("list: %d %s", resp.status, raw)
	}
	resp = h.modern(t.Context(), "events/poll", `"name":"message.received"`)
	if raw := resp.rest(t); resp.status != 200 || !strings.Contains(raw, `"eventId":"evt_7"`) {
		t.Errorf("poll: %d %s", resp.status, raw)
	}
	for _, c := range []struct {
		what, method, params string
		header               []string
		status               int
		says                 string
	}{
		{"another method in the header", "events/poll", `"name":"message.received"`, []string{"Mcp-Method: tools/list"}, 400, "-32020"},
		{"another version in the header", "events/poll", `"name":"message.received"`, []string{"Mcp-Protocol-Version: 2027-01-01"}, 400, "-32020"},
		{"a stream to be resumed", "events/stream", `"name":"message.received"`, []string{"Last-Event-ID: 7"}, 400, "-32020"},
		{"an unknown method", "events/nonsense", `"x":1`, nil, 404, "-32601"},
		{"wrong arguments", "events/poll", `"name":"message.received","arguments":{"x":1}`, nil, 400, "-32602"},
		{"an unknown type", "events/stream", `"name":"nonsense"`, nil, 200, "-32011"},
	} {
		resp := h.modern(t.Context(), c.method, c.params, c.header...)
		if raw := resp.rest(t); resp.status != c.status || !strings.Contains(raw, c.says) || !strings.Contains(raw, `"id":"m"`) {
			t.Errorf("%s: %d %s", c.what, resp.status, raw)
		}
	}

	ctx, cancel := context.WithCancel(t.Context())
	resp = h.modern(ctx, "events/stream", `"name":"message.received","cursor":"c7"`)
	frames := resp.body
	next := func() wire {
		t.Helper()
		for {
			line, err := frames.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if data, ok := strings.CutPrefix(line, "data: "); ok {
				return readWire(t, data)
			}
		}
	}
	if resp.status != 200 || resp.header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("stream: %d %v", resp.status, resp.header)
	}
	next().is(t, `"m"`, "active")
	b.pages <- occurrencePage("c9", false, 7)
	if w := next().is(t, `"m"`, "event"); w.Params.Cursor != "c8" {
		t.Errorf("event: %s", w.raw)
	}
	b.pages <- occurrencePage("c9", false)
	next().is(t, `"m"`, "heartbeat")
	cancel()
	if err := <-b.ended; !errors.Is(err, context.Canceled) {
		t.Errorf("with its connection it ended with %v", err)
	}

	resp = h.modern(t.Context(), "events/stream", `"name":"message.received"`)
	frames = resp.body
	next().is(t, `"m"`, "active")
	h.stop()
	next().is(t, `"m"`, "terminated")
	if w := next(); string(w.ID) != `"m"` || w.Result == nil {
		t.Errorf("the last frame: %s", w.raw)
	}
}

// With the versions that have sessions there are list and poll, in a session that goes on, and no
// streams: a client could not end one.
//
// Mutation of mcptools/streamable/extension.go: a client of a version with sessions opens streams
// that it cannot end.
func TestEventsOverHTTPWithSessions(t *testing.T) {
	t.Parallel()
	h := serveHTTPEvents(t, newEventBackend())
	resp := h.post(t.Context(), initializeLine)
	session := "Mcp-Session-Id: " + resp.header.Get("Mcp-Session-Id")
	if raw := resp.rest(t); !strings.Contains(raw, `"events":{}`) || !strings.Contains(raw, `"io.modelcontextprotocol/events":{}`) {
		t.Errorf("initialize: %s", raw)
	}
	ask := func(method, params string, status int, says string, header ...string) {
		t.Helper()
		resp := h.post(t.Context(), fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params), header...)
		if raw := resp.rest(t); resp.status != status || !strings.Contains(raw, says) {
			t.Errorf("%s: %d %s, want %d %s", method, resp.status, raw, status, says)
		}
	}
	ask("events/list", `{}`, 200, `"delivery":["poll"]`, session)
	ask("events/poll", `{"name":"message.received"}`, 200, `"evt_7"`, session)
	ask("events/stream", `{"name":"message.received"}`, 200, `-32014`, session)
	ask("events/poll", `{"name":"message.received"}`, 400, `Mcp-Session-Id`)
	ask("events/poll", `{"name":"message.received"}`, 404, `session`, "Mcp-Session-Id: nonsense")
	ask("events/poll", `{"name":"message.received"}`, 400, `version`, session, "Mcp-Protocol-Version: 1999-01-01")
}
