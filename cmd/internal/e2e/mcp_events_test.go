package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"waoutbox/outbox/api"
)

// subscriber is a client that speaks the extension for events to `waoutbox mcp`, as lines.
type subscriber struct {
	r     *rig
	in    io.WriteCloser
	lines chan string
	ended chan error
}

func (r *rig) subscriber() *subscriber {
	r.t.Helper()
	s := r.tools()
	s.send(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"subscriber","version":"1"}}}`)
	if w := s.next(); !strings.Contains(w.raw, `"events":{}`) {
		r.t.Errorf("initialize: %s", w.raw)
	}
	return s
}

// tools starts `waoutbox mcp` for a client that has said nothing yet.
func (r *rig) tools() *subscriber {
	r.t.Helper()
	cmd := exec.Command(binary, "--state-dir", r.stateDir, "mcp", "--no-spawn")
	cmd.Stderr, cmd.Env = r.output, append(os.Environ(), r.agentEnv...)
	in, err := cmd.StdinPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	s := &subscriber{r: r, in: in, lines: make(chan string, 10_000), ended: make(chan error, 1)}
	go func() {
		scan := bufio.NewScanner(out)
		scan.Buffer(nil, 1<<20)
		for scan.Scan() {
			s.lines <- scan.Text()
		}
		close(s.lines)
		s.ended <- cmd.Wait()
	}()
	r.t.Cleanup(func() {
		in.Close()
		for range s.lines {
		}
		if err := <-s.ended; err != nil {
			r.t.Errorf("waoutbox mcp ended with %v", err)
		}
	})
	return s
}

type eventMessage struct {
	Method string
	Params struct {
		EventID, Cursor string
		Truncated       bool
		Data            struct{ Preview, Chat, Status string }
	}
	Result struct {
		Events []struct {
			EventID, Name string
			Data          struct{ Preview string }
		}
		Cursor             string
		Truncated, HasMore bool
	}
	Error *struct {
		Code    int
		Message string
	}
	raw string
}

func (s *subscriber) send(line string) {
	s.r.t.Helper()
	if _, err := io.WriteString(s.in, line+"\n"); err != nil {
		s.r.t.Fatal(err)
	}
}

// next is the next message, heartbeats left out.
func (s *subscriber) next() (m eventMessage) {
	s.r.t.Helper()
	for {
		select {
		case line, ok := <-s.lines:
			if !ok {
				s.r.t.Fatal("waoutbox mcp has ended")
			}
			if err := json.Unmarshal([]byte(line), &m); err != nil {
				s.r.t.Fatalf("%v: %s", err, line)
			}
			if m.raw = line; strings.HasSuffix(m.Method, "/heartbeat") {
				m = eventMessage{}
				continue
			}
			return m
		case <-time.After(2 * time.Minute):
			s.r.t.Fatal("nothing came")
		}
	}
}

// stream opens a stream and returns where it begins.
func (s *subscriber) stream(id int, cursor string) (active eventMessage) {
	s.r.t.Helper()
	s.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"events/stream","params":{"name":"message.received","cursor":%s}}`, id, cursor))
	if active = s.next(); !strings.HasSuffix(active.Method, "/active") {
		s.r.t.Fatalf("a stream: %s", active.raw)
	}
	return active
}

// An agent that has events streamed gets what comes, is told when the service is killed, and has
// everything of meanwhile when it goes on with its last cursor: by a stream, by polling, and with
// the tool. What it gets is not the stored body.
func TestSubscribers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.serve()
	r.pair()
	ctx := r.within(100 * time.Second)
	bob := r.phone.NewContact("Bob", "491515550111")
	s := r.subscriber()
	if active := s.stream(1, "null"); active.Params.Truncated {
		t.Errorf("a stream from now on: %s", active.raw)
	}
	write := func(from, to int) {
		t.Helper()
		for i := from; i < to; i++ {
			if _, err := bob.SendText(ctx, fmt.Sprint("message ", i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if out := r.mustRun("status"); !strings.Contains(out, "1 stream of events is open") {
		t.Errorf("status: %s", out)
	}
	write(0, 20)
	cursor := ""
	for i := range 20 {
		m := s.next()
		if m.Params.Data.Preview != fmt.Sprint("message ", i) || strings.Contains(m.raw, "messageSecret") || strings.Contains(m.raw, "conversation") {
			t.Fatalf("event %d: %s", i, m.raw)
		}
		cursor = m.Params.Cursor
	}
	r.kill()
	if m := s.next(); !strings.HasSuffix(m.Method, "/terminated") {
		t.Errorf("the service was killed: %s", m.raw)
	}
	if m := s.next(); !strings.Contains(m.raw, `"io.modelcontextprotocol/subscriptionId":1`) {
		t.Errorf("the last response: %s", m.raw)
	}
	s.send(`{"jsonrpc":"2.0","id":2,"method":"events/poll","params":{"name":"message.received","cursor":null}}`)
	if m := s.next(); m.Error == nil || !strings.Contains(m.raw, `"service_unavailable"`) {
		t.Errorf("a poll without a service: %s", m.raw)
	}
	write(20, 40) // WhatsApp has them
	r.serve()
	quoted := fmt.Sprintf("%q", cursor)
	if active := s.stream(3, quoted); active.Params.Truncated || active.Params.Cursor != cursor {
		t.Errorf("the stream goes on: %s", active.raw)
	}
	ids := map[string]bool{}
	for i := 20; i < 40; i++ {
		m := s.next()
		if m.Params.Data.Preview != fmt.Sprint("message ", i) {
			t.Fatalf("event %d: %s", i, m.raw)
		}
		ids[m.Params.EventID] = true
	}
	s.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":3}}`)
	polled := 0
	for more := true; more; {
		s.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":4,"method":"events/poll","params":{"name":"message.received","maxEvents":7,"cursor":%q}}`, cursor))
		m := s.next()
		for _, e := range m.Result.Events {
			if !ids[e.EventID] {
				t.Errorf("a poll has %+v, which the stream had not", e)
			}
		}
		polled += len(m.Result.Events)
		cursor, more = m.Result.Cursor, m.Result.HasMore
		if m.Error != nil || m.Result.Truncated {
			t.Fatalf("a poll: %s", m.raw)
		}
	}
	if polled != 20 {
		t.Errorf("polls had %d events, want 20", polled)
	}
	r.waits(ctx, cursor, func() { write(40, 41) })
}

// waits has an agent wait with the tool while something comes, and look at that.
func (r *rig) waits(ctx context.Context, cursor string, write func()) {
	r.t.Helper()
	a := r.agent(ctx, "--read-only")
	came := make(chan struct{})
	go func() { defer close(came); write() }()
	var got struct {
		Events []struct{ EventID, Preview, Sender, Type string }
		Cursor string
	}
	a.call(ctx, &got, "whatsapp_wait_for_events", map[string]any{"cursor": cursor, "waitSeconds": 50})
	<-came
	if len(got.Events) != 1 || got.Events[0].Preview != "message 40" || got.Events[0].Type != "text" {
		r.t.Fatalf("the wait ended with %+v", got)
	}
	var shown struct{ Event struct{ Body string } }
	a.call(ctx, &shown, "whatsapp_event_show", map[string]any{"id": got.Events[0].EventID, "includeBody": true})
	if !strings.Contains(shown.Event.Body, "message 40") {
		r.t.Errorf("the event is %+v", shown)
	}
}

// A client whose cursor is of the time after a backup is told so once that is restored: the
// positions that it names are given again, to other events.
func TestSubscribersOfARestoredBackup(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.serve()
	r.pair()
	ctx := r.within(100 * time.Second)
	bob := r.phone.NewContact("Bob", "491515550111")
	poll := func(cursor string) eventMessage {
		t.Helper()
		s := r.subscriber()
		s.send(`{"jsonrpc":"2.0","id":1,"method":"events/poll","params":{"name":"message.received","cursor":` + cursor + `}}`)
		m := s.next()
		if m.Error != nil {
			t.Fatalf("poll after %s: %s", cursor, m.raw)
		}
		return m
	}
	write := func(text string) {
		t.Helper()
		if _, err := bob.SendText(ctx, text); err != nil {
			t.Fatal(err)
		}
	}
	before := poll("null").Result.Cursor
	file := filepath.Join(shortDir(t), "wa.backup")
	r.mustRun("backup", file)
	write("not in the backup")
	var after string
	r.until("the message can be polled", func() bool {
		m := poll(fmt.Sprintf("%q", before))
		after = m.Result.Cursor
		return len(m.Result.Events) == 1 && !m.Result.Truncated
	})
	r.stop()
	r.mustRun("restore", file, "--yes")
	r.serve()
	r.until("the link is up", func() bool { return r.status().Link.State == api.LinkConnected })
	write("after the restore")
	fresh := ""
	for _, cursor := range []string{before, after} {
		m := poll(fmt.Sprintf("%q", cursor))
		if !m.Result.Truncated || m.Result.Cursor == cursor {
			t.Errorf("a cursor of before is %s", m.raw)
		}
		fresh = m.Result.Cursor
	}
	write("and one more")
	r.until("a message follows the new cursor", func() bool {
		m := poll(fmt.Sprintf("%q", fresh))
		return len(m.Result.Events) > 0 && !m.Result.Truncated
	})
}
