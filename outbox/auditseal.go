package outbox

import (
	"encoding/binary"
	"errors"
	"strconv"
)

// AuditSealer seals where an audit trail ends, so that whoever edits its file without the key is
// found out. It must be safe for concurrent use.
type AuditSealer interface {
	Seal(plain []byte, context string) ([]byte, error)
	// Open returns what Seal was given, or an error when it was sealed with another key, for
	// another context, or is damaged.
	Open(sealed []byte, context string) ([]byte, error)
	// AuditSettled reports that every trail was sealed with the key before: one without a seal of
	// it was changed. While it does not, the key may have taken the place of one that is lost,
	// whose seals say nothing any more.
	AuditSettled() bool
}

// AuditEnd is where the trail of a kind ends, and what of its beginning was trimmed: it is what a
// seal holds.
type AuditEnd struct {
	Number  uint64 // of the newest link; 0: there is none
	Hash    AuditHash
	Trimmed string // the highest key that a trim has removed, as it is stored; "": none
}

// AuditSealContext is the associated data of the seal of a kind.
func AuditSealContext(kind AuditKind) string { return "audit/" + strconv.Itoa(int(kind)) }

// Encode returns an end as it is sealed.
func (e AuditEnd) Encode() []byte {
	return append(append(binary.BigEndian.AppendUint64(nil, e.Number), e.Hash[:]...), e.Trimmed...)
}

// DecodeAuditEnd reads what Encode wrote.
func DecodeAuditEnd(b []byte) (e AuditEnd, err error) {
	const head = 8 + len(e.Hash)
	if len(b) < head {
		return e, errors.New("decode the end of an audit trail: it is cut off")
	}
	e.Number = binary.BigEndian.Uint64(b)
	copy(e.Hash[:], b[8:head])
	e.Trimmed = string(b[head:])
	return e, nil
}
