package boltbox

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
	"waoutbox/store"
)

// metaAuditSeal and a kind, one byte, is where the end of the trail of that kind lies, sealed.
const metaAuditSeal = "auditseal"

func auditSealKey(kind outbox.AuditKind) []byte { return append([]byte(metaAuditSeal), byte(kind)) }

// What a look at a seal finds.
const (
	whySealMissing = "has no seal: it was taken away"
	whySealForeign = "has a seal that the key does not open: it was changed, or the key is another one"
	whySealMissed  = "that was sealed is missing"
	whySealOther   = "is not the one that was sealed"
	whySealTrimmed = "is said to be trimmed, and was not when it was sealed"
)

// SealAudit has the audit trail sealed with the key that key returns, nil while there is none, from
// now on: each write that changes it, in the same transaction. What was stored before without a
// seal is sealed as it is; what was stored after a seal, while there was no key, is sealed with a
// record that says so. A trail that is not as it was sealed stays as it is: VerifyAudit and the
// faults of Stats tell of it, until AcceptAudit. Call it once. Errors as of PutSub.
func (b *Box) SealAudit(ctx context.Context, key func() outbox.AuditSealer) error {
	b.auditKey.Store(&key)
	now := key()
	if now == nil {
		return nil
	}
	whole := true
	err := b.view(func(tx *bbolt.Tx) error {
		found, err := verifyAudit(tx, now, nil)
		if err != nil {
			return err
		}
		if len(found.Broken) > 0 {
			b.auditFault.set(true)
		}
		for _, kind := range outbox.AuditKinds() {
			whole = whole && lookAtSeal(tx, kind, now) == seal{}
		}
		return nil
	})
	if err != nil || whole { // a start that has nothing to seal writes nothing
		return err
	}
	return b.do(ctx, store.Op{Bytes: 1 << 10, Apply: func(tx *bbolt.Tx) error { return b.sealing(tx, func() error { return nil }) }})
}

// sealer returns the key, nil while there is none.
func (b *Box) sealer() outbox.AuditSealer {
	if key := b.auditKey.Load(); key != nil {
		return (*key)()
	}
	return nil
}

// sealing has change write to the trails, and seals all those that were as their seals say.
func (b *Box) sealing(tx *bbolt.Tx, change func() error) error {
	key := b.sealer()
	if key == nil {
		return change()
	}
	var whole []outbox.AuditKind
	unsealed := uint64(0)
	for _, kind := range outbox.AuditKinds() {
		s := lookAtSeal(tx, kind, key)
		if s.why != "" {
			b.auditFault.set(true)
			if !b.auditTold[kind] {
				b.log.Error("the audit trail was changed by something else, and is not sealed any more: see audit --verify", "kind", uint8(kind), "why", "the record "+s.why)
			}
			b.auditTold[kind] = true
			continue
		}
		whole = append(whole, kind)
		unsealed += s.unsealed
	}
	if err := change(); err != nil {
		return err
	}
	if unsealed > 0 {
		note, err := outbox.NewAudit(b.now(), outbox.AuditChange, outbox.AuditEntry{
			Caller: "service", Operation: "audit.seal", Result: fmt.Sprintf("sealed now, and stored without a seal of this key: %d", unsealed),
		})
		if err == nil {
			err = linkAudit(tx, []outbox.Audit{note})
		}
		if err != nil {
			return err
		}
	}
	for _, kind := range whole {
		if err := putSeal(tx, kind, key); err != nil {
			return err
		}
	}
	return nil
}

// putSeal seals where the trail of a kind ends now.
func putSeal(tx *bbolt.Tx, kind outbox.AuditKind, key outbox.AuditSealer) error {
	sealed, err := key.Seal(auditEnd(tx, kind).Encode(), outbox.AuditSealContext(kind))
	if err == nil {
		err = tx.Bucket([]byte(bucketMeta)).Put(auditSealKey(kind), sealed)
	}
	if err != nil {
		return fmt.Errorf("seal the audit trail: %w", err)
	}
	return nil
}

// seal is what is found of a kind's seal.
type seal struct {
	why      string // completes "the record …"; "": nothing is wrong
	number   uint64 // of the link that it is about
	none     bool   // there is none of this key, as it should be
	unsealed uint64 // links after the sealed one
}

// lookAtSeal compares a kind's trail with its seal. Where the trail has none yet, all of it is as
// it should be.
func lookAtSeal(tx *bbolt.Tx, kind outbox.AuditKind, key outbox.AuditSealer) seal {
	now := auditEnd(tx, kind)
	sealed := tx.Bucket([]byte(bucketMeta)).Get(auditSealKey(kind))
	if sealed == nil {
		if key.AuditSettled() {
			return seal{why: whySealMissing}
		}
		return seal{none: true}
	}
	plain, err := key.Open(sealed, outbox.AuditSealContext(kind))
	var was outbox.AuditEnd
	if err == nil {
		was, err = outbox.DecodeAuditEnd(plain)
	}
	switch {
	case err != nil && !key.AuditSettled():
		return seal{none: true, unsealed: now.Number}
	case err != nil:
		return seal{why: whySealForeign}
	case was.Number > now.Number:
		return seal{why: whySealMissed, number: was.Number}
	case was.Number > 0:
		at := linkKey(kind, was.Number)
		// links below the first one are of what a trim has removed since
		if l, err := decodeLink(at, tx.Bucket([]byte(bucketAuditChain)).Get(at)); (err != nil || l.hash != was.Hash) && was.Number >= firstLink(tx, kind) {
			return seal{why: whySealOther, number: was.Number}
		}
	}
	if now.Trimmed > was.Trimmed {
		return seal{why: whySealTrimmed}
	}
	return seal{unsealed: now.Number - was.Number}
}

// auditEnd is where the trail of a kind ends now. What cannot be read of it counts as nothing.
func auditEnd(tx *bbolt.Tx, kind outbox.AuditKind) (e outbox.AuditEnd) {
	bucket := tx.Bucket([]byte(bucketAuditChain))
	if at, v := lastLink(bucket.Cursor(), kind); at != nil {
		l, _ := decodeLink(at, v)
		e.Number, e.Hash = binary.BigEndian.Uint64(at[1:]), l.hash
	}
	at := []byte{byte(kind)}
	trimmed, _ := checkSum(bucket.Get(at), at)
	e.Trimmed = string(trimmed)
	return e
}

// firstLink is the number of the first link of a kind that there is, 0 for none.
func firstLink(tx *bbolt.Tx, kind outbox.AuditKind) uint64 {
	at, _ := tx.Bucket([]byte(bucketAuditChain)).Cursor().Seek(linkKey(kind, 0))
	if len(at) != linkKeySize || at[0] != byte(kind) {
		return 0
	}
	return binary.BigEndian.Uint64(at[1:])
}

// lastLink is the last link of a kind, nil when there is none.
func lastLink(c *bbolt.Cursor, kind outbox.AuditKind) (at, v []byte) {
	step := c.Prev // it lies before the next kind's first
	if next, _ := c.Seek([]byte{byte(kind) + 1}); next == nil {
		step = c.Last
	}
	if at, v = step(); len(at) != linkKeySize || at[0] != byte(kind) {
		return nil, nil
	}
	return bytes.Clone(at), v
}
