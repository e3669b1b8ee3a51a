package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"
)

// checkPlace returns an error of kind Displaced when the file that is open lost its name: it was
// removed, moved away, or another one was put in its place. What was written to it would be gone
// when it is closed.
func (db *DB) checkPlace() error {
	db.mu.RLock() // a compacted file takes the name between no two looks
	defer db.mu.RUnlock()
	if db.file == nil {
		return nil
	}
	open, err := db.file.Stat()
	if err != nil {
		return nil
	}
	info, err := os.Stat(db.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return newError(Displaced, db.path, err, "outbox %s was removed or moved away while it is in use, and is written anew", db.path)
	case err == nil && !os.SameFile(open, info):
		return newError(Displaced, db.path, nil, "another file was put in the place of outbox %s while that is in use", db.path)
	}
	return nil // where it cannot be looked at, nobody removed it
}

// removed reports whether nothing has the name of the file that is open.
func (db *DB) removed() bool { return errors.Is(db.checkPlace(), fs.ErrNotExist) }

// recheck clears the faults that end without a commit: the disk has space again, the file has its
// name again. It returns when to look the next time, 0 when nothing is wrong.
func (db *DB) recheck() time.Duration {
	_, low := db.faults.find(CauseDiskLow)
	_, displaced := db.faults.find(CauseDisplaced)
	if !low && !displaced {
		return 0
	}
	if since := time.Since(db.checkedAt); since < recheckEvery {
		return recheckEvery - since
	}
	db.checkedAt = time.Now()
	if low && db.checkFreeSpace() == nil {
		db.faults.clear(CauseDiskLow)
		low = false
	}
	if displaced && db.checkPlace() == nil {
		db.faults.clear(CauseDisplaced)
		displaced = false
	}
	if !low && !displaced {
		return 0
	}
	return recheckEvery
}

// putBack writes the file anew whose name was removed while it is in use: what is open still holds
// everything.
func (db *DB) putBack(ctx context.Context) error {
	err := db.Compact(ctx)
	if err == nil {
		db.faults.clear(CauseDisplaced)
		db.log.Warn("the outbox file was removed while it was in use: it was written anew, nothing of it is lost", "path", db.path)
	}
	return err
}
