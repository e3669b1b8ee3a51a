//go:build !linux

package store

import "os"

// readAhead does nothing here: there is no such hint, or bbolt's mapping is read ahead anyway.
func readAhead(*os.File, int64, int64) {}
