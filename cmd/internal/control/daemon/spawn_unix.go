//go:build !windows

package daemon

import (
	"os"
	"os/exec"
	"syscall"
)

// startDetached starts the command in a session of its own, so that the terminal's signals and its
// end do not reach it, and with report as its file 3.
func startDetached(build func() *exec.Cmd, report *os.File) (*exec.Cmd, error) {
	cmd := build()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.ExtraFiles = []*os.File{report}
	cmd.Env = append(cmd.Env, reportEnv+"=3")
	return cmd, cmd.Start()
}
