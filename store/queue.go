package store

import (
	"slices"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
)

const (
	// SettleDelay is how long an operation that is not urgent may wait for others to share its
	// commit.
	SettleDelay = 20 * time.Millisecond
	// ShareDelay is how long an operation waits for others that come at the same moment.
	ShareDelay = 3 * time.Millisecond
	// MaxBatch is how many bytes of operations one commit takes at most (a single larger operation
	// comes alone).
	MaxBatch = 4 << 20
)

// Op is one write.
type Op struct {
	// Apply changes the database. It may run more than once, since a failing neighbour makes the
	// batch start over: it must set all its results anew and touch nothing but tx and them. An
	// error or a panic undoes this op alone.
	Apply func(tx *bbolt.Tx) error
	// Publish, when set, makes the effect visible in memory. It runs after the commit, in commit
	// order, before Do returns, and must not block.
	Publish  func()
	Urgent   bool // starts a commit at once; others wait up to SettleDelay or ride along
	Soon     bool // waits up to ShareDelay instead of SettleDelay
	IsAppend bool // refused with Full while there is no space for more events; others go on
	Frees    bool // removes more than it adds: taken when nothing else is
	Bytes    int  // roughly what it adds
}

// The states of a request in the queue.
const (
	requestWaits     = iota
	requestTaken     // somebody gives it its outcome
	requestWithdrawn // nobody waits for it
)

type request struct {
	op    Op
	since time.Time
	done  chan error // buffered: the committer never waits for a waiter

	state   atomic.Uint32
	next    *request // the one that came before it, while both are in the inbox
	refusal error    // of a mark in the inbox: nothing is taken, and why
}

func (r *request) finish(err error) { r.done <- err }

// take reports whether r is still wanted, which then has to be given its outcome.
func (r *request) take() bool { return r.state.CompareAndSwap(requestWaits, requestTaken) }

// patience is how long r may wait for others.
func (r *request) patience() time.Duration {
	switch {
	case r.op.Urgent:
		return 0
	case r.op.Soon:
		return ShareDelay
	}
	return SettleDelay
}

func finishAll(batch []*request, err error) {
	for _, r := range batch {
		r.finish(err)
	}
}

// finishCommitted tells the callers that their operations are durable. Lanes come before those who
// append: what a lane writes next is then more often in time for the next commit, which begins at
// once.
func finishCommitted(batch []*request) {
	for _, appends := range []bool{false, true} {
		for _, r := range batch {
			if r.op.IsAppend == appends {
				r.finish(nil)
			}
		}
	}
}

// hasAppend reports whether one of the operations is an append.
func hasAppend(batch []*request) bool {
	return slices.ContainsFunc(batch, func(r *request) bool { return r.op.IsAppend })
}

func bytesOf(batch []*request) (n int) {
	for _, r := range batch {
		n += r.op.Bytes
	}
	return n
}

// queue is what waits to be committed. Whoever puts something in takes no lock: with hundreds of
// writers the committer would stand in line with them.
type queue struct {
	inbox  atomic.Pointer[request] // the newest first; or a mark that nothing is taken
	queued atomic.Int64            // what waits; for a moment less than that
	wake   chan struct{}           // buffered by one

	list []*request // what was in the inbox, in order; of whoever commits
}

// put adds r, and reports whether nothing waited before it; or returns why it is not taken.
func (q *queue) put(r *request) (first bool, err error) {
	for {
		head := q.inbox.Load()
		if head != nil && head.refusal != nil {
			return false, head.refusal
		}
		r.next = head
		if q.inbox.CompareAndSwap(head, r) {
			// when r was taken already, another one is the first
			return q.queued.Add(1) == 1, nil
		}
	}
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// refuse puts a mark in the place of what is in the inbox, which it moves to the list.
func (q *queue) refuse(mark *request) {
	q.sort(q.inbox.Swap(mark))
}

// collect moves what is in the inbox to the list.
func (q *queue) collect() {
	for {
		head := q.inbox.Load()
		if head == nil || head.refusal != nil {
			return
		}
		if q.inbox.CompareAndSwap(head, nil) {
			q.sort(head)
			return
		}
	}
}

// sort appends what was in the inbox to the list, the oldest first.
func (q *queue) sort(head *request) {
	n := len(q.list)
	for r := head; r != nil && r.refusal == nil; {
		q.list = append(q.list, r)
		r, r.next = r.next, nil
	}
	slices.Reverse(q.list[n:])
}

// pause refuses what waits and what comes with err, at once, until resume.
func (q *queue) pause(err error) {
	q.refuse(&request{refusal: err})
	for _, r := range q.list {
		if r.take() {
			q.queued.Add(-1)
			r.finish(err)
		}
	}
	q.list = nil
}

func (q *queue) resume() { q.inbox.Store(nil) }

// withdraw takes r out again, unless the committer has it.
func (q *queue) withdraw(r *request) bool {
	if !r.state.CompareAndSwap(requestWaits, requestWithdrawn) {
		return false
	}
	if q.queued.Add(-1) > 0 {
		// What came after r may have woken nobody, and whoever looked then have found r gone.
		q.signal()
	}
	return true
}

// take returns the next batch, or nil and how long to wait for one (0: until woken).
func (q *queue) take() (batch []*request, wait time.Duration) {
	q.collect()
	q.list = slices.DeleteFunc(q.list, func(r *request) bool { return r.state.Load() != requestWaits })
	if len(q.list) == 0 {
		return nil, 0
	}
	now, size := time.Now(), 0
	wait = SettleDelay
	for _, r := range q.list {
		wait = min(wait, r.patience()-now.Sub(r.since))
		size += r.op.Bytes
	}
	if wait > 0 && size < MaxBatch {
		return nil, wait
	}
	return q.batch(), 0
}

// takeLast returns the next batch without waiting for more, and refuses what comes with closed once
// nothing is left.
func (q *queue) takeLast(closed error) []*request {
	for {
		q.collect()
		if batch := q.batch(); batch != nil {
			return batch
		}
		if head := q.inbox.Load(); head == nil || head.refusal != nil {
			if q.inbox.CompareAndSwap(head, &request{refusal: closed}) {
				return nil
			}
		}
	}
}

// batch takes what fits into one commit, nil when nothing waits in the list.
func (q *queue) batch() (batch []*request) {
	n, size := 0, 0
	for ; n < len(q.list) && (len(batch) == 0 || size+q.list[n].op.Bytes <= MaxBatch); n++ {
		if r := q.list[n]; r.take() {
			batch = append(batch, r)
			size += r.op.Bytes
		}
	}
	q.list = slices.Delete(q.list, 0, n)
	q.queued.Add(-int64(len(batch)))
	return batch
}

// Appending reports whether an append is being committed, or was within the time given: within
// 2 × SettleDelay, an operation that is not urgent finds a commit to share.
func (db *DB) Appending(within time.Duration) bool {
	return db.appending.Load() || db.since(db.appended.Load()) < within
}

// moment is now, as a number above 0.
func (db *DB) moment() int64 { return int64(time.Since(db.opened)) + 1 }

// since returns how long ago a moment was.
func (db *DB) since(moment int64) time.Duration { return time.Duration(db.moment() - moment) }

// Queued is how many operations wait for the committer: a measure of load.
func (db *DB) Queued() int { return max(0, int(db.q.queued.Load())) }
