package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"waoutbox/outbox/api"
	"waoutbox/store"
)

// EnsureOptions says which daemon is wanted and how to start it.
type EnsureOptions struct {
	StateDir   string
	Executable string   // "" is the running binary
	Args       []string // further arguments of serve
	NoSpawn    bool     // only look, never start
	Agent      Agent
	Env        []string // environment from which the daemon gets its few variables; nil is this process's
}

// Codes of a daemon that cannot be started, beside those of the operations. Nobody owns the state then, and trying again helps only
// after something was mended.
const (
	CodeStartFailed   api.Code = "start_failed"   // it was started and ended by itself
	CodeStateUnusable api.Code = "state_unusable" // a directory or file of the state cannot be used
)

const (
	startLockName = "start.lock" // held by the one who starts the daemon
	startLimit    = 5 * time.Second
	pingLimit     = time.Second // for one try; a daemon that answers takes a millisecond
)

// Ensure answers a client of a running daemon and starts one if there is none, detached from this process: it outlives it. However
// many processes call it at once, one daemon is started. It blocks for a few seconds at most, or until ctx ends. Every failure but
// ctx's is an *api.Error with the reason and the fix: service_unavailable when somebody owns the state and does not answer, else
// CodeStateUnusable, or what the daemon's own end means (CodeStartFailed, invalid_arguments).
func Ensure(ctx context.Context, o EnsureOptions) (*Client, error) {
	c := NewClient(o.StateDir, o.Agent)
	if err := ensure(ctx, c, o); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func ensure(ctx context.Context, c *Client, o EnsureOptions) error {
	err := c.ping(ctx)
	if err == nil || ctx.Err() != nil {
		return err
	}
	if o.NoSpawn {
		return err
	}
	if err := privateDir(o.StateDir); err != nil {
		return api.Errorf(CodeStateUnusable, "waoutbox cannot be started: %v", usable(err, "state directory "+o.StateDir+" cannot be used"))
	}
	unlock, err := startLock(ctx, o.StateDir)
	if err != nil {
		return err
	}
	defer unlock()
	if c.ping(ctx) == nil { // somebody else was faster
		return nil
	}
	return c.start(ctx, o)
}

// ping is Daemon with a shorter limit, so that one deaf daemon does not use up all the time.
func (c *Client) ping(ctx context.Context) error {
	_, err := c.ask(ctx, pingLimit)
	return err
}

// startLock waits for its turn to start the daemon, as long as one start may take and a little more.
func startLock(ctx context.Context, stateDir string) (unlock func(), err error) {
	waitCtx, cancel := context.WithTimeout(ctx, startLimit+2*time.Second)
	defer cancel()
	l := flock.New(filepath.Join(stateDir, startLockName), flock.SetPermissions(0o600))
	ok, err := l.TryLockContext(waitCtx, pollEvery)
	if ok {
		return func() { l.Close() }, nil
	}
	l.Close()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return nil, unavailable("another process is starting waoutbox and does not come to an end; try again. Its output: %s", logPath(stateDir))
	}
	return nil, api.Errorf(CodeStateUnusable, "waoutbox cannot be started: %v", store.Unusable(err, l.Path()+" cannot be written"))
}

// start spawns the daemon and waits until it answers, ends, or the time is up. The caller holds start.lock.
func (c *Client) start(ctx context.Context, o EnsureOptions) error {
	var child *child
	limit := time.NewTimer(startLimit)
	defer limit.Stop()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if child == nil {
			var err error
			if child, err = c.spawnIfFree(o); err != nil {
				return err
			}
		}
		err := c.ping(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-limit.C:
			return c.tooSlow(child, err)
		case <-child.ended():
			// It may have lost against somebody who took the state at the same moment: a daemon is as good, a command is soon done.
			if _, held, err := store.ReadOwner(o.StateDir); err == nil && held {
				child = nil
				continue
			}
			return child.failure()
		case <-tick.C:
		}
	}
}

// spawnIfFree starts a daemon unless somebody holds the state: one that was started by hand and is on its way up or down, or a command
// that works without a daemon. In both cases it answers nil, and the caller asks again.
func (c *Client) spawnIfFree(o EnsureOptions) (*child, error) {
	_, held, err := store.ReadOwner(o.StateDir)
	if err != nil {
		return nil, api.Errorf(CodeStateUnusable, "waoutbox cannot be started: %v", err)
	}
	if held {
		return nil, nil
	}
	return spawn(o)
}

// tooSlow explains a daemon that runs but did not answer in time.
func (c *Client) tooSlow(child *child, last error) error {
	if child == nil {
		return last
	}
	return unavailable("waoutbox (pid %d) was started but did not answer within %s; try again. %s", child.pid, startLimit, child.said())
}

// executable answers the program to start.
func (o EnsureOptions) executable() (string, error) {
	if o.Executable != "" {
		return o.Executable, nil
	}
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("the path of this program cannot be told: %w", err)
	}
	return path, nil
}

// usable gives what the system said about a file its sentence; an error that is one already stays.
func usable(err error, what string) error {
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return store.Unusable(err, what)
	}
	return err
}
