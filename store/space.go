package store

import (
	"math"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
)

// DefaultMinFree is how much a disk should have free for appends to be taken.
const DefaultMinFree = 256 << 20

// DefaultMaxBytes is how much the file may hold for appends to be taken.
const DefaultMaxBytes = 10 << 30

// Reserve is how much more than MaxBytes the file may hold for writes that are no appends, so that
// what is stored can be delivered and settled when no more is taken.
const Reserve = 64 << 20

// FreeBytes returns what this user may still write on the disk that holds dir; where the system
// cannot tell, more than there is.
func FreeBytes(dir string) (uint64, error) { return freeBytes(dir) }

// recheckEvery is how often free space is looked at while it is too little, and the file's name
// while it has none, so that the fault goes away with its reason, whether or not an append comes.
const recheckEvery = time.Second

// refuse gives those operations of a batch their verdict for which there is no space, and returns
// the rest.
func (db *DB) refuse(batch []*request) []*request {
	var noAppend error
	if hasAppend(batch) {
		if noAppend = db.checkFreeSpace(); noAppend != nil {
			db.faults.raise(CauseDiskLow, noAppend.Error(), true)
		} else {
			db.faults.clear(CauseDiskLow)
			noAppend = db.checkSize(batch)
		}
		if err := db.checkPlace(); err != nil {
			noAppend = err
			db.faults.raise(CauseDisplaced, err.Error(), true)
		} else {
			db.faults.clear(CauseDisplaced)
		}
	}
	noOther := db.checkReserve()
	if noAppend == nil && noOther == nil {
		return batch
	}
	var rest []*request
	for _, r := range batch {
		switch {
		case r.op.IsAppend && noAppend != nil:
			r.finish(noAppend)
		case !r.op.IsAppend && !r.op.Frees && noOther != nil:
			r.finish(noOther)
		default:
			rest = append(rest, r)
		}
	}
	return rest
}

// checkSize returns an error of kind Full when the appends of a batch would make the file hold more
// than it may. Once it holds as much, appends are refused until there is some room again, so that
// the fault does not come and go with every event.
func (db *DB) checkSize(batch []*request) error {
	if db.maxBytes == 0 {
		return nil
	}
	want := db.live.Load()
	for _, r := range batch {
		if r.op.IsAppend {
			want += int64(r.op.Bytes)
		}
	}
	_, full := db.faults.find(CauseSizeLimit)
	if !full && want <= db.maxBytes {
		return nil
	}
	err := newError(Full, db.path, nil, "outbox %s holds %d MiB and may hold %d MiB: no event is taken until something is removed", db.path, db.live.Load()>>20, db.maxBytes>>20)
	db.faults.raise(CauseSizeLimit, err.Error(), true)
	return err
}

// checkReserve returns an error of kind Full when the file holds so much that even settlements must
// wait until something is removed.
func (db *DB) checkReserve() error {
	if db.maxBytes == 0 || db.live.Load() <= db.maxBytes+Reserve {
		return nil
	}
	return newError(Full, db.path, nil, "outbox %s holds %d MiB, and the %d MiB it may hold and its reserve are used up", db.path, db.live.Load()>>20, db.maxBytes>>20)
}

// committed notes what a commit that succeeded shows.
func (db *DB) committed(isAppend bool) {
	db.faults.committed(isAppend)
	if isAppend {
		db.appended.Store(db.moment())
	}
	if err := db.measure(); err != nil {
		db.noteFailure(err) // the commit stands
		db.ground = ground{end: math.MaxInt64}
		return
	}
	if room := db.maxBytes - db.maxBytes/64; db.maxBytes == 0 || db.live.Load() <= room {
		db.faults.clear(CauseSizeLimit)
	}
}

// measure notes how much the file holds. It walks nothing. Only who commits calls it.
func (db *DB) measure() error {
	return db.view(db.bolt, func(tx *bbolt.Tx) error {
		st := db.bolt.Stats()
		free := int64(st.FreePageN+st.PendingPageN) * int64(db.bolt.Info().PageSize)
		db.free.Store(free)
		db.live.Store(tx.Size() - free)
		db.ground.end = tx.Size()
		return nil
	})
}

// checkFreeSpace returns an error of kind Full when the disk is too full for appends.
func (db *DB) checkFreeSpace() error {
	if db.minFree == 0 {
		return nil
	}
	free, err := db.freeSpace(filepath.Dir(db.path))
	// a file system that cannot tell shows a full disk when a commit fails
	if err != nil || free >= db.minFree {
		return nil
	}
	return newError(Full, db.path, nil, "the disk of %s has %d MiB free and appends need %d MiB; make space", db.path, free>>20, db.minFree>>20)
}
