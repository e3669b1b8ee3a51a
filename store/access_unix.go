//go:build unix

package store

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
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
	if err := os.Chmod(path, info.Mode().Perm()&want); err != nil && info.Mode().Perm()&0o002 != 0 {
		return systemError(err, path, path+" cannot be made private")
	}
	return nil // a disk that keeps its modes: Tighten tells of it
}

// Tighten takes from the state directory, and from what lies directly in it, every permission of
// group and others, and returns the names of what had some and a sentence about each that keeps
// them, as on a volume whose modes are fixed. What everybody may write is left to those that refuse
// it. It may run beside a living owner.
func Tighten(dir string) (changed, kept []string) {
	about, err := os.Stat(dir)
	if err != nil {
		return nil, nil // whoever uses it says what is wrong
	}
	// In a directory of somebody else, or of everybody, a name may lead elsewhere a moment later.
	if st, ok := about.Sys().(*syscall.Stat_t); !ok || int(st.Uid) != os.Geteuid() || about.Mode().Perm()&0o002 != 0 {
		return nil, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil
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
		if !ok || int(st.Uid) != os.Geteuid() || loose == 0 || loose&0o002 != 0 {
			continue
		}
		err = os.Chmod(path, info.Mode().Perm()&0o700)
		if after, serr := os.Lstat(path); err != nil || serr == nil && after.Mode().Perm()&0o077 != 0 {
			kept = append(kept, fmt.Sprintf("%s stays readable by others (mode %04o): this disk keeps its modes", path, info.Mode().Perm()))
			continue
		}
		changed = append(changed, name)
	}
	return changed, kept
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
