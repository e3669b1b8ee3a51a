package mcptools

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"waoutbox/outbox/api"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// Time limits of a call. Sending and testing wait for someone else's server.
const (
	shortCall = 30 * time.Second
	longCall  = 60 * time.Second
)

// tool is one tool: what is declared, and what it does.
type tool struct {
	name, title, description string
	hints                    hints
	input, output            string // JSON schemas; the arguments are checked against input, see argSpec
	limit                    time.Duration
	run                      func(ctx context.Context, c *call) (reply, error)
	// unsure rewrites a failure after which nobody knows whether the tool did its work. Nil leaves it.
	unsure func(c *call, e api.Error) api.Error
}

// call is one invocation: its checked arguments and the way to the Backend.
type call struct {
	args   args
	client ClientInfo

	open    func(context.Context, ClientInfo) (Backend, error)
	reached atomic.Bool // backend has answered: from then on the service may have been asked for something
}

// backend answers the service. Tools ask for it only after their own checks: a wrong argument starts nothing. It is not kept from
// one call to the next: a service that ended in between is started again before anything is asked of it.
func (c *call) backend(ctx context.Context) (Backend, error) {
	b, err := c.open(ctx, c.client)
	if err != nil {
		return nil, err
	}
	c.reached.Store(true)
	return b, nil
}

// handler is the one middleware: it checks arguments, bounds the call in time even if the Backend ignores its context, and turns
// every error and panic into a result with isError. It never returns an error: mcp-go would hide it from the model.
func (s *Server) handler(t tool) server.ToolHandlerFunc {
	spec := mustSpec(t.input)
	return func(ctx context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		start := time.Now()
		client := clientOf(ctx)
		result, code := s.invoke(ctx, t, spec, client, req)
		level := slog.LevelDebug
		if code == api.CodeInternal {
			level = slog.LevelWarn
		}
		s.log.LogAttrs(ctx, level, "tool called", slog.String("tool", t.name), slog.String("client", client.Name),
			slog.String("client_version", client.Version), slog.String("code", string(code)), slog.Duration("took", time.Since(start)))
		return result, nil
	}
}

// invoke answers one call, and the code of its failure.
func (s *Server) invoke(ctx context.Context, t tool, spec argSpec, client ClientInfo, req mcp.CallToolRequest) (*mcp.CallToolResult, api.Code) {
	given, bad := spec.check(req.Params.RawArguments)
	if bad != nil {
		return failure(*bad), bad.Code
	}
	ctx, cancel := context.WithTimeout(ctx, t.limit)
	defer cancel()
	c := &call{args: given, client: client, open: s.opts.Backend}

	type outcome struct {
		result *mcp.CallToolResult
		err    error
	}
	done := make(chan outcome, 1)
	s.calls.Go(func() {
		defer func() {
			if p := recover(); p != nil {
				done <- outcome{err: &panicError{value: p, stack: debug.Stack()}}
			}
		}()
		rep, err := t.run(ctx, c)
		if err != nil {
			done <- outcome{err: err}
			return
		}
		result, err := rep.result()
		done <- outcome{result, err}
	})
	var o outcome
	select {
	case o = <-done:
	case <-ctx.Done():
		select {
		case o = <-done: // both at once: the answer counts
		default:
			o.err = ctx.Err()
		}
	}
	if o.err == nil {
		return o.result, ""
	}
	e := s.explain(ctx, t, o.err)
	if t.unsure != nil && c.reached.Load() {
		switch e.Code {
		case api.CodeServiceUnavail, api.CodeTimeout, api.CodeInternal:
			e = t.unsure(c, e)
		}
	}
	return failure(e), e.Code
}

// panicError is a recovered panic on its way to the log.
type panicError struct {
	value any
	stack []byte
}

func (p *panicError) Error() string { return fmt.Sprintf("panic: %v\n%s", p.value, p.stack) }
