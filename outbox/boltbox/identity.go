package boltbox

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"

	"go.etcd.io/bbolt"

	"waoutbox/store"
)

// metaState holds the id of the log: random, so that a sequence of a copy that was put back is told
// from one of the log that went on.
const metaState = "state"

// stateSize is the size of the id of the log, in bytes.
const stateSize = 12

// RenewState gives the log another id, for a copy that is put back: what others keep of positions
// in it says nothing any more. It returns once the id is on disk. Errors: outbox.ErrFull,
// ErrClosed, ErrUnknown (repeat the call), ctx's.
func (b *Box) RenewState(ctx context.Context) error {
	fresh := newState()
	apply := func(tx *bbolt.Tx) error {
		if err := tx.Bucket([]byte(bucketMeta)).Put([]byte(metaState), appendSum([]byte(fresh), []byte(metaState))); err != nil {
			return fmt.Errorf("store the id of the log: %w", err)
		}
		return nil
	}
	publish := func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.state = fresh
	}
	if err := b.do(ctx, store.Op{Apply: apply, Publish: publish, Urgent: true, Bytes: 4 << 10}); err != nil {
		return fmt.Errorf("renew the id of the log: %w", err)
	}
	return nil
}

// State is the id of the log, as outbox.EventPage has it.
func (b *Box) State() string {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.state
}

// ensureState gives the log an id when it has none: it is new, of an older version, or its id is
// damaged. Where none can be stored the log is used all the same, with one that a restart forgets.
func (b *Box) ensureState(ctx context.Context) {
	if b.State() != "" {
		return
	}
	err := b.RenewState(ctx)
	if err == nil {
		return
	}
	b.log.WarnContext(ctx, "the id of the log is not stored, so that after a restart MCP clients are told that they may have missed events", "error", err)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state == "" {
		b.state = newState()
	}
}

func newState() string {
	raw := make([]byte, stateSize)
	_, _ = rand.Read(raw) // it never fails
	return hex.EncodeToString(raw)
}

// stateOf reads the id of the log, "" when there is none that can be read.
func (b *Box) stateOf(tx *bbolt.Tx) string {
	v := tx.Bucket([]byte(bucketMeta)).Get([]byte(metaState))
	if v == nil {
		return ""
	}
	id, err := checkSum(v, []byte(metaState))
	if err != nil {
		b.unreadable(bucketMeta, []byte(metaState), err)
		return ""
	}
	return string(id)
}

// SkipSequences has the log of a copy that is put back give out n sequences less: those may be of
// events that came after the copy was made, and mean other events to whoever received them. Call it
// before Open. Errors: store.Full, Closed, Unknown (repeat the call, which skips more), ctx's.
func SkipSequences(ctx context.Context, db *store.DB, n uint64) error {
	apply := func(tx *bbolt.Tx) error {
		events := tx.Bucket([]byte(bucketEvents))
		if err := events.SetSequence(events.Sequence() + n); err != nil {
			return fmt.Errorf("skip sequences: %w", err)
		}
		// how many events are kept is what was given out without what is gone
		trimmed, err := readMeta(tx, metaTrimmed)
		if err != nil {
			return nil //nolint:nilerr // a damaged number is counted anew when the file is opened
		}
		return putMetaNumber(tx, metaTrimmed, trimmed+n)
	}
	return db.Do(ctx, store.Op{Apply: apply, Urgent: true, Bytes: 4 << 10})
}
