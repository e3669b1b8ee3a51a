package store

import (
	"slices"
	"sync"
	"time"
)

// Cause names what a fault comes from.
type Cause string

const (
	CauseDiskLow   Cause = "disk_low"  // less free space than appends need
	CauseDiskFull  Cause = "disk_full" // a write did not fit
	CauseCommit    Cause = "commit"    // a commit failed otherwise
	CauseReopening Cause = "reopening" // the file cannot be opened again after a failed commit
	CauseStopped   Cause = "stopped"   // for good
	// the file could not be copied without its free pages
	CauseCompaction Cause = "compaction"
	CauseSizeLimit  Cause = "size_limit" // it holds as much as it may
	// the file that is open lost its name: it was removed, moved or replaced
	CauseDisplaced Cause = "displaced"
)

// Fault is one thing that is wrong, since the moment it was first noticed.
type Fault struct {
	Cause   Cause
	Message string
	Since   time.Time
}

// faults are what is wrong at the moment. Each is raised and cleared by its own cause alone, so
// that none hides another, and asking for them changes nothing.
type faults struct {
	mu   sync.Mutex
	list []fault // oldest first
}

type fault struct {
	Fault
	// an append did not fit: only a commit with an append shows that it is over, since a settlement
	// may fit where an append does not
	append bool
}

// raise notes a fault, or gives one that is there already its newest message; its Since stays.
func (f *faults) raise(cause Cause, message string, isAppend bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.list {
		if f.list[i].Cause == cause {
			f.list[i].Message = message
			f.list[i].append = f.list[i].append || isAppend
			return
		}
	}
	f.list = append(f.list, fault{Fault{Cause: cause, Message: message, Since: time.Now()}, isAppend})
}

func (f *faults) clear(cause Cause) {
	f.clearIf(func(x fault) bool { return x.Cause == cause })
}

// committed notes that a commit succeeded, with an append in it or not. Any commit shows that
// commits work.
func (f *faults) committed(isAppend bool) {
	f.clearIf(func(x fault) bool {
		return x.Cause == CauseCommit || x.Cause == CauseDiskFull && (isAppend || !x.append)
	})
}

func (f *faults) clearIf(over func(fault) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = slices.DeleteFunc(f.list, over)
}

// find returns the fault of one cause.
func (f *faults) find(cause Cause) (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, x := range f.list {
		if x.Cause == cause {
			return x.Fault, true
		}
	}
	return Fault{}, false
}

func (f *faults) all() []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []Fault
	for _, x := range f.list {
		out = append(out, x.Fault)
	}
	return out
}
