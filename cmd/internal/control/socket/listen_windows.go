package socket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"github.com/Microsoft/go-winio"
	"golang.org/x/sys/windows"

	"waoutbox/cmd/internal/windowsservice"
	"waoutbox/outbox/api"
	"waoutbox/store"
)

// pipePath names the pipe of a state directory, and whose it is. A pipe, because a unix socket made
// inside some agents' process trees cannot be unlinked and poisons its path.
func pipePath(stateDir string) (path, sid string, err error) {
	dir, err := realDir(stateDir)
	if err != nil {
		return "", "", err
	}
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return "", "", fmt.Errorf("who runs this cannot be told: %w", err)
	}
	sid = user.User.Sid.String()
	return pipeName(sid, dir), sid, nil
}

// servicePipe names the pipe of the service of Windows for a state directory, if there is one, and
// its SID.
func servicePipe(stateDir string) (path, sid string, err error) {
	named, err := filepath.Abs(stateDir)
	if err != nil {
		return "", "", err
	}
	dir, err := realDir(stateDir)
	if err != nil {
		return "", "", err
	}
	sid = windowsservice.SID(windowsservice.Name(named, windowsservice.UsualDir(os.Getenv)))
	return pipeName(sid, dir), sid, nil
}

func realDir(stateDir string) (string, error) {
	dir, err := filepath.Abs(stateDir)
	if err != nil {
		return "", err
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	return dir, nil
}

// Listen opens the control pipe of a state directory, open to this user only; that of a service of
// Windows to administrators too. The caller holds the state's lock. Connections it accepts need no
// further check. A pipe ends with its process, so there is never a stale one.
func Listen(stateDir string) (net.Listener, error) {
	if err := store.MakeDir(stateDir); err != nil {
		return nil, fmt.Errorf("control pipe: %w", err)
	}
	path, sid, err := pipePath(stateDir)
	if err != nil {
		return nil, fmt.Errorf("control pipe: %w", err)
	}
	return listen(path, sid)
}

func listen(path, sid string) (net.Listener, error) {
	ln, err := winio.ListenPipe(path, &winio.PipeConfig{SecurityDescriptor: pipeAccess(sid)})
	if err != nil {
		return nil, fmt.Errorf("control pipe %s: %w", path, err)
	}
	return ln, nil
}

// Dial connects to the pipe of a state directory, this user's or else that of a service of Windows,
// and returns the name it used, also with an error. It blocks until the daemon's end is free, or
// ctx ends. An *api.Error says that who owns the pipe cannot be trusted, or that it is for
// administrators; any other error that nobody could be reached.
func Dial(ctx context.Context, stateDir string) (string, net.Conn, error) {
	path, _, err := pipePath(stateDir)
	if err != nil {
		return stateDir, nil, err
	}
	conn, err := dialChecked(ctx, path, checkServer)
	if !errors.Is(err, fs.ErrNotExist) {
		return path, conn, err
	}
	service, sid, serr := servicePipe(stateDir)
	if serr != nil {
		return path, nil, err
	}
	conn, serr = dialChecked(ctx, service, func(conn net.Conn) error { return checkOwner(conn, sid) })
	switch {
	case errors.Is(serr, fs.ErrNotExist):
		return path, nil, err
	case errors.Is(serr, fs.ErrPermission):
		return service, nil, api.Errorf(api.CodeServiceUnavail, "the state %s is that of a service of Windows, which is for administrators. Run this in a prompt that was opened with \"Run as administrator\", or choose another --state-dir", stateDir)
	}
	return service, conn, serr
}

// dialChecked connects to a pipe whose server check accepts.
func dialChecked(ctx context.Context, path string, check func(net.Conn) error) (net.Conn, error) {
	conn, err := winio.DialPipeContext(ctx, path)
	if err != nil {
		return nil, err
	}
	if err := check(conn); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}
