package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// UnusableError says in one sentence why the state cannot be used and how to mend it. What the system said is in its chain.
type UnusableError struct {
	text string
	err  error
}

func (e *UnusableError) Error() string { return e.text }
func (e *UnusableError) Unwrap() error { return e.err }

func unusable(err error, format string, args ...any) error {
	return &UnusableError{text: fmt.Sprintf(format, args...), err: err}
}

// Refuse makes an UnusableError of a whole sentence.
func Refuse(format string, args ...any) error { return unusable(nil, format, args...) }

// Unusable makes err, met while a file of the state was used, an UnusableError: what was done, why it failed, how to mend it.
// Names of temporary files in err are not shown.
func Unusable(err error, what string) error {
	return unusable(err, "%s: %s", what, reason(err))
}

// reason says in words why the system refused a file, and what to do about it.
func reason(err error) string {
	switch {
	case errors.Is(err, syscall.EROFS):
		return "its disk is read-only. Mount it writable, or name another place with --state-dir"
	case errors.Is(err, syscall.ENOSPC):
		return "the disk is full. Make space, then run it again"
	case errors.Is(err, syscall.ENAMETOOLONG):
		return "the path is longer than the system allows. Name a shorter one with --state-dir"
	case errors.Is(err, syscall.ENOTDIR):
		return "a part of this path is a file and not a directory. Name another place with --state-dir"
	case errors.Is(err, syscall.EISDIR):
		return "a directory is in its place. Move it away"
	case errors.Is(err, fs.ErrPermission):
		return "this user has no permission. Run it as the user that owns it, mend the permissions, or name another place with --state-dir"
	case errors.Is(err, syscall.EIO):
		return "the disk does not answer properly (input/output error). Look into the system's log"
	}
	// Without the path, which may be a temporary one.
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err.Error()
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.Err.Error()
	}
	return err.Error()
}

// Command is the command line that runs `waoutbox ARGS` on the state in dir: with --state-dir unless dir is where the program looks by
// itself. It is what sentences that name a next command print.
func Command(dir string, getenv func(string) string, args string) string {
	if dir == "" {
		return "waoutbox " + args
	}
	if usual, err := DefaultDir(runtime.GOOS, getenv); err == nil && filepath.Clean(usual) == filepath.Clean(dir) {
		return "waoutbox " + args
	}
	return "waoutbox --state-dir " + quoted(dir) + " " + args
}

// quoted is a path as a shell takes it.
func quoted(path string) string {
	if !strings.ContainsFunc(path, func(r rune) bool {
		return !strings.ContainsRune(`abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=@%+,`, r)
	}) {
		return path
	}
	if runtime.GOOS == "windows" {
		return `"` + path + `"` // a path holds no double quote there
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
