package store

import (
	"runtime"
	"time"
)

// DiskFullErrors are the errors of this system that mean a full disk.
func DiskFullErrors() []error { return diskFullErrors(runtime.GOOS) }

// DiskFullErrorsOf are those of another one.
func DiskFullErrorsOf(goos string) []error { return diskFullErrors(goos) }

// CompactNow reports whether p says that a file is compacted now.
func CompactNow(p CompactPolicy, live, free int64, worthFor, quiet time.Duration) bool {
	return p.worth(live, free) && p.due(worthFor, quiet)
}

// ForgetCommit makes a transaction whose commit failed not count.
func ForgetCommit(path string, txid uint64) error { return forgetCommit(path, txid) }

// Ground returns where in the file ends what is in use, and what was written beyond it.
func Ground(db *DB) (end, until int64) {
	db.writing <- struct{}{}
	defer db.release()
	return db.ground.end, db.ground.until
}
