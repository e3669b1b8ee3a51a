//go:build unix

package store

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// checkAccess refuses what belongs to another user (kind OtherOwner), even for root (whose files
// would then lie in somebody's reach), and what group or others may write (kind Writable): they
// could swap the database or the key. info is of path. On Windows, where file information tells
// neither, it returns nil.
func checkAccess(path string, info fs.FileInfo) error {
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
		return newError(OtherOwner, path, nil, "%s belongs to user %d and you are user %d", path, st.Uid, os.Geteuid())
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 {
		return newError(Writable, path, nil, "%s can be written by others (mode %04o)", path, mode)
	}
	return nil
}

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
