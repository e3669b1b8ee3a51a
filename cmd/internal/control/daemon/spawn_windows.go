package daemon

import (
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/windows"
)

// startDetached starts the command without a console, in a process group of its own and, where that
// is allowed, outside the job of its parent. The command inherits report under its number here.
func startDetached(build func() *exec.Cmd, report *os.File) (*exec.Cmd, error) {
	handle := syscall.Handle(report.Fd())
	if err := windows.SetHandleInformation(windows.Handle(handle), windows.HANDLE_FLAG_INHERIT, windows.HANDLE_FLAG_INHERIT); err != nil {
		return nil, err
	}
	return leavingJob(func(leave bool) (*exec.Cmd, error) {
		flags := uint32(windows.DETACHED_PROCESS | windows.CREATE_NEW_PROCESS_GROUP)
		if leave {
			flags |= windows.CREATE_BREAKAWAY_FROM_JOB
		}
		cmd := build()
		cmd.SysProcAttr = &syscall.SysProcAttr{
			HideWindow: true, CreationFlags: flags,
			AdditionalInheritedHandles: []syscall.Handle{handle},
		}
		cmd.Env = append(cmd.Env, reportEnv+"="+strconv.FormatUint(uint64(handle), 10))
		return cmd, cmd.Start()
	}, windows.ERROR_ACCESS_DENIED)
}
