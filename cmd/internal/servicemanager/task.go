package servicemanager

import (
	"context"
	"strings"
)

// task has Windows start the service when its user logs on. A service of Windows would run as
// another user, for whom the named pipe, the files and their access lists are not.
type task struct{ Service }

func (t task) name() string { return "waoutbox" + t.hash() }

func (t task) file() string { return "" }

func (t task) text() string { return "" }

// command is what the task runs: it starts the service in the background, without a window that
// stays.
func (t task) command() string {
	return `"` + t.Executable + `" --state-dir "` + t.StateDir + `" start`
}

func (t task) enable(ctx context.Context) error {
	_, err := t.run(ctx, "schtasks", "/Create", "/F", "/SC", "ONLOGON", "/RL", "LIMITED", "/TN", t.name(), "/TR", t.command())
	return err
}

func (t task) launch(ctx context.Context) error { return t.start(ctx) }

func (t task) uninstall(ctx context.Context) error {
	_, err := t.run(ctx, "schtasks", "/Delete", "/F", "/TN", t.name())
	return err
}

func (t task) start(ctx context.Context) error {
	_, err := t.run(ctx, "schtasks", "/Run", "/TN", t.name())
	return err
}

func (t task) status(ctx context.Context, st *Status) {
	out, err := t.run(ctx, "schtasks", "/Query", "/TN", t.name(), "/XML")
	// Where there are no tasks (Wine), the command says nothing and succeeds.
	st.Installed = err == nil && strings.TrimSpace(out) != ""
	st.Enabled = st.Installed && !strings.Contains(out, "<Enabled>false</Enabled>")
	if st.Installed {
		st.Executable = t.Executable
	}
}
