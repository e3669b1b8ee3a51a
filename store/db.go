package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"waoutbox/store/private"
)

// DBOptions of Open.
type DBOptions struct {
	Schema Schema // what the file is; required
	// files that only ever lie beside an outbox: when one of them is there and the outbox is
	// missing or empty, it was lost, and is not begun anew
	Companions []string
	Log        *slog.Logger // nil: nothing is logged
	// appends are refused while the disk has less free, in bytes; 0 = no limit
	MinFree uint64
	// appends are refused when the file would hold more, free pages left out, in bytes; 0 = no
	// limit. Other writes may use Reserve more, and those that free space any.
	MaxBytes int64
	// Observer, when set, is told of every commit. It is called before the next one begins, so it
	// must return at once.
	Observer Observer
	// CommitHook, when set, stands around every commit and may fail before or after it: fault
	// injection for tests. Nil in programs.
	CommitHook func(commit func() error) error
	// FreeSpace, when set, says how much the disk of a directory has free, in bytes, instead of the
	// operating system: for tests. Nil in programs.
	FreeSpace func(dir string) (uint64, error)
	// StepHook, when set, is called at each step of a compaction, and may end the process: for
	// tests. Nil in programs.
	StepHook func(step string)
	// SyncDir, when set, makes names in a directory durable instead of the operating system: for
	// tests. Nil in programs.
	SyncDir func(dir string) error
}

// Observer is told of commits.
type Observer interface {
	Committed(c Commit)
}

// Commit is how one commit ended.
type Commit struct {
	Writes int           // operations that shared it
	Took   time.Duration // from its beginning until the disk had confirmed it, or failed
	Err    error         // nil: it is durable
}

// DB is the open outbox file. All writes go through Do and one goroutine; reads go through View.
// Safe for concurrent use.
type DB struct {
	path       string
	schema     Schema
	log        *slog.Logger
	minFree    uint64
	maxBytes   int64
	freeSpace  func(dir string) (uint64, error)
	commitHook func(commit func() error) error
	observer   Observer // nil: nobody
	step       func(string)
	syncDir    func(dir string) error

	mu   sync.RWMutex // held shared by every read, exclusively while the file is swapped
	bolt *bbolt.DB    // nil while reopening and after Close
	// a transaction could not be begun or rolled back: closing would wait for it for ever
	stuck   atomic.Bool
	broken  atomic.Bool // the file that cannot be opened again is damaged
	file    *os.File    // of bolt, which closes it
	reloads []func() error
	// a compaction that reads the file, nil if none
	compacting *compaction
	compactOne sync.Mutex // held by the one Compact that runs

	q        queue
	stopping chan struct{} // closed when no operation is taken any more
	stopped  chan struct{} // closed when the committer ended
	stopOnce sync.Once

	faults   faults
	fatal    atomic.Bool  // stopped by a fault, for good
	live     atomic.Int64 // bytes in use after the last commit
	free     atomic.Int64 // bytes of free pages after it
	opened   time.Time    // moments count from it by the monotonic clock: the machine's may jump
	appended atomic.Int64 // when an append was committed last, a moment
	// the commit that is being made has an append
	appending atomic.Bool
	// when the commit that is being made began, a moment; 0 between commits
	committing atomic.Int64

	checkedAt time.Time // when free space was looked at last; of the committer alone

	// of one place: taken by who commits, the committer or a caller instead of it, and by what must
	// run between two commits
	writing chan struct{}
	// of who commits
	shared  atomic.Int64 // operations of the last commit
	shut    bool         // a commit failed, and the file could not be opened again yet
	renamed bool         // the file has a name that may not be durable yet
	ground  ground
	// the transaction whose commit failed, until it is certain that nothing of it counts; 0: none
	forget uint64
}

// Open opens or creates the outbox file and starts its committer; Close ends it. A file that is
// foreign, damaged, cut off or of an unknown format is refused with an *Error and left as it is,
// and so is the absence of one that was lost (kind Lost). Own the state directory (OpenState)
// first.
func Open(path string, o DBOptions) (*DB, error) {
	if o.Schema.App == "" || o.Schema.newest() == 0 {
		return nil, fmt.Errorf("open %s: it has no schema", path)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.CommitHook == nil {
		o.CommitHook = func(commit func() error) error { return commit() }
	}
	if o.FreeSpace == nil {
		o.FreeSpace = freeBytes
	}
	if o.StepHook == nil {
		o.StepHook = func(string) {}
	}
	if o.SyncDir == nil {
		o.SyncDir = private.SyncDir
	}
	db := &DB{
		path: path, opened: time.Now(), schema: o.Schema, log: o.Log, minFree: o.MinFree, maxBytes: o.MaxBytes,
		freeSpace: o.FreeSpace, commitHook: o.CommitHook, observer: o.Observer, step: o.StepHook, syncDir: o.SyncDir,
		q:        queue{wake: make(chan struct{}, 1)},
		stopping: make(chan struct{}), stopped: make(chan struct{}), writing: make(chan struct{}, 1),
	}
	bolt, file, err := openFile(path, o)
	if err != nil {
		return nil, err
	}
	db.bolt, db.file = bolt, file
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		// a compacted file takes the place of the file, not of the link to it
		if db.path, err = filepath.EvalSymlinks(path); err != nil {
			return nil, errors.Join(refusal(path, err), bolt.Close())
		}
	}
	db.removeLeftover()
	db.appended.Store(db.moment())
	if err := db.measure(); err != nil {
		return nil, errors.Join(refusal(path, err), bolt.Close())
	}
	go db.run()
	return db, nil
}

// OnReload names a function that is called after the file had to be closed and opened again, before
// any waiter is told: what was kept in memory may differ from the file and must be read anew.
// Name it before the first Do.
func (db *DB) OnReload(fn func() error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.reloads = append(db.reloads, fn)
}

// Done is closed when the store takes no more operations: Close began, or a fault stopped it.
func (db *DB) Done() <-chan struct{} { return db.stopping }

// View runs fn in a read transaction. It must be short, must copy what it keeps, and must not call
// View or Do. After Close, and while the file is being reopened, the error is of
// kind Closed.
func (db *DB) View(fn func(tx *bbolt.Tx) error) error {
	db.mu.RLock()
	defer db.mu.RUnlock()
	if db.bolt == nil || db.fatal.Load() {
		return db.closedError()
	}
	err := db.view(db.bolt, fn)
	if p, ok := errors.AsType[*panicError](err); ok {
		db.log.Error("read of the outbox failed", "error", p.Error(), "stack", string(p.stack))
		if p.fault {
			db.stop(p.Error())
		}
	}
	return err
}

// view is bbolt's View, with faults and panics turned into errors.
func (db *DB) view(bolt *bbolt.DB, fn func(tx *bbolt.Tx) error) error {
	tx, err := db.begin(bolt, false)
	if err != nil {
		return err
	}
	err = guarded(func() error { return fn(tx) })
	return errors.Join(err, guarded(tx.Rollback))
}

// begin is bbolt's Begin, which reads the file: a fault in it leaves locks behind.
func (db *DB) begin(bolt *bbolt.DB, writable bool) (tx *bbolt.Tx, err error) {
	err = guarded(func() error { tx, err = bolt.Begin(writable); return err })
	if _, panicked := errors.AsType[*panicError](err); panicked {
		db.stuck.Store(true)
	}
	return tx, err
}

// DBStats is what the store knows about its file.
type DBStats struct {
	Bytes     int64   // size on disk
	LiveBytes int64   // without free pages, as of the last commit
	FreeBytes int64   // of free pages, which bbolt uses again and does not give back
	Faults    []Fault // what is wrong at the moment, oldest first
}

// Stats never fails, and clears no fault: what cannot be read is 0. It notices a short disk, and
// that the file was removed, before an append meets it.
func (db *DB) Stats() DBStats {
	var s DBStats
	if info, err := os.Stat(db.path); err == nil {
		s.Bytes = info.Size()
	}
	s.LiveBytes, s.FreeBytes = db.live.Load(), db.free.Load()
	if err := db.checkFreeSpace(); err != nil {
		db.faults.raise(CauseDiskLow, err.Error(), true)
		db.q.signal() // the committer looks at it from now on
	}
	if err := db.checkPlace(); err != nil {
		db.faults.raise(CauseDisplaced, err.Error(), true)
		db.q.signal()
	}
	s.Faults = db.faults.all()
	return s
}

// stop ends the store for good: nothing is read as truth from a file that cannot be read.
func (db *DB) stop(why string) {
	if _, stopped := db.faults.find(CauseStopped); !stopped { // the first reason counts
		db.faults.raise(CauseStopped, why, false)
	}
	db.fatal.Store(true)
	db.endTaking()
}

func (db *DB) endTaking() { db.stopOnce.Do(func() { close(db.stopping) }) }

// closedError says that nothing can be read or written, and why if a fault is the reason.
func (db *DB) closedError() error {
	for _, cause := range []Cause{CauseStopped, CauseReopening, CauseCommit, CauseDiskFull} {
		if f, ok := db.faults.find(cause); ok {
			var why error
			if db.broken.Load() {
				why = Damaged
			}
			return newError(Closed, db.path, why, "%s: %s", f.Message, Closed)
		}
	}
	return newError(Closed, db.path, nil, "%s", Closed)
}

// Close takes no more operations, commits what is queued, and closes the file. It waits for reads
// to end. A second call waits for the first and does nothing more.
func (db *DB) Close() error {
	db.endTaking()
	<-db.stopped
	db.endCompaction()
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.bolt == nil || db.stuck.Load() {
		return nil
	}
	bolt := db.bolt
	db.bolt, db.file = nil, nil
	if err := bolt.Close(); err != nil {
		return fmt.Errorf("close outbox %s: %w", db.path, err)
	}
	return nil
}

// Do runs one write and returns its outcome. nil: it is durable. ctx withdraws op only while it
// waits in the queue; once it is being written Do waits for the verdict, whatever ctx does, so
// ctx's error means that nothing of op is stored. An error of op.Apply comes back as it is, and
// nothing of op is stored then either. Other errors are of kind Full, Closed (both: nothing is
// stored) or Unknown: the disk did not confirm the commit; what is read from now on is the outcome.
func (db *DB) Do(ctx context.Context, op Op) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r := &request{op: op, since: time.Now(), done: make(chan error, 1)}
	select {
	case <-db.stopping:
		return db.closedError()
	default:
	}
	first, err := db.q.put(r)
	if err != nil {
		return err
	}
	switch {
	case op.Urgent:
		db.lead()
	case op.Soon || first:
		db.q.signal()
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
	}
	if db.q.withdraw(r) {
		return ctx.Err()
	}
	return <-r.done
}
