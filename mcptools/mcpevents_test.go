package mcptools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"waoutbox/mcptools/mcpevents"
	"waoutbox/outbox/api"
)

// eventBackend is a service of which only the events are used. Its streams give what comes through
// pages.
type eventBackend struct {
	*fake
	pages  chan api.OccurrencePage
	opened chan api.OccurrenceQuery
	ended  chan error // how a stream's context ended
	err    error      // of every call

	mu    sync.Mutex
	polls []api.OccurrenceQuery
	block bool // polls wait for their context
}

// errBug has the backend panic.
var errBug = errors.New("bug")

func newEventBackend() *eventBackend {
	return &eventBackend{fake: newFake(), pages: make(chan api.OccurrencePage), opened: make(chan api.OccurrenceQuery, 64), ended: make(chan error, 64)}
}

func occurrencePage(cursor string, truncated bool, seqs ...int) api.OccurrencePage {
	p := api.OccurrencePage{Cursor: cursor, Truncated: truncated}
	for _, n := range seqs {
		p.Items = append(p.Items, api.Occurrence{ID: fmt.Sprintf("evt_%d", n), Event: "message.received", Time: time.UnixMilli(1_700_000_000_123).UTC(),
			Cursor: fmt.Sprintf("c%d", n+1), Data: fmt.Appendf(nil, `{"sequence":%d}`, n)})
	}
	return p
}

func (b *eventBackend) Occurrences(ctx context.Context, q api.OccurrenceQuery) (api.OccurrencePage, error) {
	b.mu.Lock()
	b.polls = append(b.polls, q)
	block := b.block
	b.mu.Unlock()
	if block {
		b.opened <- q
		<-ctx.Done()
		b.ended <- ctx.Err()
		return api.OccurrencePage{}, ctx.Err()
	}
	if errors.Is(b.err, errBug) {
		panic("secret /path")
	}
	page := occurrencePage("c9", false, 7, 8)
	page.More = true
	return page, b.err
}

func (b *eventBackend) StreamOccurrences(ctx context.Context, q api.OccurrenceQuery, each func(api.OccurrencePage) error) error {
	if errors.Is(b.err, errBug) {
		panic("secret /path")
	}
	if b.err != nil {
		return b.err
	}
	b.opened <- q
	if err := each(api.OccurrencePage{Cursor: "c7"}); err != nil {
		return err
	}
	for {
		select {
		case page, ok := <-b.pages:
			if !ok {
				return api.Retryf(api.CodeServiceUnavail, "it is gone")
			}
			if err := each(page); err != nil {
				b.ended <- err
				return err
			}
		case <-ctx.Done():
			b.ended <- ctx.Err()
			return ctx.Err()
		}
	}
}

func eventOptions(b Backend) Options {
	o := optionsFor(b)
	messages := json.RawMessage(`{"type":"object","properties":{"chats":{"type":"array"},"notChats":{"type":"array"},"kinds":{"type":"array"}},"additionalProperties":false}`)
	o.EventTypes = []mcpevents.Type{
		{Name: "message.received", Description: "A message", Input: messages, Payload: json.RawMessage(`{"type":"object"}`), Webhook: true},
		{Name: "connection.update", Description: "The link", Input: json.RawMessage(`{"type":"object","properties":{},"additionalProperties":false}`), Payload: json.RawMessage(`{"type":"object"}`)},
	}
	return o
}

// wire is one message that came.
type wire struct {
	ID     json.RawMessage
	Method string
	Params struct {
		Meta struct {
			ID json.RawMessage `json:"io.modelcontextprotocol/subscriptionId"`
		} `json:"_meta"`
		EventID, Name, Timestamp, Cursor string
		Truncated                        *bool
		Data                             json.RawMessage
		Error                            *struct{ Code int }
	}
	Result json.RawMessage
	Error  *struct {
		Code    int
		Message string
		Data    json.RawMessage
	}
	raw string
}

func (s *session) wire() wire {
	s.t.Helper()
	return readWire(s.t, s.line())
}

func readWire(t *testing.T, line string) wire {
	t.Helper()
	var w wire
	if err := json.Unmarshal([]byte(line), &w); err != nil {
		t.Fatalf("%v: %q", err, line)
	}
	w.raw = strings.TrimSpace(line)
	return w
}

// is checks a notification of a stream.
func (w wire) is(t *testing.T, id, method string) wire {
	t.Helper()
	if w.Method != "notifications/events/"+method || string(w.Params.Meta.ID) != id {
		t.Fatalf("%s is no %s of %s", w.raw, method, id)
	}
	return w
}

// Both places in which clients look for the extension, in both eras; a server without types has it
// in neither.
func TestEventsAreAdvertised(t *testing.T) {
	t.Parallel()
	modern := `{"jsonrpc":"2.0","id":2,"method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"}}}}`
	for _, offered := range []bool{true, false} {
		o := optionsFor(newFake())
		if offered {
			o = eventOptions(newEventBackend())
		}
		s := start(t, o)
		s.send(initializeLine)
		s.send(modern)
		for _, id := range []string{`"init"`, "2"} {
			var got struct {
				Result struct {
					ServerInfo   struct{ Name string }
					Capabilities struct {
						Events     json.RawMessage
						Tools      json.RawMessage
						Extensions map[string]json.RawMessage
					}
				}
			}
			raw := s.response(id).raw
			if err := json.Unmarshal([]byte(raw), &got); err != nil {
				t.Fatal(err)
			}
			c := got.Result.Capabilities
			if has := string(c.Events) == "{}" && string(c.Extensions["io.modelcontextprotocol/events"]) == "{}"; has != offered || c.Tools == nil || !strings.HasSuffix(raw, "}\n") {
				t.Errorf("offered %v: %s", offered, raw)
			}
		}
		s.send(`{"jsonrpc":"2.0","id":3,"method":"events/list"}`)
		if r := s.response("3"); (r.Error == nil) != offered {
			t.Errorf("offered %v: %s", offered, r.raw)
		}
	}
}

// The whole of list and poll over stdio: the service is not started to list.
func TestEventListAndPoll(t *testing.T) {
	t.Parallel()
	b := newEventBackend()
	o := eventOptions(b)
	var asked []ClientInfo
	o.Backend = func(_ context.Context, c ClientInfo) (Backend, error) { asked = append(asked, c); return b, nil }
	s := start(t, o)
	s.initialize()
	s.send(`{"jsonrpc":"2.0","id":1,"method":"events/list","params":{}}`)
	if r := s.response("1").raw; !strings.Contains(r, `"resultType":"complete"`) || strings.Count(r, `"delivery":["poll","push"]`) != 2 || strings.Contains(r, `"_meta"`) || len(asked) != 0 {
		t.Errorf("list: %s, and %d times the service", r, len(asked))
	}
	s.send(`{"jsonrpc":"2.0","id":"x","method":"events/poll","params":{"name":"message.received","arguments":{"chats":["1@lid"],"kinds":["group"]},"cursor":"c7","maxEvents":500,"maxAgeMs":60000}}`)
	const want = `{"id":"x","jsonrpc":"2.0","result":{"resultType":"complete","events":[` +
		`{"eventId":"evt_7","name":"message.received","timestamp":"2023-11-14T22:13:20.123Z","data":{"sequence":7}},` +
		`{"eventId":"evt_8","name":"message.received","timestamp":"2023-11-14T22:13:20.123Z","data":{"sequence":8}}],` +
		`"cursor":"c9","truncated":false,"hasMore":true,"nextPollMs":2000}}` + "\n"
	if r := s.response(`"x"`).raw; r != want {
		t.Errorf("poll: %s", r)
	}
	s.send(`{"jsonrpc":"2.0","id":2,"method":"events/poll","params":{"name":"connection.update","arguments":{},"cursor":null}}`)
	s.response("2")
	s.send(`{"jsonrpc":"2.0","id":3,"method":"events/poll","params":{"name":"connection.update","cursor":""}}`)
	s.response("3")
	wantPolls := `[{Events:[message.received] Chats:[1@lid] NotChats:[] Kinds:[group] Cursor:c7 MaxAgeMillis:60000 Limit:100 WaitSeconds:0} ` +
		`{Events:[connection.update] Chats:[] NotChats:[] Kinds:[] Cursor: MaxAgeMillis:0 Limit:100 WaitSeconds:0} ` +
		`{Events:[connection.update] Chats:[] NotChats:[] Kinds:[] Cursor:? MaxAgeMillis:0 Limit:100 WaitSeconds:0}]`
	if got := fmt.Sprintf("%+v", b.polls); got != wantPolls {
		t.Errorf("asked for %s", got)
	}
	if want := (ClientInfo{"legacy-client", "9.1"}); asked[0] != want {
		t.Errorf("the client is %+v", asked[0])
	}
}

// Whatever is wrong has the number that deployed clients know, and says what to do.
//
// Mutation of mcptools/mcpevents/extension.go: a panic in what a client asks of the events ends the
// process.
func TestEventErrors(t *testing.T) {
	t.Parallel()
	b := newEventBackend()
	s := start(t, eventOptions(b))
	s.initialize()
	for i, c := range []struct {
		method, params string
		code           int
		says           string
	}{
		{"events/poll", `{}`, -32602, "name is missing"},
		{"events/poll", `[]`, -32602, "no JSON object"},
		{"events/poll", `{"name":7}`, -32602, "name cannot be a number"},
		{"events/poll", `{"name":"message.recieved"}`, -32011, `There are: message.received, connection.update`},
		{"events/poll", `{"name":"message.received","arguments":{"from":["1"]}}`, -32602, "it takes chats, kinds, notChats"},
		{"events/poll", `{"name":"connection.update","arguments":{"chats":["1"]}}`, -32602, "it takes none"},
		{"events/poll", `{"name":"message.received","arguments":{"chats":"1"}}`, -32602, "chats is no list of strings"},
		{"events/poll", `{"name":"message.received","arguments":{"chats":[null]}}`, -32602, "chats is no list of strings"},
		{"events/poll", `{"name":"message.received","arguments":[]}`, -32602, "arguments is no object"},
		{"events/poll", `{"name":"message.received","maxEvents":0}`, -32602, "maxEvents"},
		{"events/poll", `{"name":"message.received","maxAgeMs":-1}`, -32602, "maxAgeMs"},
		{"events/poll", `{"name":"message.received","_meta":{"io.modelcontextprotocol/protocolVersion":"2099-01-01"}}`, -32022, "not supported"},
		{"events/list", `{"cursor":"2"}`, -32602, "one page"},
		{"events/nonsense", `{}`, -32601, "no method"},
		{"events/stream", `{"name":"nonsense"}`, -32011, "no event type"},
	} {
		s.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`, i, c.method, c.params))
		r := s.response(fmt.Sprint(i))
		if r.Error == nil || r.Error.Code != c.code || !strings.Contains(r.Error.Message, c.says) {
			t.Errorf("%s %s: %s", c.method, c.params, r.raw)
		}
	}
	if asked := b.recorded(); len(asked) != 0 {
		t.Errorf("the service was told %q", asked)
	}
	for i, c := range []struct {
		err  error
		code int
		says string
	}{
		{api.Errorf(api.CodeInvalidArguments, "that chat is none").In("chats"), -32602, `"field":"chats"`},
		{api.Retryf(api.CodeTooManyStreams, "too many"), -32013, `"limit":"streams"`},
		{api.Retryf(api.CodeServiceUnavail, "start it"), -32603, `"retryable":true`},
		{errors.New("secret /path"), -32603, "err_"},
		{errBug, -32603, "its log has more"},
	} {
		b.err = c.err
		for _, method := range []string{"events/poll", "events/stream"} {
			id := fmt.Sprintf("%d%s", i, method[7:])
			s.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%q,"method":%q,"params":{"name":"message.received"}}`, id, method))
			r := s.response(fmt.Sprintf("%q", id))
			if r.Error == nil || r.Error.Code != c.code || !strings.Contains(r.raw, c.says) || strings.Contains(r.raw, "/path") {
				t.Errorf("%v: %s", c.err, r.raw)
			}
		}
	}
}

// A stream is open, brings events with their cursors, stands somewhere, has a gap, and is
// cancelled: nothing comes after that. Its id is written as the client wrote it. Tools go on
// meanwhile.
//
// Mutation of mcptools/mcpevents/extension.go: after a gap a stream goes on with a cursor that is
// past what it has not brought.
func TestEventStream(t *testing.T) {
	t.Parallel()
	b := newEventBackend()
	s := start(t, eventOptions(b))
	s.initialize()
	for _, id := range []string{`"s-1"`, `17`} {
		s.send(`{"jsonrpc":"2.0","id":` + id + `,"method":"events/stream","params":{"name":"message.received","cursor":"c7"}}`)
		if w := s.wire().is(t, id, "active"); w.Params.Cursor != "c7" || w.Params.Truncated == nil || *w.Params.Truncated {
			t.Errorf("active: %s", w.raw)
		}
		if q := <-b.opened; q.Cursor != "c7" || len(q.Events) != 1 {
			t.Errorf("asked for %+v", q)
		}
		b.pages <- occurrencePage("c9", false, 7, 8)
		if w := s.wire().is(t, id, "event"); w.Params.EventID != "evt_7" || w.Params.Cursor != "c8" || w.Params.Name != "message.received" || string(w.Params.Data) != `{"sequence":7}` {
			t.Errorf("event: %s", w.raw)
		}
		if w := s.wire().is(t, id, "event"); w.Params.EventID != "evt_8" || w.Params.Cursor != "c9" {
			t.Errorf("event: %s", w.raw)
		}
		b.pages <- occurrencePage("c20", false)
		if w := s.wire().is(t, id, "heartbeat"); w.Params.Cursor != "c20" {
			t.Errorf("heartbeat: %s", w.raw)
		}
		b.pages <- occurrencePage("c31", true, 30)
		if w := s.wire().is(t, id, "active"); w.Params.Cursor != "c20" || !*w.Params.Truncated {
			t.Errorf("active after a gap: %s", w.raw)
		}
		s.wire().is(t, id, "event")
		s.send(`{"jsonrpc":"2.0","id":` + id + `,"method":"events/stream","params":{"name":"message.received"}}`)
		if w := s.wire(); w.Error == nil || w.Error.Code != -32600 {
			t.Errorf("a second one with its id: %s", w.raw)
		}
		s.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":` + id + `}}`)
		if err := <-b.ended; !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with %v", err)
		}
		s.send(callLine(5, "whatsapp_webhook_list", `{}`))
		if w := s.wire(); string(w.ID) != "5" {
			t.Errorf("after the cancellation came %s", w.raw)
		}
	}
}

// What ends a stream besides its client is told before its response; the end of the input waits for
// no stream.
func TestEventStreamEnds(t *testing.T) {
	t.Parallel()
	b := newEventBackend()
	s := start(t, eventOptions(b))
	s.initialize()
	s.send(`{"jsonrpc":"2.0","id":1,"method":"events/stream","params":{"name":"message.received"}}`)
	s.wire().is(t, "1", "active")
	close(b.pages)
	if w := s.wire().is(t, "1", "terminated"); w.Params.Error == nil || w.Params.Error.Code != -32603 {
		t.Errorf("terminated: %s", w.raw)
	}
	if w := s.wire(); string(w.ID) != "1" || !strings.Contains(w.raw, `"io.modelcontextprotocol/subscriptionId":1`) || !strings.Contains(w.raw, `"resultType":"complete"`) {
		t.Errorf("the last response: %s", w.raw)
	}

	b = newEventBackend()
	s = start(t, eventOptions(b))
	s.initialize()
	s.send(`{"jsonrpc":"2.0","id":1,"method":"events/stream","params":{"name":"message.received"}}`)
	s.wire().is(t, "1", "active")
	s.in.Close()
	if err := s.end(); err != nil {
		t.Error(err)
	}
	if err := <-b.ended; !errors.Is(err, context.Canceled) {
		t.Errorf("with its session it ended with %v", err)
	}
}

// A poll is a request like others: the end of the input waits for it, and a cancelled one has no
// response.
//
// Mutation of mcptools/stdio/extension.go: what comes of a stream after its cancellation is written
// all the same.
func TestPollsAtTheEnd(t *testing.T) {
	t.Parallel()
	s := start(t, eventOptions(newEventBackend()))
	s.send(initializeLine + "\n" + `{"jsonrpc":"2.0","id":1,"method":"events/poll","params":{"name":"message.received"}}`)
	s.in.Close()
	if r := s.response("1"); r.Error != nil {
		t.Errorf("%s", r.raw)
	}
	b := newEventBackend()
	b.block = true
	s = start(t, eventOptions(b))
	s.initialize()
	s.send(`{"jsonrpc":"2.0","id":1,"method":"events/poll","params":{"name":"message.received"}}`)
	<-b.opened
	s.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
	<-b.ended
	s.in.Close()
	if line := s.line(); line != "" {
		t.Errorf("after a cancellation: %s", line)
	}
}

// In an array of messages, which the oldest versions have, the extension's requests are answered
// among the others, and a stream is refused.
func TestEventsInABatch(t *testing.T) {
	t.Parallel()
	s := start(t, eventOptions(newEventBackend()))
	s.send(strings.Replace(initializeLine, "2025-11-25", "2025-03-26", 1))
	s.response(`"init"`)
	s.send(`[{"jsonrpc":"2.0","id":1,"method":"events/list"},{"jsonrpc":"2.0","id":2,"method":"tools/list"},{"jsonrpc":"2.0","id":3,"method":"events/stream","params":{"name":"message.received"}}]`)
	var all []wire
	line := s.line()
	if err := json.Unmarshal([]byte(line), &all); err != nil || len(all) != 3 {
		t.Fatalf("%v %.300s", err, line)
	}
	for _, w := range all {
		if (w.Error != nil) != (string(w.ID) == "3") {
			t.Errorf("%s: %+v", w.ID, w.Error)
		}
	}
}

// An id is free once its response has come. It was not, for a moment: of a hundred polls under one
// id some were refused.
//
// Mutation of mcptools/stdio/extension.go: the id of a request is taken after its response.
func TestAnIDIsUsedAgain(t *testing.T) {
	t.Parallel()
	s := start(t, eventOptions(newEventBackend()))
	s.initialize()
	for range 300 {
		s.send(`{"jsonrpc":"2.0","id":1,"method":"events/poll","params":{"name":"message.received"}}`)
		if r := s.response("1"); r.Error != nil {
			t.Fatalf("%s", r.raw)
		}
	}
}
