//go:build !windows

package control

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"waoutbox/outbox/api"
	"waoutbox/store"
)

// The socket of a daemon that was killed is there and refuses: without the lock held that is "not
// running".
func TestDeadSocketIsNotRunning(t *testing.T) {
	dir := t.TempDir()
	leaveStaleSocket(t, dir)
	if _, err := NewClient(dir, Agent{}).Status(t.Context()); api.CodeOf(err) != api.CodeServiceUnavail || !strings.Contains(err.Error(), "not running") {
		t.Errorf("got %v", err)
	}
}

// leaveStaleSocket leaves what a killed daemon leaves.
func leaveStaleSocket(t *testing.T, dir string) {
	t.Helper()
	ln, err := net.Listen("unix", filepath.Join(dir, store.SocketFile))
	if err != nil {
		t.Fatal(err)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	ln.Close()
}
