package servicemanager

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// A service of Windows, as an administrator installs it: the directory is closed to others before
// anything starts, it runs as an account of its own, is started again after a crash, and is ready
// when the command returns.
//
// Mutation of winservice.go: the state of a service of Windows stays open to others.
func TestALifeOfAServiceOfWindows(t *testing.T) {
	t.Parallel()
	c := &calls{}
	s := forTest(t, "windows", c)
	s.Elevated, s.StateDir = true, `C:\ProgramData\waoutbox`
	if st, err := s.Status(t.Context()); err != nil || st.Installed || st.Name != "waoutbox" || st.AtLogon {
		t.Fatalf("at first: %+v, %v", st, err)
	}
	if installed, err := s.Start(t.Context()); installed || err != nil {
		t.Errorf("one that is not installed was started: %v, %v", installed, err)
	}
	st, err := s.Install(t.Context(), func() error { _, err := c.ask("the one in the background ends"); return err })
	if err != nil || !st.Installed || !st.Enabled || !st.Running {
		t.Fatalf("installed: %+v, %v", st, err)
	}
	want := []string{
		`control: close C:\ProgramData\waoutbox for S-1-5-80-`, "library: install waoutbox", "control: recovery waoutbox", "the one in the background ends", "library: start waoutbox",
	}
	if !slices.EqualFunc(c.all, want, func(got, want string) bool { return strings.HasPrefix(got, want) }) {
		t.Errorf("it was asked %q", c.all)
	}
	c.all = nil
	s.Executable = `C:\new\waoutbox.exe`
	if st, err := s.Install(t.Context(), nothing); err != nil || st.Executable != s.Executable || c.asked("library: install") {
		t.Errorf("installed over one that runs: %+v, %v, %q", st, err, c.all)
	}
	if !c.asked(`control: program waoutbox C:\new\waoutbox.exe ["--state-dir" "C:\\ProgramData\\waoutbox" "serve" "--windows-service"]`) || !c.asked("library: stop") {
		t.Errorf("the new program: %q", c.all)
	}
	// who is no administrator sees it, and starts no other one
	user := s
	user.Elevated = false
	if st, err := user.Status(t.Context()); err != nil || !st.Running || st.AtLogon {
		t.Errorf("a user sees %+v, %v", st, err)
	}
	user.AtLogon = true
	if st, err := user.Status(t.Context()); err != nil || st.Installed || !st.AtLogon {
		t.Errorf("at logon there is %+v, %v", st, err)
	}
	c.all = nil
	if _, err := s.Uninstall(t.Context()); err != nil || !c.asked("library: stop") || !c.asked("library: uninstall") {
		t.Errorf("uninstalled: %v, %q", err, c.all)
	}
}

// One that cannot be installed, or ends as it starts, leaves nothing, or the program from before.
func TestAServiceOfWindowsThatFails(t *testing.T) {
	t.Parallel()
	for _, fails := range []string{"control: close", "library: install", "control: recovery", "library: start", "crash"} {
		c := &calls{fails: fails, crashes: fails == "crash"}
		s := forTest(t, "windows", c)
		s.Elevated = true
		_, err := s.Install(t.Context(), nothing)
		if err == nil || c.windows.Installed {
			t.Errorf("%s fails: %v, %+v", fails, err, c.windows)
		}
		if fails == "crash" && !strings.Contains(err.Error(), "ended as it started (78); serve.err and serve.log in ") {
			t.Errorf("it crashed: %v", err)
		}
		c.windows = controlState{Installed: true, Enabled: true, Stopped: true, Executable: "old.exe"}
		if fails == "library: install" {
			continue // it is not asked
		}
		if _, err := s.Install(t.Context(), nothing); err == nil || c.windows.Executable != "old.exe" || !c.windows.Installed {
			t.Errorf("%s fails over another: %v, %+v", fails, err, c.windows)
		}
	}
	c := &calls{windows: controlState{Installed: true, Running: true}, fails: "library: stop"}
	s := forTest(t, "windows", c)
	s.Elevated = true
	if _, err := s.Uninstall(t.Context()); err == nil || c.asked("library: uninstall") {
		t.Errorf("one that does not stop is taken out: %v, %q", err, c.all)
	}
}

// The waits between a crash and the next start grow.
func TestRecovery(t *testing.T) {
	t.Parallel()
	delays := recovery()
	if len(delays) < 3 || !slices.IsSorted(delays) || delays[0] == delays[len(delays)-1] || delays[len(delays)-1] >= recoveryReset {
		t.Errorf("it waits %s, and forgets after %s", delays, recoveryReset)
	}
}

// The library registers with the manager that is meant, and no other that it finds.
func TestLibraryOfAnotherSystem(t *testing.T) {
	t.Parallel()
	if _, err := library("/x", definition{system: "none", name: "x"}); !errors.Is(err, ErrUnsupported) {
		t.Errorf("%v", err)
	}
}
