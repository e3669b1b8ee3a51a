package control

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/Microsoft/go-winio"
	"golang.org/x/sys/windows"

	"waoutbox/outbox/api"
)

// pipePath names the pipe of a state directory: the user's SID and a hash of the path, so that neither users nor states collide. A
// pipe, because a unix socket made inside some agents' process trees cannot be unlinked and poisons its path.
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
	sum := sha256.Sum256([]byte(strings.ToLower(dir)))
	return `\\.\pipe\waoutbox-` + sid + "-" + hex.EncodeToString(sum[:8]), sid, nil
}

// Listen opens the control pipe of a state directory, open to this user only. The caller holds the state's lock. A pipe ends with its
// process, so there is never a stale one.
func Listen(stateDir string) (net.Listener, error) {
	if err := privateDir(stateDir); err != nil {
		return nil, fmt.Errorf("control pipe: %w", err)
	}
	path, sid, err := pipePath(stateDir)
	if err != nil {
		return nil, fmt.Errorf("control pipe: %w", err)
	}
	// D:P: nothing inherited; all access for the user, and none over the network.
	ln, err := winio.ListenPipe(path, &winio.PipeConfig{SecurityDescriptor: "D:P(D;;GA;;;NU)(A;;GA;;;" + sid + ")"})
	if err != nil {
		return nil, fmt.Errorf("control pipe %s: %w", path, err)
	}
	return ln, nil
}

func dialSocket(ctx context.Context, stateDir string) (string, net.Conn, error) {
	path, _, err := pipePath(stateDir)
	if err != nil {
		return stateDir, nil, err
	}
	conn, err := winio.DialPipeContext(ctx, path)
	return path, conn, err
}

// checkPeer has nothing to add to the pipe's access list.
func checkPeer(net.Conn) error { return nil }

// checkServer keeps a client from telling its secrets to a process of another user that took the pipe's name first.
func checkServer(conn net.Conn) error {
	pipe, ok := conn.(interface{ Fd() uintptr })
	if !ok {
		return fmt.Errorf("%T is no pipe", conn)
	}
	var pid uint32
	if err := windows.GetNamedPipeServerProcessId(windows.Handle(pipe.Fd()), &pid); err != nil {
		return fmt.Errorf("who owns the control pipe cannot be told: %w", err)
	}
	server, err := userOf(pid)
	if err != nil {
		return fmt.Errorf("who owns the control pipe (pid %d) cannot be told: %w", pid, err)
	}
	own, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return fmt.Errorf("who runs this cannot be told: %w", err)
	}
	if !server.User.Sid.Equals(own.User.Sid) {
		return api.Errorf(api.CodeServiceUnavail, "the service at the control pipe (pid %d) runs as another user. Run this as that user, or choose another --state-dir", pid)
	}
	return nil
}

// userOf answers the user that a process runs as.
func userOf(pid uint32) (*windows.Tokenuser, error) {
	proc, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, pid)
	if err != nil {
		return nil, err
	}
	defer windows.CloseHandle(proc)
	var token windows.Token
	if err := windows.OpenProcessToken(proc, windows.TOKEN_QUERY, &token); err != nil {
		return nil, err
	}
	defer token.Close()
	return token.GetTokenUser()
}

// privateDir makes dir. Who may read it is inherited from the user's profile.
func privateDir(dir string) error { return os.MkdirAll(dir, 0o700) }
