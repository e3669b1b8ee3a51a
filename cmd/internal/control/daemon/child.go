package daemon

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"time"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// reportGrace is for what a daemon wrote just before it ended to come through the pipe.
const reportGrace = time.Second

// child is a daemon that was started here. It outlives this process and whoever waits for it.
type child struct {
	pid  int
	dir  string // the state directory
	pipe *os.File

	messages chan message  // gets its report; closed when there is no more to read
	done     chan struct{} // closed when it has ended
	err      error         // how it ended; read after done
}

// newChild takes over a started command and the reading end of its pipe.
func newChild(cmd *exec.Cmd, dir string, pipe *os.File) *child {
	c := &child{pid: cmd.Process.Pid, dir: dir, pipe: pipe, messages: make(chan message, 1), done: make(chan struct{})}
	// Ends with the daemon, or with this process: it only collects the exit status, so that no
	// zombie stays.
	go func() {
		c.err = cmd.Wait()
		close(c.done)
	}()
	// Ends with the report, or when awaitReady closes the pipe.
	go func() {
		defer close(c.messages)
		if m, ok := readMessage(pipe); ok {
			c.messages <- m
		}
	}()
	return c
}

// awaitReady waits for the child's report and returns nil when it is ready. After a report of
// failure it waits for the child's end, so that the state is free again. It ends early with ctx,
// and the child then goes on. Call it once.
func (c *child) awaitReady(ctx context.Context) error {
	defer c.pipe.Close()
	var m message
	var reported bool
	select {
	case m, reported = <-c.messages:
	case <-c.done:
		// A process it started may hold the pipe open: its end does not end the pipe then.
		grace := time.NewTimer(reportGrace)
		defer grace.Stop()
		select {
		case m, reported = <-c.messages:
		case <-grace.C:
		}
	case <-ctx.Done():
		return c.notInTime(ctx)
	}
	if m.Ready {
		return nil
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		return c.notInTime(ctx)
	}
	if !reported {
		return c.endedSilently()
	}
	return c.failed(m.Error)
}

// notInTime returns why the wait ended before the child reported.
func (c *child) notInTime(ctx context.Context) error {
	if !errors.Is(context.Cause(ctx), errStartLimit) {
		return ctx.Err()
	}
	return api.Retryf(api.CodeServiceUnavail, "waoutbox (pid %d) was started and is not ready after %s; try again. Its log: %s", c.pid, startLimit, logPath(c.dir))
}

// failed returns the error for a child that reported why it ended. Codes that tell the caller what
// to change stay.
func (c *child) failed(e *api.Error) error {
	code := CodeStartFailed
	if e.Code == CodeStateUnusable || strings.HasPrefix(string(e.Code), "invalid_") {
		code = e.Code
	}
	return api.Errorf(code, "waoutbox could not start: %s. Its log: %s", strings.TrimSuffix(e.Message, "."), logPath(c.dir))
}

// endedSilently returns the error for a child that ended without a report.
func (c *child) endedSilently() error {
	how := "it ended at once"
	if c.err != nil {
		how = c.err.Error() // "exit status 1", "signal: killed"
	}
	return api.Errorf(CodeStartFailed, "waoutbox could not start (%s) and did not say why; a sandbox may have ended it. Start it outside: %s (what it wrote: %s)",
		how, term.Command(c.dir, "serve"), stderrPath(c.dir))
}
