package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"waoutbox/store/private"
)

const (
	defaultLockTimeout = 2 * time.Second
	lockRetry          = 20 * time.Millisecond
	// ownerAt is where the owner's line begins in the lock file. Windows locks byte 0 against
	// readers too; the line must stay readable while the lock is held.
	ownerAt = 1
	// ownerSize is the fixed length of that line: it is overwritten in place, never truncated.
	ownerSize = 127
)

// Options of OpenState.
type Options struct {
	Version     string        // this program's, shown to whoever finds the lock held
	LockTimeout time.Duration // how long to wait for the lock; 0 = 2 s
}

// State is the ownership of a state directory. While it is open no other process can open it.
type State struct {
	dir   string
	lock  *flock.Flock
	close func() error
}

// OpenState takes the directory: it creates it when missing (mode 0700), refuses one of another
// owner or writable by others, tightens other loose modes, and takes the lock, waiting at most
// LockTimeout or until ctx ends. When another process holds it, the error is of kind Owned and says
// who. Nothing is changed on refusal.
func OpenState(ctx context.Context, dir string, o Options) (*State, error) {
	if err := MakeDir(dir); err != nil {
		return nil, err
	}
	if o.LockTimeout == 0 {
		o.LockTimeout = defaultLockTimeout
	}
	path := filepath.Join(dir, LockFile)
	file, err := private.Open(path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, privateError(err, path, fmt.Sprintf("lock file %s cannot be used", path))
	}
	defer file.Close()
	lock := flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
	wait, cancel := context.WithTimeout(ctx, o.LockTimeout)
	defer cancel()
	ok, err := lock.TryLockContext(wait, lockRetry)
	if err := ctx.Err(); err != nil && !ok {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	if !ok && (err == nil || errors.Is(err, context.DeadlineExceeded)) {
		return nil, ownedError(dir)
	}
	if err != nil {
		return nil, systemError(err, path, fmt.Sprintf("lock file %s cannot be used", path))
	}
	if err := writeOwner(file, Owner{PID: os.Getpid(), Version: o.Version}); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return &State{dir: dir, lock: lock, close: sync.OnceValue(lock.Unlock)}, nil
}

// Dir is the state directory.
func (s *State) Dir() string { return s.dir }

// Path is the place of a file in the state directory.
func (s *State) Path(name string) string { return filepath.Join(s.dir, name) }

// Close gives the directory up. Close everything that lives in it first. A second call does nothing
// more.
func (s *State) Close() error {
	if err := s.close(); err != nil {
		return fmt.Errorf("unlock %s: %w", s.dir, err)
	}
	return nil
}

func ownedError(dir string) error {
	o, _, err := ReadOwner(dir)
	who := "another waoutbox"
	if err == nil && o.PID != 0 {
		who += fmt.Sprintf(" (pid %d, version %s)", o.PID, o.Version)
	}
	owned := newError(Owned, dir, nil, "%s owns %s", who, dir)
	owned.Owner = o
	return owned
}

// Owner is the process that holds the lock.
type Owner struct {
	PID     int
	Version string
}

// ReadOwner says whether some process owns dir, and which. A missing directory or lock file is held
// by nobody. It creates and changes nothing; an opening owner that meets the probe tries again.
func ReadOwner(dir string) (o Owner, held bool, err error) {
	path := filepath.Join(dir, LockFile)
	file, err := private.Look(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return Owner{}, false, nil
		}
		return Owner{}, false, privateError(err, path, fmt.Sprintf("lock file %s cannot be read", path))
	}
	defer file.Close()
	probe := flock.New(path, flock.SetFlag(os.O_RDONLY))
	free, err := probe.TryRLock()
	if err != nil {
		return Owner{}, false, systemError(err, path, fmt.Sprintf("lock file %s cannot be read", path))
	}
	if free {
		return Owner{}, false, probe.Unlock()
	}
	o, err = readOwnerLine(file)
	return o, true, err
}

func writeOwner(f *os.File, o Owner) error {
	line := fmt.Appendf(nil, "%d %s", o.PID, strings.Join(strings.Fields(o.Version), "-"))
	if len(line) >= ownerSize {
		line = line[:ownerSize-1]
	}
	line = append(line, bytes.Repeat([]byte(" "), ownerSize-1-len(line))...)
	if _, err := f.WriteAt(append(line, '\n'), ownerAt); err != nil {
		return systemError(err, f.Name(), fmt.Sprintf("lock file %s cannot be written", f.Name()))
	}
	return nil
}

func readOwnerLine(f *os.File) (Owner, error) {
	line := make([]byte, ownerSize)
	n, err := f.ReadAt(line, ownerAt)
	if err != nil && !errors.Is(err, io.EOF) {
		return Owner{}, fmt.Errorf("read owner: %w", err)
	}
	var o Owner
	fields := strings.Fields(string(line[:n]))
	if len(fields) > 0 {
		// an owner that died while writing left no number: 0, unknown
		o.PID, _ = strconv.Atoi(fields[0])
	}
	if len(fields) > 1 {
		o.Version = fields[1]
	}
	return o, nil
}
