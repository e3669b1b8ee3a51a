package daemon

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/windows"
)

// startDetached starts the command without a console, in a process group of its own and, where that
// is allowed, outside the job of its parent: some agents end their whole job when they quit. The
// command inherits report under its number here.
func startDetached(build func() *exec.Cmd, report *os.File) (*exec.Cmd, error) {
	handle := syscall.Handle(report.Fd())
	if err := windows.SetHandleInformation(windows.Handle(handle), windows.HANDLE_FLAG_INHERIT, windows.HANDLE_FLAG_INHERIT); err != nil {
		return nil, err
	}
	start := func(flags uint32) (*exec.Cmd, error) {
		cmd := build()
		cmd.SysProcAttr = &syscall.SysProcAttr{
			HideWindow: true, CreationFlags: windows.DETACHED_PROCESS | windows.CREATE_NEW_PROCESS_GROUP | flags,
			AdditionalInheritedHandles: []syscall.Handle{handle},
		}
		cmd.Env = append(cmd.Env, reportEnv+"="+strconv.FormatUint(uint64(handle), 10))
		return cmd, cmd.Start()
	}
	cmd, err := start(windows.CREATE_BREAKAWAY_FROM_JOB)
	if errors.Is(err, windows.ERROR_ACCESS_DENIED) { // the job forbids to leave it
		cmd, err = start(0)
	}
	return cmd, err
}
