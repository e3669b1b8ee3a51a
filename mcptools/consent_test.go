package mcptools

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"waoutbox/outbox/api"
)

// hostPolicy is the service's part: what it does about a host that is not allowed.
func hostPolicy(f *fake) func(context.Context, api.PutWebhook) (api.PutWebhookResult, error) {
	return func(_ context.Context, in api.PutWebhook) (api.PutWebhookResult, error) {
		f.record("Put %s approval=%s", in.URL, in.Approval)
		switch in.Approval {
		case api.ApprovalAsk:
			return api.PutWebhookResult{}, api.Errorf(api.CodeApprovalRequired, "Send copies to evil.test from now on?")
		case api.ApprovalDeclined:
			return api.PutWebhookResult{}, api.Errorf(api.CodeApprovalDeclined, "Allow it with: waoutbox webhook allow evil.test")
		}
		res := api.PutWebhookResult{Result: api.PutCreated, Webhook: api.Webhook{ID: "wh_9", URL: in.URL, Events: []string{"*"}, Status: api.WebhookActive}}
		if in.Approval == api.ApprovalNone {
			res.Warnings = []string{"evil.test is not among the allowed hosts"}
		}
		return res, nil
	}
}

// The official client is asked, in either era and over either transport: once for each call, with
// the service's question and nothing of what the agent passed.
//
// Mutation of register.go: what was declined is done.
func TestConsent(t *testing.T) {
	for _, version := range []string{"2026-07-28", "2025-11-25"} {
		for transport, connect := range map[string]func(*testing.T, Options, *mcp.ClientOptions, string) *mcp.ClientSession{"stdio": overStdio, "http": overHTTP} {
			t.Run(transport+" "+version, func(t *testing.T) {
				consents(t, func(t *testing.T, o Options, c *mcp.ClientOptions) *mcp.ClientSession {
					cs := connect(t, o, c, version)
					if got := cs.InitializeResult().ProtocolVersion; got != version {
						t.Errorf("negotiated %s, want %s", got, version)
					}
					return cs
				})
			})
		}
	}
}

func consents(t *testing.T, connect func(*testing.T, Options, *mcp.ClientOptions) *mcp.ClientSession) {
	t.Helper()
	const url = "https://evil.test/hook?token=hidden"
	for name, c := range map[string]struct {
		answer    func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error)
		approvals []string
		code      string // of the failure
		says      string
	}{
		"accept":  {answers("accept"), []string{"ask", "given"}, "", "Added wh_9"},
		"decline": {answers("decline"), []string{"ask", "declined"}, "approval_declined", "webhook allow evil.test"},
		"cancel":  {answers("cancel"), []string{"ask", "declined"}, "approval_declined", "webhook allow evil.test"},
		"cannot":  {nil, []string{""}, "", "not among the allowed hosts"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.onPut = hostPolicy(f)
			var asked []string
			o := mcp.ClientOptions{}
			if c.answer != nil {
				o.ElicitationHandler = func(ctx context.Context, r *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
					asked = append(asked, fmt.Sprintf("%s %v", r.Params.Message, r.Params.RequestedSchema))
					return c.answer(ctx, r)
				}
			}
			cs := connect(t, optionsFor(f), &o)
			res, err := cs.CallTool(t.Context(), &mcp.CallToolParams{Name: "whatsapp_webhook_register", Arguments: map[string]any{"url": url, "secret": secretText}})
			if err != nil {
				t.Fatal(err)
			}
			text := res.Content[0].(*mcp.TextContent).Text
			if res.IsError != (c.code != "") || !strings.HasPrefix(text, c.code) || !strings.Contains(text, c.says) {
				t.Errorf("the agent is told: %s", text)
			}
			var want []string
			for _, a := range c.approvals {
				want = append(want, "Put "+url+" approval="+a)
			}
			if got := puts(f); !slices.Equal(got, want) {
				t.Errorf("the service was asked for %q, want %q", got, want)
			}
			if c.answer == nil {
				return
			}
			if len(asked) != 1 || !strings.Contains(asked[0], "Send copies to evil.test") || strings.Contains(asked[0], "hidden") || showsSecret(asked[0]) {
				t.Errorf("the user was asked %q", asked)
			}
		})
	}
}

// puts are the registrations that hostPolicy was asked for.
func puts(f *fake) []string {
	return slices.DeleteFunc(f.recorded(), func(s string) bool { return !strings.HasPrefix(s, "Put ") })
}

func answers(action string) func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
	return func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
		return &mcp.ElicitResult{Action: action}, nil
	}
}

// overHTTP is overStdio by HTTP.
func overHTTP(t *testing.T, o Options, c *mcp.ClientOptions, version string) *mcp.ClientSession {
	t.Helper()
	handler := New(o).HTTP()
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	t.Cleanup(handler.Close)
	transport := &mcp.StreamableClientTransport{Endpoint: srv.URL, HTTPClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	cs, err := mcp.NewClient(&mcp.Implementation{Name: "official", Version: "1"}, c).Connect(t.Context(), transport, &mcp.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cs.Close() })
	return cs
}

// overStdio connects the official SDK's client, which wants a protocol version, to a server with o;
// both end with the test.
func overStdio(t *testing.T, o Options, c *mcp.ClientOptions, version string) *mcp.ClientSession {
	t.Helper()
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	var served sync.WaitGroup
	served.Go(func() {
		if err := New(o).ServeStdio(context.WithoutCancel(t.Context()), inR, outW); err != nil && !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("ServeStdio: %v", err)
		}
		outW.Close()
	})
	cs, err := mcp.NewClient(&mcp.Implementation{Name: "official", Version: "1"}, c).Connect(t.Context(), &mcp.IOTransport{Reader: outR, Writer: inW}, &mcp.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cs.Close()
		inW.Close()
		outR.Close()
		served.Wait()
	})
	return cs
}

// A client of the older era is asked within the call, if it said in its handshake that it can be:
// what it answers decides, and an error is a no.
func TestConsentInTheOlderEra(t *testing.T) {
	const args = `{"url":"https://evil.test/hook"}`
	capable := strings.Replace(initializeLine, `"capabilities":{}`, `"capabilities":{"elicitation":{}}`, 1)
	for name, c := range map[string]struct {
		answer, code string
	}{
		"accept":  {`"result":{"action":"accept","content":{}}`, ""},
		"decline": {`"result":{"action":"decline"}`, "approval_declined"},
		"cancel":  {`"result":{"action":"cancel"}`, "approval_declined"},
		"error":   {`"error":{"code":-32601,"message":"Method not found"}`, "approval_declined"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.onPut = hostPolicy(f)
			s := start(t, optionsFor(f))
			s.send(capable)
			s.response(`"init"`)
			s.send(callLine(7, "whatsapp_webhook_register", args))
			ask := s.line()
			if !strings.Contains(ask, `"method":"elicitation/create"`) || !strings.Contains(ask, "Send copies to evil.test") || !strings.Contains(ask, `"requestedSchema":{"type":"object","properties":{}}`) {
				t.Fatalf("the client is sent %s", ask)
			}
			_, id, _ := strings.Cut(ask, `"id":`)
			id, _, _ = strings.Cut(id, ",")
			s.send(`{"jsonrpc":"2.0","id":` + id + `,` + c.answer + `}`)
			r := s.response("7")
			if c.code == "" && (r.Result == nil || r.Result.IsError) {
				t.Errorf("it was not registered: %s", r.raw)
			}
			if c.code != "" {
				wantError(t, *r.Result, c.code, false, "waoutbox webhook allow evil.test")
			}
		})
	}
	f := newFake()
	f.onPut = hostPolicy(f)
	s := start(t, optionsFor(f))
	s.initialize()
	if r := s.call("whatsapp_webhook_register", args); r.IsError || !strings.Contains(r.text(), "Warning: evil.test is not among the allowed hosts") {
		t.Errorf("a client that cannot ask is told %s", r.text())
	}
	if got := puts(f); !slices.Equal(got, []string{"Put https://evil.test/hook approval="}) {
		t.Errorf("the service was asked for %q", got)
	}
}

// An agent that calls a tool in a loop is stopped, and other tools still work.
//
// Mutation of call.go: an agent calls a tool as often as it likes.
func TestLoopingAgentIsStopped(t *testing.T) {
	f := newFake()
	s := start(t, optionsFor(f))
	s.initialize()
	for _, loop := range []struct {
		tool, arguments string
		perMinute       int
	}{
		{"whatsapp_webhook_unregister", `{"url":"wh_1"}`, webhooksPerMinute},
		{"whatsapp_webhook_test", `{"url":"wh_1"}`, testsPerMinute},
		{"whatsapp_connect", `{}`, linksPerMinute},
		{"whatsapp_get_qr_code", `{}`, linksPerMinute},
		{"whatsapp_send_reaction", `{"jid":"1","messageId":"2"}`, changesPerMinute},
	} {
		limited := 0
		for range loop.perMinute + 200 {
			if r := s.call(loop.tool, loop.arguments); r.IsError && strings.Contains(r.text(), "rate_limited") {
				wantError(t, r, "rate_limited", true, loop.tool, fmt.Sprintf("%d times a minute", loop.perMinute))
				limited++
			}
		}
		if limited == 0 || limited > 200 {
			t.Errorf("%s: %d of %d calls were refused", loop.tool, limited, loop.perMinute+200)
		}
	}
	if r := s.call("whatsapp_webhook_list", `{}`); r.IsError {
		t.Error(r.text())
	}
}
