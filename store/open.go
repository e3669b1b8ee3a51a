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

	"waoutbox/store/failpoint"
	"waoutbox/store/private"
)

// fileLockWait is how long bbolt waits for its own file lock. The state lock makes waiting
// pointless except against tools.
const fileLockWait = 500 * time.Millisecond

// maxChecked is the largest file walked from end to end after a failed commit; a larger one is
// checked by its header and format only, since the walk would hold up every append for minutes.
const maxChecked = 1 << 30

// openFile opens the database at path, creating it when there is none or an empty one, and
// migrating it when it is older. A file that is not ours, damaged or newer is refused and not
// changed.
func openFile(path string, o DBOptions) (*bbolt.DB, *os.File, error) {
	info, err := os.Lstat(path)
	empty := err == nil && info.Mode().IsRegular() && info.Size() == 0
	missing := errors.Is(err, fs.ErrNotExist)
	if empty || missing {
		if err := lost(path, empty, o.Companions); err != nil {
			return nil, nil, err
		}
	}
	if empty {
		if err := private.CheckFile(path, info); err != nil {
			return nil, nil, refusal(path, err)
		}
		o.Log.Warn("the outbox file was empty and is made anew", "path", path)
	}
	if empty || missing {
		if err := createFile(path, o.Schema); err != nil {
			return nil, nil, systemError(err, path, fmt.Sprintf("outbox %s cannot be created", path))
		}
	}
	return openExisting(path, o.Schema)
}

// lost returns an error of kind Lost when one of the files that only lie beside an outbox is there:
// the outbox, which is missing or empty, is not a new one.
func lost(path string, empty bool, companions []string) error {
	for _, c := range companions {
		if _, err := os.Lstat(c); err != nil {
			continue
		}
		what := "missing"
		if empty {
			what = "empty"
		}
		return newError(Lost, path, nil, "outbox %s is %s, and %s beside it shows that there was one", path, what, filepath.Base(c))
	}
	return nil
}

// CheckOutbox returns an error of kind Missing when dir holds no state: no directory, or one with
// neither an outbox, empty ones left out, nor what lies beside one. It creates and changes nothing.
func CheckOutbox(dir string) error {
	for _, name := range []string{OutboxFile, KeyFile, WhatsAppFile} {
		info, err := os.Lstat(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) || err == nil && name == OutboxFile && info.Mode().IsRegular() && info.Size() == 0 {
			continue
		}
		return nil // there, or not to be looked at: whoever opens it says what is wrong
	}
	return newError(Missing, dir, fs.ErrNotExist, "no state at %s", dir)
}

// openExisting is openFile for a file that must be there with something in it. The file is the one
// that db reads and writes, whatever has its name later, and db closes it.
func openExisting(path string, schema Schema) (*bbolt.DB, *os.File, error) {
	if err := inspect(path, schema); err != nil {
		return nil, nil, refusal(path, err)
	}
	db, file, err := openBolt(path, false)
	if err != nil {
		return nil, nil, refusal(path, err)
	}
	err = guarded(func() error {
		upToDate := false
		err := db.View(func(tx *bbolt.Tx) error { upToDate = schema.current(tx); return nil })
		if err == nil && !upToDate {
			err = schema.migrate(db)
		}
		return err
	})
	if err != nil {
		return nil, nil, errors.Join(refusal(path, err), db.Close())
	}
	return db, file, nil
}

// refusal says why the file cannot be used.
func refusal(path string, err error) error {
	if errors.Is(err, berrors.ErrTimeout) {
		return newError(InUse, path, err, "outbox %s is open in another program", path)
	}
	if _, ok := errors.AsType[*private.Error](err); ok {
		err = privateError(err, path, "")
	}
	kind := System
	if e, ok := errors.AsType[*Error](err); ok {
		kind = e.Kind
	}
	if _, ok := errors.AsType[*formatError](err); ok {
		kind = NewerFormat
	}
	if errors.Is(err, errForeign) || errors.Is(err, errCutOff) || errors.Is(err, errIncomplete) || damaged(err) {
		kind = Damaged
	}
	reason := Reason(err)
	if p, ok := errors.AsType[*panicError](err); ok && !p.fault {
		reason = fmt.Sprintf("its pages are damaged (%v)", p.value)
	}
	return newError(kind, path, err, "outbox %s cannot be used and was left as it is: %s", path, reason)
}

// damaged reports that reading the file ended in a fault or in a complaint of bbolt.
func damaged(err error) bool {
	_, fault := errors.AsType[*panicError](err)
	return fault || errors.Is(err, berrors.ErrInvalid) || errors.Is(err, berrors.ErrChecksum) || errors.Is(err, berrors.ErrVersionMismatch)
}

// inspect looks at the file without changing it.
func inspect(path string, schema Schema) error {
	if err := checkHeader(path); err != nil {
		return err
	}
	db, _, err := openBolt(path, true)
	if err != nil {
		return err
	}
	err = guarded(func() error {
		return db.View(func(tx *bbolt.Tx) error { return schema.check(tx) })
	})
	return errors.Join(err, db.Close())
}

// createFile makes a whole database under another name first, so that a crash leaves none, or the
// empty file that was there before, or a good one. What a crash left under the other name is thrown
// away.
func createFile(path string, schema Schema) error {
	tmp := path + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	db, _, err := openBolt(tmp, false)
	if err != nil {
		return err
	}
	err = schema.migrate(db)
	if err = errors.Join(err, db.Close()); err != nil {
		os.Remove(tmp) // the next creation does it again
		return err
	}
	failpoint.Hit(failpoint.CreateMigrated)
	if err := os.Rename(tmp, path); err != nil {
		os.Remove(tmp)
		return err
	}
	failpoint.Hit(failpoint.CreateRenamed)
	return private.SyncDir(filepath.Dir(path))
}

// openBolt opens a database, and returns its file besides, which db closes.
func openBolt(path string, readOnly bool) (db *bbolt.DB, file *os.File, err error) {
	open := func(path string, flag int, mode fs.FileMode) (_ *os.File, err error) {
		file, err = os.OpenFile(path, flag, mode)
		return file, err
	}
	err = guarded(func() error {
		db, err = bbolt.Open(path, 0o600, &bbolt.Options{
			ReadOnly: readOnly,
			OpenFile: open,
			Timeout:  fileLockWait,
			// the array kind slows down badly with many free pages
			FreelistType: bbolt.FreelistMapType,
			// The freelist is synced (NoFreelistSync stays false): rebuilding it makes a cold open
			// of 1.3 GB take seconds.
		})
		return err
	})
	return db, file, err
}

// verifyEvery is after how many keys verify calls step.
const verifyEvery = 4096

// verify walks every page of a database by its cursors. An error of step, which may be nil, ends
// it.
func verify(db *bbolt.DB, step func() error) error {
	return guarded(func() error {
		return db.View(func(tx *bbolt.Tx) error {
			if tx.Size() > maxChecked {
				return nil
			}
			return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
				var last []byte
				n := 0
				return b.ForEach(func(k, _ []byte) error {
					if n++; n%verifyEvery == 0 && step != nil {
						if err := step(); err != nil {
							return err
						}
					}
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

// guarded runs fn with memory faults and panics turned into errors: a damaged page must not end the
// process.
func guarded(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = newPanicError(p)
		}
	}()
	return fn()
}

// panicError is a recovered panic. fault says that it was a memory fault: the mapped file could not
// be read.
type panicError struct {
	value any
	fault bool
	stack []byte
}

func newPanicError(p any) *panicError {
	// runtime's error for a fault at a known address, see debug.SetPanicOnFault
	_, fault := p.(interface{ Addr() uintptr })
	return &panicError{value: p, fault: fault, stack: debug.Stack()}
}

func (e *panicError) Error() string {
	if e.fault {
		return fmt.Sprintf("a page of the file cannot be read (%v)", e.value)
	}
	return fmt.Sprintf("internal error (%v)", e.value)
}
