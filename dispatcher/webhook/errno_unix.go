//go:build !windows

package webhook

import "syscall"

// Error numbers by meaning.
var (
	errnoRefused = []error{syscall.ECONNREFUSED}
	errnoReset   = []error{syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNABORTED}
	// errnoLocal: this machine has run out of something, so nothing left it.
	errnoLocal = []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL}
)
