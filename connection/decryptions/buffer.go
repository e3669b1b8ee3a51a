// Package decryptions keeps what reading a message costs its device store small: the library reads
// and writes sessions, identities and plaintexts one by one, and waits for the disk twice for each
// message. Here what it writes while it decrypts stays in memory until it is committed, together
// with that of other messages, in one transaction, beside the storing of their events; what it
// reads is kept; and a plaintext whose event is stored is removed with the next transaction.
package decryptions

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.mau.fi/whatsmeow/store"
)

const (
	// flushLimit is how long after a write that failed, and that no message waits for, the next
	// one is tried.
	flushLimit = 10 * time.Second
	// mostUncleared is how many plaintexts wait at most for the next transaction before one is
	// begun for them.
	mostUncleared = 256
	// mostKnown bounds how many records are kept of a database's content, and largeRecord how many
	// bytes each may have: with a few hundred bytes each they take less than a MiB.
	mostKnown   = 1024
	largeRecord = 16 << 10
	// removeEvery is how often the hashes are removed that WhatsApp sends no message for any more.
	removeEvery = 12 * time.Hour
)

// ErrNotCommitted means that a message was not decrypted because one before could not be committed,
// whatever it is like itself.
var ErrNotCommitted = errors.New("a message before was not committed")

// ErrDropped means that the device is no longer linked.
var ErrDropped = errors.New("the device is no longer linked")

// Stores are those parts of a device's store that reading a message changes.
type Stores struct {
	Events     store.EventBuffer
	Sessions   store.SessionStore
	Identities store.IdentityStore
	PreKeys    store.PreKeyStore
	SenderKeys store.SenderKeyStore
	Secrets    store.MsgSecretStore
}

// Buffer is a device's event buffer, and beside it the device's other stores, in which what is
// written while a message is decrypted is committed later, with that of others: Begin and Committed
// see to it. It is committed whole and in order, or not at all. A process that is killed before
// leaves messages decrypted or not decrypted at all: when WhatsApp sends them again, their events
// are told again, with the same ids. Nobody may be told that a message arrived before Committed
// returns nil. Safe for concurrent use if what it wraps is.
type Buffer struct {
	store.EventBuffer
	stores Stores
	idle   time.Duration
	told   func(error)
	// cap 1: has a value while a message is decrypted, or somebody else writes
	turn    chan struct{}
	preKeys sync.Mutex // held while prekeys are made

	mu        sync.Mutex
	next      *group   // takes what is decrypted
	busy      *group   // is being committed; nil: none
	known     *changes // what the database holds, as far as is known
	failed    error    // why a group could not be committed: nothing more is, until Renew
	dropped   bool     // nothing is written any more
	uncleared map[[32]byte]struct{}
	migrated  map[string]struct{} // phone numbers whose sessions were moved
	removed   time.Time           // when old hashes were removed
	timer     *time.Timer         // runs while something waits
}

// NewBuffer wraps a device's stores; idle is for how long a plaintext may stay whose event is
// stored. told gets how each commit ended, in order and in a goroutine of its own; nil: nobody is
// told.
func NewBuffer(stores Stores, idle time.Duration, told func(error)) *Buffer {
	return &Buffer{
		EventBuffer: stores.Events, stores: stores, idle: idle, told: told, turn: make(chan struct{}, 1),
		next: newGroup(), known: newChanges(), uncleared: make(map[[32]byte]struct{}),
		migrated: make(map[string]struct{}),
	}
}

// ofMessage is the key of what a message changes in the context in which it is decrypted.
type ofMessage struct{}

// within returns what the message changes in whose decryption ctx is, nil outside of one.
func within(ctx context.Context) *changes {
	c, _ := ctx.Value(ofMessage{}).(*changes)
	return c
}

// whileHandled is the key of a context in which a message is handled.
type whileHandled struct{}

// OfMessage returns a context for the handling of a message: what is written with it before the
// message is acknowledged may wait for the commit of its decryption.
func OfMessage(ctx context.Context) context.Context {
	return context.WithValue(ctx, whileHandled{}, true)
}

// DoDecryptionTxn runs fn, and keeps what it writes for the next commit if it returns nil. What it
// writes is not committed when DoDecryptionTxn returns: Committed waits for that. After a commit
// that failed it returns ErrNotCommitted, until Renew.
func (b *Buffer) DoDecryptionTxn(ctx context.Context, fn func(context.Context) error) error {
	b.turn <- struct{}{}
	defer func() { <-b.turn }()
	if err := b.keep(func(*changes) {}); err != nil {
		return err
	}
	changed := newChanges()
	err := fn(context.WithValue(ctx, ofMessage{}, changed))
	// also what cannot be decrypted may be so for what a message before would have stored
	failed := b.keep(func(next *changes) {
		if err == nil {
			next.add(changed)
		}
	})
	if failed != nil {
		return failed
	}
	return err
}

// keep has fn add to what is committed next.
func (b *Buffer) keep(fn func(next *changes)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.dropped:
		return ErrDropped
	case b.failed != nil:
		return fmt.Errorf("%w: %w", ErrNotCommitted, b.failed)
	}
	if fn(b.next.changes); !b.next.empty() {
		b.keepTime()
	}
	return nil
}

// PutBufferedEvent keeps what was decrypted.
func (b *Buffer) PutBufferedEvent(ctx context.Context, hash [32]byte, plain []byte, sent time.Time) error {
	c := within(ctx)
	if c == nil {
		return b.EventBuffer.PutBufferedEvent(ctx, hash, plain, sent)
	}
	c.events[hash] = event{plain: plain, sent: sent, read: time.Now()}
	return nil
}

// GetBufferedEvent returns what was decrypted before, without its plaintext once the event is
// stored.
func (b *Buffer) GetBufferedEvent(ctx context.Context, hash [32]byte) (*store.BufferedEvent, error) {
	ev := b.uncommitted(hash)
	if ev == nil {
		var err error
		if ev, err = b.EventBuffer.GetBufferedEvent(ctx, hash); ev == nil || err != nil {
			return ev, err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, stored := b.uncleared[hash]; stored {
		ev.Plaintext = nil
	}
	return ev, nil
}

// uncommitted returns what was decrypted and is not committed.
func (b *Buffer) uncommitted(hash [32]byte) *store.BufferedEvent {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, g := range []*group{b.next, b.busy} {
		if g == nil {
			continue
		}
		if ev, ok := g.events[hash]; ok {
			return &store.BufferedEvent{Plaintext: ev.plain, InsertTime: ev.read, ServerTime: ev.sent}
		}
	}
	return nil
}

// ClearBufferedEventPlaintext takes note that the event is stored: its plaintext goes with the next
// commit.
func (b *Buffer) ClearBufferedEventPlaintext(_ context.Context, hash [32]byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.uncleared[hash] = struct{}{}
	b.keepTime()
	if len(b.uncleared) >= mostUncleared {
		b.begin()
	}
	return nil
}

// keepTime has what waits committed when nothing comes. The caller holds mu.
func (b *Buffer) keepTime() {
	if b.timer == nil && !b.dropped {
		b.timer = time.AfterFunc(b.idle, func() { _ = b.Flush() }) // told is told
	}
}
