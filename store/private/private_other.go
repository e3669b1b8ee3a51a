//go:build !unix

package private

import (
	"io/fs"
	"os"
	"syscall"
)

const noWait = 0

// CheckDir returns nil for a directory: the state lies in the user's profile, whose inherited
// access list already keeps other users out.
func CheckDir(dir string) error {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = &fs.PathError{Op: "open", Path: dir, Err: syscall.ENOTDIR}
	}
	return err
}

// CheckFile does nothing here, for the same reason.
func CheckFile(string, fs.FileInfo) error { return nil }

// InContainer returns false: what it decides is about owners and modes.
func InContainer() bool { return false }

// InVolume returns false: there are no modes.
func InVolume(string) bool { return false }

// Given returns nothing: there are no modes.
func Given(string) []string { return nil }

// MayMake returns true: the system says it when it is tried.
func MayMake(string) bool { return true }

func tighten(*os.File, fs.FileInfo) error { return nil }

// SyncDir does nothing here: a directory cannot be opened for syncing, and NTFS journals renames.
func SyncDir(string) error { return nil }
