package boltbox

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
	"waoutbox/store"
)

// errLooked ends a look into the dedupe index, so that its transaction writes nothing.
var errLooked = errors.New("boltbox: only looked")

// ByKey returns the sequence that an event with this key was stored under, whatever has become of
// it since; outbox.ErrNotFound when the dedupe index does not know it: an event older than that
// reaches, or one with a random id. Besides ErrClosed, ErrUnknown and ctx's. It waits for its turn
// among the writes, since the index is theirs, and writes nothing.
func (b *Box) ByKey(ctx context.Context, key string) (outbox.Seq, error) {
	if err := b.ready(ctx); err != nil {
		return 0, err
	}
	var seq outbox.Seq
	found := false
	err := b.do(ctx, store.Op{Urgent: true, Frees: true, Apply: func(tx *bbolt.Tx) error {
		if err := b.seen.begin(tx); err != nil {
			return err
		}
		seq, found = b.seen.find(tx, hashKey(key), 0, 0)
		return errLooked
	}})
	switch {
	case !errors.Is(err, errLooked):
		return 0, fmt.Errorf("find an event by its key: %w", err)
	case !found:
		return 0, fmt.Errorf("find an event by its key: %w", outbox.ErrNotFound)
	}
	return seq, nil
}
