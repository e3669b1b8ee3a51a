//go:build !windows

package daemon

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"waoutbox/outbox/api"
	"waoutbox/store"
)

// checkDetached: the daemon leads a session of its own, so neither the terminal nor the starter's
// group can end it.
func checkDetached(t *testing.T, pid int) {
	t.Helper()
	if sid, err := unix.Getsid(pid); err != nil || sid != pid {
		t.Errorf("session of %d is %d, %v", pid, sid, err)
	}
}

// A killed daemon leaves no zombie behind in the process that started it, and the next Ensure
// starts another over its remains.
func TestKilledDaemonIsCollectedAndReplaced(t *testing.T) {
	o := ensureOptions(t, "run")
	c, err := Ensure(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	first, err := c.Daemon(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Kill(first.PID, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for unix.Kill(first.PID, 0) != unix.ESRCH { // a zombie still takes signals
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("the killed daemon is still there")
		}
	}
	if _, err := os.Lstat(filepath.Join(o.StateDir, store.SocketFile)); err != nil {
		t.Errorf("it took its socket with it: %v", err)
	}
	if _, err := Ensure(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if second, err := c.Daemon(t.Context()); err != nil || second.PID == first.PID {
		t.Errorf("the same client reaches %+v, %v", second, err)
	}
}

func TestStateDirOthersCanWriteIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o770); err != nil {
		t.Fatal(err)
	}
	_, err := Ensure(t.Context(), Options{StateDir: dir, Executable: "/nonexistent"})
	if api.CodeOf(err) != CodeStateUnusable || !strings.Contains(err.Error(), "run: chmod go-w "+dir) {
		t.Errorf("Ensure: %v", err)
	}
	if got, _ := os.ReadDir(dir); len(got) != 0 {
		t.Errorf("it left %v", got)
	}
}

// A daemon that something ends before it is ready: how it ended, at once.
func TestEnsureTellsOfAKilledDaemon(t *testing.T) {
	o := ensureOptions(t, "linger")
	got := make(chan error, 1)
	go func() {
		_, err := Ensure(t.Context(), o)
		got <- err
	}()
	pid, err := strconv.Atoi(awaitStart(t, o.StateDir))
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := <-got; api.CodeOf(err) != CodeStartFailed || !strings.Contains(err.Error(), "(signal: killed)") {
		t.Errorf("got %v", err)
	}
}

// The pipe is hidden from processes that the daemon starts, and whatever the variable names that is
// no pipe is left alone.
func TestInherited(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	fd, err := unix.FcntlInt(w.Fd(), unix.F_DUPFD, 3) // as exec leaves it: open across the next one
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(reportEnv, fmt.Sprint(fd))
	report := Inherited(os.Getenv)
	if report == nil {
		t.Fatal("the pipe is not taken")
	}
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("flags %d, %v: the next process would get the pipe", flags, err)
	}
	if value, ok := os.LookupEnv(reportEnv); ok {
		t.Errorf("the variable stays: %q", value)
	}
	report.Ready(api.Daemon{PID: 7, Version: "1"})
	report.Failed(api.CodeInternal, "too late")
	if m, ok := readMessage(r); !ok || m != (message{Ready: true, PID: 7, Version: "1"}) {
		t.Errorf("got %+v, %v", m, ok)
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, value := range []string{"", "0", "1", "2", "-1", "x", "99999", fmt.Sprint(file.Fd())} {
		if Inherited(func(string) string { return value }) != nil {
			t.Errorf("%q is taken for a pipe", value)
		}
	}
	if _, err := file.WriteString("still open"); err != nil {
		t.Error(err)
	}
}
