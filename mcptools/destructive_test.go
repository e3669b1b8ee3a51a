package mcptools

import (
	"context"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Dead letters are discarded, and an account is logged out, only once the user agreed, where the
// client can ask him; counting, and closing the link for a while, need nobody.
//
// Mutation of deadletters.go: dead letters are discarded although the user did not agree.
func TestDestructiveToolsAsk(t *testing.T) {
	f := newFake()
	var answer atomic.Value
	var asked atomic.Pointer[string]
	client := mcp.NewClient(&mcp.Implementation{Name: "asks", Version: "1"}, &mcp.ClientOptions{
		ElicitationHandler: func(_ context.Context, req *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			asked.Store(&req.Params.Message)
			return &mcp.ElicitResult{Action: answer.Load().(string), Content: map[string]any{}}, nil
		},
	})
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	go func() {
		_ = New(optionsFor(f)).ServeStdio(t.Context(), inR, outW)
		outW.Close()
	}()
	cs, err := client.Connect(t.Context(), &mcp.IOTransport{Reader: outR, Writer: inW}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer cs.Close()
	const purge, disconnect = "whatsapp_dead_letter_purge", "whatsapp_disconnect"
	told := int32(0) // how often the service was told that the user declined
	for _, c := range []struct {
		tool      string
		arguments map[string]any
		answer    string
		done      bool
		question  string
	}{
		{purge, map[string]any{"url": "https://a.example/hook?token=hunter2"}, "decline", false, "all dead letters of the webhook https://a.example/hook for good"},
		{purge, map[string]any{"ids": []string{"dl_wh_1_1", "dl_wh_1_2"}}, "cancel", false, "2 dead letters (dl_wh_1_1 dl_wh_1_2)"},
		{purge, map[string]any{"url": "wh_1", "dryRun": true}, "decline", true, ""},
		{purge, map[string]any{"url": "wh_1"}, "accept", true, "all dead letters of the webhook wh_1"},
		{disconnect, map[string]any{"logout": true}, "decline", false, "Log the account out"},
		{disconnect, map[string]any{"logout": true}, "accept", true, "Log the account out"},
		{disconnect, nil, "decline", true, ""},
	} {
		answer.Store(c.answer)
		asked.Store(new(string))
		res, err := cs.CallTool(t.Context(), &mcp.CallToolParams{Name: c.tool, Arguments: c.arguments})
		if err != nil {
			t.Fatal(err)
		}
		text := res.Content[0].(*mcp.TextContent).Text
		if did := len(f.recorded()) > 0; did != c.done || res.IsError == c.done {
			t.Errorf("%s %v, %s: done %v, %s", c.tool, c.arguments, c.answer, did, text)
		}
		if q := *asked.Load(); !strings.Contains(q, c.question) || strings.Contains(q+text, "hunter2") || (q == "") != (c.question == "") {
			t.Errorf("%v: asked %q, returned %q", c.arguments, q, text)
		}
		if !c.done {
			told++
		}
		if n := f.agreed.Swap(0); (n == 1) != (c.answer == "accept") {
			t.Errorf("%s %v: the service was told %d times that the user agreed", c.tool, c.arguments, n)
		}
		if n := f.declined.Load(); n != told {
			t.Errorf("%s %v: the service was told %d times that the user declined, want %d", c.tool, c.arguments, n, told)
		}
		if !c.done && (!strings.HasPrefix(text, "approval_declined: ") || !strings.Contains(text, "waoutbox --state-dir /s deadletter purge ") && !strings.Contains(text, "waoutbox --state-dir /s unpair")) {
			t.Errorf("%v: %s", c.arguments, text)
		}
	}
}
