//go:build unix

package store

import (
	"fmt"
	"io/fs"
	"os"
)

// tighten takes every permission above want from path. On Windows, which has no such modes, it does
// nothing.
func tighten(path string, want fs.FileMode) error {
	info, err := os.Stat(path)
	if err != nil {
		return systemError(err, path, path+" cannot be looked at")
	}
	if info.Mode().Perm()&^want == 0 {
		return nil
	}
	if err := os.Chmod(path, info.Mode().Perm()&want); err != nil {
		return systemError(err, path, path+" cannot be made private")
	}
	return nil
}

// syncDir makes a rename or a new name in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return nil
}
