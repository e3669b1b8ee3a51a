package socket

import (
	"fmt"
	"net"

	"golang.org/x/sys/windows"

	"waoutbox/outbox/api"
)

// CheckPeer returns nil: the pipe's access list let nobody else in.
func CheckPeer(net.Conn) error { return nil }

// checkServer keeps a client from sending its secrets to a process of another user that took the
// pipe's name first.
func checkServer(conn net.Conn) error {
	pipe, err := handleOf(conn)
	if err != nil {
		return err
	}
	var pid uint32
	if err := windows.GetNamedPipeServerProcessId(pipe, &pid); err != nil {
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

// checkOwner keeps a client from sending its secrets to a pipe that somebody else than the service
// with this SID has made. The pipe's owner says so: nobody but an administrator can make a pipe
// that belongs to another user, and the process of a service may not be looked into.
func checkOwner(conn net.Conn, sid string) error {
	pipe, err := handleOf(conn)
	if err != nil {
		return err
	}
	access, err := windows.GetSecurityInfo(pipe, windows.SE_KERNEL_OBJECT, windows.OWNER_SECURITY_INFORMATION)
	if err != nil {
		return fmt.Errorf("who owns the control pipe cannot be told: %w", err)
	}
	owner, _, err := access.Owner()
	if err != nil {
		return fmt.Errorf("who owns the control pipe cannot be told: %w", err)
	}
	if owner.String() != sid {
		return api.Errorf(api.CodeServiceUnavail, "the control pipe belongs to %s, and not to the service of Windows for this state (%s). End what made it, or choose another --state-dir", owner, sid)
	}
	return nil
}

func handleOf(conn net.Conn) (windows.Handle, error) {
	pipe, ok := conn.(interface{ Fd() uintptr })
	if !ok {
		return 0, fmt.Errorf("%T is no pipe", conn)
	}
	return windows.Handle(pipe.Fd()), nil
}

// userOf returns the user that a process runs as.
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
