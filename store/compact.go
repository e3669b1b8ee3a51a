package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"

	"waoutbox/store/compact"
)

const (
	// compactSuffix is what the name of the new file has more than the old one's until it takes its
	// place.
	compactSuffix = ".compact"
	// lastDelta is how many bytes may have changed since the copy for the rest to be copied while
	// writes wait: some milliseconds of work.
	lastDelta = 1 << 20
	// compactRounds is how often the copy catches up before the writes are too many.
	compactRounds = 10
	// compactYields is how long a commit may take before a copy that is being made is given up: it
	// may be the copy the commit waits for, since bbolt cannot map a grown file while it is read.
	compactYields = time.Second
)

// Compact copies the file into a new one without its free pages and puts that in its place. Reads
// and writes go on during the copy; only its end, which takes some milliseconds, makes them wait.
// It blocks until it is done, ctx ends, or the store closes. After an error the old file is in use,
// unless the error is of kind Closed. One call at a time: another is refused with Busy.
//
// Other errors: kind Full (the copy needs more space than the disk has, and nothing was done),
// Busy, Displaced (another file is in its place, and stays), ctx's, or what could not be read or
// written, which is a fault until a later call succeeds.
func (db *DB) Compact(ctx context.Context) error {
	if !db.compactOne.TryLock() {
		return newError(Busy, db.path, nil, "%s is being compacted already", db.path)
	}
	defer db.compactOne.Unlock()
	c, err := db.beginCompact(ctx, db.path+compactSuffix)
	if err == nil {
		defer c.end()
		if err = guarded(c.copy); err == nil {
			err = c.inTurn(c.replace)
		}
	}
	return db.compacted(err)
}

// compacted takes the outcome of a compaction into the faults, and returns it.
func (db *DB) compacted(err error) error {
	if err == nil {
		db.faults.clear(CauseCompaction)
		return nil
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if e, ok := errors.AsType[*Error](err); ok && (e.Kind == Busy || e.Kind == Full || e.Kind == Closed || e.Kind == Displaced) {
		return err
	}
	err = systemError(err, db.path, fmt.Sprintf("outbox %s was not compacted and is used as it is", db.path))
	db.faults.raise(CauseCompaction, err.Error(), false)
	return err
}

// compaction is a copy of the file on its way to take its place.
type compaction struct {
	db     *DB
	ctx    context.Context // ends when the file is taken away
	cancel context.CancelFunc
	done   chan struct{} // closed when nothing of it uses the old file any more
	src    *bbolt.DB
	file   *os.File  // of src
	path   string    // of the new file
	kept   bool      // the new file is somebody else's, and stays
	dst    *bbolt.DB // nil when closed
	made   *compact.Copy
	last   bool     // the committer itself copies the rest
	old    *os.File // keeps the old file until nobody waits; nil on Windows
}

func (db *DB) beginCompact(ctx context.Context, path string) (*compaction, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.bolt == nil || db.fatal.Load() {
		return nil, db.closedError()
	}
	if err := db.checkSpaceForCopy(filepath.Dir(path)); err != nil {
		return nil, err
	}
	c := &compaction{db: db, done: make(chan struct{}), src: db.bolt, file: db.file, path: path}
	c.ctx, c.cancel = context.WithCancel(ctx)
	db.compacting = c
	return c, nil
}

// checkSpaceForCopy returns an error of kind Full when the disk of dir has no room for a copy
// beside what must stay free.
func (db *DB) checkSpaceForCopy(dir string) error {
	live := db.live.Load()
	need := uint64(live) + uint64(live)/8 + 16<<20
	free, err := db.freeSpace(dir)
	if err != nil || free >= need+db.minFree {
		return nil
	}
	return newError(Full, db.path, nil, "the disk of %s has %d MiB free, and a copy of the outbox takes %d MiB besides the %d MiB that are kept free", dir, free>>20, need>>20, db.minFree>>20)
}

// copy makes the new file hold what the old one holds, but for some last changes.
func (c *compaction) copy() error {
	c.remove()
	dst, _, err := openBolt(c.path, false)
	if err != nil {
		return err
	}
	c.dst = dst
	c.db.step("begun")
	c.made, err = compact.Begin(c.src, c.file, dst, compact.Options{Rising: c.db.schema.Rising, Step: c.step, Snapshot: c.snapshot})
	if err != nil {
		return err
	}
	if err := c.made.All(c.ctx); err != nil {
		return err
	}
	c.db.step("copied")
	for range compactRounds {
		changed, err := c.made.CatchUp(c.ctx)
		if err != nil {
			return err
		}
		if changed <= lastDelta {
			err := verify(dst, c.step)
			c.db.step("verified")
			return err
		}
	}
	return newError(Busy, c.db.path, nil, "%s was not compacted: too much is being written to it", c.db.path)
}

// step gives the copy up when a commit takes so long that it may be waiting for it.
func (c *compaction) step() error {
	if c.last {
		c.db.step("last chunk")
		return nil
	}
	c.db.step("chunk")
	if began := c.db.committing.Load(); began != 0 && c.db.since(began) > compactYields {
		return newError(Busy, c.db.path, nil, "%s was not compacted: a write was waiting for it", c.db.path)
	}
	return nil
}

// snapshot opens a read transaction beside the one that the copy has open. A commit that waits for
// the file to be mapped anew waits for that one, and bbolt begins no other meanwhile: so it is
// begun between two commits.
func (c *compaction) snapshot() (tx *bbolt.Tx, err error) {
	begin := func() (err error) {
		if c.db.bolt != c.src || c.db.fatal.Load() {
			return c.db.closedError()
		}
		tx, err = c.db.begin(c.src, false)
		return err
	}
	if c.last { // it runs between two commits
		err = begin()
	} else {
		err = c.inTurn(begin)
	}
	return tx, err
}

// inTurn has the committer run fn between two commits, and gives the copy up when it does not come
// to it: the commit it is at may be waiting for the copy.
func (c *compaction) inTurn(fn func() error) error {
	ctx, cancel := context.WithTimeout(c.ctx, compactYields)
	defer cancel()
	err := c.db.inTurn(ctx, fn)
	if err != nil && ctx.Err() != nil && c.ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return newError(Busy, c.db.path, nil, "%s was not compacted: a write was waiting for it", c.db.path)
	}
	return err
}

// replace puts the new file in the place of the old one. It runs between two commits.
func (c *compaction) replace() error {
	err := guarded(func() error {
		if c.db.bolt != c.src || c.db.fatal.Load() {
			return c.db.closedError()
		}
		if err := c.db.checkPlace(); err != nil && !c.db.removed() {
			return err // whoever put another file there has a reason
		}
		c.last = true
		if _, err := c.made.CatchUp(c.ctx); err != nil {
			return err
		}
		c.db.step("caught up")
		last := 0
		if err := c.db.view(c.src, func(tx *bbolt.Tx) error { last = tx.ID(); return nil }); err != nil {
			return err
		}
		if err := c.closeFiles(); err != nil {
			return err
		}
		return raiseTxid(c.path, uint64(last))
	})
	if err != nil {
		return err
	}
	c.db.step("closed")
	if runtime.GOOS != "windows" {
		// giving a gibibyte back to the file system takes a while: end does it. Without it, it is
		// done while reads and writes wait.
		c.old, _ = os.Open(c.db.path)
	}
	return c.db.takeFile(c.path)
}

// closeFiles ends the use of both files by the copy.
func (c *compaction) closeFiles() error {
	var err error
	if c.made != nil {
		err = c.made.Close()
		c.made = nil
	}
	if c.dst != nil {
		err = errors.Join(err, c.dst.Close())
		c.dst = nil
	}
	return err
}

// end gives everything back, and throws a copy away that did not take its place.
func (c *compaction) end() {
	c.cancel()
	if err := guarded(c.closeFiles); err != nil {
		c.db.log.Warn("close of a compacted copy failed", "error", err.Error())
	}
	if c.old != nil {
		_ = c.old.Close() // it was only held
	}
	if !c.kept {
		c.remove()
	}
	c.db.mu.Lock()
	if c.db.compacting == c {
		c.db.compacting = nil
	}
	c.db.mu.Unlock()
	close(c.done)
}

// endCompaction stops a compaction that uses the file, and waits until it uses it no more. The
// caller holds no lock.
func (db *DB) endCompaction() {
	db.mu.RLock()
	c := db.compacting
	db.mu.RUnlock()
	if c != nil {
		c.cancel()
		<-c.done
	}
}

// remove throws the new file away.
func (c *compaction) remove() { c.db.removeCopy(c.path) }

// removeLeftover removes copies that a crash left: of a compaction, or for a backup.
func (db *DB) removeLeftover() {
	db.removeCopy(db.path + compactSuffix)
	db.removeCopy(db.path + CopySuffix)
}

func (db *DB) removeCopy(path string) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		db.log.Warn("a copy of the outbox could not be removed", "path", path, "error", err.Error())
	}
}

// takeFile gives the closed database at path the store's own name and uses it from then on, or the
// old one when that fails. Reads and writes wait meanwhile. What is in memory stays: both files
// hold the same. The old file is closed before: Windows replaces no open one. Where it lost its
// name it is closed afterwards, for then it would be gone, and the new one not yet in its place.
func (db *DB) takeFile(path string) error {
	displaced := db.checkPlace() != nil
	db.mu.Lock()
	db.compacting = nil // nothing of it is in use any more
	if displaced {
		if err := db.takeName(path); err != nil {
			db.mu.Unlock()
			return err
		}
	}
	old := db.bolt
	db.bolt, db.file = nil, nil
	err := guarded(old.Close)
	if err == nil && !displaced {
		err = db.takeName(path)
	}
	bolt, file, openErr := db.openDurably()
	db.bolt, db.file = bolt, file
	db.mu.Unlock()
	db.ground = ground{}
	if openErr == nil {
		openErr = db.measure()
	}
	if openErr != nil {
		db.swap(nil, nil)
		db.refuseAll(openErr)
		db.retryOpening()
		return db.closedError()
	}
	return err
}

// takeName gives the file at path the store's own name.
func (db *DB) takeName(path string) error {
	if err := os.Rename(path, db.path); err != nil {
		return err
	}
	db.step("renamed")
	db.renamed = true
	return nil
}

// openDurably opens the file when its name is certain to outlive a crash: were it written to
// before, a crash might bring the old file back, without what was acknowledged since.
func (db *DB) openDurably() (*bbolt.DB, *os.File, error) {
	if db.renamed {
		if err := db.syncDir(filepath.Dir(db.path)); err != nil {
			return nil, nil, err
		}
		db.step("synced")
		db.renamed = false
	}
	if db.forget != 0 {
		if err := forgetCommit(db.path, db.forget); err != nil {
			return nil, nil, err
		}
		db.step("forgotten")
		db.forget = 0
	}
	// a file that vanished meanwhile is a fault and no reason for a new one
	return openExisting(db.path, db.schema)
}

// inTurn runs fn between two commits, and returns its error. ctx withdraws it only before it has
// begun.
func (db *DB) inTurn(ctx context.Context, fn func() error) error {
	select {
	case db.writing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-db.stopping:
		return db.closedError()
	}
	defer db.release()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	select {
	case <-db.stopping: // it may have come while the turn was waited for, and Close not wait
		return db.closedError()
	default:
	}
	if db.shut {
		return db.closedError()
	}
	return fn()
}
