package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// pipeLimit bounds every wait for one line or one end; no test waits it out.
const pipeLimit = 90 * time.Second

const helloLine = `{"jsonrpc":"2.0","id":"hello","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"pipe","version":"0"}}}`

// pipe is `waoutbox mcp` with a client that writes lines and reads lines, as they are.
type pipe struct {
	t      *testing.T
	cmd    *exec.Cmd
	in     io.WriteCloser
	lines  chan pipeLine
	exited chan error
	early  []pipeLine // came before they were waited for
}

// pipeLine is one message of the server.
type pipeLine struct {
	ID     any
	Result *struct {
		IsError bool
		Tools   []struct{ Name string }
		Content []struct{ Text string }
	}
	Error *struct {
		Code    int
		Message string
	}
	raw string
}

// text returns what a tool said.
func (l pipeLine) text() string {
	if l.Result == nil || len(l.Result.Content) == 0 {
		return l.raw
	}
	return l.Result.Content[0].Text
}

// serving points the rig's service at its simulator, whoever starts it, and stops it at the end.
func (r *rig) serving() {
	r.t.Helper()
	r.mustRun("config", "set", "whatsapp-url", r.sim.URL())
	r.mustRun("config", "set", "whatsapp-root-key", r.sim.RootKey())
	r.t.Cleanup(func() { r.run("stop") })
}

// pipe starts an MCP server and shakes hands with it. prepare may change how it is started.
func (r *rig) pipe(prepare func(*exec.Cmd), args ...string) *pipe {
	r.t.Helper()
	cmd := exec.Command(binary, append([]string{"--state-dir", r.stateDir, "mcp"}, args...)...)
	cmd.Stderr, cmd.Env = r.output, append(os.Environ(), r.agentEnv...)
	if prepare != nil {
		prepare(cmd)
	}
	p := startPipe(r.t, cmd)
	p.send(helloLine)
	if l := p.response("hello"); l.Error != nil {
		r.t.Fatalf("the handshake: %s", l.raw)
	}
	p.send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	return p
}

func startPipe(t *testing.T, cmd *exec.Cmd) *pipe {
	t.Helper()
	p := &pipe{t: t, cmd: cmd, lines: make(chan pipeLine, 1000), exited: make(chan error, 1)}
	// Not cmd's own pipes: Wait closes those, and others may hold the ends.
	stdin, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, stdout, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.in, cmd.Stdin, cmd.Stdout = in, stdin, stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stdin.Close()
	stdout.Close()
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(p.lines)
		defer out.Close()
		for s := bufio.NewReaderSize(out, 1<<20); ; {
			line, err := s.ReadString('\n')
			if err != nil {
				return
			}
			l := pipeLine{raw: line}
			if json.Unmarshal([]byte(line), &l) != nil {
				t.Errorf("not protocol on stdout: %.200q", line)
			}
			p.lines <- l
		}
	}()
	go func() { p.exited <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // usually it has ended
		in.Close()
		<-read
	})
	return p
}

func (p *pipe) send(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		p.t.Fatalf("write to waoutbox mcp: %v", err)
	}
}

func (p *pipe) sendCall(id int, tool, arguments string) {
	p.t.Helper()
	p.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":%q,"arguments":%s}}`, id, tool, arguments))
}

// call calls a tool and waits for its result.
func (p *pipe) call(id int, tool, arguments string) pipeLine {
	p.t.Helper()
	p.sendCall(id, tool, arguments)
	return p.response(id)
}

// response waits for the response with an id; nil is that to what cannot be read.
func (p *pipe) response(id any) pipeLine {
	p.t.Helper()
	if n, ok := id.(int); ok {
		id = float64(n)
	}
	for i, l := range p.early {
		if l.ID == id {
			p.early = append(p.early[:i], p.early[i+1:]...)
			return l
		}
	}
	limit := time.After(pipeLimit)
	for {
		select {
		case l, ok := <-p.lines:
			switch {
			case !ok:
				p.t.Fatalf("it ended before it responded to %v", id)
			case l.ID == id:
				return l
			}
			p.early = append(p.early, l)
		case <-limit:
			p.t.Fatalf("no response to %v", id)
		}
	}
}

// end waits until the process has ended, well.
func (p *pipe) end() {
	p.t.Helper()
	select {
	case err := <-p.exited:
		if err != nil {
			p.t.Errorf("waoutbox mcp ended with: %v", err)
		}
	case <-time.After(pipeLimit):
		p.t.Fatal("waoutbox mcp did not end")
	}
}

// slowEndpoint takes requests and holds them until release is called.
func slowEndpoint(t *testing.T) (url string, arrived <-chan struct{}, release func()) {
	t.Helper()
	got, held := make(chan struct{}, 100), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body) // or its end is not noticed
		got <- struct{}{}
		select {
		case <-held:
		case <-req.Context().Done():
		}
	}))
	release = sync.OnceFunc(func() { close(held) })
	t.Cleanup(func() { release(); s.Close() })
	return s.URL, got, release
}

func await(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(pipeLimit):
		t.Fatalf("waited in vain: %s", what)
	}
}

// What is no message gets an error or nothing, and the server lives on; so it does after a line
// that is too long, and a long one that is not arrives whole.
func TestPipeBadLines(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.serving()
	p := r.pipe(nil)
	for _, line := range []string{"", " \t ", "garbage"} {
		p.send(line)
	}
	if l := p.response(nil); l.Error == nil || l.Error.Code != -32700 {
		t.Errorf("garbage: %s", l.raw)
	}
	p.send(`{"jsonrpc":"2.0","id":7,"method":"no/such"}`)
	if l := p.response(7); l.Error == nil || l.Error.Code != -32601 {
		t.Errorf("an unknown method: %s", l.raw)
	}
	if l := p.call(8, "whatsapp_send_text", `{"jid":"491515550100","text":"`+strings.Repeat("x", 8<<20)+`"}`); !strings.HasPrefix(l.text(), "invalid_arguments: ") {
		t.Errorf("8 MiB: %.300s", l.raw)
	}
	p.send(`{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"whatsapp_webhook_list","arguments":{"x":"` + strings.Repeat("x", 16<<20) + `"}}}`)
	if l := p.response(9); l.Error == nil || l.Error.Code != -32600 || !strings.Contains(l.Error.Message, "16 MiB") {
		t.Errorf("above 16 MiB: %.300s", l.raw)
	}
	if l := p.call(10, "whatsapp_webhook_list", `{}`); l.Result == nil || l.Result.IsError {
		t.Errorf("after all that: %s", l.raw)
	}
	// The end of the input right behind a call, and without a newline, takes nothing away.
	_, err := io.WriteString(p.in, `{"jsonrpc":"2.0","id":11,"method":"tools/call","params":{"name":"whatsapp_webhook_list","arguments":{}}}`)
	if err != nil {
		t.Fatal(err)
	}
	p.in.Close()
	if l := p.response(11); l.Result == nil || l.Result.IsError {
		t.Errorf("a call before the end: %s", l.raw)
	}
	p.end()
}

// A version of the protocol that has batches gets them back as one.
func TestPipeBatch(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.serving()
	res := r.runWith(strings.Replace(helloLine, "2025-11-25", "2025-03-26", 1)+`
{"jsonrpc":"2.0","method":"notifications/initialized"}
[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"whatsapp_webhook_list","arguments":{}}}]
`, "mcp")
	var batch []pipeLine
	for line := range strings.Lines(res.stdout) {
		if strings.HasPrefix(line, "[") {
			if err := json.Unmarshal([]byte(line), &batch); err != nil {
				t.Error(err)
			}
		}
	}
	if len(batch) != 2 || batch[0].Error != nil || batch[1].Error != nil || res.code != 0 {
		t.Errorf("exit %d:\n%s%s", res.code, res.stdout, res.stderr)
	}
}

// Six calls that wait for somebody else's server hold up nobody, one of them can be cancelled, and
// each of the others gets its own result.
func TestPipeSlowCalls(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.serving()
	url, arrived, release := slowEndpoint(t)
	r.mustRun("webhook", "add", url)
	p := r.pipe(nil)
	for id := range 6 {
		p.sendCall(100+id, "whatsapp_webhook_test", fmt.Sprintf(`{"url":%q}`, url))
	}
	for range 6 {
		await(t, "the tests arrive", arrived)
	}
	p.send(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
	if l := p.response(1); l.Result == nil || len(l.Result.Tools) == 0 {
		t.Errorf("a listing between slow calls: %s", l.raw)
	}
	if l := p.call(2, "whatsapp_webhook_list", `{}`); l.Result == nil || l.Result.IsError {
		t.Errorf("a quick call between slow ones: %s", l.raw)
	}
	p.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":100,"reason":"changed my mind"}}`)
	p.send(`{"jsonrpc":"2.0","id":3,"method":"ping"}`)
	if l := p.response(3); l.Error != nil {
		t.Errorf("after a cancellation: %s", l.raw)
	}
	// its result comes while the endpoint still hangs
	if l := p.response(100); l.Error == nil && (l.Result == nil || !l.Result.IsError) {
		t.Errorf("the cancelled call: %s", l.raw)
	}
	release()
	for id := range 5 {
		if l := p.response(101 + id); l.Result == nil || l.Result.IsError || !strings.Contains(l.raw, `"status":200`) {
			t.Errorf("slow call %d: %s", id, l.raw)
		}
	}
	p.in.Close()
	p.end()
}
