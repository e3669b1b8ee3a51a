package decryptions

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"waoutbox/outbox"
)

// group is what is committed in one transaction.
type group struct {
	*changes
	wanted bool          // somebody waits for its commit
	done   chan struct{} // closed when it is over
	err    error         // set before done is closed
}

func newGroup() *group { return &group{changes: newChanges(), done: make(chan struct{})} }

// Begin has all committed that was decrypted until now, and returns what waits for it, as Committed
// does. While another commit runs it begins after that.
func (b *Buffer) Begin() (committed func() error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.busy
	if !b.next.empty() {
		g = b.begin()
	}
	return b.waitFor(g)
}

// waitFor returns what waits for the end of a group; nil: there is none. The caller holds mu.
func (b *Buffer) waitFor(g *group) func() error {
	if g == nil {
		failed := b.failed
		return func() error { return failed }
	}
	return func() error {
		<-g.done
		return g.err
	}
}

// begin has the next group committed, and returns it; nil after one that failed. The caller holds
// mu.
func (b *Buffer) begin() *group {
	g := b.next
	switch {
	case b.failed != nil:
		return nil
	case b.busy == nil:
		b.take()
		go b.commitAll(g)
	default:
		g.wanted = true
	}
	return g
}

// take makes the next group the one that is being committed. The caller holds mu.
func (b *Buffer) take() { b.busy, b.next = b.next, newGroup() }

// Committed commits all that was decrypted until now, and returns why that could not be. It goes on
// returning that until Renew.
func (b *Buffer) Committed() error { return b.Begin()() }

// Flush is Committed, and removes the plaintexts whose events are stored.
func (b *Buffer) Flush() error {
	b.mu.Lock()
	g := b.busy
	if !b.next.empty() || len(b.uncleared) > 0 {
		g = b.begin()
	}
	wait := b.waitFor(g)
	b.mu.Unlock()
	return wait()
}

// commitAll commits a group, and those that follow while somebody wants them.
func (b *Buffer) commitAll(g *group) {
	for g != nil {
		b.mu.Lock()
		cleared := make([][32]byte, 0, len(b.uncleared))
		for hash := range b.uncleared {
			cleared = append(cleared, hash)
		}
		b.mu.Unlock()
		err := b.commit(g, cleared)
		ended := g
		g = b.ended(g, cleared, err)
		close(ended.done)
		if b.told != nil {
			b.told(ended.err)
		}
	}
}

func (b *Buffer) commit(g *group, cleared [][32]byte) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %s\n%s", outbox.PanicText(p), debug.Stack())
		}
	}()
	b.mu.Lock()
	dropped, remove := b.dropped, time.Since(b.removed) > removeEvery
	if remove {
		b.removed = time.Now() // one that fails is not tried with each commit
	}
	b.mu.Unlock()
	if dropped {
		return nil
	}
	return b.EventBuffer.DoDecryptionTxn(context.Background(), func(ctx context.Context) error {
		if err := g.write(ctx, b.stores, cleared); err != nil || !remove {
			return err
		}
		return b.EventBuffer.DeleteOldBufferedHashes(ctx)
	})
}

// ended takes note of how a commit ended, and returns the group that is committed next.
func (b *Buffer) ended(g *group, cleared [][32]byte, err error) *group {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.busy = nil
	if b.dropped {
		err = nil
	}
	if g.err = err; err != nil {
		b.fail(err, g.empty())
		return nil
	}
	b.known.know(g.changes)
	if b.known.size() > mostKnown {
		b.known = newChanges()
	}
	for _, hash := range cleared {
		delete(b.uncleared, hash)
	}
	if b.next.wanted {
		b.take()
	}
	switch {
	case b.timer == nil:
	case len(b.uncleared) > 0 || !b.next.empty():
		b.timer.Reset(b.idle)
	default:
		b.timer.Stop()
		b.timer = nil
	}
	return b.busy
}

// fail forgets what rests on a group that could not be committed. When only plaintexts would have
// been cleared nothing rests on it, and they are tried again. The caller holds mu.
func (b *Buffer) fail(err error, onlyCleared bool) {
	if b.timer != nil {
		b.timer.Reset(flushLimit)
	}
	if onlyCleared && b.next.empty() {
		if b.next.wanted {
			b.next.err = err
			close(b.next.done)
			b.next = newGroup()
		}
		return
	}
	b.failed = err
	b.next.err = err
	close(b.next.done)
	b.next, b.known = newGroup(), newChanges()
}

// Renew forgets that a commit failed: on a new connection WhatsApp sends the messages again.
func (b *Buffer) Renew() {
	b.turn <- struct{}{}
	defer func() { <-b.turn }()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failed = nil
}

// Drop has nothing written and nothing decrypted any more: the device is about to be forgotten.
func (b *Buffer) Drop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dropped = true
	if b.timer != nil {
		b.timer.Stop()
		b.timer = nil
	}
}

// alone runs fn while nothing is decrypted and all that was is committed.
func (b *Buffer) alone(fn func() error) error {
	b.turn <- struct{}{}
	defer func() { <-b.turn }()
	_ = b.Committed() // what could not be committed is forgotten
	return fn()
}

// forget has the database asked again for what somebody else writes.
func (b *Buffer) forget(fn func(known *changes)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	fn(b.known)
}

// forgetAll has the database asked again for everything.
func (b *Buffer) forgetAll() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.known = newChanges()
}
