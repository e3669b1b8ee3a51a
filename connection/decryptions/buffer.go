// Package decryptions keeps what reading a message costs its device store small: the library writes
// each message twice there, once with its plaintext when it is decrypted and once without when its
// event is stored, and waits for the disk both times. Here the first is committed while the event
// is being stored; the second is part of the next message's first, or is made when none comes for a
// while.
package decryptions

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"go.mau.fi/whatsmeow/store"
)

const (
	// flushLimit bounds a write that no message waits for.
	flushLimit = 10 * time.Second
	// mostUncleared bounds the plaintexts that wait to be cleared, also while no transaction
	// works.
	mostUncleared = 256
)

// Buffer is a device's event buffer whose plaintexts are cleared late, and whose transactions are
// committed beside what follows. A process that is killed before leaves the message decrypted or
// not decrypted at all: when WhatsApp sends it again, its event is told again, with the same id.
// Nobody may be told that the message arrived before Committed returns nil. Safe for concurrent use
// if what it wraps is.
type Buffer struct {
	store.EventBuffer
	idle time.Duration
	told func(error)
	turn chan struct{} // cap 1: has a value while a transaction runs

	mu        sync.Mutex
	last      *commit               // the last that began beside what followed; nil before
	uncleared map[[32]byte]struct{} // their events are stored
	timer     *time.Timer           // runs while there are some
}

// NewBuffer wraps a device's event buffer; idle is for how long a plaintext may stay whose event is
// stored. told gets how each commit that began beside what follows ended, in order and in a
// goroutine of its own, unless its context ended first; nil: nobody is told.
func NewBuffer(buffer store.EventBuffer, idle time.Duration, told func(error)) *Buffer {
	return &Buffer{EventBuffer: buffer, idle: idle, told: told, turn: make(chan struct{}, 1), uncleared: make(map[[32]byte]struct{})}
}

// GetBufferedEvent returns what was decrypted before, without its plaintext once the event is
// stored.
func (b *Buffer) GetBufferedEvent(ctx context.Context, hash [32]byte) (*store.BufferedEvent, error) {
	b.wait()
	ev, err := b.EventBuffer.GetBufferedEvent(ctx, hash)
	if ev == nil || err != nil {
		return ev, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, stored := b.uncleared[hash]; stored {
		ev.Plaintext = nil
	}
	return ev, nil
}

// ClearBufferedEventPlaintext takes note that the event is stored. It writes only when too many
// plaintexts wait.
func (b *Buffer) ClearBufferedEventPlaintext(ctx context.Context, hash [32]byte) error {
	b.mu.Lock()
	full := len(b.uncleared) >= mostUncleared
	if !full {
		b.uncleared[hash] = struct{}{}
		if b.timer == nil {
			b.timer = time.AfterFunc(b.idle, b.flushIdle)
		}
	}
	b.mu.Unlock()
	if full {
		return b.EventBuffer.ClearBufferedEventPlaintext(ctx, hash)
	}
	return nil
}

// Flush clears what waits for it now, and returns when nothing is being committed.
func (b *Buffer) Flush(ctx context.Context) error {
	b.wait()
	b.mu.Lock()
	none := len(b.uncleared) == 0
	b.mu.Unlock()
	if none {
		return nil
	}
	b.turn <- struct{}{}
	defer func() { <-b.turn }()
	return b.transaction(ctx, func(context.Context) error { return nil }, func() {})
}

// flushIdle is Flush when no message came. What fails is tried again.
func (b *Buffer) flushIdle() {
	ctx, cancel := context.WithTimeout(context.Background(), flushLimit)
	defer cancel()
	if b.Flush(ctx) == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.timer != nil {
		b.timer.Reset(flushLimit)
	}
}

// clear writes in the transaction of ctx, and returns what it cleared.
func (b *Buffer) clear(ctx context.Context) ([][32]byte, error) {
	b.mu.Lock()
	hashes := slices.Collect(maps.Keys(b.uncleared))
	b.mu.Unlock()
	for _, hash := range hashes {
		if err := b.EventBuffer.ClearBufferedEventPlaintext(ctx, hash); err != nil {
			return nil, err
		}
	}
	return hashes, nil
}

// forget drops what the database has cleared.
func (b *Buffer) forget(hashes [][32]byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, hash := range hashes {
		delete(b.uncleared, hash)
	}
	switch {
	case b.timer == nil:
	case len(b.uncleared) > 0: // more came meanwhile
		b.timer.Reset(b.idle)
	default:
		b.timer.Stop()
		b.timer = nil
	}
}
