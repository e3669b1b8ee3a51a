package boltbox

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
	"waoutbox/store"
)

// AcceptAudit takes the audit trail as it is from now on, where VerifyAudit finds that something
// else changed it: the records of each kind that is not as it was stored form a chain anew, which
// is sealed, and the record that note makes of what was found is stored with it, all in one write.
// Records that cannot be read are removed. VerifyAudit goes on telling of links that were noted
// elsewhere before, as long as records of that time are kept. Where nothing is found nothing is
// written. Other writes wait meanwhile, for all of the trail is read: 24,000 records at most.
// Without the key of SealAudit it returns outbox.ErrAuditKey; other errors as of PutSub.
func (b *Box) AcceptAudit(ctx context.Context, note func(found outbox.AuditCheck) (outbox.Audit, error)) (outbox.AuditCheck, error) {
	var found outbox.AuditCheck
	err := b.do(ctx, store.Op{Bytes: 1 << 20, Apply: func(tx *bbolt.Tx) (err error) {
		key := b.sealer()
		if key == nil {
			return outbox.ErrAuditKey
		}
		if found, err = verifyAudit(tx, key, nil); err != nil || len(found.Broken) == 0 {
			return err
		}
		record, err := note(found)
		if err != nil {
			return err
		}
		if err := removeUnreadable(tx); err != nil {
			return err
		}
		for _, kind := range outbox.AuditKinds() {
			if !found.BrokenKinds[kind] {
				continue
			}
			if err := chainAnew(tx, kind, key, record); err != nil {
				return err
			}
			delete(b.auditTold, kind)
		}
		return b.putAudit(tx, []outbox.Audit{record})
	}})
	if err != nil {
		return outbox.AuditCheck{}, fmt.Errorf("accept the audit trail: %w", err)
	}
	b.auditFault.set(false)
	return found, nil
}

// removeUnreadable removes what is in the bucket of the audit trail and cannot be read.
func removeUnreadable(tx *bbolt.Tx) error {
	bucket := tx.Bucket([]byte(bucketAudit))
	var gone [][]byte
	err := bucket.ForEach(func(k, v []byte) error {
		key, ok := parseAuditKey(k)
		if _, err := outbox.DecodeAudit(k, v); err != nil || !ok || !slices.Contains(outbox.AuditKinds(), key.Kind) {
			gone = append(gone, bytes.Clone(k))
		}
		return nil
	})
	return removeAll(bucket, gone, err)
}

func removeAll(bucket *bbolt.Bucket, keys [][]byte, err error) error {
	for _, k := range keys {
		if err == nil {
			err = bucket.Delete(k)
		}
	}
	if err != nil {
		return fmt.Errorf("remove from the audit trail: %w", err)
	}
	return nil
}

// chainAnew makes the chain of a kind anew of the records that there are, which can be read, and
// seals it. Its numbers go on above all that were given out, behind a link without a record, as
// after a trim: that has the key of no record, and the hash of what came before and of the record
// that says why.
func chainAnew(tx *bbolt.Tx, kind outbox.AuditKind, key outbox.AuditSealer, why outbox.Audit) error {
	bucket, records := tx.Bucket([]byte(bucketAuditChain)), tx.Bucket([]byte(bucketAudit))
	end := auditEnd(tx, kind)
	if plain, err := key.Open(tx.Bucket([]byte(bucketMeta)).Get(auditSealKey(kind)), outbox.AuditSealContext(kind)); err == nil {
		if was, err := outbox.DecodeAuditEnd(plain); err == nil && was.Number > end.Number {
			end = was
		}
	}
	if err := removeAll(bucket, keysOf(bucket, kind), nil); err != nil {
		return err
	}
	first, at, trimmed := acceptedKey(kind), linkKey(kind, end.Number+1), []byte{byte(kind)}
	if err := bucket.Put(trimmed, appendSum(bytes.Clone(first), trimmed)); err != nil {
		return fmt.Errorf("store what was trimmed: %w", err)
	}
	if err := bucket.Put(at, link{first, end.Hash.Next(why)}.encode(at)); err != nil {
		return fmt.Errorf("store a link of the audit trail: %w", err)
	}
	for _, k := range keysOf(records, kind) {
		a := outbox.Audit{}
		a.AuditKey, _ = parseAuditKey(k)
		body, err := outbox.DecodeAudit(k, records.Get(k))
		if err != nil {
			return err
		}
		a.Body = body
		if err := addLink(tx, k, a); err != nil {
			return err
		}
	}
	return putSeal(tx, kind, key)
}

// keysOf returns the keys of a kind.
func keysOf(bucket *bbolt.Bucket, kind outbox.AuditKind) (keys [][]byte) {
	c := bucket.Cursor()
	for k, _ := c.Seek([]byte{byte(kind)}); k != nil && k[0] == byte(kind); k, _ = c.Next() {
		keys = append(keys, bytes.Clone(k))
	}
	return keys
}

// acceptedKey is the key of the link in front of a chain that was made anew: it is below that of
// every record.
func acceptedKey(kind outbox.AuditKind) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64([]byte{byte(kind)}, 0), 0)
}

// auditFault remembers since when the audit trail is known to be changed by something else.
type auditFault struct {
	mu    sync.Mutex
	since time.Time
}

func (f *auditFault) set(changed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case !changed:
		f.since = time.Time{}
	case f.since.IsZero():
		f.since = time.Now()
	}
}

func (f *auditFault) into(st *outbox.Stats) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.since.IsZero() {
		st.Faults = append(st.Faults, outbox.Fault{Cause: outbox.FaultAuditChanged, Since: f.since, Message: "the audit trail was changed by something else than waoutbox, or is damaged"})
	}
}
