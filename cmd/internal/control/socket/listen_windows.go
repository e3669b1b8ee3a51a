package socket

import (
	"context"
	"fmt"
	"net"
	"path/filepath"

	"github.com/Microsoft/go-winio"
	"golang.org/x/sys/windows"

	"waoutbox/store"
)

// pipePath names the pipe of a state directory, and whose it is. A pipe, because a unix socket made
// inside some agents' process trees cannot be unlinked and poisons its path.
func pipePath(stateDir string) (path, sid string, err error) {
	dir, err := filepath.Abs(stateDir)
	if err != nil {
		return "", "", err
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return "", "", fmt.Errorf("who runs this cannot be told: %w", err)
	}
	sid = user.User.Sid.String()
	return pipeName(sid, dir), sid, nil
}

// Listen opens the control pipe of a state directory, open to this user only. The caller holds the
// state's lock. Connections it accepts need no further check. A pipe ends with its process, so
// there is never a stale one.
func Listen(stateDir string) (net.Listener, error) {
	if err := store.MakeDir(stateDir); err != nil {
		return nil, fmt.Errorf("control pipe: %w", err)
	}
	path, sid, err := pipePath(stateDir)
	if err != nil {
		return nil, fmt.Errorf("control pipe: %w", err)
	}
	ln, err := winio.ListenPipe(path, &winio.PipeConfig{SecurityDescriptor: pipeAccess(sid)})
	if err != nil {
		return nil, fmt.Errorf("control pipe %s: %w", path, err)
	}
	return ln, nil
}

// Dial connects to the pipe of a state directory and returns the name it used, also with an error.
// It blocks until the daemon's end is free, or ctx ends. An *api.Error says that who owns the pipe
// cannot be trusted; any other error that nobody could be reached.
func Dial(ctx context.Context, stateDir string) (string, net.Conn, error) {
	path, _, err := pipePath(stateDir)
	if err != nil {
		return stateDir, nil, err
	}
	conn, err := winio.DialPipeContext(ctx, path)
	if err != nil {
		return path, nil, err
	}
	if err := checkServer(conn); err != nil {
		conn.Close()
		return path, nil, err
	}
	return path, conn, nil
}
