// Package private opens what belongs to one user alone: directories whose place nobody else can
// change, and files of theirs, checked by their descriptors and not by their names.
package private

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Kinds of refusals, for errors.Is.
var (
	ErrOwner     = errors.New("it belongs to another user")
	ErrWritable  = errors.New("others can write it")
	ErrIrregular = errors.New("it is no file")
)

// Error is why something is not used. Its text is a whole sentence without advice.
type Error struct {
	Kind error  // one of the above
	Path string // what is to be mended: perhaps a directory above the one asked for
	text string
}

func (e *Error) Error() string { return e.text }
func (e *Error) Unwrap() error { return e.Kind }

func refuse(kind error, path, format string, args ...any) *Error {
	return &Error{Kind: kind, Path: path, text: path + " " + fmt.Sprintf(format, args...)}
}

// Open opens the file at path, in a directory that CheckDir accepts, for flag; with os.O_CREATE it
// is made, mode 0600, if it is not there. It never waits, and never follows a link in the place of
// the file: a pipe, a device, a link, a file of another user or one that others may write is
// refused with an *Error, and nothing was changed. What others may only read is closed to them when
// flag opens it for writing, and when it is opened for reading too. Other errors are the system's.
// Windows has neither owners nor modes: there a regular file is enough.
func Open(path string, flag int) (*os.File, error) {
	dir, name := filepath.Split(path)
	dir = filepath.Clean(dir)
	if err := CheckDir(dir); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	// A truncation waits until the file was checked.
	f, err := root.OpenFile(name, flag&^os.O_TRUNC|noWait, 0o600)
	if err != nil {
		if info, lerr := root.Lstat(name); lerr == nil && !info.Mode().IsRegular() {
			return nil, refuse(ErrIrregular, path, "is %s, not a file", irregular(info.Mode()))
		}
		return nil, err
	}
	if err = check(root, f, name, path); err == nil && flag&os.O_TRUNC != 0 {
		err = f.Truncate(0)
	}
	if err != nil {
		_ = f.Close() // the first error says more
		return nil, err
	}
	return f, nil
}

// check judges an open file, and closes it to others.
func check(root *os.Root, f *os.File, name, path string) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return refuse(ErrIrregular, path, "is %s, not a file", irregular(info.Mode()))
	}
	at, err := root.Lstat(name)
	if err != nil {
		return err
	}
	if !os.SameFile(info, at) {
		return refuse(ErrIrregular, path, "is %s, not a file", irregular(at.Mode()))
	}
	if err := CheckFile(path, info); err != nil {
		return err
	}
	return tighten(f, info)
}

// irregular says what stands in the place of a file.
func irregular(m fs.FileMode) string {
	switch m.Type() {
	case fs.ModeSymlink:
		return "a link"
	case fs.ModeDir:
		return "a directory"
	case fs.ModeNamedPipe:
		return "a pipe"
	case fs.ModeSocket:
		return "a socket"
	case 0:
		return "another file than a moment ago"
	}
	return "a device"
}

// ErrTooLarge is the error of Read for a file that is larger than it may be.
var ErrTooLarge = errors.New("it is too large")

// Read returns the content of the file at path, opened as Open does, up to most bytes.
func Read(path string, most int64) ([]byte, error) {
	f, err := Open(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = ErrTooLarge
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

// Look opens a file for reading as Open does, whoever owns it and whoever may write it, and changes
// nothing: for what is only shown.
func Look(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|noWait, 0)
	if err != nil {
		if info, lerr := os.Lstat(path); lerr == nil && !info.Mode().IsRegular() {
			return nil, refuse(ErrIrregular, path, "is %s, not a file", irregular(info.Mode()))
		}
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = refuse(ErrIrregular, path, "is %s, not a file", irregular(info.Mode()))
	}
	if err != nil {
		_ = f.Close() // the first error says more
		return nil, err
	}
	return f, nil
}
