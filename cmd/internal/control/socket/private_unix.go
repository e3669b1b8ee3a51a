//go:build !windows

package socket

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"waoutbox/store"
)

// privateRuntimeDir creates the directory for substitute sockets. Its parent is everyone's, so
// nothing that is already there is mended: it is ours and closed, or it is refused.
func privateRuntimeDir(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return checkPrivate(dir)
}

// checkPrivate returns why dir, itself and not what a link points to, is not a closed directory of
// this user.
func checkPrivate(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a directory", dir)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s is open to other users (mode %04o); close it: chmod 700 %s", dir, info.Mode().Perm(), dir)
	}
	return store.CheckDir(dir)
}
