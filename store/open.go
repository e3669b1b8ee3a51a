package store

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// fileLockWait is how long bbolt waits for its own file lock. The state lock makes waiting pointless except against tools.
const fileLockWait = 500 * time.Millisecond

// maxChecked is the largest file walked from end to end after a failed commit; a larger one is checked by its header and
// format only, since the walk would hold up every append for minutes.
const maxChecked = 1 << 30

// openFile opens the database at path, creating it when there is none or an empty one, and migrating it when it is older. A file that
// is not ours, damaged or newer is refused and not changed.
func openFile(path string, log *slog.Logger) (*bbolt.DB, error) {
	steps := migrations()
	info, err := os.Lstat(path)
	empty := err == nil && info.Mode().IsRegular() && info.Size() == 0
	if empty {
		if err := checkAccess(path, info); err != nil {
			return nil, refusal(path, err)
		}
		log.Warn("the outbox file was empty and is made anew", "path", path)
	}
	if empty || errors.Is(err, fs.ErrNotExist) {
		if err := createFile(path, steps); err != nil {
			return nil, Unusable(err, fmt.Sprintf("outbox %s cannot be created", path))
		}
	}
	return openExisting(path, steps)
}

// openExisting is openFile for a file that must be there with something in it.
func openExisting(path string, steps []func(*bbolt.Tx) error) (*bbolt.DB, error) {
	if err := inspect(path, len(steps)); err != nil {
		return nil, refusal(path, err)
	}
	db, err := openBolt(path, false)
	if err != nil {
		return nil, refusal(path, err)
	}
	upToDate := false
	err = db.View(func(tx *bbolt.Tx) error { upToDate = current(tx, len(steps)); return nil })
	if err == nil && !upToDate {
		err = migrate(db, steps)
	}
	if err != nil {
		return nil, errors.Join(refusal(path, err), db.Close())
	}
	return db, nil
}

// refusal says why the file cannot be used and how to mend that.
func refusal(path string, err error) error {
	if errors.Is(err, berrors.ErrTimeout) {
		return unusable(err, "outbox %s is open in another program; close that one", path)
	}
	why := reason(err)
	if errors.Is(err, errForeign) || errors.Is(err, errCutOff) || damaged(err) {
		why += ". Restore it from a backup, or move it away to start with an empty outbox"
	}
	return unusable(err, "outbox %s cannot be used and was left as it is: %s", path, why)
}

// damaged reports that reading the file ended in a fault or in a complaint of bbolt.
func damaged(err error) bool {
	_, fault := errors.AsType[*panicError](err)
	return fault || errors.Is(err, berrors.ErrInvalid) || errors.Is(err, berrors.ErrChecksum) || errors.Is(err, berrors.ErrVersionMismatch)
}

// inspect looks at the file without changing it.
func inspect(path string, newest int) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if err := checkAccess(path, info); err != nil {
		return err
	}
	if err := checkHeader(path); err != nil {
		return err
	}
	db, err := openBolt(path, true)
	if err != nil {
		return err
	}
	err = guarded(func() error {
		return db.View(func(tx *bbolt.Tx) error { return checkFormat(tx, newest) })
	})
	return errors.Join(err, db.Close())
}

// createFile makes a whole database under another name first, so that a crash leaves none, or the empty file that was there before, or
// a good one. What a crash left under the other name is thrown away.
func createFile(path string, steps []func(*bbolt.Tx) error) error {
	tmp := path + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	db, err := openBolt(tmp, false)
	if err != nil {
		return err
	}
	err = migrate(db, steps)
	if err = errors.Join(err, db.Close()); err != nil {
		os.Remove(tmp) // the next creation does it again
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		os.Remove(tmp)
		return err
	}
	return syncDir(filepath.Dir(path))
}

func openBolt(path string, readOnly bool) (db *bbolt.DB, err error) {
	err = guarded(func() error {
		db, err = bbolt.Open(path, 0o600, &bbolt.Options{
			ReadOnly:     readOnly,
			Timeout:      fileLockWait,
			FreelistType: bbolt.FreelistMapType, // the array kind slows down badly with many free pages
			// The freelist is synced (NoFreelistSync stays false): rebuilding it makes a cold open of 1.3 GB take seconds.
		})
		return err
	})
	return db, err
}

// verify walks every page of a database by its cursors.
func verify(db *bbolt.DB) error {
	return guarded(func() error {
		return db.View(func(tx *bbolt.Tx) error {
			if tx.Size() > maxChecked {
				return nil
			}
			return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
				var last []byte
				return b.ForEach(func(k, _ []byte) error {
					if last != nil && string(k) <= string(last) {
						return fmt.Errorf("bucket %s is out of order", name)
					}
					last = append(last[:0], k...)
					return nil
				})
			})
		})
	})
}

// guarded runs fn with memory faults and panics turned into errors: a damaged page must not end the process.
func guarded(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = newPanicError(p)
		}
	}()
	return fn()
}

// panicError is a recovered panic. fault says that it was a memory fault: the mapped file could not be read.
type panicError struct {
	value any
	fault bool
	stack []byte
}

func newPanicError(p any) *panicError {
	_, fault := p.(interface{ Addr() uintptr }) // runtime's error for a fault at a known address, see debug.SetPanicOnFault
	return &panicError{value: p, fault: fault, stack: debug.Stack()}
}

func (e *panicError) Error() string {
	if e.fault {
		return fmt.Sprintf("a page of the file cannot be read (%v)", e.value)
	}
	return fmt.Sprintf("internal error (%v)", e.value)
}
