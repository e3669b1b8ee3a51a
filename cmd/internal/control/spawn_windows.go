package control

import (
	"errors"
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

// noFollow has no meaning here.
const noFollow = 0

// startDetached starts the command without a console, in a process group of its own and, where that is allowed, outside the job of
// its parent: some agents end their whole job when they quit.
func startDetached(build func() *exec.Cmd) (*exec.Cmd, error) {
	const detached = windows.DETACHED_PROCESS | windows.CREATE_NEW_PROCESS_GROUP
	cmd := build()
	cmd.SysProcAttr = &syscall.SysProcAttr{HideWindow: true, CreationFlags: detached | windows.CREATE_BREAKAWAY_FROM_JOB}
	err := cmd.Start()
	if errors.Is(err, windows.ERROR_ACCESS_DENIED) { // the job forbids to leave it
		cmd = build()
		cmd.SysProcAttr = &syscall.SysProcAttr{HideWindow: true, CreationFlags: detached}
		err = cmd.Start()
	}
	return cmd, err
}
