package connection

import (
	"context"
	"sync"
	"time"
)

// request is what people want of the link of a linked account: open, or closed until they say
// otherwise. The zero value wants it open. Safe for concurrent use.
type request struct {
	mu      sync.Mutex
	closed  time.Time          // since when it is to be closed; zero: it is to be open
	asked   int                // how often something was asked for
	lost    int                // how often before the link was lost to another program
	waiting bool               // the link waits to be asked for something else
	stopped bool               // it runs no more
	leave   context.CancelFunc // ends the link's present run
	changed chan struct{}      // closed and renewed at each change
}

// since returns since when the link is to be closed; the zero time: it is to be open.
func (r *request) since() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed
}

// run returns the context of a run of the link, which ends when it is to be closed, and what had
// been asked for by then; false when it is to be closed now.
func (r *request) run(ctx context.Context) (run context.Context, asked int, open bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed.IsZero() {
		return nil, r.asked, false
	}
	run, r.leave = context.WithCancel(ctx)
	return run, r.asked, true
}

// ended gives back what run returned.
func (r *request) ended() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leave()
	r.leave = nil
}

// lose tells that the link is lost until somebody asks for it: what was asked for before counts no
// more. show shows it, before anything else is asked for.
func (r *request) lose(show func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lost = r.asked
	show()
}

// wait tells that the link does nothing, and blocks until something is asked for beyond asked, and
// after the link was lost. It reports false when ctx ended first.
func (r *request) wait(ctx context.Context, asked int) bool {
	r.mu.Lock()
	asked = max(asked, r.lost)
	if r.asked == asked {
		r.waiting = true
		r.tell()
	}
	r.mu.Unlock()
	return r.until(ctx, func() bool { return r.asked != asked })
}

// open wants the link open. begin is told whether the link waits, before that goes on.
func (r *request) open(begin func(waited bool)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = time.Time{}
	r.asked++
	begin(r.waiting)
	r.waiting = false
	r.tell()
}

// close wants the link closed, since the moment it first was.
func (r *request) close(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed.IsZero() {
		return
	}
	r.closed, r.waiting = now, false
	r.asked++
	if r.leave != nil {
		r.leave()
	}
	r.tell()
}

// forget wants the link open and asks for nothing: the account it was asked of is gone.
func (r *request) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = time.Time{}
	r.tell()
}

// stop tells that the link runs no more.
func (r *request) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = true
	r.tell()
}

// untilDown blocks until the link that is to be closed waits, runs no more or is to be open, or ctx
// ends.
func (r *request) untilDown(ctx context.Context) {
	r.until(ctx, func() bool { return r.waiting || r.stopped || r.closed.IsZero() })
}

// until blocks until ok, which is called with the lock held, and reports false when ctx ended
// first.
func (r *request) until(ctx context.Context, ok func() bool) bool {
	for {
		r.mu.Lock()
		done := ok()
		if r.changed == nil {
			r.changed = make(chan struct{})
		}
		changed := r.changed
		r.mu.Unlock()
		if done {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// tell wakes who waits for a change. Call with the lock held.
func (r *request) tell() {
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}
