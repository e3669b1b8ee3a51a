package main

import "syscall"

// forbidDumps keeps the memory of this process, which holds keys and messages, out of core files
// and away from the debuggers of other programs of this user. What cannot be forbidden is no
// reason not to run.
func forbidDumps() {
	noCore()
	// PR_SET_DUMPABLE: a core file is also made through a pipe, whatever the limit
	const setDumpable = 4
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, setDumpable, 0, 0)
}
