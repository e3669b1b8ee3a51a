//go:build !windows

package socket

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

	"waoutbox/cmd/internal/explain"
	"waoutbox/outbox/api"
	"waoutbox/store"
)

// runtimeRoot holds the per-user directory for sockets whose own path would be too long. It is
// fixed on purpose: TMPDIR and XDG_RUNTIME_DIR differ between a terminal, an agent and a service
// manager, and all of them must find the same socket.
const runtimeRoot = "/tmp"

// maxSocketPath is the longest path the kernel takes, its final zero byte not counted.
func maxSocketPath() int {
	if runtime.GOOS == "linux" {
		return 107
	}
	return 103
}

// canonical returns one path for all the ways to write a state directory.
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

// socketPath returns where the socket of a state directory is: in it, or, when that path is too
// long, in the user's own directory under runtimeRoot, named by a hash of the state directory.
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

// Listen opens the control socket of a state directory, mode 0600. The caller holds the state's
// lock, so a socket that is already there belongs to a daemon that died, and is replaced. Closing
// the listener removes the socket. Connections it accepts are not checked yet: see CheckPeer.
func Listen(stateDir string) (net.Listener, error) {
	if err := store.MakeDir(stateDir); err != nil {
		return nil, fmt.Errorf("control socket: %w", explain.State(err))
	}
	path, fallback, err := socketPath(stateDir)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	return listenIn(stateDir, path, fallback)
}

// listenIn opens the socket of a state at path, which is in it or in the directory of substitutes.
func listenIn(stateDir, path string, substitute bool) (net.Listener, error) {
	if substitute {
		if err := privateRuntimeDir(filepath.Dir(path)); err != nil {
			return nil, fmt.Errorf("control socket: the path in %s is longer than the system allows, and its substitute cannot be used: %w. Choose a shorter --state-dir", stateDir, err)
		}
	}
	return listenAt(path)
}

// listenAt opens the socket at path, whose directory is closed to others.
func listenAt(path string) (net.Listener, error) {
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
	// until here the 0700 directory alone kept others out
	if err := os.Chmod(path, 0o600); err != nil {
		ln.Close()
		return nil, fmt.Errorf("control socket: %w", err)
	}
	return ln, nil
}

// Dial connects to the socket of a state directory and returns the path it used, also with an
// error. It blocks until the daemon's system accepted, or ctx ends. An *api.Error says that what is
// at the path cannot be trusted, CheckServer included; any other error that nobody could be
// reached.
func Dial(ctx context.Context, stateDir string) (string, net.Conn, error) {
	path, fallback, err := socketPath(stateDir)
	if err != nil {
		return stateDir, nil, err
	}
	conn, err := dialAt(ctx, path, fallback)
	return path, conn, err
}

// dialAt is Dial for a socket at path. The directory of a substitute is in one that is everyone's,
// so it is judged before anything in it is called; that of a state was judged by who opened it.
func dialAt(ctx context.Context, path string, substitute bool) (net.Conn, error) {
	if substitute {
		if err := checkPrivate(filepath.Dir(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, api.Errorf(api.CodeServiceUnavail, "the control socket cannot be trusted: %v. Choose a shorter --state-dir", err)
		}
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := checkServer(conn); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}
