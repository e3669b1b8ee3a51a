package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/servicemanager"
	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
	"waoutbox/store"
)

// serviceLine is `service status --json`.
type serviceLine struct {
	Name       string `json:"name"`
	Installed  bool   `json:"installed"`
	Enabled    bool   `json:"enabled"` // starts by itself
	Running    bool   `json:"running"`
	File       string `json:"file,omitempty"`
	Executable string `json:"executable,omitempty"`
}

func newServiceCmd(e *env) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "service",
		Short: "Have the system start the service, and start it again when it ends",
		Long: `Installs a systemd user unit (Linux) or a launchd agent (macOS) for this state directory, which starts this program's serve,
and starts it again when it crashes (with systemd, also when it hangs). On Windows it is an entry of the user's registry
that starts it at logon; nothing there starts it again when it crashes. Settings are those of config.json: waoutbox
config set. Root installs for the system. Nothing of the state is changed.`,
	})
	cmd.AddCommand(newServiceInstallCmd(e), newServiceUninstallCmd(e), newServiceStatusCmd(e))
	return cmd
}

// manager is the system's service manager for this state directory.
func (e *env) manager() (servicemanager.Service, error) {
	exe, err := os.Executable()
	if err == nil {
		exe, err = filepath.EvalSymlinks(exe)
	}
	usual, derr := store.DefaultDir(runtime.GOOS, func(name string) string {
		if name == "WAOUTBOX_STATE_DIR" || name == "STATE_DIRECTORY" {
			return ""
		}
		return e.getenv(name)
	})
	return servicemanager.Service{
		Executable: exe, StateDir: e.stateDir, Default: derr == nil && usual == e.stateDir, GOOS: runtime.GOOS, UID: os.Geteuid(), Getenv: e.getenv,
	}, err
}

// startManaged starts the service where one is installed for this state: none is spawned beside it.
func (e *env) startManaged(ctx context.Context) (bool, error) {
	m, err := e.manager()
	if err != nil || runtime.GOOS == "windows" {
		return false, nil // what is installed cannot be told from here, or starts it by this
	}
	return m.Start(ctx)
}

func newServiceInstallCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "install",
		Short: "Install the service, and start it",
		Long:  `Installs the service for this state directory and starts it, in the place of one that runs in the background.`,
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			if _, err := e.config(); err != nil { // it would not start
				return err
			}
			m, err := e.manager()
			if err != nil {
				return err
			}
			var stopped *api.Daemon
			st, err := m.Install(ctx, func() (err error) {
				stopped, err = e.stopIfRunning(ctx)
				return err
			})
			if err != nil {
				err = managerError(err, "installed")
				if stopped != nil {
					err = fmt.Errorf("%w. The one that ran in the background (pid %d) was ended", err, stopped.PID)
				}
				return err
			}
			if e.json {
				e.printJSON(serviceJSON(st))
				return nil
			}
			e.printf("Installed and started %s\n", st.Name)
			if st.File != "" {
				e.printf("  file     %s\n", e.home(st.File))
			}
			e.printf("  starts   %s --state-dir %s serve\n", m.Executable, term.Quote(e.stateDir))
			if st.NoLinger {
				e.printf("  %s\n", e.style.Yellow("it ends when you log out; to have it run always: loginctl enable-linger"))
			}
			e.next("waoutbox service status")
			return nil
		},
	}
}

func newServiceUninstallCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "uninstall",
		Short: "Stop the service and take it out of the system",
		Long:  `Stops the service and removes what install wrote. The state stays: waoutbox start runs it without the system.`,
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, err := e.manager()
			if err != nil {
				return err
			}
			st, err := m.Uninstall(cmd.Context())
			if errors.Is(err, servicemanager.ErrNotInstalled) {
				return fmt.Errorf("%s is not installed: nothing was changed", st.Name)
			}
			if err != nil {
				return managerError(err, "uninstalled")
			}
			if e.json {
				e.printJSON(serviceLine{Name: st.Name})
				return nil
			}
			e.printf("Stopped %s and took it out. The state stays in %s.\n", st.Name, e.home(e.stateDir))
			e.next("waoutbox start")
			return nil
		},
	}
}

func newServiceStatusCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Say whether the service is installed, and how it stands",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, err := e.manager()
			if err != nil {
				return err
			}
			st, err := m.Status(cmd.Context())
			if err != nil {
				return managerError(err, "looked at")
			}
			if e.json {
				e.printJSON(serviceJSON(st))
				return nil
			}
			e.sayService(m, st)
			return nil
		},
	}
}

func (e *env) sayService(m servicemanager.Service, st servicemanager.Status) {
	if !st.Installed {
		e.printf("%s is not installed for %s\n", st.Name, e.home(e.stateDir))
		e.next("waoutbox service install")
		return
	}
	word := func(yes bool, is, isNot string) string {
		if yes {
			return e.style.Green(is)
		}
		return e.style.Yellow(isNot)
	}
	running := word(st.Running, "runs", "does not run")
	e.printf("%s  installed, %s, %s\n", st.Name, word(st.Enabled, "starts by itself", "does not start by itself"), running)
	if st.File != "" {
		e.printf("  file     %s\n", e.home(st.File))
	}
	if st.Executable != "" && st.Executable != m.Executable {
		e.printf("  %s\n", e.style.Yellow("it starts "+term.Clean(st.Executable)+", and this program is "+m.Executable+"; to have it start this one: "+e.command("service install")))
	}
	if st.NoLinger {
		e.printf("  %s\n", e.style.Yellow("it ends when you log out; to have it run always: loginctl enable-linger"))
	}
	if st.Running {
		e.next("waoutbox status")
	} else {
		e.next("waoutbox start")
	}
}

func serviceJSON(st servicemanager.Status) serviceLine {
	return serviceLine{Name: st.Name, Installed: st.Installed, Enabled: st.Enabled, Running: st.Running, File: st.File, Executable: st.Executable}
}

// managerError says what the system's service manager did not do.
func managerError(err error, what string) error {
	if errors.Is(err, servicemanager.ErrUnsupported) {
		return fmt.Errorf("%w (%s): run waoutbox serve under the one that there is", err, runtime.GOOS)
	}
	return fmt.Errorf("the service could not be %s: %w. Without a service manager: waoutbox start", what, err)
}
