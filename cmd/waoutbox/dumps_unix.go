//go:build unix

package main

import "syscall"

// noCore has the system write no core file of this process.
func noCore() {
	_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}) // lowering is always allowed
}
