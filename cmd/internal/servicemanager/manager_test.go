package servicemanager

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// nothing runs without the manager.
func nothing() error { return nil }

// What a person does with a service, on each system.
//
// Mutation of manager.go: on Windows the service goes on after it was uninstalled.
func TestALifeOfAService(t *testing.T) {
	t.Parallel()
	for goos, want := range map[string][]string{
		"linux":   {"--user daemon-reload", "library: install waoutbox-", "library: start waoutbox-", "library: stop waoutbox-", "library: uninstall waoutbox-"},
		"darwin":  {"launchctl print gui/1000", "library: install waoutbox-", "library: start waoutbox-", "library: stop waoutbox-", "library: uninstall waoutbox-"},
		"windows": {`reg add HKCU\Software\Microsoft\Windows\CurrentVersion\Run /v waoutbox-`, `waoutbox --state-dir /srv/a <b> $HOME start`, "reg delete HKCU", " stop"},
	} {
		t.Run(goos, func(t *testing.T) {
			t.Parallel()
			c := &calls{says: map[string]string{"is-enabled": "enabled", "is-active": "active", "launchctl print": "\tstate = running", "Linger": "no", "reg query": `  waoutbox-1    REG_SZ    "/opt/my "wa"/100%/waoutbox" --state-dir "/srv" start`}}
			s := forTest(t, goos, c)
			if goos != "windows" { // whose entry stands in no file
				if st, err := s.Status(t.Context()); err != nil || st.Installed {
					t.Fatalf("at first: %+v, %v", st, err)
				}
				if installed, err := s.Start(t.Context()); installed || err != nil {
					t.Errorf("one that is not installed was started: %v, %v", installed, err)
				}
				if _, err := s.Uninstall(t.Context()); !errors.Is(err, ErrNotInstalled) {
					t.Errorf("uninstalled before it was installed: %v", err)
				}
			}
			st, err := s.Install(t.Context(), nothing)
			if err != nil || !st.Installed || !st.Enabled || !st.Running || st.NoLinger != (goos == "linux") {
				t.Fatalf("installed: %+v, %v", st, err)
			}
			if goos == "linux" && st.Executable != s.Executable {
				t.Errorf("it starts %q", st.Executable)
			}
			if installed, err := s.Start(t.Context()); installed != (goos != "windows") || err != nil {
				t.Errorf("started: %v, %v", installed, err)
			}
			if _, err := s.Uninstall(t.Context()); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(st.File); err == nil {
				t.Errorf("%s was left", st.File)
			}
			for _, w := range want {
				if !slices.ContainsFunc(c.all, func(line string) bool { return strings.Contains(line, w) }) {
					t.Errorf("nothing was asked like %q: %q", w, c.all)
				}
			}
		})
	}
}

// What a path has in it is a path in the file too, and no word of another language.
func TestPathsStandAsTheyAre(t *testing.T) {
	t.Parallel()
	c := &calls{}
	unit := systemd{forTest(t, "linux", c)}.text()
	if want := `ExecStart="/opt/my \"wa\"/100%%/waoutbox" --state-dir "/srv/a <b> $$HOME" serve`; !strings.Contains(unit, want) {
		t.Errorf("the unit lacks %s:\n%s", want, unit)
	}
	plist := launchd{forTest(t, "darwin", c)}.text()
	if want := "<string>/srv/a &lt;b&gt; $HOME</string>"; !strings.Contains(plist, want) {
		t.Errorf("the agent lacks %s:\n%s", want, plist)
	}
	if err := wellFormed(plist); err != nil {
		t.Errorf("%v:\n%s", err, plist)
	}
	for _, w := range []string{"Type=notify", "WatchdogSec=", "Restart=on-failure", "RestartPreventExitStatus=78\n", "WantedBy=default.target"} {
		if !strings.Contains(unit, w) {
			t.Errorf("the unit lacks %s", w)
		}
	}
	usual, other := forTest(t, "linux", c), forTest(t, "linux", c)
	usual.Default = true
	if (systemd{usual}).name() != "waoutbox.service" || (systemd{other}).name() == "waoutbox.service" {
		t.Errorf("names: %s, %s", systemd{usual}.name(), systemd{other}.name())
	}
	root := usual
	root.UID = 0
	if f := (systemd{root}).file(); f != filepath.FromSlash("/etc/systemd/system/waoutbox.service") || !strings.Contains(systemd{root}.text(), "multi-user.target") {
		t.Errorf("root's is %s", f)
	}
}

// wellFormed reports why a property list is none: it is a dictionary, keys and values in turn.
func wellFormed(plist string) error {
	d := xml.NewDecoder(strings.NewReader(plist))
	var way []string
	kinds := map[string]bool{"string": true, "integer": true, "true": true, "false": true, "array": true, "dict": true}
	afterKey := map[int]bool{}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch e := token.(type) {
		case xml.StartElement:
			name, depth := e.Name.Local, len(way)
			in := strings.Join(way, "/")
			if strings.HasSuffix(in, "dict") {
				if afterKey[depth] == (name == "key") || name != "key" && !kinds[name] {
					return fmt.Errorf("%s in %s", name, in)
				}
				afterKey[depth] = name == "key"
			}
			way = append(way, name)
		case xml.EndElement:
			if e.Name.Local == "dict" && afterKey[len(way)] {
				return errors.New("a key without a value")
			}
			way = way[:len(way)-1]
		}
	}
}

// What cannot be installed leaves nothing, and what was installed before as it was; what runs
// without the manager is ended only once that has taken it.
//
// Mutation of manager.go: an installation that fails leaves a part of itself.
// Mutation of manager.go: what runs without the manager is ended before that has taken the service.
func TestAManagerThatFails(t *testing.T) {
	t.Parallel()
	for fails, ended := range map[string]bool{"daemon-reload": false, "install": false, "start": true} {
		c := &calls{fails: fails}
		s := forTest(t, "linux", c)
		called := false
		end := func() error { called = true; return nil }
		if _, err := s.Install(t.Context(), end); err == nil || called != ended {
			t.Errorf("%s fails: %v; what ran before was ended: %v", fails, err, called)
		}
		path := systemd{s}.file()
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s fails, and left %s", fails, path)
		}
		if err := os.WriteFile(path, []byte("older"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Install(t.Context(), end); err == nil {
			t.Errorf("%s fails and nobody was told", fails)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != "older" {
			t.Errorf("%s fails, and what was installed is %q, %v", fails, b, err)
		}
	}
	c := &calls{}
	if _, err := forTest(t, "linux", c).Install(t.Context(), func() error { return errors.New("it does not end") }); err == nil || c.asked("library: start") {
		t.Errorf("beside one that does not end: %v, %q", err, c.all)
	}
	for goos, away := range map[string]string{"linux": "library: uninstall", "darwin": "library: uninstall", "windows": "reg delete"} {
		// what was installed before
		for _, there := range []string{"", `  waoutbox-1    REG_SZ    "C:\old.exe" --state-dir "C:\s" start`} {
			c := &calls{says: map[string]string{"reg query": there}}
			ctx, interrupt := context.WithCancel(t.Context())
			_, err := forTest(t, goos, c).Install(ctx, func() error { interrupt(); return ctx.Err() })
			taken := slices.ContainsFunc(c.all, func(line string) bool { return strings.Contains(line, away) })
			if want := goos != "windows" || there == ""; err == nil || taken != want {
				t.Errorf("%s: interrupted with %q before: %v, taken back: %v, %q", goos, there, err, taken, c.all)
			}
		}
	}
	if _, err := forTest(t, "plan9", c).Install(t.Context(), nothing); !errors.Is(err, ErrUnsupported) {
		t.Errorf("plan9: %v", err)
	}
}

// The manager is told over its socket, and the watchdog hears nothing of a process that hangs.
//
// Mutation of notify.go: a process that hangs and is called alive.
func TestNotify(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // there is no systemd
	}
	t.Parallel()
	path := filepath.Join(t.TempDir(), "notify")
	ln, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	hear := func() string {
		t.Helper()
		b := make([]byte, 100)
		if err := ln.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		n, err := ln.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
	env := map[string]string{"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "20000"}
	getenv := func(name string) string { return env[name] }
	if err := Notify(getenv, Ready); err != nil || hear() != Ready {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	asked, release, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- KeepAlive(ctx, getenv, func(context.Context) error { asked <- struct{}{}; <-release; return nil })
	}()
	<-asked
	const mark = "X_TEST=1" // what comes before it was said of a process that hangs
	if err := Notify(getenv, mark); err != nil {
		t.Fatal(err)
	}
	release <- struct{}{}
	if got := hear(); got != mark {
		t.Errorf("the watchdog heard %q of a process that hangs", got)
	}
	if got := hear(); got != Watchdog {
		t.Errorf("it heard %q", got)
	}
	<-asked
	stop()
	release <- struct{}{}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	env["WATCHDOG_PID"] = "1"
	if every := WatchdogEvery(getenv); every != 0 {
		t.Errorf("another process's watchdog is told every %s", every)
	}
	env["NOTIFY_SOCKET"] = ""
	if err := Notify(getenv, Ready); err != nil {
		t.Errorf("without a manager: %v", err)
	}
}

// What Windows' registry says: nothing, an entry, and one that the user has switched off. What a
// failed installation had replaced is there again.
//
// Mutation of logon.go: what a user of Windows has switched off is said to start by itself.
func TestAnEntryOfWindows(t *testing.T) {
	t.Parallel()
	entry := "\r\nHKEY_CURRENT_USER\\Software\r\n    waoutbox-1    REG_SZ    \"C:\\a b\\old.exe\" --state-dir \"C:\\s\" start\r\n\r\n"
	for _, c := range []struct {
		run, approved  string
		installed, set bool
	}{
		{"", "", false, false},
		{entry, "", true, true},
		{entry, "    waoutbox-1    REG_BINARY    020000000000000000000000\r\n", true, true},
		{entry, "    waoutbox-1    REG_BINARY    0300000074E81D0A2A5FDC01\r\n", true, false},
	} {
		st, err := forTest(t, "windows", &calls{says: map[string]string{`CurrentVersion\Run`: c.run, "StartupApproved": c.approved}}).Status(t.Context())
		if err != nil || st.Installed != c.installed || st.Enabled != c.set {
			t.Errorf("%q, %q: %+v, %v", c.run, c.approved, st, err)
		}
		if want := `C:\a b\old.exe`; c.installed && st.Executable != want {
			t.Errorf("it starts %s", st.Executable)
		}
	}
	c := &calls{says: map[string]string{"reg query": entry}}
	if _, err := forTest(t, "windows", c).Install(t.Context(), func() error { return errors.New("no") }); err == nil {
		t.Error("no error")
	}
	if last := c.all[len(c.all)-1]; !strings.Contains(last, "reg add") || !strings.Contains(last, `"C:\a b\old.exe" --state-dir`) {
		t.Errorf("taken back with %s", last)
	}
}

// What a manager's command leaves in the background keeps its output open, as the desktop does that
// the first command on a Windows starts: installing waited for it without end.
//
// Mutation of manager.go: a command of the manager that leaves something in the background, waited
// for without end.
func TestACommandThatLeavesAnother(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("there is no sh")
	}
	// cat has the output, and waits for somebody who writes
	pipe := filepath.Join(t.TempDir(), "pipe")
	returned := make(chan error, 1)
	go func() {
		_, err := Service{}.run(t.Context(), "sh", "-c", `mkfifo "$0"; cat "$0" &`, pipe)
		returned <- err
	}()
	select {
	case err := <-returned:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("it waits for what is left")
		defer func() { <-returned }()
	}
	writer, err := os.OpenFile(pipe, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	writer.Close()
}
