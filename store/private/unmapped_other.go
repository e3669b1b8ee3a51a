//go:build unix && !linux

package private

func unmapped(int) bool { return false }
