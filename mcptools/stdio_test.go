package mcptools

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"waoutbox/outbox/api"
)

func TestLegacyHandshakeAndList(t *testing.T) {
	opened := 0
	o := optionsFor(newFake())
	o.Backend = func(context.Context, ClientInfo) (Backend, error) { opened++; return newFake(), nil }
	s := start(t, o)
	s.initialize()
	s.send(`{"jsonrpc":"2.0","id":2,"method":"tools/list"}`)
	if r := s.response("2"); r.Error != nil || strings.Count(r.raw, `"inputSchema"`) != toolsListed {
		t.Errorf("tools/list: %s", r.raw)
	}
	s.send(`{"jsonrpc":"2.0","id":3,"method":"ping"}`)
	if r := s.response("3"); r.Error != nil {
		t.Errorf("ping: %s", r.raw)
	}
	if opened != 0 {
		t.Errorf("handshake and listing opened the backend %d times", opened)
	}
}

// A script that pipes its requests in and closes gets every response, though mcp-go cancels open
// calls at EOF.
//
// Mutation of mcptools/stdio/lines.go: calls that are open at the end of the input are cancelled.
func TestOneShotGetsEveryResponse(t *testing.T) {
	for _, last := range []string{"\n", ""} { // printf without a final newline, too
		f := newFake()
		started := make(chan struct{})
		release := make(chan struct{})
		f.onStatus = func(ctx context.Context) (api.Status, error) {
			close(started)
			select {
			case <-release:
				return f.status, nil
			case <-ctx.Done():
				return api.Status{}, ctx.Err()
			}
		}
		agents := make(chan ClientInfo, 2)
		o := optionsFor(f)
		o.Backend = func(_ context.Context, c ClientInfo) (Backend, error) { agents <- c; return f, nil }
		in := initializeLine + "\n" + `{"jsonrpc":"2.0","method":"notifications/initialized"}` + "\n" +
			callLine(1, "whatsapp_webhook_list", `{}`) + "\n" + callLine(2, "whatsapp_connection_status", `{}`) + last
		var out bytes.Buffer
		done := make(chan error, 1)
		go func() { done <- New(o).ServeStdio(t.Context(), strings.NewReader(in), &out) }()
		select {
		case <-started:
			close(release) // after the input has long ended
		case err := <-done:
			t.Fatalf("the end of the input came before the call: %v: %s", err, out.String())
		case <-time.After(waitLimit):
			t.Fatal("the call did not reach the backend")
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(out.String(), "\n"); n != 3 || !strings.Contains(out.String(), `"isConnected":true`) {
			t.Fatalf("%d of 3 responses: %s", n, out.String())
		}
		for range 2 { // both calls opened the backend, or there would not be three responses
			if agent, want := <-agents, (ClientInfo{"legacy-client", "9.1"}); agent != want {
				t.Errorf("the call overtook the handshake: client %+v, want %+v", agent, want)
			}
		}
	}
}

func TestGarbageAndBlankLinesSurvive(t *testing.T) {
	s := start(t, optionsFor(newFake()))
	s.send("")
	s.send("  \t\r")
	s.send("hello, is this thing on?")
	if r := s.response("null"); r.Error == nil || r.Error.Code != -32700 {
		t.Errorf("garbage: %s", r.raw)
	}
	s.send(`[{"jsonrpc":"2.0","id":1,"method":"ping"}]`)
	if r := s.response("1"); r.Error == nil || !strings.Contains(r.raw, "no version has been agreed on yet: send one message a line") {
		t.Errorf("a batch: %s", r.raw)
	}
	s.send(`{"jsonrpc":"1.0","id":7,"method":"ping"}`)
	if r := s.response("7"); r.Error == nil || r.Error.Code != -32600 {
		t.Errorf("wrong version: %s", r.raw)
	}
	s.send(callLine(8, "whatsapp_no_such_tool", `{}`))
	if r := s.response("8"); r.Error == nil || r.Error.Code != -32602 {
		t.Errorf("unknown tool: %s", r.raw)
	}
	s.initialize()
	if r := s.call("whatsapp_webhook_list", `{}`); r.IsError {
		t.Error(r.text())
	}
	s.in.Close()
	if err := s.end(); err != nil {
		t.Error(err)
	}
}

func TestEightMegabytes(t *testing.T) {
	s := start(t, optionsFor(newFake()))
	s.initialize()
	// The message arrives whole: it is the argument that is refused.
	r := s.call("whatsapp_send_text", `{"jid":"49151","text":"`+strings.Repeat("x", 8<<20)+`"}`)
	wantError(t, r, "invalid_arguments", false, `"text" has 8388608 characters`)
}

func TestLineTooLong(t *testing.T) {
	s := start(t, optionsFor(newFake()))
	const maxLine = 16 << 20
	pad := strings.Repeat("y", maxLine)
	for line, id := range map[string]string{
		`{"jsonrpc":"2.0","id":41,"method":"tools/call","params":{"id":5,"text":"` + pad + `"}}`:     "41",
		`{"method":"tools/call","params":{"id":5,"text":"` + pad + `"},"jsonrpc":"2.0","id":"last"}`: `"last"`,
		`{"jsonrpc":"2.0","method":"x","params":{"a":{"text":"` + pad + `","id":6}}}`:                "null",
		pad + pad: "null",
	} {
		s.send(line)
		if r := s.response(id); r.Error == nil || r.Error.Code != -32600 || !strings.Contains(r.Error.Message, "16 MiB") {
			t.Errorf("a line of %d bytes: %.200s", len(line), r.raw)
		}
	}
}

func TestCancelReachesTheBackend(t *testing.T) {
	f := newFake()
	started, ended := make(chan struct{}), make(chan struct{})
	f.onSend = func(ctx context.Context, _ api.Send) (api.SendResult, error) {
		close(started)
		<-ctx.Done()
		close(ended)
		return api.SendResult{}, ctx.Err()
	}
	s := start(t, optionsFor(f))
	s.initialize()
	s.send(callLine(5, "whatsapp_send_text", `{"jid":"49151","text":"hi"}`))
	<-started
	s.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5,"reason":"user"}}`)
	<-ended
	if r := s.call("whatsapp_webhook_list", `{}`); r.IsError {
		t.Error("the server did not live on:", r.text())
	}
}

func TestContextEndsTheSession(t *testing.T) {
	f := newFake()
	started := make(chan struct{})
	f.onStatus = func(ctx context.Context) (api.Status, error) {
		close(started)
		<-ctx.Done()
		return api.Status{}, ctx.Err()
	}
	s := start(t, optionsFor(f))
	s.initialize()
	s.send(callLine(5, "whatsapp_connection_status", `{}`))
	<-started
	s.stop()
	if err := s.end(); err != nil {
		t.Errorf("ServeStdio: %v, want nil", err)
	}
}

// The session ends after the calls whose context ended with it, unless they take longer than
// lastGrace: what they still do, like their line in the log, is done before the process ends.
func TestSessionWaitsForItsCalls(t *testing.T) {
	for takes, want := range map[time.Duration]time.Duration{time.Second: time.Second, time.Hour: lastGrace} {
		inBubble(t, takes.String(), func(t *testing.T) {
			f := newFake()
			started, release := make(chan struct{}), make(chan struct{})
			defer close(release)
			f.onStatus = func(ctx context.Context) (api.Status, error) {
				close(started)
				<-ctx.Done()
				select {
				case <-time.After(takes):
				case <-release:
				}
				return api.Status{}, ctx.Err()
			}
			s := start(t, optionsFor(f))
			s.initialize()
			s.send(callLine(5, "whatsapp_connection_status", `{}`))
			<-started
			s.stop()
			began := time.Now()
			if err := s.end(); err != nil {
				t.Errorf("ServeStdio: %v, want nil", err)
			}
			if took := time.Since(began); took != want {
				t.Errorf("a call that takes %v: the session ended after %v, want %v", takes, took, want)
			}
		})
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestBrokenOutputAndInputEndTheSession(t *testing.T) {
	inR, inW := io.Pipe()
	defer inW.Close()
	done := make(chan error, 1)
	go func() { done <- New(optionsFor(newFake())).ServeStdio(t.Context(), inR, brokenPipe{}) }()
	if _, err := io.WriteString(inW, initializeLine+"\n"); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a client that no longer reads: %v", err)
	}
	inR.Close()

	failing := io.MultiReader(strings.NewReader(initializeLine+"\n"), iotestErrReader{})
	var out bytes.Buffer
	if err := New(optionsFor(newFake())).ServeStdio(t.Context(), failing, &out); !errors.Is(err, errDisk) {
		t.Errorf("an input that breaks: %v", err)
	}
	if !strings.Contains(out.String(), `"id":"init"`) {
		t.Errorf("what came before the break got no response: %s", out.String())
	}
}

var errDisk = errors.New("disk on fire")

type iotestErrReader struct{}

func (iotestErrReader) Read([]byte) (int, error) { return 0, errDisk }

// Six slow calls do not hold up a listing, and each gets its own response.
func TestConcurrentCalls(t *testing.T) {
	const n = 20
	f := newFake()
	var all sync.WaitGroup
	all.Add(n)
	release := make(chan struct{})
	f.onSend = func(_ context.Context, in api.Send) (api.SendResult, error) {
		all.Done()
		<-release
		return api.SendResult{MessageID: "sent to " + in.To, Timestamp: moment}, nil
	}
	s := start(t, optionsFor(f))
	s.initialize()
	for i := range n {
		s.send(callLine(100+i, "whatsapp_send_text", fmt.Sprintf(`{"jid":"%d","text":"hi"}`, i)))
	}
	all.Wait() // all of them are with the backend at once
	s.send(`{"jsonrpc":"2.0","id":99,"method":"tools/list"}`)
	if r := s.response("99"); r.Error != nil {
		t.Error(r.raw)
	}
	close(release)
	for i := range n {
		if r := s.response(fmt.Sprint(100 + i)); r.Result == nil || !strings.Contains(r.raw, fmt.Sprintf(`sent to %d"`, i)) {
			t.Errorf("call %d got %s", i, r.raw)
		}
	}
}

// mcp-go once deadlocked here: a stream that stays open, then a call, then the end of the input.
func TestSubscriptionsListenHoldsNothing(t *testing.T) {
	s := start(t, optionsFor(newFake()))
	meta := `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`
	s.send(`{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{` + meta + `,"notifications":{"toolsListChanged":true}}}`)
	s.send(`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{` + meta + `,"name":"whatsapp_webhook_list","arguments":{}}}`)
	s.in.Close()
	// there is nothing to subscribe to, so it ends at once
	if r := s.response("1"); r.Error != nil {
		t.Error(r.raw)
	}
	if r := s.response("2"); r.Result == nil || r.Result.IsError {
		t.Error(r.raw)
	}
	if err := s.end(); err != nil {
		t.Error(err)
	}
}
