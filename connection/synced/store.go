// Package synced keeps what the account's phone shares with its companions, the library's app
// state, whole: collections of settings and of stars, each a version with the checksums of what is
// in it. A collection whose version and checksums do not belong together can take no change any
// more.
package synced

import (
	"context"
	"fmt"
	"sync"

	"go.mau.fi/whatsmeow/store"
)

// Transaction runs fn in one transaction of the database that the store is in. What fn does with
// its context takes effect whole, or not at all when fn or Transaction returns an error.
type Transaction func(ctx context.Context, fn func(ctx context.Context) error) error

// Whole returns a store that writes a patch, which the library writes in three calls, in one
// transaction: it holds the version and the checksums to remove until those to add are put. A
// process that ends between the calls, or a context, leaves the collection as it was, and the
// library fetches the patch again. Patches that are fetched with a [Batch] are written with it.
// Others are written only while nothing is told of them, which is when all of a collection is
// fetched: else the error is ErrUntold. Safe for concurrent use as long as the patches of one
// collection come one after the other.
func Whole(state store.AppStateStore, transaction Transaction) store.AppStateStore {
	return &whole{AppStateStore: state, transaction: transaction, held: make(map[string]patch), partial: make(map[string]bool)}
}

// IsWhole reports whether a store is one that Whole returned.
func IsWhole(state store.AppStateStore) bool {
	_, is := state.(*whole)
	return is
}

type whole struct {
	store.AppStateStore
	transaction Transaction

	mu   sync.Mutex
	held map[string]patch // by collection
	// collections that are being fetched without a batch, from a version on: what is new is told
	partial map[string]bool
}

// patch is what is known of one that is not written yet.
type patch struct {
	version uint64
	hash    [128]byte
	removed [][]byte
	added   []store.AppStateMutationMAC
}

// GetAppStateVersion is the first call of a fetch.
func (w *whole) GetAppStateVersion(ctx context.Context, name string) (uint64, [128]byte, error) {
	version, hash, err := w.AppStateStore.GetAppStateVersion(ctx, name)
	if b := batchIn(ctx); b != nil {
		b.begin(w, name, version > 0)
		return version, hash, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.partial[name] = version > 0
	return version, hash, err
}

// GetAppStateMutationMAC looks among the changes of the batch first.
func (w *whole) GetAppStateMutationMAC(ctx context.Context, name string, indexMAC []byte) ([]byte, error) {
	if b := batchIn(ctx); b != nil {
		if value, known := b.find(name, indexMAC); known {
			return value, nil
		}
	}
	return w.AppStateStore.GetAppStateMutationMAC(ctx, name, indexMAC)
}

// PutAppStateVersion holds the version until the checksums of the same version are put.
func (w *whole) PutAppStateVersion(ctx context.Context, name string, version uint64, hash [128]byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.partial[name] && batchIn(ctx) == nil {
		return ErrUntold
	}
	w.held[name] = patch{version: version, hash: hash}
	return nil
}

// DeleteAppStateVersion drops a collection, and what is held of it.
func (w *whole) DeleteAppStateVersion(ctx context.Context, name string) error {
	w.mu.Lock()
	delete(w.held, name)
	delete(w.partial, name)
	w.mu.Unlock()
	return w.AppStateStore.DeleteAppStateVersion(ctx, name)
}

// DeleteAppStateMutationMACs holds the checksums to remove as well; those that belong to no held
// version are removed at once.
func (w *whole) DeleteAppStateMutationMACs(ctx context.Context, name string, indexMACs [][]byte) error {
	w.mu.Lock()
	p, held := w.held[name]
	if held {
		p.removed = append(p.removed, indexMACs...)
		w.held[name] = p
	}
	w.mu.Unlock()
	if held {
		return nil
	}
	return w.AppStateStore.DeleteAppStateMutationMACs(ctx, name, indexMACs)
}

// PutAppStateMutationMACs writes what is held of the version, and the checksums to add.
func (w *whole) PutAppStateMutationMACs(ctx context.Context, name string, version uint64, added []store.AppStateMutationMAC) error {
	w.mu.Lock()
	p, held := w.held[name]
	delete(w.held, name)
	w.mu.Unlock()
	switch {
	case !held:
		return w.AppStateStore.PutAppStateMutationMACs(ctx, name, version, added)
	case p.version != version:
		return fmt.Errorf("store the app state %s: checksums of version %d follow version %d", name, version, p.version)
	}
	p.added = added
	if b := batchIn(ctx); b != nil && b.add(name, p) {
		return nil
	}
	return w.write(ctx, name, p)
}

// write puts patches of a collection, oldest first, in one transaction.
func (w *whole) write(ctx context.Context, name string, patches ...patch) error {
	return w.transaction(ctx, func(ctx context.Context) error {
		for _, p := range patches {
			if err := w.AppStateStore.PutAppStateVersion(ctx, name, p.version, p.hash); err != nil {
				return err
			}
			if err := w.AppStateStore.DeleteAppStateMutationMACs(ctx, name, p.removed); err != nil {
				return err
			}
			if err := w.AppStateStore.PutAppStateMutationMACs(ctx, name, p.version, p.added); err != nil {
				return err
			}
		}
		return nil
	})
}
