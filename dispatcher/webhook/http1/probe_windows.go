package http1

import (
	"syscall"
	"unsafe"
)

// wsaPoll tells the state of a socket without waiting; package syscall does not name it.
var wsaPoll = syscall.NewLazyDLL("ws2_32.dll").NewProc("WSAPoll")

// pollFD is WSAPOLLFD.
type pollFD struct {
	fd      uintptr
	events  int16
	revents int16
}

// nothingArrived reports that the socket has neither data to read nor an end.
func nothingArrived(fd uintptr) bool {
	const readNormal = 0x0100 // POLLRDNORM
	q := pollFD{fd: fd, events: readNormal}
	// a call of Windows takes addresses
	n, _, _ := wsaPoll.Call(uintptr(unsafe.Pointer(&q)), 1, 0) //nolint:gosec
	return n == 0
}
