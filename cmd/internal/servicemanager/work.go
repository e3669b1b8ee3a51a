package servicemanager

import (
	"context"
	"os"
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
