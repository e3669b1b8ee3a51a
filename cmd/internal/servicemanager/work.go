package servicemanager

import (
	"context"
	"os"
	"time"
)

// Work is what a service of Windows does: it calls ready once it is ready, and returns soon after
// ctx ends.
type Work struct {
	Run func(ctx context.Context, ready func()) error
	// reports of an error of Run that a restart does not mend
	Final func(error) bool
	// ends this process for an error of Run that a restart may mend: Windows starts a service again
	// whose process ended without a word
	Crash func(error)
	// takes what the runtime prints of a crash
	Stderr *os.File
}

// How long Windows is asked to wait for the service to be ready, and to end.
const (
	readyHint = 2 * time.Minute
	endHint   = time.Minute
)
