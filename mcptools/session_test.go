package mcptools

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
)

// catalogue stands for the real one, which is injected by the program.
var catalogue = []EventName{
	{"message.received", "a message came in"},
	{"message.sent", "a message went out, from here or from the phone"},
	{"message.update", "receipt, edit, deletion or poll vote"},
	{"connection.update", "link state changed"},
	{"group.update", "subject, members or settings of a group changed"},
	{"presence.update", "a watched contact is online or typing"},
}

func optionsFor(b Backend) Options {
	return Options{
		Version: "0.1.0",
		Events:  catalogue,
		Backend: func(context.Context, ClientInfo) (Backend, error) { return b, nil },
	}
}

// waitLimit is for slow machines only; no test waits it out.
const waitLimit = 3 * time.Minute

// session is a client that speaks raw lines to a server over pipes.
type session struct {
	t     *testing.T
	in    *io.PipeWriter
	lines chan string
	ended chan error
	stop  context.CancelFunc
	log   *lockedBuffer

	outputs outputs

	mu    sync.Mutex
	early map[string]response // came before they were waited for
	next  int
}

type response struct {
	ID     json.RawMessage `json:"id"`
	Result *result         `json:"result"`
	Error  *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
	raw string
}

type result struct {
	Content []struct {
		Type, Text, Data, MIMEType string
		Annotations                struct{ Audience []string }
	} `json:"content"`
	StructuredContent json.RawMessage `json:"structuredContent"`
	IsError           bool            `json:"isError"`
	Meta              struct {
		Error *struct {
			Code      string `json:"code"`
			Retryable bool   `json:"retryable"`
		} `json:"waoutbox/error"`
	} `json:"_meta"`
}

func (r result) text() string {
	if len(r.Content) == 0 {
		return ""
	}
	return r.Content[0].Text
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start runs a server with o and returns its raw client; both end with the test.
func start(t *testing.T, o Options) *session {
	t.Helper()
	log := &lockedBuffer{}
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	srv := New(o)
	ctx, cancel := context.WithCancel(t.Context())
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	s := &session{t: t, in: inW, lines: make(chan string, 1000), ended: make(chan error, 1), stop: cancel, log: log, outputs: compileOutputs(t), early: map[string]response{}}
	go func() {
		s.ended <- srv.ServeStdio(ctx, inR, outW)
		outW.Close()
	}()
	go func() {
		defer close(s.lines)
		r := bufio.NewReader(outR)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			s.lines <- line
		}
	}()
	t.Cleanup(func() {
		cancel()
		inW.Close()
		outR.Close()
		for range s.lines {
		}
	})
	return s
}

func (s *session) send(line string) {
	s.t.Helper()
	if _, err := io.WriteString(s.in, line+"\n"); err != nil {
		s.t.Fatalf("send: %v", err)
	}
}

// line returns the next line the server wrote, "" at its end.
func (s *session) line() string {
	s.t.Helper()
	select {
	case l := <-s.lines:
		return l
	case <-time.After(waitLimit):
		s.t.Fatal("no line came")
		return ""
	}
}

// response waits for the response to id, whatever comes before it.
func (s *session) response(id string) response {
	s.t.Helper()
	for {
		s.mu.Lock()
		r, ok := s.early[id]
		delete(s.early, id)
		s.mu.Unlock()
		if ok {
			return r
		}
		l := s.line()
		if l == "" {
			s.t.Fatalf("the server ended without a response to %s", id)
		}
		if err := json.Unmarshal([]byte(l), &r); err != nil {
			s.t.Fatalf("the server wrote no JSON: %v: %s", err, l)
		}
		r.raw = l
		s.mu.Lock()
		s.early[string(r.ID)] = r
		s.mu.Unlock()
	}
}

func (s *session) end() error {
	s.t.Helper()
	select {
	case err := <-s.ended:
		return err
	case <-time.After(waitLimit):
		s.t.Fatal("ServeStdio did not return")
		return nil
	}
}

// initialize opens the session the way most installed clients do.
func (s *session) initialize() {
	s.t.Helper()
	s.send(initializeLine)
	s.send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	if r := s.response(`"init"`); r.Error != nil || !strings.Contains(r.raw, `"protocolVersion":"2025-11-25"`) {
		s.t.Fatalf("initialize: %s", r.raw)
	}
}

const initializeLine = `{"jsonrpc":"2.0","id":"init","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"legacy-client","version":"9.1"}}}`

func callLine(id int, tool, arguments string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":%q,"arguments":%s}}`, id, tool, arguments)
}

// call calls a tool and returns its result.
func (s *session) call(tool, arguments string) result {
	s.t.Helper()
	s.mu.Lock()
	s.next++
	id := s.next
	s.mu.Unlock()
	s.send(callLine(id, tool, arguments))
	r := s.response(fmt.Sprint(id))
	if r.Error != nil || r.Result == nil {
		s.t.Fatalf("%s %s: a protocol error instead of a result: %s", tool, arguments, r.raw)
	}
	checkShape(s.t, r)
	if !r.Result.IsError {
		s.outputs.check(s.t, tool, r.Result.StructuredContent)
	}
	return *r.Result
}

// checkShape checks what holds for every result.
func checkShape(t *testing.T, r response) {
	t.Helper()
	if strings.Contains(r.raw, "null") {
		t.Errorf("a result holds null: %s", r.raw)
	}
	if showsSecret(r.raw) {
		t.Errorf("a result holds the secret: %s", r.raw)
	}
	res := r.Result
	if !res.IsError {
		var a, b any
		if err := json.Unmarshal(res.StructuredContent, &a); err != nil {
			t.Fatalf("structuredContent: %v", err)
		}
		if err := json.Unmarshal([]byte(res.text()), &b); err != nil {
			t.Fatalf("the text does not repeat the structured result: %v: %q", err, res.text())
		}
		if x, y := fmt.Sprint(a), fmt.Sprint(b); x != y {
			t.Errorf("text and structuredContent differ:\n%s\n%s", x, y)
		}
		return
	}
	if res.StructuredContent != nil {
		t.Errorf("an error has structuredContent: %s", r.raw)
	}
	if res.Meta.Error == nil {
		t.Fatalf("an error has no %s: %s", errorMetaKey, r.raw)
	}
	if !strings.HasPrefix(res.text(), res.Meta.Error.Code+": ") {
		t.Errorf("the text %q does not begin with the code %q", res.text(), res.Meta.Error.Code)
	}
	for _, debris := range []string{"goroutine", "json:", "&{", "unmarshal", "context deadline", "context canceled"} {
		if strings.Contains(r.raw, debris) {
			t.Errorf("an error shows Go debris %q: %s", debris, r.raw)
		}
	}
}

// wantError checks the failure of a call.
func wantError(t *testing.T, r result, code string, retryable bool, parts ...string) {
	t.Helper()
	if !r.IsError {
		t.Fatalf("want %s, got a result: %s", code, r.text())
	}
	if r.Meta.Error.Code != code || r.Meta.Error.Retryable != retryable {
		t.Errorf("code %s retryable %v, want %s %v: %s", r.Meta.Error.Code, r.Meta.Error.Retryable, code, retryable, r.text())
	}
	for _, p := range parts {
		if !strings.Contains(r.text(), p) {
			t.Errorf("the error does not say %q: %s", p, r.text())
		}
	}
}
