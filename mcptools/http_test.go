package mcptools

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// TestOfficialClientsOverHTTP: several clients at once, each with its own name, over the endpoint
// that the service mounts. The Go SDK speaks 2026-07-28; what an older client says of itself in its
// handshake holds for its later calls.
func TestOfficialClientsOverHTTP(t *testing.T) {
	t.Parallel()
	f := newFake()
	o := optionsFor(f)
	o.DownloadDir = t.TempDir()
	o.MediaPath = func(event string) string { return "/v1/events/" + event + "/media" }
	type nameKey struct{}
	var mu sync.Mutex
	names := map[string]int{}
	o.Context = func(ctx context.Context, c ClientInfo) context.Context {
		return context.WithValue(ctx, nameKey{}, c.Name+" "+c.Version)
	}
	o.Backend = func(ctx context.Context, _ ClientInfo) (Backend, error) {
		mu.Lock()
		defer mu.Unlock()
		names[ctx.Value(nameKey{}).(string)]++
		return f, nil
	}
	s := New(o)
	endpoint := s.HTTP()
	srv := httptest.NewServer(endpoint)
	defer func() { endpoint.Close(); srv.Close(); s.Wait() }()

	var wg sync.WaitGroup
	for _, name := range []string{"a", "b", "c"} {
		wg.Go(func() {
			c := mcp.NewClient(&mcp.Implementation{Name: name, Version: "1"}, nil)
			cs, err := c.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: srv.URL, HTTPClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}, nil)
			if err != nil {
				t.Error(err)
				return
			}
			if v := cs.InitializeResult().ProtocolVersion; v != "2026-07-28" {
				t.Errorf("negotiated %s", v)
			}
			for range 3 {
				res, err := cs.CallTool(t.Context(), &mcp.CallToolParams{Name: "whatsapp_webhook_list"})
				if err != nil || res.IsError {
					t.Errorf("%s: %v %+v", name, err, res)
				}
			}
			res, err := cs.CallTool(t.Context(), &mcp.CallToolParams{Name: "whatsapp_download_media", Arguments: map[string]any{"eventId": "evt_ca2a"}})
			if err != nil || res.IsError {
				t.Errorf("%s: %v %+v", name, err, res)
			} else if out, ok := res.StructuredContent.(map[string]any); !ok || out["url"] != srv.URL+"/v1/events/evt_ca2a/media" || out["path"] == "" {
				t.Errorf("a download over HTTP: %v", res.StructuredContent)
			}
			if err := cs.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	post := func(session, body string) http.Header {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		if session != "" {
			req.Header.Set("Mcp-Session-Id", session)
		}
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil || resp.StatusCode/100 != 2 {
			t.Errorf("%s: %d, %v", body, resp.StatusCode, err)
		}
		return resp.Header
	}
	session := post("", `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"older","version":"7"}}}`).Get("Mcp-Session-Id")
	post(session, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	post(session, `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"whatsapp_webhook_list"}}`)
	want := map[string]int{"a 1": 4, "b 1": 4, "c 1": 4, "older 7": 1}
	for name, n := range want {
		if names[name] != n {
			t.Errorf("calls by name %v, want %v", names, want)
		}
	}
}
