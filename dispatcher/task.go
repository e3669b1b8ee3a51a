package dispatcher

import (
	"context"
	"errors"
	"slices"
	"sync"

	"waoutbox/outbox"
)

// taskResult is what a task comes back with, and all that it hands over: its caller may have left.
type taskResult struct {
	n       int // queued, purged, dead-lettered
	missing []outbox.Seq
	more    bool       // it stopped early
	next    outbox.Seq // where to go on
	err     error
}

// task is what an administrator wants of a lane: work, or, without any, that it reads its
// subscription again.
type task struct {
	work work
	// it takes the lane up although what that keeps is of a newer version: that begins anew
	anew bool
	done chan taskResult // buffered: replying never blocks, also when nobody waits any more
}

func newTask(w work, anew bool) *task {
	return &task{work: w, anew: anew, done: make(chan taskResult, 1)}
}

// reply returns the result; a second one is dropped.
func (r *task) reply(res taskResult) {
	select {
	case r.done <- res:
	default:
	}
}

// errLaneEnded is the result of a task that no lane has begun: whoever asked looks for the lane
// anew.
var errLaneEnded = errors.New("the lane has ended")

// inbox holds the tasks that no lane has taken yet. Safe for concurrent use.
type inbox struct {
	wake chan struct{} // gets a value after each push; buffered by one

	mu     sync.Mutex
	queue  []*task
	closed bool
}

func newInbox() *inbox { return &inbox{wake: make(chan struct{}, 1)} }

// push adds a task; false when the inbox is closed.
func (b *inbox) push(r *task) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.queue = append(b.queue, r)
	b.signal()
	return true
}

func (b *inbox) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// take returns the oldest task, nil if there is none.
func (b *inbox) take() *task {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) == 0 {
		return nil
	}
	r := b.queue[0]
	b.queue = b.queue[1:]
	return r
}

// anew reports whether one of the tasks takes up a lane of a newer version.
func (b *inbox) anew() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.ContainsFunc(b.queue, func(r *task) bool { return r.anew })
}

// takeAll returns all tasks, oldest first.
func (b *inbox) takeAll() []*task {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.queue
	b.queue = nil
	return all
}

// putBack puts tasks that were taken in front again. Only whoever closes the inbox may call it.
func (b *inbox) putBack(rs ...*task) {
	if len(rs) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queue = append(slices.Clone(rs), b.queue...)
	b.signal()
}

// withdraw takes r out; false when it was taken already.
func (b *inbox) withdraw(r *task) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.Index(b.queue, r)
	if i >= 0 {
		b.queue = slices.Delete(b.queue, i, i+1)
	}
	return i >= 0
}

func (b *inbox) empty() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.queue) == 0
}

// closeIfEmpty makes every later push fail, unless there are tasks.
func (b *inbox) closeIfEmpty() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = b.closed || len(b.queue) == 0
	return b.closed
}

// close makes every later push fail and returns what is left.
func (b *inbox) close() []*task {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	left := b.queue
	b.queue = nil
	return left
}

// ask hands a task to the lane and waits for its result. Only the wait ends with ctx: what the
// lane has taken up runs to its end. Work that was not taken up yet is withdrawn then; reading the
// subscription again is not, since something was stored before it was asked for. ended tells that
// no lane is left to take it.
func (s *laneSupervisor) ask(ctx context.Context, r *task) (res taskResult, ended bool) {
	if !s.inbox.push(r) {
		<-s.done
		return taskResult{}, true
	}
	select {
	case res = <-r.done:
		return res, errors.Is(res.err, errLaneEnded)
	case <-ctx.Done():
	}
	if r.work != nil {
		s.inbox.withdraw(r)
	}
	return taskResult{err: ctx.Err()}, false
}
