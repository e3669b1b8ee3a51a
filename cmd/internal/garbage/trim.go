package garbage

import (
	"io"
	"runtime/debug"
	"time"
)

const (
	// rest is how long nothing has come before memory is given back: the next call then costs about
	// a millisecond more.
	rest = 2 * time.Second
	// small is the percentage for a process whose heap is small and mostly garbage of its start.
	small = 50
)

// Trim gives back to the system what this process holds and does not use: garbage, and pages of its
// own program that were read once, most of them by what its packages do at the start. What is
// needed again comes back by itself, from the system's cache. It takes some milliseconds.
func Trim() {
	debug.FreeOSMemory()
	dropProgram()
}

// TrimIdle returns a reader of in, for a process that mostly waits for it: it trims whenever
// nothing has come for a while. Somebody who has set GOGC or GOMEMLIMIT knows better, and nothing
// is done. The reader has one user at a time; release it when that is done.
func TrimIdle(in io.Reader, getenv func(string) string) (out io.Reader, release func()) {
	if getenv("GOGC") != "" || getenv("GOMEMLIMIT") != "" {
		return in, func() {}
	}
	before := debug.SetGCPercent(small)
	timer := time.AfterFunc(rest, Trim)
	return &idleReader{in: in, timer: timer}, func() { timer.Stop(); debug.SetGCPercent(before) }
}

// idleReader puts the timer off at each input.
type idleReader struct {
	in    io.Reader
	timer *time.Timer
}

func (r *idleReader) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	r.timer.Reset(rest)
	return n, err
}
