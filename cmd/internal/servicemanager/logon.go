package servicemanager

import (
	"context"
	"strings"
)

// The keys of the user's registry that say what starts at the user's logon, and what the user has
// switched off of it.
const (
	runKey      = `HKCU\Software\Microsoft\Windows\CurrentVersion\Run`
	approvedKey = `HKCU\Software\Microsoft\Windows\CurrentVersion\Explorer\StartupApproved\Run`
)

// logon has Windows start the service when its user logs on: what a user without an administrator's
// rights can have, who may make neither a service of Windows nor a scheduled task at logon. It runs
// as its user. Nothing starts it again when it crashes.
type logon struct{ Service }

func (l logon) name() string { return l.shortName() }

func (l logon) file() string { return "" }

// command is what is started: it starts the service in the background, without a window that stays.
func (l logon) command() string {
	return `"` + l.Executable + `" --state-dir "` + l.StateDir + `" start`
}

func (l logon) enable(ctx context.Context) error {
	_, err := l.run(ctx, "reg", "add", runKey, "/v", l.name(), "/t", "REG_SZ", "/d", l.command(), "/f")
	return err
}

func (l logon) launch(ctx context.Context) error { return l.start(ctx) }

func (l logon) uninstall(ctx context.Context) error {
	_, err := l.run(ctx, "reg", "delete", runKey, "/v", l.name(), "/f")
	return err
}

func (l logon) start(ctx context.Context) error {
	_, err := l.run(ctx, l.Executable, "--state-dir", l.StateDir, "start")
	return err
}

func (l logon) stop(ctx context.Context) error {
	_, err := l.run(ctx, l.Executable, "--state-dir", l.StateDir, "stop")
	return err
}

func (l logon) status(ctx context.Context, st *Status) error {
	st.AtLogon = true
	out, err := l.run(ctx, "reg", "query", runKey, "/v", l.name())
	_, command, found := strings.Cut(out, "REG_SZ")
	if err != nil || !found {
		return nil
	}
	st.Installed = true
	st.Executable, _, _ = strings.Cut(strings.TrimPrefix(strings.TrimSpace(command), `"`), `"`)
	// Its first byte is odd when the user has switched it off.
	out, _ = l.run(ctx, "reg", "query", approvedKey, "/v", l.name())
	_, approved, _ := strings.Cut(out, "REG_BINARY")
	approved = strings.TrimSpace(approved)
	st.Enabled = len(approved) < 2 || !strings.Contains("13579BDF", approved[1:2])
	_, err = l.run(ctx, l.Executable, "--state-dir", l.StateDir, "status", "--alive")
	st.Running = err == nil
	return nil
}
