// Package rmtree removes directories with all that is in them.
package rmtree

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"
)

const (
	// limit is how long Remove tries: on Windows a scanner may have a file open for a moment.
	limit = 3 * time.Second
	wait  = 50 * time.Millisecond
)

// Remove is os.RemoveAll, and on Windows also where that cannot: it deletes in a way that not every
// file system, nor Wine, knows. There it tries for some seconds.
func Remove(dir string) error {
	if runtime.GOOS != "windows" {
		return os.RemoveAll(dir)
	}
	for end := time.Now().Add(limit); ; <-time.After(wait) {
		err := os.RemoveAll(dir)
		if err == nil || each(dir) == nil {
			return nil
		}
		if time.Now().After(end) {
			return err
		}
	}
}

// each removes what is in a directory one by one, and then the directory. It follows no link.
func each(dir string) error {
	var paths []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		paths = append(paths, path)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, path := range slices.Backward(paths) {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}
