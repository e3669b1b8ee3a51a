//go:build !windows

package http1

import "syscall"

// nothingArrived takes a byte if there is one: the connection is of no more use then.
func nothingArrived(fd uintptr) bool {
	var b [1]byte
	for {
		_, err := syscall.Read(int(fd), b[:])
		if err != syscall.EINTR {
			return err == syscall.EAGAIN || err == syscall.EWOULDBLOCK
		}
	}
}
