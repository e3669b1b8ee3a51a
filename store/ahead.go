package store

import (
	"os"
	"unsafe"

	"go.etcd.io/bbolt"
)

// Ahead tells the operating system that the size bytes of the file from where at lies will be read
// soon. bbolt maps its file for random access, without read-ahead, so a walk over a cold file waits
// for the disk at every page: minutes for a million events. at is a key or value of tx; one that is
// not in the file is ignored. It is a hint and cannot fail.
func (db *DB) Ahead(tx *bbolt.Tx, at []byte, size int) {
	off, ok := offset(tx, at)
	if !ok {
		return
	}
	f, err := os.Open(db.path)
	if err != nil {
		return
	}
	defer f.Close()
	readAhead(f, off, int64(size))
}

// offset is where in the file the bytes of a key or value lie.
func offset(tx *bbolt.Tx, at []byte) (int64, bool) {
	if len(at) == 0 {
		return 0, false
	}
	base := tx.DB().Info().Data
	// only compared and subtracted, never turned back into a pointer
	here := uintptr(unsafe.Pointer(unsafe.SliceData(at)))
	if here < base || here-base >= uintptr(tx.Size()) {
		return 0, false
	}
	return int64(here - base), true
}
