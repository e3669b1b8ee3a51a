package webhook

import "syscall"

// Error numbers by meaning. Sockets answer the WSA numbers, which package syscall does not map to its own names.
var (
	errnoRefused = []error{syscall.Errno(10061)}                                          // WSAECONNREFUSED
	errnoReset   = []error{syscall.WSAECONNRESET, syscall.WSAECONNABORTED, syscall.EPIPE} // broken by the other side or the stack
	// errnoLocal: this machine has run out of something, so nothing left it: WSAEMFILE, WSAENOBUFS, WSAEADDRNOTAVAIL.
	errnoLocal = []error{syscall.Errno(10024), syscall.Errno(10055), syscall.Errno(10049)}
)
