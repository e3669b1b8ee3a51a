package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"waoutbox/cmd/internal/control"
	"waoutbox/cmd/internal/explain"
	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
	"waoutbox/store"
	"waoutbox/store/private"
)

// Options says which daemon is wanted and how to start it.
type Options struct {
	StateDir   string
	Executable string   // "" is the running binary
	Args       []string // further arguments of serve
	NoSpawn    bool     // only look, never start
	// has a service manager start the daemon, and reports false where none is to; nil: none is
	Managed func(ctx context.Context) (bool, error)
	Agent   control.Agent
	// environment from which the daemon gets its few variables; nil is this process's
	Env []string
}

// Codes of a daemon that cannot be started, beside those of the operations. Nobody owns the state
// then, and trying again helps only after something was mended.
const (
	CodeStartFailed   api.Code = "start_failed"   // it was started and ended by itself
	CodeStateUnusable api.Code = "state_unusable" // a directory or file of the state cannot be used
)

const (
	startLockName = "start.lock"     // held by the one who starts the daemon
	startLimit    = 10 * time.Second // from spawning to the child's report, or for another's daemon
	pingLimit     = time.Second      // for one try; a daemon that is well takes a millisecond
	// between two looks at what tells nothing by itself: another's daemon, a lock
	pollInterval = 20 * time.Millisecond
)

// Ensure returns a client of a running daemon and starts one if there is none, detached from this
// process: it outlives it. However many processes call it at once, one daemon is started. It blocks
// for a few seconds at most, or until ctx ends; a daemon that was started by then starts on. Every
// failure but ctx's is an *api.Error with the reason and the fix: service_unavailable when somebody
// owns the state and does not respond, else CodeStateUnusable, or what the daemon reported
// (CodeStartFailed, invalid_arguments).
func Ensure(ctx context.Context, o Options) (*control.Client, error) {
	c := control.NewClient(o.StateDir, o.Agent)
	if err := ensure(ctx, c, o); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func ensure(ctx context.Context, c *control.Client, o Options) error {
	err := ping(ctx, c)
	if err == nil || ctx.Err() != nil || o.NoSpawn {
		return err
	}
	if err := store.MakeDir(o.StateDir); err != nil {
		return api.Errorf(CodeStateUnusable, "waoutbox cannot be started: %v", explain.State(err))
	}
	unlock, err := startLock(ctx, o.StateDir)
	if err != nil {
		return err
	}
	defer unlock()
	if ping(ctx, c) == nil { // somebody else was faster
		return nil
	}
	return start(ctx, c, o)
}

// ping asks for the daemon with a short limit, so that one unresponsive daemon does not use up all
// the time.
func ping(ctx context.Context, c *control.Client) error {
	_, err := c.DaemonWithin(ctx, pingLimit)
	return err
}

// startLock waits for its turn to start the daemon, as long as one start may take and a little
// more.
func startLock(ctx context.Context, stateDir string) (unlock func(), err error) {
	waitCtx, cancel := context.WithTimeout(ctx, startLimit+2*time.Second)
	defer cancel()
	path := filepath.Join(stateDir, startLockName)
	// the library would follow a link, and wait for a pipe
	file, err := openPrivate(path, os.O_RDWR|os.O_CREATE)
	if _, refused := errors.AsType[*private.Error](err); refused {
		return nil, api.Errorf(CodeStateUnusable, "waoutbox cannot be started: %v", err)
	}
	if err != nil {
		return nil, api.Errorf(CodeStateUnusable, "waoutbox cannot be started: %v", explain.Unusable(err, path+" cannot be used"))
	}
	_ = file.Close() // nothing was written
	l := flock.New(path, flock.SetPermissions(0o600))
	ok, err := l.TryLockContext(waitCtx, pollInterval)
	if ok {
		return func() { _ = l.Close() }, nil // it was only held
	}
	_ = l.Close() // not held
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return nil, api.Retryf(api.CodeServiceUnavail, "another process is starting waoutbox and does not come to an end; try again. Its log: %s", logPath(stateDir))
	}
	return nil, api.Errorf(CodeStateUnusable, "waoutbox cannot be started: %v", explain.Unusable(err, l.Path()+" cannot be written"))
}

// start waits until a daemon is ready, and spawns one whenever nobody owns the state. The caller
// holds start.lock.
func start(ctx context.Context, c *control.Client, o Options) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, errStartLimit)
	defer cancel()
	for {
		free, err := awaitOwner(ctx, c, o.StateDir)
		if !free {
			return err
		}
		if managed, err := startManaged(ctx, c, o); managed || err != nil {
			return err
		}
		child, err := spawn(o)
		if err != nil {
			return err
		}
		err = child.awaitReady(ctx)
		switch {
		case ctx.Err() != nil:
			return err
		case err == nil:
			// It takes calls; that they reach it from here shows with the first. Where it does not
			// (Wine gives the first one to nobody), the next one may.
			if free, err := awaitOwner(ctx, c, o.StateDir); !free {
				return err
			}
			continue // it has ended since
		}
		// It may have lost against somebody who took the state at the same moment: a daemon is as
		// good, a command is soon done.
		if _, held, ownerErr := store.ReadOwner(o.StateDir); ownerErr != nil || !held {
			return err
		}
	}
}

// startManaged has the service manager start the daemon where one is installed: a daemon beside it
// would keep the state from it. It reports false where none is.
func startManaged(ctx context.Context, c *control.Client, o Options) (managed bool, err error) {
	if o.Managed == nil {
		return false, nil
	}
	managed, err = o.Managed(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return managed, ctx.Err()
	case err != nil:
		return managed, api.Errorf(CodeStartFailed, "the installed service did not start: %v. What it says: %s", err, term.Command(o.StateDir, "service status"))
	case !managed:
		return false, nil
	case len(o.Args) > 0:
		return true, api.Errorf(api.CodeInvalidArguments, "the service is installed and was started without %s: keep settings with %s", o.Args[0], term.Command(o.StateDir, "config set")).In("args")
	}
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		if err = ping(ctx, c); err == nil || ctx.Err() != nil {
			return true, err
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// errStartLimit is the cause of a context that ended by startLimit and not by the caller.
var errStartLimit = errors.New("not ready within the limit")

// awaitOwner waits while somebody owns the state: a daemon that was started by hand and is on its
// way up or down, or a command that works without a daemon. It returns true when nobody owns it,
// false and nil when a daemon there is ready.
func awaitOwner(ctx context.Context, c *control.Client, stateDir string) (free bool, err error) {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	var last error // what the last whole look saw
	for {
		_, held, err := store.ReadOwner(stateDir)
		switch {
		case err != nil:
			return false, api.Errorf(CodeStateUnusable, "waoutbox cannot be started: %v", explain.State(err))
		case !held && ctx.Err() == nil:
			return true, nil
		}
		if err := ping(ctx, c); err == nil {
			return false, nil
		} else if ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), errStartLimit) && last != nil {
				return false, last
			}
			return false, ctx.Err()
		case <-tick.C:
		}
	}
}

// executable returns the program to start.
func (o Options) executable() (string, error) {
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
		return explain.Unusable(err, what)
	}
	return err
}
