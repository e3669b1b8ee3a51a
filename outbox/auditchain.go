package outbox

import (
	"crypto/sha256"
	"encoding/binary"
)

// AuditHash is a link of the chain that the records of one kind form, in the order in which they
// were stored: the hash of the record and of the link before it, zero before the first.
type AuditHash [sha256.Size]byte

// Next returns the link that follows h when a is stored.
func (h AuditHash) Next(a Audit) AuditHash {
	b := append(make([]byte, 0, len(h)+16+len(a.Body)), h[:]...)
	b = append(b, byte(a.Kind))
	b = binary.BigEndian.AppendUint64(b, uint64(max(a.Time.UnixNano(), 0)))
	b = binary.BigEndian.AppendUint32(b, a.Tag)
	return sha256.Sum256(append(b, a.Body...))
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
	// the kinds of which something is broken, also where that is not listed any more
	BrokenKinds map[AuditKind]bool
	// whether the seals were looked at: the key was there
	SealChecked bool
	Unsealed    int // records that were stored after the last seal
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
