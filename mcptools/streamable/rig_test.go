package streamable

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// rig is an endpoint with one tool, "slow", whose calls wait until they are released or end.
type rig struct {
	t       *testing.T
	h       *Handler
	url     string
	begun   chan string   // the argument who of a call that has begun
	ended   chan string   // and of one whose context ended
	release chan struct{} // lets one call return
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, begun: make(chan string, 64), ended: make(chan string, 64), release: make(chan struct{}, 64)}
	s := server.NewMCPServer("test", "1", server.WithToolCapabilities(false))
	s.AddTool(mcp.NewTool("slow", mcp.WithString("who")), func(ctx context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		who := req.GetString("who", "")
		r.begun <- who
		select {
		case <-ctx.Done():
			r.ended <- who
			return mcp.NewToolResultError("ended"), nil
		case <-r.release:
			return mcp.NewToolResultText("released " + who), nil
		}
	})
	s.AddTool(mcp.NewTool("large"), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultText(strings.Repeat("x", 32<<20)), nil
	})
	s.AddTool(mcp.NewTool("bug"), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) { panic("bug") })
	r.h = New(s, nil, slog.New(slog.DiscardHandler))
	srv := httptest.NewServer(r.h)
	r.url = srv.URL
	t.Cleanup(func() { r.h.Close(); srv.Close() })
	return r
}

// request makes the request of a message. A session of "modern" is one of the era without sessions.
func (r *rig) request(ctx context.Context, method, session, body string) *http.Request {
	r.t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, r.url, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	switch session {
	case "":
	case modernEra:
		req.Header.Set("Mcp-Protocol-Version", "2026-07-28")
		for _, name := range []string{"tools/call", "tools/list", "subscriptions/listen", "notifications/cancelled"} {
			if strings.Contains(body, `"`+name+`"`) {
				req.Header.Set("Mcp-Method", name)
			}
		}
		if strings.Contains(body, `"slow"`) {
			req.Header.Set("Mcp-Name", "slow")
		}
	default:
		req.Header.Set("Mcp-Session-Id", session)
	}
	return req
}

const modernEra = "modern"

// await returns what comes, and fails the test when nothing does.
func await[T any](t *testing.T, from <-chan T) (got T) {
	t.Helper()
	select {
	case got = <-from:
	case <-time.After(3 * time.Minute): // a busy machine, under the race detector
		t.Fatal("nothing came for 3 minutes")
	}
	return got
}

// send sends a message and returns the status and the body of what comes back.
func (r *rig) send(method, session, body string) (int, string) {
	r.t.Helper()
	return r.read(r.request(r.t.Context(), method, session, body))
}

// read sends a request and returns the status and the body of what comes back.
func (r *rig) read(req *http.Request) (int, string) {
	r.t.Helper()
	resp := r.do(req)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Error(err)
	}
	return resp.StatusCode, string(raw)
}

// do sends a request on a connection of its own.
func (r *rig) do(req *http.Request) *http.Response {
	r.t.Helper()
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp
}

// begin returns a new session of an older version.
func (r *rig) begin() string {
	r.t.Helper()
	resp := r.do(r.request(r.t.Context(), "POST", "", `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`))
	defer resp.Body.Close()
	id := resp.Header.Get("Mcp-Session-Id")
	if resp.StatusCode != 200 || id == "" {
		r.t.Fatalf("initialize: %d, session %q", resp.StatusCode, id)
	}
	return id
}

// slow is the message of a call of slow.
func slow(session string, id int, who string) string {
	meta := ""
	if session == modernEra {
		meta = `,` + modernMeta
	}
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"slow","arguments":{"who":%q}%s}}`, id, who, meta)
}

// cancelled is the message that a call is to end.
func cancelled(session string, id int) string {
	meta := ""
	if session == modernEra {
		meta = `,` + modernMeta
	}
	return fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%d%s}}`, id, meta)
}

const modernMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"}}`
