package servicemanager

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// calls records what a service manager is asked, and says what it says.
type calls struct {
	all   []string
	says  map[string]string
	fails string // a word of the call that fails

	file    string       // where the library would write
	windows controlState // how the service of Windows stands
	crashes bool         // it ends as it starts
}

func (c *calls) run(ctx context.Context, name string, args ...string) (string, error) {
	line := strings.Join(append([]string{name}, args...), " ")
	if err := ctx.Err(); err != nil { // no program is started then
		return "", err
	}
	return c.ask(line)
}

func (c *calls) ask(line string) (string, error) {
	c.all = append(c.all, line)
	if c.fails != "" && strings.Contains(line, c.fails) {
		return "", errors.New("it says no")
	}
	for word, text := range c.says {
		if strings.Contains(line, word) {
			return text, nil
		}
	}
	return "", nil
}

// asked reports whether a call had these words.
func (c *calls) asked(words string) bool { return strings.Contains(strings.Join(c.all, "\n"), words) }

// registered stands for the library.
type registered struct {
	*calls
	d definition
}

func (r registered) do(what string, change func(*controlState)) error {
	_, err := r.ask("library: " + what + " " + r.d.name)
	if err == nil && r.d.system == libraryWindows {
		change(&r.windows)
	}
	return err
}

func (r registered) Install() error {
	if r.d.text != "" {
		if _, err := os.Stat(r.file); err == nil {
			return errors.New("it is there already")
		}
		if err := os.WriteFile(r.file, []byte(r.d.text), 0o600); err != nil {
			return err
		}
	}
	return r.do("install", func(st *controlState) {
		*st = controlState{Installed: true, Enabled: true, Stopped: true, Executable: "ours"}
	})
}

func (r registered) Uninstall() error {
	err := r.do("uninstall", func(st *controlState) { *st = controlState{} })
	if err == nil && r.d.text != "" {
		err = os.Remove(r.file)
	}
	return err
}

func (r registered) Start() error {
	return r.do("start", func(st *controlState) { st.Running, st.Stopped, st.Exit = !r.crashes, r.crashes, 78 })
}

func (r registered) Stop() error {
	return r.do("stop", func(st *controlState) { st.Running, st.Stopped = false, true })
}

func (r registered) Restart() error { return errors.Join(r.Stop(), r.Start()) }

// controlled stands for the service control manager of Windows.
type controlled struct{ *calls }

func (c controlled) state(string) (controlState, error) { return c.windows, nil }

func (c controlled) setProgram(name, executable string, arguments []string) error {
	_, err := c.ask(fmt.Sprintf("control: program %s %s %q", name, executable, arguments))
	if err == nil {
		c.windows.Executable = executable
	}
	return err
}

func (c controlled) setRecovery(name string) error {
	_, err := c.ask("control: recovery " + name)
	return err
}

func (c controlled) closeDir(dir, sid string) error {
	_, err := c.ask("control: close " + dir + " for " + sid)
	return err
}

// forTest is a service of a user, on Windows of one without an administrator's rights.
func forTest(t *testing.T, goos string, c *calls) Service {
	t.Helper()
	home := t.TempDir()
	s := Service{Executable: `/opt/my "wa"/100%/waoutbox`, StateDir: "/srv/a <b> $HOME", GOOS: goos, UID: 1000, Run: c.run,
		register: func(d definition) (registrar, error) { return registered{c, d}, nil }, control: controlled{c},
		Getenv: func(name string) string {
			return map[string]string{"HOME": home, "USER": "alice", "ProgramData": `C:\ProgramData`}[name]
		}}
	if b, err := s.backend(); err == nil {
		c.file = b.file()
	}
	return s
}
