//go:build unix

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"waoutbox/store/private"
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
	if err := os.Chmod(path, info.Mode().Perm()&want); err != nil && info.Mode().Perm()&0o002 != 0 && !private.InVolume(path) {
		return systemError(err, path, path+" cannot be made private")
	}
	return nil // a disk that keeps its modes: Tighten tells of it
}

// notMade is err, met while the directory dir was made.
func notMade(err error, dir string) *Error {
	what := fmt.Sprintf("state directory %s cannot be created", dir)
	for at := filepath.Dir(dir); errors.Is(err, fs.ErrPermission); at = filepath.Dir(at) {
		if info, serr := os.Stat(at); serr == nil {
			if st, ok := info.Sys().(*syscall.Stat_t); ok {
				return newError(Forbidden, dir, err, "%s: %s belongs to user %d (mode %04o) and you are user %d", what, at, st.Uid, info.Mode().Perm(), os.Geteuid())
			}
		}
		if at == filepath.Dir(at) {
			break
		}
	}
	return systemError(err, dir, what)
}

// Tighten takes from the state directory, and from what lies directly in it, every permission of
// group and others, and returns the names of what had some and a sentence about each that keeps
// them, as on a volume whose modes are fixed. Outside of a container's volume, what everybody may
// write is left to those that refuse it, and so is anywhere a directory of other things than a
// state. It may run beside a living owner.
func Tighten(dir string) (changed, kept []string) {
	abs, err := filepath.Abs(dir)
	if err == nil {
		err = private.CheckVolume(abs) // a link to somewhere else is nobody's volume
	}
	if err != nil {
		return nil, nil // whoever uses it says what is wrong
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil
	}
	isState := func(e os.DirEntry) bool { return e.Name() == OutboxFile || e.Name() == KeyFile }
	// a volume's file system has one
	isNothing := func(e os.DirEntry) bool { return e.Name() == "lost+found" }
	if !slices.ContainsFunc(entries, isState) && slices.ContainsFunc(entries, func(e os.DirEntry) bool { return !isNothing(e) }) {
		return nil, nil // somebody's other files
	}
	names := []string{"."}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	for _, name := range names {
		path := filepath.Join(dir, name)
		info, err := os.Lstat(path)
		if err != nil || info.Mode()&(fs.ModeSymlink|fs.ModeSocket) != 0 {
			continue // gone meanwhile, or somewhere else; the socket is its listener's
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		loose := info.Mode().Perm() & 0o077
		if !ok || int(st.Uid) != os.Geteuid() || loose == 0 || loose&0o002 != 0 && !private.InVolume(path) {
			continue
		}
		err = os.Chmod(path, info.Mode().Perm()&0o700)
		if after, serr := os.Lstat(path); err != nil || serr == nil && after.Mode().Perm()&0o077 != 0 {
			kept = append(kept, fmt.Sprintf("%s stays open to others (mode %04o): this disk keeps its modes", path, info.Mode().Perm()))
			continue
		}
		changed = append(changed, name)
	}
	return changed, kept
}
