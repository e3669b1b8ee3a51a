package mcpclients

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// maxFile bounds what is read: such files hold some KiB, those of programs that keep more in them
// some MiB.
const maxFile = 64 << 20

// backupSuffix is added to the name of a file for the copy of what it was before.
const backupSuffix = ".before-waoutbox"

// Written is what became of a file.
type Written struct {
	Path    string // with links followed
	Backup  string // the copy of what it was before, "" when it was not there or did not change
	Created bool
	Changed bool
}

// Write changes the file at path by change, which gets its text, nil when it is not there, and
// returns the new one. Readers see the old text or the new one; a link stays one; the mode stays,
// and a new file is its user's alone. What was there before is kept in a copy beside it, which a
// later change replaces. Nothing is written when change returns an error or the same text, or when
// somebody else wrote the file meanwhile.
func Write(path string, change func(old []byte) ([]byte, error)) (w Written, err error) {
	if w.Path, err = follow(path); err != nil {
		return w, err
	}
	old, mode, err := read(w.Path)
	if err != nil {
		return w, err
	}
	text, err := change(old)
	if err != nil {
		return w, err
	}
	w.Created = old == nil
	if !w.Created && bytes.Equal(text, old) {
		return w, nil
	}
	if err := os.MkdirAll(filepath.Dir(w.Path), 0o700); err != nil {
		return w, err
	}
	if !w.Created {
		backup := w.Path + backupSuffix
		if err := replace(backup, old, mode); err != nil {
			return w, err
		}
		w.Backup = backup
	}
	if now, _, err := read(w.Path); err != nil || !bytes.Equal(now, old) || (now == nil) != (old == nil) {
		return w, errors.Join(errors.New("another program wrote the file at the same moment; end it and try again"), err)
	}
	w.Changed = true
	return w, replace(w.Path, text, mode)
}

// follow returns the file that path leads to. A link whose target is not there leads to it all the
// same.
func follow(path string) (string, error) {
	for range 40 {
		target, err := os.Readlink(path)
		if err != nil {
			return path, nil // it is no link
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = target
	}
	return "", fmt.Errorf("%s is a link that leads to no end", path)
}

// read returns the text and the mode of a file, nil and that of a new one when it is not there.
func read(path string) (text []byte, mode fs.FileMode, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0o600, nil
	}
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%s is no regular file", path)
	}
	text, err = io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, 0, err
	case len(text) > maxFile:
		return nil, 0, fmt.Errorf("%s is larger than %d MiB", path, maxFile>>20)
	case text == nil:
		text = []byte{}
	}
	return text, info.Mode().Perm(), nil
}

// replace writes a file durably and at once.
func replace(path string, text []byte, mode fs.FileMode) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".waoutbox-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // what is left of a failure
		}
	}()
	_, err = f.Write(text)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
