package mcptools

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// greet opens a session in one protocol version.
func (s *session) greet(version string) {
	s.t.Helper()
	s.send(strings.Replace(initializeLine, "2025-11-25", version, 1))
	if r := s.response(`"init"`); r.Error != nil || !strings.Contains(r.raw, `"protocolVersion":"`+version+`"`) {
		s.t.Fatalf("initialize: %s", r.raw)
	}
}

// array returns the next line, which must be a batch: what each entry is a response to, in order.
func (s *session) array() (ids []string, raw string) {
	s.t.Helper()
	raw = s.line()
	var entries []struct {
		ID     json.RawMessage
		Result json.RawMessage
		Error  *struct{ Code int }
	}
	if err := json.Unmarshal([]byte(raw), &entries); err != nil {
		s.t.Fatalf("%v: %s", err, raw)
	}
	for _, e := range entries {
		id := string(e.ID)
		if e.Error != nil {
			id += fmt.Sprint(" ", e.Error.Code)
		}
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids, raw
}

// Where the version has batches, one array goes in and one comes out, with a response to each
// request in it.
//
// Mutation of mcptools/stdio/lines.go: the responses of a batch come one by one.
func TestBatches(t *testing.T) {
	for _, version := range []string{"2024-11-05", "2025-03-26"} {
		s := start(t, optionsFor(newFake()))
		s.greet(version)
		for batch, want := range map[string][]string{
			`[{"jsonrpc":"2.0","id":1,"method":"ping"},` + callLine(2, "whatsapp_webhook_list", `{}`) + `,{"jsonrpc":"2.0","method":"notifications/initialized"},{"jsonrpc":"2.0","id":"1","method":"tools/list"}]`: {`"1"`, "1", "2"},
			// the same id twice is two requests
			`[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":1,"method":"ping"}]`: {"1", "1"},
			// what is no request is refused beside the others
			`[7,{"jsonrpc":"2.0","id":3,"method":"ping"},{"jsonrpc":"1.0","id":4,"method":"ping"},{"jsonrpc":"2.0","id":5},{"jsonrpc":"2.0","id":{},"method":"ping"}]`: {"3", "4 -32600", "5 -32600", "null -32600", "null -32600"},
			`[` + initializeLine + `]`:                             {`"init" -32600`},
			`[{"jsonrpc":"2.0","id":6,"method":"no/such/method"}]`: {"6 -32601"},
			// a tool's error is a result
			`[ ` + callLine(7, "whatsapp_send_text", `{"jid":1}`) + `]`: {"7"},
		} {
			s.send(batch)
			if got, raw := s.array(); !slices.Equal(got, want) {
				t.Errorf("%s %s: responses to %q, want %q: %s", version, batch, got, want, raw)
			}
		}
		// nothing comes of what needs no response, and an empty one is no message
		s.send(`[{"jsonrpc":"2.0","method":"notifications/initialized"},{"jsonrpc":"2.0","id":9,"result":{}}]`)
		s.send(`[]`)
		if line := s.line(); !strings.Contains(line, "-32600") || !strings.Contains(line, `"id":null`) {
			t.Errorf("an empty batch: %s", line)
		}
		if r := s.call("whatsapp_webhook_list", `{}`); r.IsError {
			t.Error(r.text())
		}
	}
}

// A version without batches says so to each request in one, and the session lives on.
func TestBatchesAreRefused(t *testing.T) {
	for _, version := range []string{"2025-06-18", "2025-11-25"} {
		s := start(t, optionsFor(newFake()))
		s.greet(version)
		s.send(`[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"ping"}]`)
		for _, id := range []string{"1", "2"} {
			if r := s.response(id); r.Error == nil || r.Error.Code != -32600 || !strings.Contains(r.Error.Message, "this session speaks "+version+": send one message a line") {
				t.Errorf("%s: %s", version, r.raw)
			}
		}
		s.send(`[{"jsonrpc":"2.0","method":"notifications/initialized"}]`)
		if r := s.response("null"); r.Error == nil {
			t.Errorf("%s: %s", version, r.raw)
		}
		if r := s.call("whatsapp_webhook_list", `{}`); r.IsError {
			t.Error(r.text())
		}
	}
}

// The end of the input waits for a batch too.
func TestOneShotBatch(t *testing.T) {
	s := start(t, optionsFor(newFake()))
	s.greet("2025-03-26")
	var calls []string
	for id := range 100 {
		calls = append(calls, callLine(id, "whatsapp_webhook_list", `{}`))
	}
	s.send("[" + strings.Join(calls, ",") + "]")
	s.in.Close()
	if ids, _ := s.array(); len(ids) != 100 {
		t.Errorf("%d of 100 responses", len(ids))
	}
	if err := s.end(); err != nil {
		t.Error(err)
	}
}
