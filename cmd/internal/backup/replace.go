package backup

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"waoutbox/cmd/internal/rmtree"
	"waoutbox/store"
)

// Directories in the state directory while a restore is on its way. The files are made whole in the
// first one; giving it the second name is the moment from which the new state counts, and Finish,
// which whoever opens the state calls first, puts its files in their places.
const (
	stagedDir    = "restore.new"
	committedDir = "restore.ready"
	// replacedDir, in the latter, takes the files that were there before
	replacedDir = "replaced"
)

// apartDirs are directories in which a backup is checked before there is a state.
const apartDirs = "waoutbox-restore-*"

// The moments of a restore, for tests that end there.
const (
	StepStaged    = "staged"    // the files are whole, nothing has changed
	StepCommitted = "committed" // the new state counts, no file is in its place
	StepMoved     = "moved"     // a file of before is out of its place
	StepPlaced    = "placed"    // a file is in its place
	StepKept      = "kept"      // the files of before have their last name
)

// Staged makes an empty directory for the files of a backup in the state directory dir, and returns
// its path. What a crash left there is thrown away. The state must be owned.
func Staged(dir string) (string, error) {
	path := filepath.Join(dir, stagedDir)
	if err := rmtree.Remove(path); err != nil {
		return "", err
	}
	return path, os.Mkdir(path, 0o700)
}

// Apart makes an empty directory for the files of a backup where the state directory dir will be,
// or above it, and returns its path: what is refused there leaves no state behind. Nobody need own
// the state. The caller removes it, unless Take takes it up.
func Apart(dir string) (string, error) {
	for _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir); _, err = os.Stat(dir) {
		dir = filepath.Dir(dir)
	}
	return os.MkdirTemp(dir, apartDirs)
}

// Take makes a directory of Apart the staged one of dir. The state must be owned.
func Take(apart, dir string) error {
	path := filepath.Join(dir, stagedDir)
	if err := rmtree.Remove(path); err != nil {
		return err
	}
	return os.Rename(apart, path)
}

// Commit makes what lies in the staged directory the state, durably: after it a crash leaves the
// new state, before it the old one. Files that the backup does not hold stay as they are. Call
// Finish then.
func Commit(dir string, step func(string)) error {
	staged := filepath.Join(dir, stagedDir)
	for _, d := range []string{filepath.Join(staged, store.SecretsDir), staged} {
		if err := store.SyncDir(d); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	step(StepStaged)
	if err := os.Rename(staged, filepath.Join(dir, committedDir)); err != nil {
		return err
	}
	return store.SyncDir(dir)
}

// Pending reports whether a restore was committed in dir and is not finished.
func Pending(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, committedDir))
	return err == nil
}

// Finish puts the files of a committed restore in their places, and returns the directory that
// holds what was there before, "" when there was nothing. It may be called again after any crash.
// The state must be owned.
func Finish(dir string, now time.Time, step func(string)) (replaced string, err error) {
	from := filepath.Join(dir, committedDir)
	old := filepath.Join(from, replacedDir)
	if err := os.MkdirAll(old, 0o700); err != nil {
		return "", err
	}
	step(StepCommitted)
	for _, name := range []string{store.KeyFile, store.HeadersFile, store.SecretsDir, store.ConfigFile, store.OutboxFile} {
		src, dst := filepath.Join(from, name), filepath.Join(dir, name)
		if _, err := os.Lstat(src); errors.Is(err, fs.ErrNotExist) {
			continue // the backup has none, or it is in its place already
		} else if err != nil {
			return "", err
		}
		if err := os.Rename(dst, filepath.Join(old, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		step(StepMoved)
		if err := os.Rename(src, dst); err != nil {
			return "", err
		}
		step(StepPlaced)
	}
	for _, d := range []string{dir, from, old} {
		if err := store.SyncDir(d); err != nil {
			return "", err
		}
	}
	return end(dir, now, step)
}

// end gives what was there before its last name and removes the rest.
func end(dir string, now time.Time, step func(string)) (replaced string, err error) {
	from := filepath.Join(dir, committedDir)
	old := filepath.Join(from, replacedDir)
	if left, err := os.ReadDir(old); err != nil {
		return "", err
	} else if len(left) > 0 {
		replaced = filepath.Join(dir, replacedDir+"-"+now.UTC().Format("20060102-150405"))
		for _, err := os.Lstat(replaced); err == nil; _, err = os.Lstat(replaced) {
			replaced += "x"
		}
		if err := os.Rename(old, replaced); err != nil {
			return "", err
		}
		step(StepKept)
	}
	if err := rmtree.Remove(from); err != nil {
		return replaced, err
	}
	return replaced, store.SyncDir(dir)
}
