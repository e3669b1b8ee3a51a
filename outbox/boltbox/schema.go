package boltbox

import (
	"encoding/binary"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"waoutbox/store"
)

// Schema is what an outbox file is made of: give it to store.Open.
func Schema() store.Schema {
	return store.Schema{
		App:        "waoutbox",
		Migrations: []func(tx *bbolt.Tx) error{format1, format2, format3, format4, format5, format6},
		Rising:     []string{bucketEvents},
		Buckets: []string{bucketMeta, bucketEvents, bucketSubs, bucketRemoved, bucketCursors, bucketPending, bucketDead, bucketSends,
			bucketAudit, bucketAuditChain, bucketFreed, bucketBlocks, bucketReasons, bucketSeenRuns, bucketSeenKeys, bucketSeenFilters},
		Earlier: earlier(),
	}
}

// earlier returns the buckets of formats 1 to 5. The bucket seen goes away in format 3, in time.
func earlier() [][]string {
	first := []string{"events", "subs", "cursors", "pending", "dead", "sends"}
	second := append(slices.Clone(first), "removed")
	third := append(slices.Clone(second), "seenruns", "seenkeys", "seenfilters")
	fourth := append(slices.Clone(third), "freed", "blocks", "reasons")
	fifth := append(slices.Clone(fourth), "audit")
	return [][]string{append(first, "seen", "audit"), append(second, "seen"), third, fourth, fifth}
}

// The migrations. A shipped one never changes, which is why bucket names are spelled out here.

func format1(tx *bbolt.Tx) error {
	for _, name := range []string{"events", "seen", "subs", "cursors", "pending", "dead", "sends", "audit"} {
		if _, err := tx.CreateBucket([]byte(name)); err != nil {
			return fmt.Errorf("create bucket %s: %w", name, err)
		}
	}
	return nil
}

// format2 gives removed subscriptions that hold nothing a bucket of their own, so that nothing has
// to pass them, and takes away the bucket audit, in which nothing was ever written.
func format2(tx *bbolt.Tx) error {
	if err := tx.DeleteBucket([]byte("audit")); err != nil {
		return fmt.Errorf("remove bucket audit: %w", err)
	}
	if _, err := tx.CreateBucket([]byte("removed")); err != nil {
		return fmt.Errorf("create bucket removed: %w", err)
	}
	return moveRemoved(tx)
}

// format3 does the same with those that are removed and have dead letters only, and has dedupe keys
// in runs. Those of the events so far are in the bucket seen, which appends make into runs.
func format3(tx *bbolt.Tx) error {
	for _, name := range []string{"seenruns", "seenkeys", "seenfilters"} {
		if _, err := tx.CreateBucket([]byte(name)); err != nil {
			return fmt.Errorf("create bucket %s: %w", name, err)
		}
	}
	sealed := binary.BigEndian.AppendUint64(nil, tx.Bucket([]byte("events")).Sequence())
	if err := tx.Bucket([]byte("meta")).Put([]byte("sealed"), sealed); err != nil {
		return fmt.Errorf("store what is sealed: %w", err)
	}
	if k, _ := tx.Bucket([]byte("seen")).Cursor().First(); k == nil {
		if err := tx.DeleteBucket([]byte("seen")); err != nil {
			return fmt.Errorf("remove bucket seen: %w", err)
		}
	}
	return moveRemoved(tx)
}

// format4 has records with checksums, events with both addresses of their chat, and filters that
// leave chats out and know kinds. What was written before stays as it is and is read as it is: the
// number keeps older versions from files they would misread. From where on nothing was removed was
// not kept before: where something was, what is there may have gaps. Dead letters are counted by
// reason, and what retention keeps has its buckets.
func format4(tx *bbolt.Tx) error {
	meta := tx.Bucket([]byte("meta"))
	for _, name := range []string{"freed", "blocks", "reasons"} {
		if _, err := tx.CreateBucket([]byte(name)); err != nil {
			return fmt.Errorf("create bucket %s: %w", name, err)
		}
	}
	if err := countReasons(tx); err != nil {
		return err
	}
	if meta.Get([]byte("trimmed")) == nil {
		return nil
	}
	return putMetaNumber(tx, "whole", tx.Bucket([]byte("events")).Sequence()+1)
}

// format5 has an audit trail.
func format5(tx *bbolt.Tx) error {
	if _, err := tx.CreateBucket([]byte("audit")); err != nil {
		return fmt.Errorf("create bucket audit: %w", err)
	}
	return nil
}

// format6 has the records of the audit trail in a chain, and webhooks whose settings are sealed,
// which the owner of the key does when the file was opened.
func format6(tx *bbolt.Tx) error {
	if _, err := tx.CreateBucket([]byte("auditchain")); err != nil {
		return fmt.Errorf("create bucket auditchain: %w", err)
	}
	return chainAudit(tx)
}
