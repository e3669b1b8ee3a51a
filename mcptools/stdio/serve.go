// Package stdio serves an MCP server to one client over two streams, one message a line. It keeps
// from mcp-go's own stdio server what that does not bear: see lineReader. It knows no tools.
package stdio

import (
	"context"
	"errors"
	"io"
	"log/slog"

	"waoutbox/mcptools/mcpevents"

	"github.com/mark3labs/mcp-go/server"
)

const (
	// workers is how many tool calls run at a time; each may wait a minute for somebody else's
	// server.
	workers = 32
	// queued is how many more may wait; beyond it mcp-go reads no further until one is done.
	queued = 1000
)

// Serve serves one client until its input ends and what it asked for is done (at most 30 s), or
// until ctx ends: nil in both cases. Reading or writing errors end it too, and are returned. When
// it returns, the contexts of all calls have ended, but not necessarily the calls.
//
// mcp-go keeps the stdio session of a process in one package variable, so only one Serve may run in
// a process at a time. When ctx ends while in blocks, one goroutine stays in its Read until that
// returns. out gets protocol messages only, each in one Write.
//
// events serves the methods that mcp-go does not know; nil: there are none. Its requests and
// streams end with Serve, which waits a moment for them.
func Serve(ctx context.Context, s *server.MCPServer, events *mcpevents.Extension, in io.Reader, out io.Writer, log *slog.Logger) error {
	parent := ctx
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	open := newOpenRequests()
	w := &lineWriter{out: out, open: open, failed: cancel}
	r := newLineReader(ctx, in, w)
	if events != nil {
		r.events = newExtension(ctx, events, w)
		w.events = events
		defer r.events.close(log)
	}

	std := server.NewStdioServer(s)
	std.SetErrorLogger(slog.NewLogLogger(log.Handler(), slog.LevelWarn))
	server.WithWorkerPoolSize(workers)(std)
	server.WithQueueSize(queued)(std)
	err := std.Listen(ctx, r, w)

	cause := context.Cause(ctx)
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
