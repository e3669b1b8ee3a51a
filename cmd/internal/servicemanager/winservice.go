package servicemanager

import (
	"context"
	"errors"
	"fmt"
	"time"

	"waoutbox/cmd/internal/windowsservice"
)

// AsService is the flag of `serve` that a service of Windows is started with.
const AsService = "windows-service"

// How long the manager of Windows is waited for, and how often it is asked.
const (
	startLimit = 2 * time.Minute
	askEvery   = 100 * time.Millisecond
)

// recovery returns how long Windows waits before it starts a service again that crashed: for the
// first crash, the second, and each further one, until it has run for recoveryReset.
func recovery() []time.Duration {
	return []time.Duration{2 * time.Second, 10 * time.Second, time.Minute}
}

const recoveryReset = time.Hour

// winservice is a service of Windows: it starts with the machine, whoever logs on, and again after
// a crash. Administrators install it.
type winservice struct{ Service }

// controlState is how a service stands with the service control manager.
type controlState struct {
	Installed, Enabled bool
	Running, Stopped   bool   // neither: on the way
	Executable         string // what it starts
	Exit               uint32 // what it ended with
}

// controlManager is what the library does not do with Windows' service control manager.
type controlManager interface {
	state(name string) (controlState, error)
	// has it start another program from the next start on
	setProgram(name, executable string, arguments []string) error
	setRecovery(name string) error
	// makes the state directory of the service with this SID, or takes one that is there, and
	// closes it to others
	closeDir(dir, sid string) error
}

func (w winservice) name() string {
	return windowsservice.Name(w.StateDir, windowsservice.UsualDir(w.Getenv))
}

func (w winservice) file() string { return "" }

func (w winservice) definition() definition {
	return definition{
		system: libraryWindows, name: w.name(), account: windowsservice.Account(w.name()),
		arguments: []string{"--state-dir", w.StateDir, "serve", "--" + AsService},
	}
}

func (w winservice) enable(context.Context) error {
	d := w.definition()
	if err := w.control.closeDir(w.StateDir, windowsservice.SID(d.name)); err != nil {
		return fmt.Errorf("the state directory: %w", err)
	}
	was, err := w.control.state(d.name)
	if err != nil {
		return err
	}
	if was.Installed {
		err = w.control.setProgram(d.name, w.Executable, d.arguments)
	} else {
		err = w.with(d, registrar.Install)
	}
	if err != nil {
		return err
	}
	return w.control.setRecovery(d.name)
}

func (w winservice) launch(ctx context.Context) error {
	st, err := w.control.state(w.name())
	if err != nil {
		return err
	}
	return w.with(w.definition(), func(r registrar) error {
		if !st.Stopped {
			if err := r.Stop(); err != nil {
				return err
			}
		}
		if err := r.Start(); err != nil {
			return err
		}
		return w.started(ctx)
	})
}

// started waits until the service says that it is ready, or has ended.
func (w winservice) started(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		st, err := w.control.state(w.name())
		switch {
		case err != nil:
			return err
		case st.Running:
			return nil
		case st.Stopped:
			return fmt.Errorf("%s ended as it started (%d); serve.err and serve.log in %s say why", w.name(), st.Exit, w.StateDir)
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return fmt.Errorf("%s was not ready after %s; serve.log in %s says why", w.name(), startLimit, w.StateDir)
			}
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (w winservice) uninstall(context.Context) error {
	st, err := w.control.state(w.name())
	if err != nil {
		return err
	}
	return w.takeOut(w.definition(), !st.Stopped)
}

func (w winservice) start(ctx context.Context) error {
	st, err := w.control.state(w.name())
	if err != nil || st.Running {
		return err
	}
	return w.launch(ctx)
}

func (w winservice) status(_ context.Context, st *Status) error {
	is, err := w.control.state(w.name())
	st.Account = windowsservice.Account(st.Name)
	st.Installed, st.Enabled, st.Running, st.Executable = is.Installed, is.Enabled, is.Running, is.Executable
	return err
}
