package servicemanager

import (
	"context"
	"path/filepath"
	"strconv"
	"strings"
)

// systemd runs the service as a unit of the user, or of the system when root installs it.
type systemd struct{ Service }

func (s systemd) name() string { return "waoutbox" + s.hash() + ".service" }

func (s systemd) file() string {
	if s.UID == 0 {
		return filepath.Join("/etc/systemd/system", s.name())
	}
	config := s.Getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(config) {
		config = filepath.Join(s.Getenv("HOME"), ".config")
	}
	return filepath.Join(config, "systemd", "user", s.name())
}

// unitQuote writes a word of ExecStart: in quotes, with what systemd would expand taken as it is.
func unitQuote(word string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%", "$", "$$").Replace(word) + `"`
}

func (s systemd) text() string {
	target := "default.target"
	if s.UID == 0 {
		target = "multi-user.target"
	}
	return `[Unit]
Description=waoutbox: WhatsApp events, stored and delivered to webhooks
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

func (s systemd) enable(ctx context.Context) error {
	if _, err := s.systemctl(ctx, "daemon-reload"); err != nil {
		return err
	}
	_, err := s.systemctl(ctx, "enable", s.name())
	return err
}

func (s systemd) launch(ctx context.Context) error {
	_, err := s.systemctl(ctx, "restart", s.name())
	return err
}

func (s systemd) uninstall(ctx context.Context) error {
	_, err := s.systemctl(ctx, "disable", "--now", s.name())
	return err
}

// forgotten has systemd look at what is there once the file is gone.
func (s systemd) forgotten(ctx context.Context) { _, _ = s.systemctl(ctx, "daemon-reload") }

func (s systemd) start(ctx context.Context) error {
	_, err := s.systemctl(ctx, "start", s.name())
	return err
}

func (s systemd) status(ctx context.Context, st *Status) {
	st.Executable = strings.NewReplacer(`\\`, `\`, `\"`, `"`, "%%", "%", "$$", "$").Replace(executableIn(st.File, "\nExecStart=\"", "\" --state-dir "))
	out, _ := s.systemctl(ctx, "is-enabled", s.name()) // it says so in words, and fails
	st.Enabled = firstLine(out) == "enabled"
	out, _ = s.systemctl(ctx, "is-active", s.name())
	st.Running = firstLine(out) == "active"
	if s.UID != 0 {
		out, err := s.run(ctx, "loginctl", "show-user", "--property=Linger", "--value", s.Getenv("USER"))
		st.NoLinger = err == nil && out == "no"
	}
}
