package boltbox

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
)

// The bucket auditchain has a link for each record of the audit trail, under kind u8 ‖ number u64,
// and under kind u8 alone the highest key that a trim has removed of that kind: a record above it
// is never missing.

// linkKeySize is the size of the key of a link.
const linkKeySize = 9

func linkKey(kind outbox.AuditKind, number uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{byte(kind)}, number)
}

// link is a record's key and its place in the chain.
type link struct {
	key  []byte // of the record
	hash outbox.AuditHash
}

func (l link) encode(at []byte) []byte {
	return appendSum(append(append(make([]byte, 0, auditKeySize+len(l.hash)+4), l.key...), l.hash[:]...), at)
}

func decodeLink(at, v []byte) (l link, err error) {
	if v, err = checkSum(v, at); err != nil {
		return l, err
	}
	if len(v) != auditKeySize+len(l.hash) {
		return l, errors.New("it has a wrong size")
	}
	l.key = bytes.Clone(v[:auditKeySize])
	copy(l.hash[:], v[auditKeySize:])
	return l, nil
}

// addLink puts a record at the end of the chain of its kind. A last link that cannot be read counts
// as zero; the check tells of it.
func addLink(tx *bbolt.Tx, key []byte, a outbox.Audit) error {
	bucket := tx.Bucket([]byte(bucketAuditChain))
	number, last := uint64(0), link{}
	if at, v := lastLink(bucket.Cursor(), a.Kind); at != nil {
		number = binary.BigEndian.Uint64(at[1:])
		last, _ = decodeLink(at, v)
	}
	next := linkKey(a.Kind, number+1)
	if err := bucket.Put(next, link{key, last.hash.Next(a)}.encode(next)); err != nil {
		return fmt.Errorf("store a link of the audit trail: %w", err)
	}
	return nil
}

// dropLinks notes that the records up to last, which are of one kind, were trimmed, and removes the
// links in front whose records are gone: all but the newest of them, from which the chain goes on.
func dropLinks(tx *bbolt.Tx, last []byte) error {
	kind := last[0]
	bucket, records := tx.Bucket([]byte(bucketAuditChain)), tx.Bucket([]byte(bucketAudit))
	at := []byte{kind}
	if trimmed, err := checkSum(bucket.Get(at), at); err != nil || bytes.Compare(trimmed, last) < 0 {
		if err := bucket.Put(at, appendSum(bytes.Clone(last), at)); err != nil {
			return fmt.Errorf("store what was trimmed: %w", err)
		}
	}
	var gone [][]byte
	c := bucket.Cursor()
	for k, v := c.Seek(linkKey(outbox.AuditKind(kind), 0)); k != nil && k[0] == kind && len(gone) <= 2*outbox.MaxBatch; k, v = c.Next() {
		if l, err := decodeLink(k, v); err != nil || records.Get(l.key) != nil {
			break
		}
		gone = append(gone, bytes.Clone(k))
	}
	for _, k := range gone[:max(0, len(gone)-1)] {
		if err := bucket.Delete(k); err != nil {
			return fmt.Errorf("remove a link of the audit trail: %w", err)
		}
	}
	return nil
}

// chainAudit links the records that there are, in the order of their keys.
func chainAudit(tx *bbolt.Tx) error {
	return tx.Bucket([]byte("audit")).ForEach(func(k, v []byte) error {
		key, ok := parseAuditKey(k)
		body, err := outbox.DecodeAudit(k, v)
		if !ok || err != nil {
			return nil //nolint:nilerr // a damaged one has no link, as the check says
		}
		return addLink(tx, bytes.Clone(k), outbox.Audit{AuditKey: key, Body: body})
	})
}

// VerifyAudit checks that the records of the audit trail are those that were stored, in their
// order: none was changed, added or, above what was trimmed, removed by something else. known are
// links that were noted elsewhere: each must be there, unless it was trimmed. Where there is a key
// (SealAudit) it ends as it was sealed, too. Errors: outbox.ErrClosed, ctx's.
func (b *Box) VerifyAudit(ctx context.Context, known ...outbox.AuditLink) (outbox.AuditCheck, error) {
	if err := b.ready(ctx); err != nil {
		return outbox.AuditCheck{}, err
	}
	key := b.sealer()
	var out outbox.AuditCheck
	err := b.view(func(tx *bbolt.Tx) (err error) {
		out, err = verifyAudit(tx, key, known)
		return err
	})
	if err != nil {
		return outbox.AuditCheck{}, fmt.Errorf("verify the audit trail: %w", err)
	}
	if len(known) == 0 {
		b.auditFault.set(len(out.Broken) > 0)
	}
	return out, nil
}

// verifyAudit is VerifyAudit in a transaction. key is nil while there is none.
func verifyAudit(tx *bbolt.Tx, key outbox.AuditSealer, known []outbox.AuditLink) (outbox.AuditCheck, error) {
	v := &auditVerifier{tx: tx, linked: map[string]bool{}, out: outbox.AuditCheck{
		Records: map[outbox.AuditKind]int{}, BrokenKinds: map[outbox.AuditKind]bool{}, SealChecked: key != nil,
	}}
	for _, kind := range outbox.AuditKinds() {
		v.chain(kind, known)
		if key != nil {
			s := lookAtSeal(tx, kind, key)
			v.out.Unsealed += int(s.unsealed)
			if s.why != "" {
				v.broken(kind, s.number, outbox.AuditKey{}, s.why)
			}
		}
	}
	err := tx.Bucket([]byte(bucketAudit)).ForEach(func(k, _ []byte) error {
		if !v.linked[string(k)] {
			key, _ := parseAuditKey(k)
			v.broken(key.Kind, 0, key, "was not stored by waoutbox, or is damaged")
		}
		return nil
	})
	return v.out, err
}

// auditVerifier collects what is found.
type auditVerifier struct {
	tx     *bbolt.Tx
	linked map[string]bool // keys of records that have a link
	out    outbox.AuditCheck
}

func (v *auditVerifier) broken(kind outbox.AuditKind, number uint64, key outbox.AuditKey, why string) {
	v.out.BrokenKinds[kind] = true
	if len(v.out.Broken) < outbox.MaxAuditBreaks {
		v.out.Broken = append(v.out.Broken, outbox.AuditBreak{Kind: kind, Number: number, Key: key, Why: why})
	}
}

// chain checks the records of a kind.
func (v *auditVerifier) chain(kind outbox.AuditKind, known []outbox.AuditLink) {
	bucket, records := v.tx.Bucket([]byte(bucketAuditChain)), v.tx.Bucket([]byte(bucketAudit))
	at := []byte{byte(kind)}
	var trimmed []byte
	if raw := bucket.Get(at); raw != nil {
		var err error
		if trimmed, err = checkSum(raw, at); err != nil {
			v.broken(kind, 0, outbox.AuditKey{}, "up to which it was trimmed cannot be read")
		}
	}
	newest := outbox.AuditLink{Kind: kind}
	first, accepted := uint64(0), false
	c := bucket.Cursor()
	for k, raw := c.Seek(linkKey(kind, 0)); len(k) == linkKeySize && k[0] == byte(kind); k, raw = c.Next() {
		number := binary.BigEndian.Uint64(k[1:])
		l, err := decodeLink(k, raw)
		key, _ := parseAuditKey(l.key)
		switch body := records.Get(l.key); {
		case err != nil:
			v.broken(kind, number, key, "has a link that cannot be read")
		case newest.Number > 0 && number != newest.Number+1, newest.Number == 0 && number > 1 && trimmed == nil:
			v.broken(kind, number, key, "does not follow the one before it: links are missing")
		case body == nil && bytes.Compare(l.key, trimmed) > 0:
			v.broken(kind, number, key, "is missing")
		case body != nil:
			text, err := outbox.DecodeAudit(l.key, body)
			if err != nil || newest.Hash.Next(outbox.Audit{AuditKey: key, Body: text}) != l.hash {
				v.broken(kind, number, key, "is not the one that was stored")
			}
			v.out.Records[kind]++
		}
		v.linked[string(l.key)] = true
		if first == 0 {
			first, accepted = number, bytes.Equal(l.key, acceptedKey(kind))
		}
		newest.Number, newest.Hash = number, l.hash
		i := slices.IndexFunc(known, func(o outbox.AuditLink) bool { return o.Kind == kind && o.Number == number })
		if i >= 0 && known[i].Hash != l.hash {
			v.broken(kind, number, key, "is not the one that you noted")
		}
	}
	for _, o := range known {
		if o.Kind == kind && o.Number > newest.Number {
			v.broken(kind, o.Number, outbox.AuditKey{}, "that you noted is missing")
		}
		if o.Kind == kind && o.Number < first && accepted {
			v.broken(kind, o.Number, outbox.AuditKey{}, "that you noted is of before the trail was accepted as it is (audit.accept): whether it was changed cannot be told")
		}
	}
	if newest.Number > 0 {
		v.out.Newest = append(v.out.Newest, newest)
	}
}
