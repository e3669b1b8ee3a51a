//go:build !windows

package daemon

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// inheritedPipe returns the descriptor named by value, which no further process inherits; nil
// unless it is a pipe beside the three standard files.
func inheritedPipe(value string) *os.File {
	fd, err := strconv.Atoi(value)
	if err != nil || fd <= 2 {
		return nil
	}
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFIFO {
		return nil
	}
	unix.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), "report")
}
