//go:build !windows

package control

import (
	"testing"

	"golang.org/x/sys/unix"
)

// checkDetached: the daemon leads a session of its own, so neither the terminal nor the starter's group can end it.
func checkDetached(t *testing.T, pid int) {
	t.Helper()
	if sid, err := unix.Getsid(pid); err != nil || sid != pid {
		t.Errorf("session of %d is %d, %v", pid, sid, err)
	}
}
