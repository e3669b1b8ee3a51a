//go:build !windows

package control

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"waoutbox/outbox/api"
	"waoutbox/store"
)

// runtimeRoot holds the per-user directory for sockets whose own path would be too long. It is fixed on purpose: TMPDIR and
// XDG_RUNTIME_DIR differ between a terminal, an agent and a service manager, and all of them must find the same socket.
const runtimeRoot = "/tmp"

// maxSocketPath is the longest path the kernel takes, its final zero byte not counted.
func maxSocketPath() int {
	if runtime.GOOS == "linux" {
		return 107
	}
	return 103
}

// canonical makes one path of all the ways to write a state directory.
func canonical(stateDir string) (string, error) {
	abs, err := filepath.Abs(stateDir)
	if err != nil {
		return "", err
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		return real, nil
	}
	return abs, nil
}

// socketPath answers where the socket of a state directory is: in it, or, when that path is too long, in the user's own directory
// under runtimeRoot, named by a hash of the state directory.
func socketPath(stateDir string) (path string, fallback bool, err error) {
	dir, err := canonical(stateDir)
	if err != nil {
		return "", false, err
	}
	path = filepath.Join(dir, store.SocketFile)
	if len(path) <= maxSocketPath() {
		return path, false, nil
	}
	sum := sha256.Sum256([]byte(dir))
	return filepath.Join(runtimeRoot, "waoutbox-"+strconv.Itoa(os.Geteuid()), hex.EncodeToString(sum[:8])+".sock"), true, nil
}

// Listen opens the control socket of a state directory, mode 0600. The caller holds the state's lock, so a socket that is already
// there belongs to a daemon that died, and is replaced. Closing the listener removes the socket.
func Listen(stateDir string) (net.Listener, error) {
	if err := privateDir(stateDir); err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	path, fallback, err := socketPath(stateDir)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if fallback {
		if err := privateRuntimeDir(filepath.Dir(path)); err != nil {
			return nil, fmt.Errorf("control socket: the path in %s is longer than the system allows, and its substitute cannot be used: %w. Choose a shorter --state-dir", stateDir, err)
		}
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("control socket: %w", err)
	case info.Mode().Type() != fs.ModeSocket:
		return nil, fmt.Errorf("control socket: %s is there and is no socket. Move it away", path)
	default:
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("control socket: remove the one that a dead service left: %w", err)
		}
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil { // until here the 0700 directory alone kept others out
		ln.Close()
		return nil, fmt.Errorf("control socket: %w", err)
	}
	return ln, nil
}

// dialSocket connects to the socket of a state directory and says which path that was.
func dialSocket(ctx context.Context, stateDir string) (string, net.Conn, error) {
	path, fallback, err := socketPath(stateDir)
	if err != nil {
		return stateDir, nil, err
	}
	if fallback {
		if err := checkPrivate(filepath.Dir(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return path, nil, api.Errorf(api.CodeServiceUnavail, "the control socket cannot be trusted: %v. Choose a shorter --state-dir", err)
		}
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	return path, conn, err
}
