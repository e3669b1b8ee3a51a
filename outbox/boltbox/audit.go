package boltbox

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
	"waoutbox/store"
)

// auditKeySize is the size of a key in the bucket audit: kind u8 ‖ time u64 ‖ tag u32.
const auditKeySize = 13

func auditKey(k outbox.AuditKey) []byte {
	b := append(make([]byte, 0, auditKeySize), byte(k.Kind))
	b = binary.BigEndian.AppendUint64(b, uint64(max(k.Time.UnixNano(), 0)))
	return binary.BigEndian.AppendUint32(b, k.Tag)
}

func parseAuditKey(b []byte) (outbox.AuditKey, bool) {
	if len(b) != auditKeySize {
		return outbox.AuditKey{}, false
	}
	at := time.Unix(0, int64(binary.BigEndian.Uint64(b[1:]))).UTC()
	return outbox.AuditKey{Kind: outbox.AuditKind(b[0]), Time: at, Tag: binary.BigEndian.Uint32(b[9:])}, true
}

// auditBytes is about what records take in the file.
func auditBytes(all []outbox.Audit) int {
	n := 0
	for _, a := range all {
		n += len(a.Body) + 160
	}
	return n
}

// putAudit stores records in the transaction of what they are about, and seals the trail.
func (b *Box) putAudit(tx *bbolt.Tx, all []outbox.Audit) error {
	if len(all) == 0 {
		return nil
	}
	return b.sealing(tx, func() error { return linkAudit(tx, all) })
}

// linkAudit stores records at the end of their chains.
func linkAudit(tx *bbolt.Tx, all []outbox.Audit) error {
	bucket := tx.Bucket([]byte(bucketAudit))
	for _, a := range all {
		key := auditKey(a.AuditKey)
		if bucket.Get(key) != nil {
			continue // a write of unknown outcome was repeated
		}
		if err := bucket.Put(key, outbox.EncodeAudit(key, a)); err != nil {
			return fmt.Errorf("store audit record: %w", err)
		}
		if err := addLink(tx, key, a); err != nil {
			return err
		}
	}
	return nil
}

// PutAudit stores records of the audit trail, all or none, and returns when they are on disk. Those
// that are there already stay as they are. Errors as of PutSub.
func (b *Box) PutAudit(ctx context.Context, all ...outbox.Audit) error {
	if err := outbox.CheckAudit(all); err != nil {
		return err
	}
	all = cloneAudit(all)
	err := b.do(ctx, store.Op{Bytes: auditBytes(all), Apply: func(tx *bbolt.Tx) error { return b.putAudit(tx, all) }})
	if err != nil {
		return fmt.Errorf("put audit record: %w", err)
	}
	return nil
}

func cloneAudit(all []outbox.Audit) []outbox.Audit {
	out := append([]outbox.Audit(nil), all...)
	for i := range out {
		out[i].Body = bytes.Clone(out[i].Body)
	}
	return out
}

// Audits lists records of the audit trail, newest first. One that cannot be decoded is reported and
// left out.
func (b *Box) Audits(ctx context.Context, q outbox.AuditQuery) ([]outbox.Audit, error) {
	if err := b.ready(ctx); err != nil {
		return nil, err
	}
	limit := page(q.Limit)
	var out []outbox.Audit
	err := b.view(func(tx *bbolt.Tx) error {
		out = nil
		var kinds []*auditCursor
		for _, kind := range outbox.AuditKinds() {
			kinds = append(kinds, newAuditCursor(tx, kind, q))
		}
		for len(out) < limit {
			newest := kinds[0]
			for _, c := range kinds[1:] {
				if c.more && (!newest.more || c.key.Compare(newest.key) > 0) {
					newest = c
				}
			}
			if !newest.more {
				return nil
			}
			body, err := outbox.DecodeAudit(newest.raw, newest.value)
			if err != nil {
				b.unreadable(bucketAudit, newest.raw, err)
			} else {
				out = append(out, outbox.Audit{AuditKey: newest.key, Body: body})
			}
			newest.step(newest.c.Prev())
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read audit trail: %w", err)
	}
	return out, nil
}

// auditCursor walks over the records of one kind, newest first.
type auditCursor struct {
	c          *bbolt.Cursor
	kind       outbox.AuditKind
	q          outbox.AuditQuery
	key        outbox.AuditKey
	raw, value []byte
	more       bool // key, raw and value are those of a record
}

func newAuditCursor(tx *bbolt.Tx, kind outbox.AuditKind, q outbox.AuditQuery) *auditCursor {
	a := &auditCursor{c: tx.Bucket([]byte(bucketAudit)).Cursor(), kind: kind, q: q}
	end := []byte{byte(kind) + 1}
	if !q.Before.Time.IsZero() {
		// one of this kind with the same time and tag is below it if its kind is: the first above
		// both is looked for
		end = append(auditKey(outbox.AuditKey{Kind: kind, Time: q.Before.Time, Tag: q.Before.Tag}), 0)
	}
	if k, _ := a.c.Seek(end); k == nil {
		a.step(a.c.Last())
	} else {
		a.step(a.c.Prev())
	}
	return a
}

// step takes what the cursor stands at, and passes over what is no record or not asked for.
func (a *auditCursor) step(raw, value []byte) {
	for ; raw != nil && raw[0] == byte(a.kind); raw, value = a.c.Prev() {
		key, ok := parseAuditKey(raw)
		switch {
		case ok && key.Time.Before(a.q.Since): // and so are those below
			a.more = false
			return
		case ok && a.q.Wants(key):
			a.key, a.raw, a.value, a.more = key, raw, value, true
			return
		}
	}
	a.more = false
}

// TrimAudit removes records of a kind that are older than before, and the oldest of those that are
// more than keep, at most outbox.MaxBatch of them: more tells that there may be others. While the
// key is missing that seals the trail (SealAudit) nothing is removed. Errors: outbox.ErrClosed,
// ErrUnknown, ctx's.
func (b *Box) TrimAudit(ctx context.Context, kind outbox.AuditKind, before time.Time, keep int) (n int, more bool, err error) {
	if err := b.ready(ctx); err != nil {
		return 0, false, err
	}
	if b.auditKey.Load() != nil && b.sealer() == nil {
		return 0, false, nil // it would be taken for what somebody else removed
	}
	var gone [][]byte
	err = b.view(func(tx *bbolt.Tx) error {
		gone = auditToTrim(tx.Bucket([]byte(bucketAudit)).Cursor(), kind, before, keep)
		return nil
	})
	if err != nil || len(gone) == 0 {
		return 0, false, err
	}
	more = len(gone) > outbox.MaxBatch
	gone = gone[:min(len(gone), outbox.MaxBatch)]
	err = b.do(ctx, store.Op{Bytes: 4096, Frees: true, Apply: func(tx *bbolt.Tx) error {
		return b.sealing(tx, func() error {
			var errs []error
			for _, k := range gone {
				errs = append(errs, tx.Bucket([]byte(bucketAudit)).Delete(k))
			}
			return errors.Join(append(errs, dropLinks(tx, gone[len(gone)-1]))...)
		})
	}})
	if err != nil {
		return 0, true, fmt.Errorf("trim audit trail: %w", err)
	}
	return len(gone), more, nil
}

// auditToTrim returns the keys that a trim removes, oldest first, one more than it removes in one
// step when there are more.
func auditToTrim(c *bbolt.Cursor, kind outbox.AuditKind, before time.Time, keep int) (gone [][]byte) {
	// the newest ones are counted back, up to the oldest that may stay
	kept := []byte{byte(kind)}
	end := []byte{byte(kind) + 1}
	k, _ := c.Seek(end)
	if k == nil {
		k, _ = c.Last()
	} else {
		k, _ = c.Prev()
	}
	for n := 0; k != nil && k[0] == byte(kind); k, _ = c.Prev() {
		if n++; n > keep {
			kept = append(bytes.Clone(k), 0)
			break
		}
	}
	old := auditKey(outbox.AuditKey{Kind: kind, Time: before})
	for k, _ := c.Seek([]byte{byte(kind)}); k != nil && k[0] == byte(kind) && len(gone) <= outbox.MaxBatch; k, _ = c.Next() {
		if bytes.Compare(k, kept) >= 0 && bytes.Compare(k, old) >= 0 {
			break
		}
		gone = append(gone, bytes.Clone(k))
	}
	return gone
}
