//go:build !windows

package socket

import (
	"fmt"
	"net"
	"os"
	"syscall"

	"waoutbox/outbox/api"
)

// CheckPeer returns an error unless the other end of an accepted connection is this user or root.
// The socket's mode does the same; this holds even when a mode was loosened.
func CheckPeer(conn net.Conn) error {
	uid, err := peerUID(conn)
	if err != nil {
		return fmt.Errorf("who connects cannot be told: %w", err)
	}
	if !mayConnect(uid, os.Geteuid()) {
		return fmt.Errorf("user %d may not use the socket of user %d", uid, os.Geteuid())
	}
	return nil
}

// checkServer keeps a client from sending its secrets to a socket that another user put in the
// daemon's place. Root talks to anyone's.
func checkServer(conn net.Conn) error {
	uid, err := peerUID(conn)
	if err != nil {
		return err
	}
	if own := os.Geteuid(); own != 0 && !mayConnect(uid, own) {
		return api.Errorf(api.CodeServiceUnavail, "the service at the control socket runs as user %d, this is user %d. Run this as that user, or choose another --state-dir", uid, own)
	}
	return nil
}

func mayConnect(uid, owner int) bool { return uid == owner || uid == 0 }

// peerUID asks the kernel who is at the other end.
func peerUID(conn net.Conn) (int, error) {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return 0, fmt.Errorf("%T is no socket", conn)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return 0, err
	}
	var uid int
	var uidErr error
	if err := raw.Control(func(fd uintptr) { uid, uidErr = fdPeerUID(int(fd)) }); err != nil {
		return 0, err
	}
	return uid, uidErr
}
