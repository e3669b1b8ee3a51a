//go:build !windows

package control

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"waoutbox/store"
)

// checkDetached: the daemon leads a session of its own, so neither the terminal nor the starter's group can end it.
func checkDetached(t *testing.T, pid int) {
	t.Helper()
	if sid, err := unix.Getsid(pid); err != nil || sid != pid {
		t.Errorf("session of %d is %d, %v", pid, sid, err)
	}
}

// A killed daemon leaves no zombie behind in the process that started it, and the next Ensure starts another over its remains.
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
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
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
