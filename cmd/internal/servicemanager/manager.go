// Package servicemanager has the service started by the system: a unit of systemd, an agent of
// launchd, a service of Windows, or what Windows starts at the user's logon. A library writes and
// registers them, starts and stops them; what it does not promise stands here: one that is replaced
// or not taken leaves what was there, and each state directory has its own.
package servicemanager

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Errors of a system that cannot do it.
var (
	ErrUnsupported  = errors.New("there is no service manager for this system")
	ErrNotInstalled = errors.New("it is not installed")
)

// Service is what is to be started for one state directory.
type Service struct {
	Executable string // absolute
	StateDir   string // absolute
	Default    bool   // it is the usual place, and gets the plain name
	GOOS       string
	UID        int  // 0 installs for the system
	Elevated   bool // Windows: may install for the system
	AtLogon    bool // Windows: no service of Windows, but what starts at the user's logon
	Getenv     func(string) string
	// runs a command of the service manager and returns what it printed; nil: as a process
	Run func(ctx context.Context, name string, args ...string) (string, error)

	register func(definition) (registrar, error) // nil: the library
	control  controlManager                      // of Windows; nil: this system's
}

// description is what managers show of the service.
const description = "waoutbox: WhatsApp events, stored and delivered to webhooks"

// Status is how a service stands.
type Status struct {
	Name      string // as the manager calls it
	File      string // what was written
	Installed bool
	Enabled   bool // it starts with the machine, or with the user's session
	Running   bool
	// the program that it starts, "" when it is not installed
	Executable string
	// it ends when the user logs out
	NoLinger bool
	// it starts when its user logs on, and nothing starts it again when it crashes
	AtLogon bool
	// whom a service of Windows runs as
	Account string
}

// backend is one service manager.
type backend interface {
	name() string
	file() string // "" keeps none
	// has the service start from now on with the machine or the session, and starts nothing
	enable(ctx context.Context) error
	// starts it, in the place of one that it runs already
	launch(ctx context.Context) error
	uninstall(ctx context.Context) error
	start(ctx context.Context) error
	status(ctx context.Context, st *Status) error
}

// stopper is a backend that does not end by itself what it has started.
type stopper interface {
	stop(ctx context.Context) error
}

// outputDelay is how long the output of a command is read after it has ended: what it started in
// the background may keep it open (Windows' desktop does, which the first command there starts).
const outputDelay = time.Second

// shortName is the name without a manager's ending: those of several state directories differ.
func (s Service) shortName() string {
	if s.Default {
		return "waoutbox"
	}
	sum := sha256.Sum256([]byte(s.StateDir))
	return "waoutbox-" + hex.EncodeToString(sum[:4])
}

func (s Service) run(ctx context.Context, name string, args ...string) (string, error) {
	if s.Run != nil {
		return s.Run(ctx, name, args...)
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = outputDelay
	out, err := cmd.CombinedOutput()
	if errors.Is(err, exec.ErrWaitDelay) { // the command itself succeeded
		err = nil
	}
	text := strings.TrimSpace(string(out))
	if err != nil && text != "" {
		err = fmt.Errorf("%s %s: %s", name, strings.Join(args, " "), strings.TrimRight(firstLine(text), "."))
	} else if err != nil {
		err = fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return text, err
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return strings.TrimSpace(line)
}

func (s Service) backend() (backend, error) {
	switch s.GOOS {
	case "linux":
		return systemd{s}, nil
	case "darwin":
		return launchd{s}, nil
	case "windows":
		if s.control == nil {
			s.control = newControl()
		}
		system, err := s.forSystem()
		if err != nil {
			return nil, err
		}
		if system {
			return winservice{s}, nil
		}
		return logon{s}, nil
	}
	return nil, ErrUnsupported
}

// forSystem reports whether this is about a service of Windows, which an administrator installs,
// and anybody may look at who does not ask for what starts at logon.
func (s Service) forSystem() (bool, error) {
	if s.AtLogon || s.Elevated {
		return !s.AtLogon, nil
	}
	st, err := s.control.state(winservice{s}.name())
	return st.Installed, err
}

// takeOut has the manager forget a service, which is stopped first. One that does not stop, and
// runs, stays.
func (s Service) takeOut(d definition, running bool) error {
	return s.with(d, func(r registrar) error {
		if err := r.Stop(); err != nil && running {
			return err
		}
		return r.Uninstall()
	})
}

// undoLimit bounds how long an installation that failed is taken back.
const undoLimit = 30 * time.Second

// Install writes the file of the service, and has it started now and from then on. What was
// installed for this state directory before is replaced. Once the manager has taken it, and before
// it starts it, before is called, which ends what runs without the manager. When anything fails,
// what was installed before, or nothing, is there again.
func (s Service) Install(ctx context.Context, before func() error) (Status, error) {
	b, err := s.backend()
	if err != nil {
		return Status{}, err
	}
	was, err := s.Status(ctx)
	if err != nil {
		return Status{}, err
	}
	path := b.file()
	var old []byte
	if was.Installed && path != "" {
		if old, err = os.ReadFile(path); err != nil {
			return Status{}, err
		}
	}
	undo := func() {
		// an interrupted installation leaves nothing either
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoLimit)
		defer cancel()
		switch {
		case !was.Installed:
			_ = b.uninstall(ctx) // as far as it was taken
			if path != "" {
				_ = os.Remove(path)
			}
		case path != "":
			_ = os.WriteFile(path, old, 0o644) //nolint:gosec // it holds no secret
		default:
			before := s
			before.Executable = was.Executable
			if b, err := before.backend(); err == nil {
				_ = b.enable(ctx)
			}
		}
		s.forgotten(ctx, b)
	}
	if path != "" {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // others may list it, as all of these
			return Status{}, err
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return Status{}, err
		}
	}
	if err = b.enable(ctx); err == nil {
		err = before()
	}
	if err == nil {
		err = b.launch(ctx)
	}
	if err != nil {
		undo()
		return Status{}, err
	}
	return s.Status(ctx)
}

// forgotten has a manager look again at what files there are.
func (s Service) forgotten(ctx context.Context, b backend) {
	if again, ok := b.(interface{ forgotten(context.Context) }); ok {
		again.forgotten(ctx)
	}
}

// Uninstall stops the service and takes its file away. The state stays.
func (s Service) Uninstall(ctx context.Context) (Status, error) {
	st, err := s.Status(ctx)
	if err != nil {
		return st, err
	}
	if !st.Installed {
		return st, ErrNotInstalled
	}
	b, err := s.backend()
	if err != nil {
		return st, err
	}
	if err := b.uninstall(ctx); err != nil {
		return st, err
	}
	if b, ok := b.(stopper); ok && st.Running {
		if err := b.stop(ctx); err != nil {
			return st, err
		}
	}
	if path := b.file(); path != "" {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return st, err
		}
	}
	s.forgotten(ctx, b)
	return st, nil
}

// Start has the manager start the service and returns once it is ready, on launchd once it is under
// way. It reports false where no manager can: nothing is installed, or what starts it at logon.
func (s Service) Start(ctx context.Context) (installed bool, err error) {
	st, err := s.Status(ctx)
	if errors.Is(err, ErrUnsupported) || err == nil && (!st.Installed || st.AtLogon) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	b, err := s.backend()
	if err != nil {
		return false, err
	}
	return true, b.start(ctx)
}

// Status looks at what is installed.
func (s Service) Status(ctx context.Context) (Status, error) {
	b, err := s.backend()
	if err != nil {
		return Status{}, err
	}
	st := Status{Name: b.name(), File: b.file()}
	if st.File != "" {
		_, err := os.Stat(st.File)
		st.Installed = err == nil
		if err != nil {
			return st, nil
		}
	}
	return st, b.status(ctx, &st)
}

// executableIn returns what stands in a file of a service before the state directory's flag.
func executableIn(path, before, after string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(b), before)
	exe, _, found := strings.Cut(rest, after)
	if !found {
		return ""
	}
	return exe
}
