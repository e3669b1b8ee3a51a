package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"time"

	"waoutbox/cmd/internal/control"
)

// mcpCall measures a tool call as an agent sees it, over stdin and stdout of `waoutbox mcp` and the
// control socket of the service, against the same question over the socket alone; and what the
// process in between holds while nothing is asked.
type mcpCall struct {
	program string
	calls   int
	settle  time.Duration
}

// askedTools are the tools that are called, each with what it asks of the service.
func askedTools() []askedTool {
	return []askedTool{
		{"whatsapp_connection_status", func(ctx context.Context, c *control.Client) error { _, err := c.Status(ctx); return err }},
		{"whatsapp_webhook_list", func(ctx context.Context, c *control.Client) error { _, err := c.Webhooks(ctx); return err }},
	}
}

type askedTool struct {
	name string
	bare func(context.Context, *control.Client) error
}

func mcpFlags(fs *flag.FlagSet) func(context.Context, *bench) (report, error) {
	var x mcpCall
	fs.StringVar(&x.program, "program", "", "the built program (./cmd/waoutbox)")
	fs.IntVar(&x.calls, "calls", 500, "calls of each tool a round")
	fs.DurationVar(&x.settle, "settle", 5*time.Second, "time after the only call before the memory is read")
	return func(ctx context.Context, b *bench) (report, error) {
		if x.program == "" || x.calls < 1 {
			return report{}, fmt.Errorf("mcp needs --program, and a call: %w", errUsage)
		}
		return x.measure(ctx, b)
	}
}

func (x mcpCall) measure(ctx context.Context, b *bench) (_ report, err error) {
	urls, err := b.receivers.open(answerOK)
	if err != nil {
		return report{}, err
	}
	p, stop, err := startAlone(ctx, x.program)
	if err != nil {
		return report{}, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if err := p.addWebhook(ctx, urls[0]); err != nil {
		return report{}, err
	}
	return x.rounds(ctx, b, p.state, p.pid)
}

// rounds measures on a service that runs.
func (x mcpCall) rounds(ctx context.Context, b *bench, state string, service int) (report, error) {
	bare := control.NewClient(state, control.Agent{Name: "wabench"})
	defer bare.Close()
	tools := askedTools()
	whole, alone, slowest := make([]series, len(tools)), make([]series, len(tools)), make([]series, len(tools))
	var resident, anonymous, streams series
	for round := range b.rounds {
		for i, tool := range tools {
			through, direct, err := x.latency(ctx, state, tool, bare)
			if err != nil {
				return report{}, fmt.Errorf("%s: %w", tool.name, err)
			}
			whole[i], alone[i] = append(whole[i], milliseconds(quantile(through, 0.5))), append(alone[i], milliseconds(quantile(direct, 0.5)))
			slowest[i] = append(slowest[i], milliseconds(quantile(through, 0.99)))
			b.progress("round %d: %s: %s ms, bare %s ms", round+1, tool.name, number(whole[i][round]), number(alone[i][round]))
		}
		rss, anon, err := x.memory(ctx, state)
		if err != nil {
			return report{}, err
		}
		resident, anonymous = append(resident, mebibytes(rss)), append(anonymous, mebibytes(anon))
		cost, err := x.streams(ctx, state, service)
		if err != nil {
			return report{}, err
		}
		streams = append(streams, mebibytes(cost))
		b.progress("round %d: idle: %s MiB resident, %s MiB for %d idle streams", round+1, number(resident[round]), number(streams[round]), idleStreams)
	}
	out := report{
		Settings: map[string]any{"calls": x.calls},
		Notes: []string{
			"the real program, linked to the simulator, one webhook; one call after the other, those over the socket alone in between",
			"memory: " + x.settle.String() + " after the handshake and one call",
		},
	}
	for i, tool := range tools {
		out.Rows = append(out.Rows,
			row{Name: tool.name + ": p50", Unit: "ms", Value: whole[i], Floor: 3, Aim: 1.5, Lower: true},
			row{Name: tool.name + ": p99", Unit: "ms", Value: slowest[i]},
			row{Name: tool.name + ": p50 ÷ over the control socket alone", Unit: "ms", Value: whole[i], Limit: alone[i], Ratio: whole[i].over(alone[i])})
	}
	out.Rows = append(out.Rows,
		row{Name: "idle waoutbox mcp: resident memory", Unit: "MiB", Value: resident, Floor: 16, Aim: 12, Lower: true},
		row{Name: "idle waoutbox mcp: anonymous memory", Unit: "MiB", Value: anonymous},
		row{Name: fmt.Sprintf("%d idle streams of events: what they add to service and client", idleStreams), Unit: "MiB", Value: streams, Floor: 8, Aim: 4, Lower: true})
	return out, nil
}

// latency returns the sorted times of calls of a tool, and of what it asks over the socket alone.
func (x mcpCall) latency(ctx context.Context, state string, tool askedTool, bare *control.Client) (through, direct []time.Duration, err error) {
	s, err := x.session(ctx, state)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	for range x.calls {
		began := time.Now()
		if err := s.call(tool.name); err != nil {
			return nil, nil, err
		}
		through = append(through, time.Since(began))
		began = time.Now()
		if err := tool.bare(ctx, bare); err != nil {
			return nil, nil, err
		}
		direct = append(direct, time.Since(began))
	}
	slices.Sort(through)
	slices.Sort(direct)
	return through, direct, nil
}

// memory returns what a process holds some time after its handshake and one call.
func (x mcpCall) memory(ctx context.Context, state string) (resident, anonymous int64, err error) {
	s, err := x.session(ctx, state)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.call("whatsapp_connection_status"); err != nil {
		return 0, 0, err
	}
	if err := rest(ctx, x.settle); err != nil {
		return 0, 0, err
	}
	use, ok := processUse(s.cmd.Process.Pid)
	anonymous, anonOK := processAnon(s.cmd.Process.Pid)
	if !ok || !anonOK {
		return 0, 0, errors.New("the process has ended")
	}
	return use.resident, anonymous, nil
}

// mcpSession is `waoutbox mcp` after its handshake.
type mcpSession struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	next int
}

func (x mcpCall) session(ctx context.Context, state string) (*mcpSession, error) {
	s := &mcpSession{cmd: exec.CommandContext(ctx, x.program, "--state-dir", state, "mcp", "--no-spawn")}
	s.cmd.WaitDelay = time.Second
	out, err := s.cmd.StdoutPipe()
	if err == nil {
		s.out = bufio.NewReader(out)
		s.in, err = s.cmd.StdinPipe()
	}
	if err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("start %s mcp: %w", x.program, err)
	}
	err = s.ask(`"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"wabench","version":"1"}}`)
	if err == nil {
		_, err = io.WriteString(s.in, `{"jsonrpc":"2.0","method":"notifications/initialized"}`+"\n")
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *mcpSession) call(tool string) error {
	return s.ask(fmt.Sprintf(`"method":"tools/call","params":{"name":%q,"arguments":{}}`, tool))
}

// ask sends one request and waits for its response, which is the next line.
func (s *mcpSession) ask(request string) error {
	s.next++
	if _, err := fmt.Fprintf(s.in, `{"jsonrpc":"2.0","id":%d,%s}`+"\n", s.next, request); err != nil {
		return err
	}
	line, err := s.out.ReadBytes('\n')
	if err != nil {
		return err
	}
	var m struct {
		ID     int
		Result *struct{ IsError bool }
	}
	if err := json.Unmarshal(line, &m); err != nil || m.ID != s.next || m.Result == nil || m.Result.IsError {
		return fmt.Errorf("the response is %.200q", line)
	}
	return nil
}

func (s *mcpSession) close() error {
	return errors.Join(s.in.Close(), s.cmd.Wait())
}
