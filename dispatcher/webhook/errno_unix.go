//go:build !windows

package webhook

import "syscall"

// Error numbers by meaning.
var (
	errnoRefused = []error{syscall.ECONNREFUSED}
	errnoReset   = []error{syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNABORTED}
	// errnoExhausted: this machine has run out of something that a look-up needs as well.
	errnoExhausted = []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM}
	// errnoNoPort: every local port is taken, or this machine has no address to send from.
	errnoNoPort = []error{syscall.EADDRNOTAVAIL}
	// errnoForbidden: a firewall, a sandbox or a prohibiting route on this side.
	errnoForbidden = []error{syscall.EPERM, syscall.EACCES}
	// errnoNoNetwork: the interface is down, or the kernel does without this kind of address.
	// ENETUNREACH and EHOSTUNREACH are not here: a router on the way may say them too.
	errnoNoNetwork = []error{syscall.ENETDOWN, syscall.EAFNOSUPPORT}
)
