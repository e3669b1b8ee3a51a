package parent

import (
	"os"

	"golang.org/x/sys/windows"
)

// process is the parent, held open: its number may be given to another process once it has ended.
type process struct{ handle windows.Handle }

// find returns the parent, false when it had ended before.
func find() (process, bool) {
	pid := os.Getppid()
	if pid <= 0 {
		return process{}, false
	}
	h, err := windows.OpenProcess(windows.SYNCHRONIZE|windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(pid))
	if err != nil {
		return process{}, false
	}
	theirs, err := began(h)
	ours, ownErr := began(windows.CurrentProcess())
	if err != nil || ownErr != nil || theirs > ours { // somebody else's number by now
		_ = windows.CloseHandle(h) // it was only looked at
		return process{}, false
	}
	return process{h}, true
}

// began returns when a process was created, in the system's own count.
func began(h windows.Handle) (int64, error) {
	var created, exited, kernel, user windows.Filetime
	err := windows.GetProcessTimes(h, &created, &exited, &kernel, &user)
	return created.Nanoseconds(), err
}

func (p process) ended() bool {
	event, err := windows.WaitForSingleObject(p.handle, 0)
	return err == nil && event == windows.WAIT_OBJECT_0
}

func (p process) close() { _ = windows.CloseHandle(p.handle) }
