//go:build !windows

package control

import (
	"os/exec"
	"syscall"
)

// noFollow makes opening the log fail on a symbolic link.
const noFollow = syscall.O_NOFOLLOW

// startDetached starts the command in a session of its own: the terminal's signals and its end do not reach it.
func startDetached(build func() *exec.Cmd) (*exec.Cmd, error) {
	cmd := build()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd, cmd.Start()
}
