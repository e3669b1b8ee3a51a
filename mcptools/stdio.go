package mcptools

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/mark3labs/mcp-go/server"
)

const (
	// workers is how many tool calls run at a time; each may wait a minute for somebody else's server.
	workers = 32
	// queued is how many more may wait; beyond it mcp-go reads no further until one is done.
	queued = 1000
	// lastGrace is what calls whose context has ended get to come back, before the process is left to end them.
	lastGrace = 2 * time.Second
)

// ServeStdio serves one client until its input ends and what it asked for is answered (at most 30 s), or until ctx ends: nil in
// both cases. Reading or writing errors end it too, and are returned. out gets protocol messages only, each in one Write.
//
// mcp-go keeps the stdio session of a process in one package variable, so only one ServeStdio may run in a process at a time. When
// ctx ends while in blocks, one goroutine stays in its Read until that returns.
func (s *Server) ServeStdio(ctx context.Context, in io.Reader, out io.Writer) error {
	parent := ctx
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	open := newOpenRequests()
	w := &lineWriter{out: out, open: open, failed: cancel}
	r := newLineReader(ctx, in, open, w.refuse)

	std := server.NewStdioServer(s.mcp)
	std.SetErrorLogger(slog.NewLogLogger(s.log.Handler(), slog.LevelWarn))
	server.WithWorkerPoolSize(workers)(std)
	server.WithQueueSize(queued)(std)
	err := std.Listen(ctx, r, w)

	cause := context.Cause(ctx)
	cancel(nil)
	s.waitForCalls()
	switch {
	case parent.Err() != nil:
		return nil
	case cause != nil:
		return cause
	case errors.Is(err, io.EOF):
		return nil
	default:
		return err
	}
}

// waitForCalls gives tool calls a moment to end. A Backend that ignores its context is left behind.
func (s *Server) waitForCalls() {
	done := make(chan struct{})
	go func() {
		s.calls.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(lastGrace):
		s.log.Warn("tool calls did not end with the session", slog.Duration("waited", lastGrace))
	}
}
