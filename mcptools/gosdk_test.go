package mcptools

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// TestOfficialClient drives every tool with the client of the official Go SDK, which nobody here
// wrote: it speaks 2026-07-28 and checks structured results against the output schemas itself.
func TestOfficialClient(t *testing.T) {
	f := newFake()
	var mu sync.Mutex
	var agent ClientInfo
	o := optionsFor(f)
	o.DownloadDir = t.TempDir()
	o.Backend = func(_ context.Context, c ClientInfo) (Backend, error) {
		mu.Lock()
		defer mu.Unlock()
		agent = c
		return f, nil
	}
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	served := make(chan error, 1)
	go func() {
		served <- New(o).ServeStdio(t.Context(), inR, outW)
		outW.Close()
	}()
	client := mcp.NewClient(&mcp.Implementation{Name: "modern\x1b[31m-client", Version: strings.Repeat("9", 100)}, nil)
	cs, err := client.Connect(t.Context(), &mcp.IOTransport{Reader: outR, Writer: inW}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if v := cs.InitializeResult().ProtocolVersion; v != "2026-07-28" {
		t.Errorf("negotiated %s", v)
	}
	if cs.InitializeResult().Instructions != instructions {
		t.Errorf("instructions %q", cs.InitializeResult().Instructions)
	}
	list, err := cs.ListTools(t.Context(), nil)
	if err != nil || len(list.Tools) != toolsListed {
		t.Fatalf("list: %v %+v", err, list)
	}
	check := compileOutputs(t)
	for tool, args := range map[string]map[string]any{
		"whatsapp_webhook_register":   {"url": "https://a.example/hook", "events": []string{"message.received"}, "secret": secretText},
		"whatsapp_webhook_unregister": {"url": "wh_1"},
		"whatsapp_webhook_list":       nil,
		"whatsapp_webhook_test":       {"url": "wh_1"},
		"whatsapp_connection_status":  {},
		"whatsapp_get_qr_code":        nil,

		"whatsapp_request_pairing_code": {"phoneNumber": "+49 151 5550100"},
		"whatsapp_connect":              nil,
		"whatsapp_disconnect":           {"logout": true},
		"whatsapp_webhook_pause":        {"url": "wh_1"},
		"whatsapp_webhook_resume":       {"url": "wh_1", "skipToNow": true},
		"whatsapp_event_list":           {"event": "message.received", "limit": 5, "includeBody": true},
		"whatsapp_event_show":           {"id": "evt_7", "includeBody": true},
		"whatsapp_wait_for_events":      {"cursor": "c7", "waitSeconds": 1},
		"whatsapp_dead_letter_purge":    {"ids": []string{"dl_wh_1_1"}},
		"whatsapp_group_list":           {"jid": "1@g.us"},
		"whatsapp_send_location":        {"jid": "49151", "latitude": 52.5, "longitude": 13.4, "name": "Berlin"},
		"whatsapp_send_contact":         {"jid": "49151", "name": "Bob", "phones": []string{"+15550100123"}},
		"whatsapp_edit_message":         {"jid": "49151", "messageId": "3EB0", "text": "new"},
		"whatsapp_delete_message":       {"jid": "49151", "messageId": "3EB0"},
		"whatsapp_send_text":            {"jid": "49151", "text": "hello <b>&</b>"},
		"whatsapp_send_reaction":        {"jid": "49151", "messageId": "3A", "emoji": "👍"},
		"whatsapp_find_recipient":       {"query": "bob"},
		"whatsapp_read_messages":        {"messageKeys": []map[string]any{{"remoteJid": "49151@s.whatsapp.net", "id": "3A"}}},
		"whatsapp_subscribe_presence":   {"jid": "49151"},
		"whatsapp_dead_letter_list":     {"limit": 5, "includeBody": true},
		"whatsapp_dead_letter_replay":   {"ids": []string{"dl_wh_1_1"}},
		"whatsapp_send_media":           {"jid": "49151", "url": "https://a.example/x.pdf", "mediaType": "document"},
		"whatsapp_download_media":       {"messageId": "3A"},
	} {
		res, err := cs.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: args})
		if err != nil {
			t.Errorf("%s: %v", tool, err)
			continue
		}
		if res.IsError {
			t.Errorf("%s: %s", tool, res.Content[0].(*mcp.TextContent).Text)
			continue
		}
		structured, err := json.Marshal(res.StructuredContent)
		if err != nil {
			t.Fatal(err)
		}
		check.check(t, tool, structured)
	}
	res, err := cs.CallTool(t.Context(), &mcp.CallToolParams{Name: "whatsapp_send_text", Arguments: map[string]any{"jid": "1"}})
	if err != nil || !res.IsError {
		t.Errorf("a call without text: %v %+v", err, res)
	} else if meta, _ := res.Meta[errorMetaKey].(map[string]any); meta["code"] != "invalid_arguments" || meta["retryable"] != false {
		t.Errorf("_meta of an error: %v", res.Meta)
	}
	mu.Lock()
	if want := (ClientInfo{"modern[31m-client", strings.Repeat("9", 64)}); agent != want {
		t.Errorf("client %+v, want %+v", agent, want)
	}
	mu.Unlock()
	if err := cs.Close(); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}
