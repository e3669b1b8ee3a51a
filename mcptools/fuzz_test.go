package mcptools

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"waoutbox/outbox/api"
)

// conversations are messages of clients of each protocol era.
func conversations() []string {
	const begin = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"VERSION","capabilities":{"elicitation":{}},"clientInfo":{"name":"t","version":"1"}}}` + "\n"
	const call = `{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"whatsapp_webhook_register","arguments":{"url":"https://a.example/x","events":["message.received"]}}}` + "\n"
	poll := `{"jsonrpc":"2.0","id":2,"method":"events/poll","params":{"name":"message.received","cursor":null,"arguments":{"chats":["1@g.us"]},"maxEvents":3,` + modernMeta + `}}` + "\n"
	return []string{
		strings.Replace(begin, "VERSION", "2025-11-25", 1) + `{"jsonrpc":"2.0","method":"notifications/initialized"}` + "\n" + call,
		strings.Replace(begin, "VERSION", "2025-03-26", 1) + "[" + strings.TrimSpace(call) + "," + strings.TrimSpace(poll) + `,7,{"jsonrpc":"2.0","id":{},"method":"ping"}]` + "\n",
		poll + `{"jsonrpc":"2.0","id":3,"method":"events/stream","params":{"name":"message.received",` + modernMeta + `}}` + "\n" + `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":3}}` + "\n",
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"whatsapp_dead_letter_purge","arguments":{"all":true},` + modernMeta + `}}` + "\n",
		`{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{` + modernMeta + "}}\n\n[]\nnull\n\"x\"\n{",
		`{"jsonrpc":"2.0","id":null,"method":"tools/list"}` + "\n" + `{"id":1.5e3,"method":"ping"}` + "\n" + `{"jsonrpc":"2.0","id":1,"result":{}}` + "\n\xff\xfe",
		`{"jsonrpc":"2.0","id":5,"method":"events/subscribe","params":{"name":"x","delivery":{"url":"http://169.254.169.254/"},` + modernMeta + `}}`,
	}
}

// eventually is how long a session may go on after its input has ended, and a margin.
const eventually = time.Minute

// FuzzSession: whatever a client writes line by line, each message that goes back is one of
// JSON-RPC, no result has a secret, and the session ends soon after its input.
func FuzzSession(f *testing.F) {
	for _, text := range conversations() {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			var out bytes.Buffer
			if err := New(eventOptions(newFake())).ServeStdio(t.Context(), bytes.NewReader(in), &out); err != nil {
				t.Errorf("%q: %v", in, err)
			}
			if took := time.Since(began); took > eventually {
				t.Errorf("%q took %v", in, took)
			}
			for line := range bytes.Lines(out.Bytes()) {
				checkMessage(t, in, line)
			}
		})
	})
}

// checkMessage wants a message of JSON-RPC, or an array of them.
func checkMessage(t *testing.T, in, line []byte) {
	t.Helper()
	var m struct {
		JSONRPC string
	}
	if bytes.HasPrefix(line, []byte("[")) {
		if !json.Valid(line) {
			t.Errorf("%q gets %q", in, line)
		}
	} else if json.Unmarshal(line, &m) != nil || m.JSONRPC != "2.0" {
		t.Errorf("%q gets %q", in, line)
	}
	if showsSecret(string(line)) {
		t.Errorf("%q has a secret", line)
	}
}

// FuzzHTTP: whatever is posted to the endpoint, with whatever headers of the protocol, it is
// whose response has a status and JSON, or a stream that ends with its client.
func FuzzHTTP(f *testing.F) {
	for _, text := range conversations() {
		f.Add([]byte(text), "2026-07-28", "tools/call", "", uint8(0))
	}
	f.Add([]byte("[{}]"), "2025-03-26", "", "x", uint8(1))
	f.Add([]byte(""), "", "", "", uint8(2))
	f.Fuzz(func(t *testing.T, body []byte, version, method, session string, verb uint8) {
		synctest.Test(t, func(t *testing.T) {
			s := New(eventOptions(newFake()))
			endpoint := s.HTTP()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			verbs := []string{http.MethodPost, http.MethodDelete, http.MethodGet, http.MethodPut}
			r := httptest.NewRequestWithContext(ctx, verbs[int(verb)%len(verbs)], "http://127.0.0.1/mcp", bytes.NewReader(body))
			r.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}, "Mcp-Protocol-Version": {version}, "Mcp-Method": {method}, "Mcp-Session-Id": {session}}
			w := httptest.NewRecorder()
			began := time.Now()
			endpoint.ServeHTTP(w, r)
			if took := time.Since(began); took > eventually {
				t.Errorf("%q took %v", body, took)
			}
			endpoint.Close()
			s.Wait()
			got := w.Body.Bytes()
			if w.Code < 200 || w.Code == http.StatusInternalServerError || showsSecret(string(got)) {
				t.Errorf("%q: %d %q", body, w.Code, got)
			}
			if strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") && len(bytes.TrimSpace(got)) > 0 && !json.Valid(got) {
				t.Errorf("%q: %d %q", body, w.Code, got)
			}
		})
	})
}

// FuzzCall: whatever a model passes to a tool, the result is one of the tool's, or a sentence under
// a code that is not ours to mend.
func FuzzCall(f *testing.F) {
	s := New(optionsFor(newFake()))
	tools := s.tools()
	for i, tool := range tools {
		f.Add(uint8(i), []byte(`{}`))
		f.Add(uint8(i), []byte(`{"url":"https://a.example/","to":"15550100123","text":"x","id":"evt_7","ids":["dl_wh_1_7"],"`+tool.name+`":1}`))
	}
	f.Fuzz(func(t *testing.T, which uint8, arguments []byte) {
		tool := tools[int(which)%len(tools)]
		result, code := s.invoke(t.Context(), tool, ClientInfo{}, mcp.CallToolParams{Name: tool.name, RawArguments: arguments})
		text := ""
		for _, c := range result.Content {
			if c, ok := c.(mcp.TextContent); ok {
				text += c.Text
			}
		}
		if code == api.CodeInternal || (code != "") != result.IsError || code != "" && !strings.HasPrefix(text, string(code)+": ") || showsSecret(text) {
			t.Errorf("%s %s: %s %s", tool.name, arguments, code, text)
		}
	})
}
