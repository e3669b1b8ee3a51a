package store

import (
	"errors"
	"os"
	"time"

	"go.etcd.io/bbolt"
)

const (
	reopenFirst = time.Second // pause after a failed reopening, doubled up to reopenMax
	reopenMax   = time.Minute
)

// recover goes on after the commit of transaction id failed with err: it closes the file, opens and
// checks it, has what is in memory read anew, and then tells the waiters. Nothing can be read
// between the failure and that, so whoever reads after the verdict sees what the file really holds.
//
// While the file cannot be opened, the waiters have their verdict at once, everything that comes in
// is refused at once, and the committer tries again after a pause.
func (db *DB) recover(batch []*request, id int, err error) {
	full := DiskFull(err)
	cause, message := CauseCommit, "a write to the outbox failed: "+Reason(err)
	if full {
		cause, message = CauseDiskFull, "a write did not fit on the disk of "+db.path+": "+err.Error()+"; make space"
	}
	db.faults.raise(cause, message, hasAppend(batch))
	db.log.Error("commit of the outbox failed, opening the file again", "error", err.Error())
	db.swap(nil, nil)
	last, reopenErr := db.openAgain(!full)
	if reopenErr != nil {
		db.refuseAll(reopenErr)
	}
	if full && reopenErr == nil && last < id {
		finishAll(batch, newError(Full, db.path, err, "the disk is full: %v", err))
	} else {
		finishAll(batch, db.unknown(err))
	}
	db.shut = reopenErr != nil
}

// retryOpening opens the file again and again until that succeeds or the store stops.
func (db *DB) retryOpening() {
	for pause := reopenFirst; db.pauseFor(pause); pause = min(2*pause, reopenMax) {
		_, err := db.openAgain(true)
		if err == nil {
			db.shut = false
			db.broken.Store(false)
			db.faults.clear(CauseReopening)
			db.q.resume()
			return
		}
		db.refuseAll(err)
	}
}

// refuseAll notes why the file cannot be opened, and refuses whatever waits and comes.
func (db *DB) refuseAll(err error) {
	db.broken.Store(errors.Is(err, Damaged))
	db.faults.raise(CauseReopening, "the outbox file cannot be opened again: "+Reason(err), false)
	db.q.pause(db.closedError())
}

// pauseFor waits. It reports false when the store is stopping.
func (db *DB) pauseFor(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-db.stopping:
		return false
	}
}

// swap puts another file in place and closes the old one.
func (db *DB) swap(next *bbolt.DB, file *os.File) {
	db.endCompaction() // it reads the file that is closed
	db.mu.Lock()
	old := db.bolt
	db.bolt, db.file = next, file
	db.mu.Unlock()
	db.ground = ground{}
	if old != nil && !db.stuck.Load() {
		if err := guarded(old.Close); err != nil {
			db.log.Error("close of the outbox file failed", "error", err.Error())
		}
	}
}

// openAgain opens the file, looks through all its pages when walk says so, and has what is in
// memory read anew. It returns the number of the last transaction that is in the file.
func (db *DB) openAgain(walk bool) (last int, err error) {
	bolt, file, err := db.openDurably()
	if err != nil {
		return 0, err
	}
	if walk {
		if err := verify(bolt, nil); err != nil {
			return 0, errors.Join(err, bolt.Close())
		}
	}
	if err := db.view(bolt, func(tx *bbolt.Tx) error { last = tx.ID(); return nil }); err != nil {
		return 0, errors.Join(err, bolt.Close())
	}
	db.swap(bolt, file)
	if err := db.measure(); err != nil {
		db.swap(nil, nil)
		return 0, err
	}
	for _, reload := range db.reloads {
		if err := reload(); err != nil {
			db.swap(nil, nil)
			return 0, err
		}
	}
	return last, nil
}
