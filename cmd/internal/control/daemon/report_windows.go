package daemon

import (
	"os"
	"strconv"

	"golang.org/x/sys/windows"
)

// inheritedPipe returns the handle named by value, which no further process inherits; nil unless it
// is a pipe.
func inheritedPipe(value string) *os.File {
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil {
		return nil
	}
	h := windows.Handle(n)
	if kind, err := windows.GetFileType(h); err != nil || kind != windows.FILE_TYPE_PIPE {
		return nil
	}
	if windows.SetHandleInformation(h, windows.HANDLE_FLAG_INHERIT, 0) != nil {
		return nil
	}
	return os.NewFile(uintptr(h), "report")
}
