package synced

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"

	"go.mau.fi/whatsmeow/store"
)

// ErrUntold refuses a change that would be noted as read before anybody told what it says.
var ErrUntold = errors.New("the change is not noted before it is told: it is fetched again")

// Batch holds what one fetch of a collection has read until it is told. The library notes a change
// as read and tells of it then: a process that ends in between would never tell it. Safe for
// concurrent use.
type Batch struct {
	mu      sync.Mutex
	state   *whole
	name    string
	partial bool // fetched from a version on; else nothing is told of it, and nothing held
	patches []patch
}

type batchKey struct{}

// WithBatch returns a context to fetch one collection with, and what is read so.
func WithBatch(ctx context.Context) (context.Context, *Batch) {
	b := new(Batch)
	return context.WithValue(ctx, batchKey{}, b), b
}

func batchIn(ctx context.Context) *Batch {
	b, _ := ctx.Value(batchKey{}).(*Batch)
	return b
}

// Commit notes all as read. Without it the next fetch reads it again. Two batches of one collection
// must not be open at a time.
func (b *Batch) Commit(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.patches) == 0 {
		return nil
	}
	err := b.state.write(ctx, b.name, b.patches...)
	if err == nil {
		b.patches = nil
	}
	return err
}

func (b *Batch) begin(state *whole, name string, partial bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.state, b.name, b.partial, b.patches = state, name, partial, nil
}

// add holds a patch; false if it is to be written at once.
func (b *Batch) add(name string, p patch) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.partial || name != b.name {
		return false
	}
	b.patches = append(b.patches, p)
	return true
}

// find returns the checksum that the batch has for an index, nil if it removes it, and whether it
// knows of it.
func (b *Batch) find(name string, indexMAC []byte) (value []byte, known bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if name != b.name {
		return nil, false
	}
	for _, p := range slices.Backward(b.patches) {
		for _, m := range slices.Backward(p.added) {
			if bytes.Equal(m.IndexMAC, indexMAC) {
				return m.ValueMAC, true
			}
		}
		if slices.ContainsFunc(p.removed, func(r []byte) bool { return bytes.Equal(r, indexMAC) }) {
			return nil, true
		}
	}
	return nil, false
}

// Version returns the version that is stored of a collection, 0 if none is. Unlike the store's own
// method it is not the beginning of a fetch.
func Version(ctx context.Context, state store.AppStateStore, name string) (uint64, error) {
	if w, is := state.(*whole); is {
		state = w.AppStateStore
	}
	version, _, err := state.GetAppStateVersion(ctx, name)
	return version, err
}
