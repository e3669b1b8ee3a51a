package demo

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	// removeTime is how long the demo tries to remove its files: on Windows a scanner may have one
	// open for a moment.
	removeTime = 3 * time.Second
	removeWait = 50 * time.Millisecond
)

// removeAll removes a directory with all that is in it, also where os.RemoveAll cannot: on Windows
// it deletes in a way that not every file system, nor Wine, knows.
func removeAll(dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), removeTime)
	defer cancel()
	for {
		err := os.RemoveAll(dir)
		if err == nil {
			return nil
		}
		if removeEach(dir) == nil {
			return nil
		}
		if pause(ctx, removeWait) != nil {
			return err
		}
	}
}

// removeEach removes what is in a directory one by one, and then the directory.
func removeEach(dir string) error {
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
