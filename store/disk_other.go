//go:build !linux && !darwin && !freebsd && !windows

package store

import "math"

// freeBytes is unknown here: a full disk then shows as a failed commit, which is of kind
// Full all the same.
func freeBytes(string) (uint64, error) { return math.MaxUint64, nil }
