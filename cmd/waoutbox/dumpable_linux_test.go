package main

import "syscall"

// dumpable is what the system says of this process: 1 when it may be dumped.
func dumpable() int {
	n, _, _ := syscall.RawSyscall(syscall.SYS_PRCTL, 3, 0, 0) // PR_GET_DUMPABLE
	return int(n)
}
