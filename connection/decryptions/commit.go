package decryptions

import (
	"context"
	"fmt"
	"runtime/debug"

	"go.mau.fi/whatsmeow/store"
)

// commit is a transaction whose content is written and that is being committed.
type commit struct {
	done chan struct{} // closed when it is over
	err  error         // set before done is closed
}

// DoDecryptionTxn runs fn in a transaction, and clears in the same one what waits for it. It
// returns when all is written and before it is committed: Committed waits for that. After a commit
// that failed it fails, until Renew.
func (b *Buffer) DoDecryptionTxn(ctx context.Context, fn func(context.Context) error) error {
	if err := b.Committed(); err != nil {
		return fmt.Errorf("the message before was not committed: %w", err)
	}
	b.turn <- struct{}{}
	c := &commit{done: make(chan struct{})}
	written := make(chan struct{})
	var panicked error
	go func() {
		began := false // beside what follows
		defer func() {
			close(c.done)
			if began && b.told != nil && (c.err == nil || ctx.Err() == nil) {
				b.told(c.err)
			}
			<-b.turn
		}()
		c.err = b.transaction(ctx, func(ctx context.Context) (err error) {
			defer func() {
				if p := recover(); p != nil { // for the library, which handles it
					panicked = fmt.Errorf("%v\n%s", p, debug.Stack())
					err = panicked
				}
			}()
			return fn(ctx)
		}, func() {
			began = true
			b.mu.Lock()
			b.last = c
			b.mu.Unlock()
			close(written)
		})
	}()
	select {
	case <-written:
		return nil
	case <-c.done:
		switch {
		case panicked != nil:
			panic(panicked)
		case closed(written): // told of by Committed
			return nil
		}
		return c.err
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// transaction runs fn and clears in one transaction, and calls written before it is committed.
func (b *Buffer) transaction(ctx context.Context, fn func(context.Context) error, written func()) error {
	var cleared [][32]byte
	err := b.EventBuffer.DoDecryptionTxn(ctx, func(ctx context.Context) (err error) {
		if err := fn(ctx); err != nil {
			return err
		}
		if cleared, err = b.clear(ctx); err == nil {
			written()
		}
		return err
	})
	if err == nil {
		b.forget(cleared)
	}
	return err
}

// Committed waits until the last transaction is committed, and returns why it was not. It goes on
// returning that until Renew.
func (b *Buffer) Committed() error {
	b.mu.Lock()
	c := b.last
	b.mu.Unlock()
	if c == nil {
		return nil
	}
	<-c.done
	return c.err
}

// wait is Committed for who reads what may have been written.
func (b *Buffer) wait() { _ = b.Committed() }

// Renew forgets that a commit failed: on a new connection WhatsApp sends the message again.
func (b *Buffer) Renew() {
	b.wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last = nil
}

// Sessions wraps the sessions of the same device, so that none is read as it was before a message
// that is being committed.
func (b *Buffer) Sessions(sessions store.SessionStore) store.SessionStore {
	return waitingSessions{SessionStore: sessions, b: b}
}

type waitingSessions struct {
	store.SessionStore
	b *Buffer
}

func (s waitingSessions) GetSession(ctx context.Context, address string) ([]byte, error) {
	s.b.wait()
	return s.SessionStore.GetSession(ctx, address)
}

func (s waitingSessions) HasSession(ctx context.Context, address string) (bool, error) {
	s.b.wait()
	return s.SessionStore.HasSession(ctx, address)
}

func (s waitingSessions) GetManySessions(ctx context.Context, addresses []string) (map[string][]byte, error) {
	s.b.wait()
	return s.SessionStore.GetManySessions(ctx, addresses)
}
