package control

import (
	"context"
	"sync"
	"time"

	"waoutbox/outbox/api"
)

// Stopping: calls in flight get stopGrace to finish, then the contexts of those that only read end.
// What changes something gets mutationGrace more, far above what a disk needs for a commit, so that
// the store is not closed under it. Whoever's context has ended gets stopCutoff to notice.
const (
	stopGrace     = 2 * time.Second
	mutationGrace = 30 * time.Second
	stopCutoff    = 2 * time.Second
)

// mutationLimit ends an operation that changes something and does not come to an end by itself. It
// is far above any stall of a disk and any wait inside an operation: it only keeps a broken one
// from holding its goroutine for ever.
const mutationLimit = 5 * time.Minute

// stopping reports whether the server has begun to stop.
func (s *Server) stopping() bool { return s.open.Err() != nil }

// begin counts a call, unless the server is closed.
func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.calls.Add(1)
	}
	return !s.closed
}

// beginMutation returns the context for an operation that changes something: the caller's values
// without the caller's end. Call done when the operation has ended.
func (s *Server) beginMutation(caller context.Context) (ctx context.Context, done func(), refused *api.Error) {
	return s.beginMutationWithin(caller, mutationLimit)
}

// beginMutationWithin is beginMutation with another limit than mutationLimit.
func (s *Server) beginMutationWithin(caller context.Context, limit time.Duration) (ctx context.Context, done func(), refused *api.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mutationsClosed {
		return nil, nil, s.stoppedError()
	}
	s.mutations.Add(1)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(caller), limit)
	stop := context.AfterFunc(s.mutating, cancel)
	return ctx, func() { stop(); cancel(); s.mutations.Done() }, nil
}

// awaitCalls waits for the handlers. The contexts of those that read have ended; those that change
// something are waited for first. One that ignores the end of its context must not keep the process
// alive.
func (s *Server) awaitCalls() {
	s.mu.Lock()
	s.closed, s.mutationsClosed = true, true
	s.mu.Unlock()
	if !waitAtMost(&s.mutations, mutationGrace) {
		s.log.Warn("a control call that changes something did not end in time and is cut off", "after", mutationGrace)
	}
	s.cutWrites()
	if !waitAtMost(&s.calls, stopCutoff) {
		s.log.Error("a control call did not end when it was cut off")
	}
}

// waitAtMost reports whether wg came to zero within limit.
func waitAtMost(wg *sync.WaitGroup, limit time.Duration) bool {
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}
