package outbox

import (
	"crypto/sha256"
	"encoding/binary"
)

// AuditHash is a link of the chain that the records of one kind form, in the order in which they
// were stored: the hash of what was stored and of the link before it, zero before the first.
type AuditHash [sha256.Size]byte

// AuditSum is what a link says of a record besides its key: whether it was begun, and may be
// replaced once, and the hash of its body.
type AuditSum struct {
	Begun bool
	Body  [sha256.Size]byte
}

// Sum returns what the link of a says of it.
func (a Audit) Sum() AuditSum {
	e, err := a.Entry()
	return AuditSum{Begun: err == nil && e.Begun, Body: sha256.Sum256(a.Body)}
}

// Next returns the link that follows h when a record with this key and sum is stored.
func (h AuditHash) Next(k AuditKey, sum AuditSum) AuditHash {
	b := append(make([]byte, 0, len(h)+len(sum.Body)+16), h[:]...)
	b = append(b, byte(k.Kind))
	b = binary.BigEndian.AppendUint64(b, uint64(max(k.Time.UnixNano(), 0)))
	b = binary.BigEndian.AppendUint32(b, k.Tag)
	begun := byte(0)
	if sum.Begun {
		begun = 1
	}
	return sha256.Sum256(append(append(b, begun), sum.Body[:]...))
}

// AuditLink names a link of the chain of a kind. Whoever keeps one elsewhere can tell later whether
// what it stands for was changed since.
type AuditLink struct {
	Kind   AuditKind
	Number uint64 // from 1; 0: there is none
	Hash   AuditHash
}

// AuditCheck is what the check of an audit trail finds.
type AuditCheck struct {
	Records map[AuditKind]int // how many were checked
	Newest  []AuditLink       // of each kind that has one
	Broken  []AuditBreak      // at most MaxAuditBreaks; none: nothing was changed
}

// MaxAuditBreaks bounds how many faults are listed.
const MaxAuditBreaks = 20

// AuditBreak is a place at which an audit trail is not what was stored.
type AuditBreak struct {
	Kind   AuditKind
	Number uint64 // of the link; 0: a record that has none
	Key    AuditKey
	Why    string // completes "the record …"
}
