package webhook

import "syscall"

// Error numbers by meaning. Sockets give the WSA numbers, most of which package syscall does not
// name.
var (
	// WSAECONNREFUSED
	errnoRefused = []error{syscall.Errno(10061)}
	// broken by the other side or the stack
	errnoReset = []error{syscall.WSAECONNRESET, syscall.WSAECONNABORTED, syscall.EPIPE}
	// errnoExhausted: this machine has run out of something that a look-up needs as well:
	// WSAEMFILE, WSAENOBUFS, ERROR_TOO_MANY_OPEN_FILES, ERROR_NOT_ENOUGH_MEMORY.
	errnoExhausted = []error{syscall.Errno(10024), syscall.Errno(10055), syscall.Errno(4), syscall.Errno(8)}
	// errnoNoPort: WSAEADDRNOTAVAIL, every local port is taken.
	errnoNoPort = []error{syscall.Errno(10049)}
	// errnoForbidden: WSAEACCES, a firewall on this side.
	errnoForbidden = []error{syscall.Errno(10013)}
	// errnoNoNetwork: WSAENETDOWN, WSAEAFNOSUPPORT.
	errnoNoNetwork = []error{syscall.Errno(10050), syscall.Errno(10047)}
)
