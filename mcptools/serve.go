package mcptools

import (
	"context"
	"io"
	"log/slog"
	"time"

	"waoutbox/mcptools/stdio"
	"waoutbox/mcptools/streamable"
)

// lastGrace is what calls whose context has ended get to come back, before the process is left to
// end them.
const lastGrace = 2 * time.Second

// ServeStdio serves one client until its input ends and what it asked for is done (at most 30 s),
// or until ctx ends: nil in both cases. Reading or writing errors end it too, and are returned.
// Only one ServeStdio may run in a process at a time, and out gets protocol messages only; see
// stdio.Serve.
func (s *Server) ServeStdio(ctx context.Context, in io.Reader, out io.Writer) error {
	err := stdio.Serve(ctx, s.mcp, in, out, s.log)
	s.waitForCalls()
	return err
}

// HTTP returns the endpoint that serves any number of clients over Streamable HTTP. Its caller
// decides who may use it, closes it when it stops, and then waits with Wait.
func (s *Server) HTTP() *streamable.Handler { return streamable.New(s.mcp, s.log) }

// Wait gives the tool calls whose contexts have ended a moment to come back.
func (s *Server) Wait() { s.waitForCalls() }

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
