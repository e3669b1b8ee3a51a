//go:build !windows

package daemon

import (
	"os"
	"syscall"
)

// noFollow makes opening the log fail on a symbolic link.
const noFollow = syscall.O_NOFOLLOW

// openShared opens a file for reading without keeping others from renaming it.
func openShared(path string) (*os.File, error) { return os.Open(path) }
