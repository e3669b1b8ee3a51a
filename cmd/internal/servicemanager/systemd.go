package servicemanager

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// systemd runs the service as a unit of the user, or of the system when root installs it.
type systemd struct{ Service }

func (s systemd) name() string { return s.shortName() + ".service" }

// file is where the library writes it.
func (s systemd) file() string {
	if s.UID == 0 {
		return filepath.Join("/etc/systemd/system", s.name())
	}
	return filepath.Join(s.Getenv("HOME"), ".config", "systemd", "user", s.name())
}

// unitQuote writes a word of ExecStart: in quotes, with what systemd would expand taken as it is.
func unitQuote(word string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%", "$", "$$").Replace(word) + `"`
}

func (s systemd) definition() definition {
	return definition{system: librarySystemd, name: s.shortName(), user: s.UID != 0, text: s.text()}
}

func (s systemd) text() string {
	target := "default.target"
	if s.UID == 0 {
		target = "multi-user.target"
	}
	return `[Unit]
Description=` + description + `
Documentation=man:waoutbox(1)

[Service]
Type=notify
ExecStart=` + unitQuote(s.Executable) + ` --state-dir ` + unitQuote(s.StateDir) + ` serve
# stopped by "waoutbox stop" it stays so; 78 is a wrong setting, which a restart does not mend
Restart=on-failure
RestartSec=2
RestartPreventExitStatus=` + strconv.Itoa(ExitConfig) + `
# it says that it is alive; one that hangs is ended and started again, and loses nothing
WatchdogSec=60
TimeoutStartSec=120
TimeoutStopSec=60
# in the journal: journalctl ` + s.scope("-u ") + s.name() + `
StandardOutput=journal
StandardError=journal
UMask=0077
NoNewPrivileges=yes

[Install]
WantedBy=` + target + `
`
}

// scope is a command's flag for units of the user, and after it more.
func (s systemd) scope(more string) string {
	if s.UID == 0 {
		return more
	}
	return "--user " + more
}

func (s systemd) systemctl(ctx context.Context, args ...string) (string, error) {
	if s.UID != 0 {
		args = append([]string{"--user"}, args...)
	}
	return s.run(ctx, "systemctl", args...)
}

// why adds to the error of the library, which keeps the number that systemctl ended with, how to
// learn the reason.
func (s systemd) why(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("systemctl: %w; systemctl %sstatus %s says why", err, s.scope(""), s.name())
}

func (s systemd) enable(ctx context.Context) error {
	// a systemd that cannot be reached is told of in words by this, and not by the library
	if _, err := s.systemctl(ctx, "daemon-reload"); err != nil {
		return err
	}
	if err := s.link(); err != nil {
		return err
	}
	return s.why(s.with(s.definition(), registrar.Install))
}

func (s systemd) launch(context.Context) error {
	return s.why(s.with(s.definition(), registrar.Restart))
}

func (s systemd) uninstall(ctx context.Context) error {
	out, _ := s.systemctl(ctx, "is-active", s.name())
	return s.why(s.takeOut(s.definition(), firstLine(out) == "active"))
}

// forgotten has systemd look at what is there once the file is gone, or is an older one again.
func (s systemd) forgotten(ctx context.Context) {
	if _, err := os.Stat(s.file()); err != nil {
		_ = s.unlink()
	}
	_, _ = s.systemctl(ctx, "daemon-reload")
}

func (s systemd) start(context.Context) error {
	return s.why(s.with(s.definition(), registrar.Start))
}

// other is where a systemd with XDG_CONFIG_HOME looks for units of the user, "" where that is the
// usual place: the library knows that alone.
func (s systemd) other() string {
	config := s.Getenv("XDG_CONFIG_HOME")
	if path := filepath.Join(config, "systemd", "user", s.name()); s.UID != 0 && filepath.IsAbs(config) && path != s.file() {
		return path
	}
	return ""
}

// link has the unit found in the other place too.
func (s systemd) link() error {
	path := s.other()
	if path == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // others may list it, as all of these
		return err
	}
	if err := s.unlink(); err != nil {
		return err
	}
	return os.Symlink(s.file(), path)
}

func (s systemd) unlink() error {
	path := s.other()
	if path == "" {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (s systemd) status(ctx context.Context, st *Status) error {
	st.Executable = strings.NewReplacer(`\\`, `\`, `\"`, `"`, "%%", "%", "$$", "$").Replace(executableIn(st.File, "\nExecStart=\"", "\" --state-dir "))
	out, _ := s.systemctl(ctx, "is-enabled", s.name()) // it says so in words, and fails
	st.Enabled = firstLine(out) == "enabled"
	out, _ = s.systemctl(ctx, "is-active", s.name())
	st.Running = firstLine(out) == "active"
	if s.UID != 0 {
		out, err := s.run(ctx, "loginctl", "show-user", "--property=Linger", "--value", s.Getenv("USER"))
		st.NoLinger = err == nil && out == "no"
	}
	return nil
}
