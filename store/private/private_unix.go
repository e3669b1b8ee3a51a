//go:build unix

package private

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// noWait has a pipe opened without somebody at its other end, and a link not followed.
const noWait = syscall.O_NONBLOCK | syscall.O_NOFOLLOW

// maxLinks bounds the links on the way to a directory.
const maxLinks = 40

// CheckDir returns nil when dir is a directory of this user into which nobody else writes, and when
// nobody but root could put another in its place: whoever owns a directory above it, or can write
// into one that is not sticky, could, and so could the owner of a link on the way. In the volume of
// a container, in which there are no others, owners above it and modes are taken as they are: Given
// names them. Errors: an *Error, or the system's; fs.ErrNotExist when dir is not there. It changes
// nothing.
func CheckDir(dir string) error { return checkDir(dir, 0o022, ignore) }

// CheckVolume is CheckDir for a directory that the group may write still, as a container is given.
func CheckVolume(dir string) error { return checkDir(dir, 0o002, ignore) }

// Given returns a sentence about each directory that CheckDir accepts for dir only since it is in
// the volume of a container.
func Given(dir string) []string {
	var all []string
	_ = checkDir(dir, 0o022, func(e *Error) { all = append(all, e.Error()) }) // CheckDir says it
	return all
}

// MayMake reports whether this user may make the directory dir, which is not there, and CheckDir
// would accept it.
func MayMake(dir string) bool {
	if !errors.Is(CheckDir(dir), fs.ErrNotExist) {
		return false
	}
	const write = 2
	for at := filepath.Dir(dir); ; at = filepath.Dir(at) {
		if _, err := os.Lstat(at); err == nil || at == filepath.Dir(at) {
			return syscall.Access(at, write) == nil
		}
	}
}

func ignore(*Error) {}

// checkDir is CheckDir, with the modes that are too much for the directory itself. It tells given
// of what it accepts in the volume of a container.
func checkDir(dir string, loose fs.FileMode, given func(*Error)) error {
	accept := func(e *Error, above bool) error {
		switch {
		case e == nil:
			return nil
		case (above || errors.Is(e, ErrWritable)) && InVolume(e.Path):
			given(e)
			return nil
		}
		return e
	}
	if !filepath.IsAbs(dir) {
		return fmt.Errorf("%s is no absolute path", dir)
	}
	at, rest := "/", strings.Split(strings.Trim(dir, "/"), "/")
	for links := 0; ; {
		info, err := os.Lstat(at)
		if err != nil {
			return err
		}
		if len(rest) == 0 || rest[0] == "" && len(rest) == 1 {
			if !info.IsDir() {
				return &fs.PathError{Op: "open", Path: at, Err: syscall.ENOTDIR}
			}
			return accept(checkOwn(at, info, loose), false)
		}
		if err := accept(checkAbove(at, info), true); err != nil {
			return err
		}
		name := rest[0]
		rest = rest[1:]
		if name == "" || name == "." {
			continue
		}
		next := filepath.Join(at, name)
		info, err = os.Lstat(next)
		if err != nil {
			return err
		}
		if info.Mode().Type() != fs.ModeSymlink {
			at = next
			continue
		}
		if uid := ownerOf(info); uid != 0 && uid != os.Geteuid() {
			return refuse(ErrOwner, next, "is a link of user %d, who could let it lead anywhere, and you are user %d", uid, os.Geteuid())
		}
		if links++; links > maxLinks {
			return &fs.PathError{Op: "open", Path: dir, Err: syscall.ELOOP}
		}
		to, err := os.Readlink(next)
		if err != nil {
			return err
		}
		if filepath.IsAbs(to) {
			at = "/"
		}
		rest = append(strings.Split(strings.Trim(to, "/"), "/"), rest...)
	}
}

// CheckFile returns an *Error for what belongs to another user, even for root (whose files would
// then lie in somebody's reach), and for what group or others may write: store.Tighten comes
// before, for a container's volume is given such modes at every start. info is of path.
func CheckFile(path string, info fs.FileInfo) error {
	if e := checkOwn(path, info, 0o022); e != nil && (errors.Is(e, ErrOwner) || !InVolume(path)) {
		return e
	}
	return nil
}

func checkOwn(path string, info fs.FileInfo, loose fs.FileMode) *Error {
	if uid := ownerOf(info); uid != os.Geteuid() {
		return refuse(ErrOwner, path, "belongs to user %d and you are user %d", uid, os.Geteuid())
	}
	if mode := info.Mode().Perm(); mode&loose != 0 {
		return refuse(ErrWritable, path, "can be written by others (mode %04o)", mode)
	}
	return nil
}

// checkAbove judges a directory above one of ours.
func checkAbove(path string, info fs.FileInfo) *Error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	uid, own := int(st.Uid), os.Geteuid()
	if uid != 0 && uid != own && !unmapped(uid) {
		return refuse(ErrOwner, path, "belongs to user %d, who could put something else in the place of what is in it, and you are user %d", uid, own)
	}
	mode := info.Mode()
	others := mode.Perm()&0o002 != 0
	if mode.Perm()&0o020 != 0 && st.Gid != 0 && int(st.Gid) != ownGroup() {
		others = true
	}
	if others && mode&fs.ModeSticky == 0 && !isOwnVolume(mode, int(st.Gid), groups(), isMounted(path, st)) {
		return refuse(ErrWritable, path, "can be written by others (mode %04o), who could put something else in the place of what is in it", mode.Perm())
	}
	return nil
}

// isOwnVolume reports whether a directory is one that a container is given for itself: it is
// mounted there, its group is one of this process's (fsGroup), and nobody else writes to it.
func isOwnVolume(mode fs.FileMode, gid int, groups []int, mounted bool) bool {
	return mounted && mode.Perm()&0o002 == 0 && slices.Contains(groups, gid)
}

// groups returns the groups of this process; none when they cannot be told.
func groups() []int {
	list, err := os.Getgroups()
	if err != nil {
		return nil
	}
	return list
}

// onAnotherDevice reports whether a directory lies on another device than the one above it.
func onAnotherDevice(path string, st *syscall.Stat_t) bool {
	above, err := os.Lstat(filepath.Dir(path))
	if err != nil {
		return false
	}
	over, ok := above.Sys().(*syscall.Stat_t)
	return ok && over.Dev != st.Dev
}

// ownGroup returns the group that this user alone is in, by the custom that it has his number; -1
// when there is none such.
func ownGroup() int {
	if gid := os.Getegid(); gid == os.Geteuid() {
		return gid
	}
	return -1
}

func ownerOf(info fs.FileInfo) int {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid)
	}
	return os.Geteuid()
}

// tighten takes everything from others.
func tighten(f *os.File, info fs.FileInfo) error {
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	err := f.Chmod(info.Mode().Perm() &^ 0o077)
	if errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EPERM) {
		return nil // it cannot be closed there: the disk keeps its modes
	}
	return err
}

// SyncDir makes a rename or a new name in dir durable, where the system needs that.
func SyncDir(dir string) error {
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
