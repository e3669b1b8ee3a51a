package main

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// canMount reports whether disks can be mounted here, which needs root.
func canMount() bool {
	dir, err := os.MkdirTemp("", "waoutbox-mount-")
	if err != nil {
		return false
	}
	defer os.Remove(dir)
	if err := syscall.Mount("waoutbox-test", dir, "tmpfs", 0, "size=1m"); err != nil {
		return false
	}
	return syscall.Unmount(dir, 0) == nil
}

// scriptDisk is `disk make DIR SIZE|fill DIR LEFT|free DIR|readonly DIR|writable DIR`: a real disk
// of its own, filled until so many bytes are left, and made room on again.
func scriptDisk(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: disk make|fill|free|readonly|writable dir [size|left]")
	}
	dir := ts.MkAbs(args[1])
	filler := filepath.Join(dir, "filler")
	remount := uintptr(syscall.MS_REMOUNT)
	switch args[0] {
	case "make":
		ts.Check(os.MkdirAll(dir, 0o700))
		ts.Check(syscall.Mount("waoutbox-test", dir, "tmpfs", 0, "mode=0700,size="+args[2]))
		ts.Defer(func() {
			stopLeftOver(dir) // what it runs on is found there
			_ = syscall.Unmount(dir, syscall.MNT_DETACH)
		})
	case "fill":
		left, err := strconv.ParseInt(args[2], 10, 64)
		ts.Check(err)
		f, err := os.OpenFile(filler, os.O_CREATE|os.O_WRONLY, 0o600)
		ts.Check(err)
		defer f.Close()
		at := int64(0)
		for piece := int64(16 << 20); piece > 0; piece /= 2 {
			for err == nil {
				if err = syscall.Fallocate(int(f.Fd()), 0, at, piece); err == nil {
					at += piece
				}
			}
			if !errors.Is(err, syscall.ENOSPC) {
				ts.Check(err)
			}
			err = nil
		}
		if left > 0 {
			ts.Check(f.Truncate(max(at-left, 0)))
		}
	case "free":
		ts.Check(os.Remove(filler))
	case "readonly":
		ctx, cancel := untilLimited()
		defer cancel()
		err := syscall.Mount("", dir, "", remount|syscall.MS_RDONLY, "")
		// a process that said it stopped ends a moment later, and holds its log until then
		for tick := time.NewTicker(10 * time.Millisecond); errors.Is(err, syscall.EBUSY) && ctx.Err() == nil; <-tick.C {
			err = syscall.Mount("", dir, "", remount|syscall.MS_RDONLY, "")
		}
		ts.Check(err)
	case "writable":
		ts.Check(syscall.Mount("", dir, "", remount, ""))
	default:
		ts.Fatalf("disk %s: unknown", args[0])
	}
}
