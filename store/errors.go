package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"waoutbox/store/private"
)

// Kind says what is wrong, for whoever has to act on it: errors.Is(err, store.Full). The advice a
// person needs is not made here.
type Kind string

func (k Kind) Error() string { return string(k) }

// Kinds of the database, while it is open.
const (
	// Full: not written, and will not be until space is made.
	Full Kind = "the database is full"
	// Closed: not done. The database was closed, stopped by a fault, or is being opened again.
	Closed Kind = "the database is closed"
	// Unknown: may be written; what a read shows afterwards is the outcome.
	Unknown Kind = "commit outcome unknown"
	// Displaced: not written, for the file that is open lost its name, and what is in it would be
	// gone when it is closed.
	Displaced Kind = "the database was removed or replaced while it is in use"
	// Busy: not done, since writes were waiting; try again later.
	Busy Kind = "the database is busy"
)

// Kinds of a state directory and of what lies in it.
const (
	Owned        Kind = "the state is owned by another process"
	Missing      Kind = "there is no state"
	NoPlace      Kind = "no place for the state"
	NotAbsolute  Kind = "not an absolute path"
	NotDirectory Kind = "not a directory"
	OtherOwner   Kind = "it belongs to another user"
	Writable     Kind = "others can write it"
	Forbidden    Kind = "this user may not make it"
	Irregular    Kind = "something else is in the place of a file"
	InUse        Kind = "open in another program"
	Lost         Kind = "the database is lost"
	Damaged      Kind = "not a whole database of this program"
	NewerFormat  Kind = "written in a format this program does not know"
	KeyMissing   Kind = "the key file is missing"
	WrongKey     Kind = "not a key"
	OtherKey     Kind = "another key"
	// System: the operating system refused a file; the chain holds what it said.
	System Kind = "the system refused a file"
)

// Error is one thing that is wrong with the state or its database. Its text is one sentence that
// says what and where, without advice.
type Error struct {
	Kind  Kind
	Path  string
	Owner Owner // of Owned, as far as it is known
	text  string
	err   error // what the system or bbolt said, may be nil
}

func (e *Error) Error() string { return e.text }

// Unwrap returns the kind, and what the system said.
func (e *Error) Unwrap() []error {
	if e.err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.err}
}

func newError(kind Kind, path string, err error, format string, args ...any) *Error {
	return &Error{Kind: kind, Path: path, text: fmt.Sprintf(format, args...), err: err}
}

// privateError is err, met while the file or directory at path was opened; what says what could
// not be done.
func privateError(err error, path, what string) error {
	e, ok := errors.AsType[*private.Error](err)
	if !ok {
		return systemError(err, path, what)
	}
	kinds := map[error]Kind{private.ErrOwner: OtherOwner, private.ErrWritable: Writable, private.ErrIrregular: Irregular}
	return newError(kinds[e.Kind], e.Path, err, "%s", e.Error())
}

// DirectoryError returns err, of the package private and about a directory, as an *Error.
func DirectoryError(err error) error {
	e, ok := errors.AsType[*private.Error](err)
	if !ok {
		return err
	}
	return privateError(err, e.Path, "")
}

// systemError is err, met while the file at path was used; what says what could not be done.
// Names of temporary files in err are not shown.
func systemError(err error, path, what string) *Error {
	return newError(System, path, err, "%s: %s", what, Reason(err))
}

// Reason says in a few words why the system refused a file. Paths in err, which may be temporary
// ones, are not shown.
func Reason(err error) string {
	switch {
	case errors.Is(err, syscall.EROFS):
		return "its disk is read-only"
	case DiskFull(err):
		return "the disk is full"
	case errors.Is(err, syscall.ENAMETOOLONG):
		return "the path is longer than the system allows"
	case errors.Is(err, syscall.ENOTDIR):
		return "a part of this path is a file and not a directory"
	case errors.Is(err, syscall.EISDIR):
		return "a directory is in its place"
	case errors.Is(err, fs.ErrPermission):
		return "this user has no permission"
	case errors.Is(err, syscall.EIO):
		return "the disk does not work properly (input/output error)"
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err.Error()
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.Err.Error()
	}
	return err.Error()
}

// DiskFull reports that a write did not fit: into the disk, into a quota, or into the largest file
// the system allows.
func DiskFull(err error) bool {
	return slices.ContainsFunc(diskFullErrors(runtime.GOOS), func(full error) bool { return errors.Is(err, full) })
}

// withCause is err with the error of the system in its chain again: of a file that must grow, bbolt
// returns only the text of it.
func withCause(err error) error {
	if _, panicked := errors.AsType[*panicError](err); err == nil || panicked || DiskFull(err) {
		return err
	}
	for _, full := range diskFullErrors(runtime.GOOS) {
		if text, ok := strings.CutSuffix(err.Error(), ": "+full.Error()); ok {
			return fmt.Errorf("%s: %w", text, full)
		}
	}
	return err
}

// diskFullErrors are the errors of the operating system goos that mean so.
func diskFullErrors(goos string) []error {
	if goos == "windows" {
		return []error{
			syscall.Errno(39),   // ERROR_HANDLE_DISK_FULL
			syscall.Errno(112),  // ERROR_DISK_FULL
			syscall.Errno(223),  // ERROR_FILE_TOO_LARGE
			syscall.Errno(1295), // ERROR_DISK_QUOTA_EXCEEDED
		}
	}
	return []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG}
}
