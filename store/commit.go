package store

import (
	"errors"
	"runtime"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"waoutbox/store/failpoint"
)

const (
	// gatherFrom is how many operations of a commit are many.
	gatherFrom = 16
	// gatherShare is the part of those who shared a commit that is not waited for: one in as many.
	gatherShare = 8
	// gatherMax is how long is waited at most.
	gatherMax = 300 * time.Microsecond
)

// run is the committer: it writes all that nobody else writes, one commit after the other. It ends
// when the store stops taking operations and the queue is empty.
func (db *DB) run() {
	defer close(db.stopped)
	debug.SetPanicOnFault(true)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-db.stopping:
			db.drain()
			return
		default:
		}
		db.gather()
		committed, wait := db.commitNext()
		if committed {
			continue
		}
		if check := db.recheck(); check > 0 && (wait == 0 || check < wait) {
			wait = check
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

// gather waits after a commit that many shared until most of them have come again, and not for
// long: else the first of them would be written alone, and the others would wait for that.
func (db *DB) gather() {
	shared := db.shared.Load()
	if shared < gatherFrom {
		return
	}
	for began := time.Now(); db.q.queued.Load() < shared-shared/gatherShare; runtime.Gosched() {
		if time.Since(began) > gatherMax {
			db.shared.Store(0) // they are gone
			return
		}
	}
}

// commitNext commits what is due, if anything is, and otherwise returns how long to wait for it
// (0: until woken).
func (db *DB) commitNext() (committed bool, wait time.Duration) {
	db.writing <- struct{}{}
	defer db.release()
	if db.shut {
		db.retryOpening()
		return true, 0
	}
	batch, wait := db.q.take()
	if batch == nil {
		return false, wait
	}
	db.commit(batch)
	return true, 0
}

// lead commits what is due in the goroutine of a caller, unless somebody commits at the moment or
// many are about to share a commit. That saves two changes of goroutine, which on a busy machine
// take as long as the disk does.
func (db *DB) lead() {
	if db.shared.Load() >= gatherFrom {
		db.q.signal()
		return
	}
	select {
	case db.writing <- struct{}{}:
	default:
		db.q.signal() // who commits may not look into the queue again
		return
	}
	if db.commitOnce() || db.Queued() > 0 {
		db.q.signal()
	}
}

// commitOnce commits what is due and lets others commit. It reports whether the committer has to
// open the file again.
func (db *DB) commitOnce() (shut bool) {
	defer db.release()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	if batch, _ := db.q.take(); batch != nil {
		db.commit(batch)
	}
	return db.shut
}

// release lets others commit.
func (db *DB) release() { <-db.writing }

// drain commits what was queued before the store stopped.
func (db *DB) drain() {
	db.writing <- struct{}{}
	defer db.release()
	for {
		batch := db.q.takeLast(db.closedError())
		if batch == nil {
			return
		}
		db.commit(batch)
	}
}

// commit writes a batch in one transaction, without the operations that fail by themselves, and
// gives everybody the outcome.
func (db *DB) commit(batch []*request) {
	began := time.Now()
	db.shared.Store(int64(len(batch)))
	db.committing.Store(db.moment())
	defer db.committing.Store(0)
	db.appending.Store(hasAppend(batch))
	defer db.appending.Store(false)
	batch = db.refuse(batch)
	for len(batch) > 0 {
		if db.bolt == nil || db.fatal.Load() {
			finishAll(batch, db.closedError())
			return
		}
		failpoint.Hit(failpoint.CommitBegin)
		tx, err := db.begin(db.bolt, true)
		if err != nil {
			db.noteFailure(err)
			finishAll(batch, newError(Closed, db.path, err, "a commit cannot begin: %v", err))
			return
		}
		i, err := applyAll(tx, batch)
		if err == nil {
			db.finish(tx, batch, began)
			return
		}
		db.rollback(tx)
		db.noteFailure(err)
		batch[i].finish(err)
		batch = append(batch[:i:i], batch[i+1:]...)
	}
}

// applyAll runs the operations in order and returns the first that failed.
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
		db.stuck.Store(true)
		db.stop("a commit could not be undone: " + err.Error())
	}
}

// finish commits, publishes in order and gives everybody the outcome.
func (db *DB) finish(tx *bbolt.Tx, batch []*request, began time.Time) {
	id := tx.ID()
	failpoint.Hit(failpoint.CommitApplied)
	written := false // whole and synced, as far as bbolt knows
	err := guarded(func() error {
		return db.commitHook(func() error {
			err := tx.Commit()
			written = err == nil
			return err
		})
	})
	if db.observer != nil {
		db.observer.Committed(Commit{Writes: len(batch), Took: time.Since(began), Err: err})
	}
	if err == nil {
		failpoint.Hit(failpoint.CommitSynced)
		db.committed(hasAppend(batch))
		if err := guarded(func() error { publish(batch); return nil }); err != nil {
			db.noteFailure(err)
			db.stop("what is in memory is not what is in the file: " + err.Error())
			finishAll(batch, db.unknown(err))
			return
		}
		finishCommitted(batch) // after all is published: they compete for what that needs
		db.prepare(began, bytesOf(batch))
		return
	}
	err = withCause(err)
	db.noteFailure(err)
	db.rollback(tx)
	if db.fatal.Load() {
		finishAll(batch, db.unknown(err))
		return
	}
	if !written {
		db.forget = uint64(id)
	}
	db.recover(batch, id, err)
}

// publish makes the effects of a batch visible, in the order in which they were written.
func publish(batch []*request) {
	for _, r := range batch {
		if r.op.Publish != nil {
			r.op.Publish()
		}
		failpoint.Hit(failpoint.CommitPublished)
	}
}

func (db *DB) unknown(err error) error {
	return newError(Unknown, db.path, err, "%s: commit: %v", Unknown, err)
}
