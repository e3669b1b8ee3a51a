package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
)

// DefaultMinFree is how much the disk must have free for appends to be taken.
const DefaultMinFree = 256 << 20

// DBOptions of Open.
type DBOptions struct {
	Log     *slog.Logger // nil: nothing is logged
	MinFree uint64       // appends are refused when the disk has less free, in bytes; 0 = DefaultMinFree
	// Commit, when set, stands around every commit and may fail before or after it: fault injection for tests. Nil in programs.
	Commit func(commit func() error) error
}

// DB is the open outbox file. All writes go through Do and one goroutine; reads go through View. Safe for concurrent use.
type DB struct {
	path    string
	log     *slog.Logger
	minFree uint64
	around  func(commit func() error) error

	mu      sync.RWMutex // held shared by every read, exclusively while the file is swapped
	bolt    *bbolt.DB    // nil while reopening and after Close
	stuck   bool         // a transaction could not be rolled back: closing would wait for it for ever
	reloads []func() error

	q        queue
	stopping chan struct{} // closed when no operation is taken any more
	stopped  chan struct{} // closed when the committer ended
	stopOnce sync.Once

	faultMu sync.Mutex
	fault   string // why the store stopped or refuses appends
	faultAt time.Time
	fatal   atomic.Bool // fault is for good
}

// Open opens or creates the outbox file and starts its committer; Close ends it. A file that is foreign, damaged, cut off or
// of an unknown format is refused with one sentence and left as it is. Own the state directory (OpenState) first.
func Open(path string, o DBOptions) (*DB, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	bolt, err := openFile(path, o.Log)
	if err != nil {
		return nil, err
	}
	db := &DB{
		path: path, log: o.Log, minFree: o.MinFree, around: o.Commit, bolt: bolt,
		q:        queue{wake: make(chan struct{}, 1)},
		stopping: make(chan struct{}), stopped: make(chan struct{}),
	}
	if db.minFree == 0 {
		db.minFree = DefaultMinFree
	}
	if db.around == nil {
		db.around = func(commit func() error) error { return commit() }
	}
	go db.run()
	return db, nil
}

// OnReload names a function that is called after the file had to be closed and opened again, before any waiter is answered:
// what was kept in memory may differ from the file and must be read anew. Name it before the first Do.
func (db *DB) OnReload(fn func() error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.reloads = append(db.reloads, fn)
}

// Done is closed when the store takes no more operations: Close began, or a fault stopped it.
func (db *DB) Done() <-chan struct{} { return db.stopping }

// View runs fn in a read transaction. It must be short, must copy what it keeps, and must not call View or Do. After Close, and
// while the file is being reopened, the error wraps outbox.ErrClosed.
func (db *DB) View(fn func(tx *bbolt.Tx) error) error {
	db.mu.RLock()
	defer db.mu.RUnlock()
	if db.bolt == nil || db.fatal.Load() {
		return db.closedError()
	}
	err := guarded(func() error { return db.bolt.View(fn) })
	if p, ok := errors.AsType[*panicError](err); ok {
		db.log.Error("read of the outbox failed", "error", p.Error(), "stack", string(p.stack))
		if p.fault {
			db.stop(p.Error())
		}
	}
	return err
}

// DBStats is what the store knows about its file.
type DBStats struct {
	Bytes     int64 // size on disk
	LiveBytes int64 // without free pages
	Fault     string
	FaultAt   time.Time
}

// Stats never fails: what cannot be read is 0.
func (db *DB) Stats() DBStats {
	var s DBStats
	if info, err := os.Stat(db.path); err == nil {
		s.Bytes = info.Size()
	}
	_ = db.View(func(tx *bbolt.Tx) error { // an error is a stopped store, and shows as Fault
		st := tx.DB().Stats()
		s.LiveBytes = tx.Size() - int64(st.FreePageN+st.PendingPageN)*int64(tx.DB().Info().PageSize)
		return nil
	})
	db.noteRoom(db.room())
	db.faultMu.Lock()
	defer db.faultMu.Unlock()
	s.Fault, s.FaultAt = db.fault, db.faultAt
	return s
}

// room reports that the disk is too full for appends.
func (db *DB) room() error {
	free, err := freeBytes(filepath.Dir(db.path))
	if err != nil || free >= db.minFree { // a file system that cannot tell shows a full disk when a commit fails
		return nil
	}
	return fmt.Errorf("the disk of %s has %d MiB free and appends need %d MiB; make space: %w", db.path, free>>20, db.minFree>>20, outbox.ErrFull)
}

// noteRoom shows or clears a passing fault. A fatal one stays.
func (db *DB) noteRoom(err error) {
	db.faultMu.Lock()
	defer db.faultMu.Unlock()
	switch {
	case db.fatal.Load():
	case err == nil:
		db.fault, db.faultAt = "", time.Time{}
	default:
		if db.fault == "" {
			db.faultAt = time.Now()
		}
		db.fault = err.Error()
	}
}

// stop ends the store for good: nothing is read as truth from a file that cannot be read.
func (db *DB) stop(why string) {
	db.faultMu.Lock()
	if db.fatal.CompareAndSwap(false, true) {
		db.fault, db.faultAt = why, time.Now()
	}
	db.faultMu.Unlock()
	db.endTaking()
}

func (db *DB) endTaking() { db.stopOnce.Do(func() { close(db.stopping) }) }

func (db *DB) closedError() error {
	db.faultMu.Lock()
	defer db.faultMu.Unlock()
	if db.fault != "" {
		return fmt.Errorf("%s: %w", db.fault, outbox.ErrClosed)
	}
	return outbox.ErrClosed
}

// Close takes no more operations, commits what is queued, and closes the file. It waits for reads to end. A second call waits
// for the first and does nothing more.
func (db *DB) Close() error {
	db.endTaking()
	<-db.stopped
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.bolt == nil || db.stuck {
		return nil
	}
	bolt := db.bolt
	db.bolt = nil
	if err := bolt.Close(); err != nil {
		return fmt.Errorf("close outbox %s: %w", db.path, err)
	}
	return nil
}

// Do runs one write and answers when it is durable. An error of op.Apply comes back as it is and nothing of op is stored. When
// ctx ends first, the error is ctx's if op was withdrawn, and wraps outbox.ErrUnknown as well if it was already being written.
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
	if !db.q.put(r) {
		return db.closedError()
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
	}
	if db.q.withdraw(r) {
		return ctx.Err()
	}
	select {
	case err := <-r.done: // it was answered at the same moment
		return err
	default:
		return fmt.Errorf("%w: %w", outbox.ErrUnknown, ctx.Err())
	}
}
