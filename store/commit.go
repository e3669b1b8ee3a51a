package store

import (
	"errors"
	"fmt"
	"runtime/debug"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"waoutbox/outbox"
)

const (
	reopenFirst = time.Second // pause after a failed reopening, doubled up to reopenMax
	reopenMax   = time.Minute
)

// run is the committer: the only goroutine that writes. It ends when the store stops taking operations and the queue is empty.
func (db *DB) run() {
	defer close(db.stopped)
	debug.SetPanicOnFault(true)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		stopping := false
		select {
		case <-db.stopping:
			stopping = true
		default:
		}
		batch, wait := db.q.take(stopping)
		if batch != nil {
			db.commit(batch)
			continue
		}
		if stopping {
			return
		}
		var due <-chan time.Time
		if wait > 0 {
			timer.Reset(wait)
			due = timer.C
		}
		select {
		case <-db.q.wake:
		case <-due:
		case <-db.stopping:
		}
	}
}

// commit writes a batch in one transaction, without the operations that fail by themselves, and answers everybody.
func (db *DB) commit(batch []*request) {
	batch = db.refuseGrowth(batch)
	for len(batch) > 0 {
		if db.bolt == nil || db.fatal.Load() {
			answerAll(batch, db.closedError())
			return
		}
		tx, err := db.bolt.Begin(true)
		if err != nil {
			answerAll(batch, fmt.Errorf("begin a commit: %w", err))
			return
		}
		i, err := applyAll(tx, batch)
		if err == nil {
			db.finish(tx, batch)
			return
		}
		db.rollback(tx)
		db.noteFailure(err)
		batch[i].answer(err)
		batch = append(batch[:i:i], batch[i+1:]...)
	}
}

// refuseGrowth answers appends with ErrFull while the disk is short; everything else goes on.
func (db *DB) refuseGrowth(batch []*request) []*request {
	var rest, appends []*request
	for _, r := range batch {
		if r.op.Grows {
			appends = append(appends, r)
		} else {
			rest = append(rest, r)
		}
	}
	if len(appends) == 0 {
		return batch
	}
	err := db.room()
	if err == nil {
		return batch
	}
	db.noteRoom(err)
	answerAll(appends, err)
	return rest
}

// applyAll runs the operations in order and answers the first that failed.
func applyAll(tx *bbolt.Tx, batch []*request) (failed int, err error) {
	for i, r := range batch {
		if err := guarded(func() error { return r.op.Apply(tx) }); err != nil {
			return i, err
		}
	}
	return 0, nil
}

// noteFailure logs a panic of an operation, and stops the store when it was a memory fault.
func (db *DB) noteFailure(err error) {
	p, ok := errors.AsType[*panicError](err)
	if !ok {
		return
	}
	db.log.Error("write to the outbox failed", "error", p.Error(), "stack", string(p.stack))
	if p.fault {
		db.stop(p.Error())
	}
}

func (db *DB) rollback(tx *bbolt.Tx) {
	if err := guarded(tx.Rollback); err != nil && !errors.Is(err, berrors.ErrTxClosed) {
		db.stuck = true
		db.stop("a commit could not be undone: " + err.Error())
	}
}

// finish commits, publishes in order and answers.
func (db *DB) finish(tx *bbolt.Tx, batch []*request) {
	id := tx.ID()
	err := guarded(func() error { return db.around(tx.Commit) })
	if err == nil {
		db.noteRoom(nil)
		for _, r := range batch {
			if r.op.Publish != nil {
				r.op.Publish()
			}
			r.answer(nil)
		}
		return
	}
	db.noteFailure(err)
	db.rollback(tx)
	if db.fatal.Load() {
		answerAll(batch, fmt.Errorf("%w: commit: %w", outbox.ErrUnknown, err))
		return
	}
	db.log.Error("commit of the outbox failed, opening the file again", "error", err.Error())
	written := db.reopen(id)
	if errors.Is(err, syscall.ENOSPC) && !written {
		full := fmt.Errorf("the disk is full (%w): %w", err, outbox.ErrFull)
		db.noteRoom(full)
		answerAll(batch, full)
		return
	}
	answerAll(batch, fmt.Errorf("%w: commit: %w", outbox.ErrUnknown, err))
}

func answerAll(batch []*request, err error) {
	for _, r := range batch {
		r.answer(err)
	}
}

// reopen closes the file whose last commit failed, opens and checks it, and has what is in memory read anew. While that fails
// it tries again, answering what comes in with ErrClosed. It reports whether transaction id is in the file.
func (db *DB) reopen(id int) (written bool) {
	db.swap(nil)
	for pause := reopenFirst; ; pause = min(2*pause, reopenMax) {
		last, err := db.openAgain()
		if err == nil {
			db.noteRoom(nil)
			return last >= id
		}
		db.noteRoom(fmt.Errorf("the outbox file cannot be opened after a failed commit: %w", err))
		if !db.refuseFor(pause) {
			return true // stopping: nothing is known
		}
	}
}

// swap puts another file in place and closes the old one.
func (db *DB) swap(next *bbolt.DB) {
	db.mu.Lock()
	old := db.bolt
	db.bolt = next
	db.mu.Unlock()
	if old != nil && !db.stuck {
		if err := guarded(old.Close); err != nil {
			db.log.Error("close of the outbox file failed", "error", err.Error())
		}
	}
}

func (db *DB) openAgain() (last int, err error) {
	bolt, err := openExisting(db.path, migrations()) // a file that vanished meanwhile is a fault and no reason for a new one
	if err != nil {
		return 0, err
	}
	if err := verify(bolt); err != nil {
		return 0, errors.Join(err, bolt.Close())
	}
	if err := bolt.View(func(tx *bbolt.Tx) error { last = tx.ID(); return nil }); err != nil {
		return 0, errors.Join(err, bolt.Close())
	}
	db.swap(bolt)
	for _, reload := range db.reloads {
		if err := reload(); err != nil {
			db.swap(nil)
			return 0, err
		}
	}
	return last, nil
}

// refuseFor answers everything that comes in for a while. It reports false when the store is stopping.
func (db *DB) refuseFor(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		batch, _ := db.q.take(false)
		answerAll(batch, db.closedError())
		select {
		case <-timer.C:
			return true
		case <-db.stopping:
			return false
		case <-db.q.wake:
		}
	}
}
