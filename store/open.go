package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"waoutbox/outbox"
)

// fileLockWait is how long bbolt waits for its own file lock. The state lock makes waiting pointless except against tools.
const fileLockWait = 500 * time.Millisecond

// maxChecked is the largest file walked from end to end after a failed commit; a larger one is checked by its header and
// format only, since the walk would hold up every append for minutes.
const maxChecked = 1 << 30

// openFile opens the database at path, creating it when there is none and migrating it when it is older. A file that is not
// ours, damaged or newer is refused and not changed.
func openFile(path string) (*bbolt.DB, error) {
	steps := migrations()
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		if err := createFile(path, steps); err != nil {
			return nil, fmt.Errorf("create outbox %s: %w", path, err)
		}
	}
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

func refusal(path string, err error) error {
	if errors.Is(err, berrors.ErrTimeout) {
		return fmt.Errorf("outbox %s is open in another program; close that one: %w", path, outbox.ErrOwned)
	}
	return fmt.Errorf("outbox %s cannot be used and was left as it is: %w", path, err)
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

// createFile makes a whole database under another name first, so that a crash leaves none or a good one, and an empty file
// under the real name is always damage.
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
		return errors.Join(err, os.Remove(tmp))
	}
	if err := os.Rename(tmp, path); err != nil {
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
