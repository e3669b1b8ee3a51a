//go:build !windows

package daemon

import "os"

// openShared opens a file for reading without keeping others from renaming it.
func openShared(path string) (*os.File, error) { return os.Open(path) }
