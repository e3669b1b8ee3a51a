package wasim

import "context"

// notifier wakes goroutines that wait for a change of state guarded by a mutex.
// The zero value is ready; every method must be called with that mutex held.
type notifier struct{ ch chan struct{} }

// wait returns a channel that is closed at the next change.
func (n *notifier) wait() <-chan struct{} {
	if n.ch == nil {
		n.ch = make(chan struct{})
	}
	return n.ch
}

// notify tells everybody who waits that something changed.
func (n *notifier) notify() {
	if n.ch != nil {
		close(n.ch)
		n.ch = nil
	}
}

// until blocks until ready returns true, an error, or ctx ends. ready runs with
// the account's lock held, after each change.
func (a *Account) until(ctx context.Context, ready func() (bool, error)) error {
	for {
		a.mu.Lock()
		ok, err := ready()
		changed := a.changed.wait()
		a.mu.Unlock()
		if ok || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-a.srv.ctx.Done():
			return ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
