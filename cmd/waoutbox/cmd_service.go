package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/servicemanager"
	"waoutbox/cmd/internal/term"
	"waoutbox/cmd/internal/windowsservice"
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
and starts it again when it crashes (with systemd, also when it hangs). Settings are those of config.json: waoutbox
config set. Root installs for the system. Nothing of the state is changed.

On Windows, a prompt that was opened with "Run as administrator" installs a service of Windows: it starts with the machine,
and again after a crash, has a state of its own (%ProgramData%\waoutbox, or --state-dir), and is for administrators. Any
other prompt, or --at-logon, makes an entry of the user's registry that starts it at logon, on the user's state;
nothing starts that again when it crashes.`,
	})
	atLogon := cmd.PersistentFlags().Bool("at-logon", false, "Windows: what starts at this user's logon, also in an administrator's prompt")
	manager := func(cmd *cobra.Command) (servicemanager.Service, error) { return e.serviceManager(cmd, *atLogon) }
	cmd.AddCommand(newServiceInstallCmd(e, manager), newServiceUninstallCmd(e, manager), newServiceStatusCmd(e, manager))
	return cmd
}

// managerOf returns the service manager that a command is about.
type managerOf func(*cobra.Command) (servicemanager.Service, error)

// serviceManager is the service manager that cmd is about, and settles which state that is for: a
// service of Windows has one of its own, where nobody names another.
func (e *env) serviceManager(cmd *cobra.Command, atLogon bool) (servicemanager.Service, error) {
	if atLogon && runtime.GOOS != "windows" {
		return servicemanager.Service{}, usagef("--at-logon is for Windows: leave it out")
	}
	named := cmd.Flags().Changed("state-dir") || e.getenv("WAOUTBOX_STATE_DIR") != ""
	if runtime.GOOS == "windows" && !named && !atLogon && servicemanager.Elevated() {
		if dir := windowsservice.UsualDir(e.getenv); dir != "" {
			e.stateDir = dir
		}
	}
	m, err := e.manager()
	m.AtLogon = atLogon
	return m, err
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
		Executable: exe, StateDir: e.stateDir, Default: derr == nil && usual == e.stateDir, GOOS: runtime.GOOS, UID: os.Geteuid(), Elevated: servicemanager.Elevated(), Getenv: e.getenv,
	}, err
}

// startManaged starts the service where one is installed for this state: none is spawned beside it.
func (e *env) startManaged(ctx context.Context) (bool, error) {
	m, err := e.manager()
	if err != nil {
		return false, nil //nolint:nilerr // what is installed cannot be told from here
	}
	return m.Start(ctx)
}

func newServiceInstallCmd(e *env, manager managerOf) *cobra.Command {
	return &cobra.Command{
		Use:   "install",
		Short: "Install the service, and start it",
		Long:  `Installs the service for this state directory and starts it, in the place of one that runs in the background.`,
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			m, err := manager(cmd)
			if err != nil {
				return err
			}
			if _, err := e.config(); err != nil { // it would not start
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
			e.printf("  starts   %s --state-dir %s serve\n", m.Executable, term.QuotePath(e.stateDir))
			e.sayLimits(st)
			e.sayOtherState(st)
			e.next("waoutbox service status%s", atLogonFlag(m))
			return nil
		},
	}
}

func newServiceUninstallCmd(e *env, manager managerOf) *cobra.Command {
	return &cobra.Command{
		Use:   "uninstall",
		Short: "Stop the service and take it out of the system",
		Long:  `Stops the service and removes what install wrote. The state stays: waoutbox start runs it without the system.`,
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, err := manager(cmd)
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

func newServiceStatusCmd(e *env, manager managerOf) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Say whether the service is installed, and how it stands",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, err := manager(cmd)
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
		e.next("waoutbox service install%s", atLogonFlag(m))
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
		e.printf("  %s\n", e.style.Yellow("it starts "+term.Clean(st.Executable)+", and this program is "+m.Executable+"; to have it start this one: "+e.command("service install%s", atLogonFlag(m))))
	}
	e.sayLimits(st)
	if st.Running {
		e.next("waoutbox status")
	} else {
		e.next("waoutbox start")
	}
}

// atLogonFlag is what a command needs to be about the same service as the one that was typed.
func atLogonFlag(m servicemanager.Service) string {
	if m.AtLogon {
		return " --at-logon"
	}
	return ""
}

// sayLimits says when the service does not run, and who reaches it.
func (e *env) sayLimits(st servicemanager.Status) {
	switch {
	case st.NoLinger:
		e.printf("  %s\n", e.style.Yellow("it ends when you log out; to have it run always: loginctl enable-linger"))
	case st.AtLogon:
		e.printf("  %s\n", e.style.Yellow("it starts at your logon, and nothing starts it again when it crashes; for that, and to start with the machine: "+
			"waoutbox service install in a prompt that was opened with \"Run as administrator\""))
	case st.Account != "":
		e.printf("  runs as  %s, which may reach this state and no other user's files; it starts with the machine, and again after a crash\n", st.Account)
		e.printf("  is for   administrators: commands on this state need a prompt that was opened with \"Run as administrator\"\n")
	}
}

// sayOtherState says of a state of the user that a service of Windows with a state of its own does
// not use.
func (e *env) sayOtherState(st servicemanager.Status) {
	usual, err := store.DefaultDir(runtime.GOOS, e.getenv)
	if st.Account == "" || err != nil || usual == e.stateDir {
		return
	}
	if _, err := os.Stat(filepath.Join(usual, store.OutboxFile)); err != nil {
		return
	}
	e.printf("  %s\n", e.style.Yellow("the state in "+usual+" stays as it is, and this service does not use it; one that does: waoutbox service install --at-logon. "+
		"To have this one use it: stop both, and move what is in it to "+e.stateDir))
}

func serviceJSON(st servicemanager.Status) serviceLine {
	return serviceLine{Name: st.Name, Installed: st.Installed, Enabled: st.Enabled, Running: st.Running, File: st.File, Executable: st.Executable}
}

// managerError says what the system's service manager did not do.
func managerError(err error, what string) error {
	if errors.Is(err, servicemanager.ErrUnsupported) {
		return fmt.Errorf("%w (%s): run waoutbox serve under the one that there is", err, runtime.GOOS)
	}
	if runtime.GOOS == "windows" && errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("the service could not be %s: %w Run this in a prompt that was opened with \"Run as administrator\"", what, err)
	}
	return fmt.Errorf("the service could not be %s: %w. Without a service manager: waoutbox start", what, err)
}
