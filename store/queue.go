package store

import (
	"slices"
	"sync"
	"time"

	"go.etcd.io/bbolt"
)

const (
	// SettleDelay is how long an operation that is not urgent may wait for others to share its commit.
	SettleDelay = 20 * time.Millisecond
	// MaxBatch is how many bytes of operations one commit takes at most (a single larger operation comes alone).
	MaxBatch = 4 << 20
)

// Op is one write.
type Op struct {
	// Apply changes the database. It may run more than once, since a failing neighbour makes the batch start over: it must set
	// all its results anew and touch nothing but tx and them. An error or a panic undoes this op alone.
	Apply func(tx *bbolt.Tx) error
	// Publish, when set, makes the effect visible in memory. It runs after the commit, in commit order, before Do returns, and
	// must not block.
	Publish func()
	Urgent  bool // starts a commit at once; others wait up to SettleDelay or ride along
	Grows   bool // an append: refused with ErrFull when the disk is short
	Bytes   int  // roughly what it adds
}

type request struct {
	op    Op
	since time.Time
	done  chan error // buffered: the committer never waits for a waiter
}

func (r *request) answer(err error) { r.done <- err }

// queue is what waits for the committer.
type queue struct {
	mu     sync.Mutex
	list   []*request
	closed bool
	wake   chan struct{} // buffered by one
}

func (q *queue) put(r *request) bool {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return false
	}
	q.list = append(q.list, r)
	first := len(q.list) == 1
	q.mu.Unlock()
	if first || r.op.Urgent {
		q.signal()
	}
	return true
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// withdraw takes r out again, unless the committer has it.
func (q *queue) withdraw(r *request) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.list, r)
	if i >= 0 {
		q.list = slices.Delete(q.list, i, i+1)
	}
	return i >= 0
}

// take answers the next batch, or nil and how long to wait for one (0: until woken). all takes without waiting, and closes the
// queue once it is empty.
func (q *queue) take(all bool) (batch []*request, wait time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.list) == 0 {
		q.closed = q.closed || all
		return nil, 0
	}
	ready, size := all, 0
	for _, r := range q.list {
		ready = ready || r.op.Urgent
		size += r.op.Bytes
	}
	if age := time.Since(q.list[0].since); !ready && size < MaxBatch && age < SettleDelay {
		return nil, SettleDelay - age
	}
	n, size := 0, 0
	for n < len(q.list) && (n == 0 || size+q.list[n].op.Bytes <= MaxBatch) {
		size += q.list[n].op.Bytes
		n++
	}
	batch = slices.Clone(q.list[:n])
	q.list = slices.Delete(q.list, 0, n)
	return batch, 0
}

// Queued is how many operations wait for the committer: a measure of load.
func (db *DB) Queued() int {
	db.q.mu.Lock()
	defer db.q.mu.Unlock()
	return len(db.q.list)
}
