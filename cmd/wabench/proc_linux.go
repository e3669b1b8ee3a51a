package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

// writtenBytes is what this process caused to be written to disks so far; false where the system
// does not tell.
func writtenBytes() (int64, bool) { return procField("/proc/self/io", "write_bytes:") }

// anonBytes is the anonymous memory this process holds: without mapped files such as the outbox.
func anonBytes() (int64, bool) {
	kib, ok := procField("/proc/self/status", "RssAnon:")
	return kib << 10, ok
}

// processAnon is anonBytes of a process.
func processAnon(pid int) (int64, bool) {
	kib, ok := procField(fmt.Sprintf("/proc/%d/status", pid), "RssAnon:")
	return kib << 10, ok
}

// openFiles is how many descriptors this process has open, the one that looks left out.
func openFiles() int {
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(names) - 1
}

// procField finds the number after a name at the start of a line.
func procField(path, name string) (int64, bool) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	for line := range bytes.Lines(b) {
		f := bytes.Fields(line)
		if len(f) >= 2 && string(f[0]) == name {
			n, err := strconv.ParseInt(string(f[1]), 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}

// adviseDontNeed is POSIX_FADV_DONTNEED.
const adviseDontNeed = 4

// dropCache has the system forget what it has in memory of a file, so that the next reader finds it
// on the disk only.
func dropCache(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	if err := f.Sync(); err != nil { // only clean pages are dropped
		return false
	}
	return fadvise(f.Fd(), adviseDontNeed) == 0
}

// fadvise advises about the whole file.
func fadvise(fd uintptr, advice uintptr) syscall.Errno {
	_, _, errno := syscall.Syscall6(syscall.SYS_FADVISE64, fd, 0, 0, advice, 0, 0)
	return errno
}

// use is what a process takes: resident memory in bytes, and processor time since its start.
type use struct {
	resident int64
	cpu      time.Duration
}

// clockTick is the unit of processor time in /proc: 100 a second on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// processUse is what a process takes now.
func processUse(pid int) (use, bool) {
	kib, ok := procField(fmt.Sprintf("/proc/%d/status", pid), "VmRSS:")
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	// the second field is the name in brackets, which may hold anything
	_, rest, found := bytes.Cut(b, []byte(") "))
	f := bytes.Fields(rest)
	if !ok || err != nil || !found || len(f) < 13 {
		return use{}, false
	}
	user, err1 := strconv.ParseInt(string(f[11]), 10, 64)
	system, err2 := strconv.ParseInt(string(f[12]), 10, 64)
	return use{kib << 10, time.Duration(user+system) * clockTick}, err1 == nil && err2 == nil
}
