package outbox

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

const (
	// AuditKept is how long a record of the audit trail is kept at most.
	AuditKept = 365 * 24 * time.Hour
	// MaxAuditBody is the largest Audit.Body in bytes; real ones are below 500.
	MaxAuditBody = 8 << 10
)

// AuditKind tells records of the audit trail apart that are kept within bounds of their own: many
// refusals or sends take no room of the changes, and many marks as read none of the sends.
type AuditKind uint8

const (
	AuditChange  AuditKind = iota // something was changed
	AuditSend                     // a message was sent
	AuditRefusal                  // what was asked for was not done
	AuditSignal                   // marks as read, watched presences, sends that were sent before
	auditKinds
)

// AuditKinds lists every AuditKind.
func AuditKinds() []AuditKind { return []AuditKind{AuditChange, AuditSend, AuditRefusal, AuditSignal} }

// Most is how many records of a kind are kept: the newest.
func (k AuditKind) Most() int {
	switch k {
	case AuditRefusal, AuditSignal:
		return 2_000
	}
	return 10_000
}

// AuditKey names a record of the audit trail. Keys are ordered by time.
type AuditKey struct {
	Time time.Time `json:"time"` // when it happened, by this machine's clock; to the nanosecond
	Tag  uint32    `json:"tag"`  // tells records of one moment apart
	Kind AuditKind `json:"kind"`
}

// Compare orders keys: by time, then by the rest.
func (k AuditKey) Compare(o AuditKey) int {
	return cmp.Or(k.Time.Compare(o.Time), cmp.Compare(k.Tag, o.Tag), cmp.Compare(k.Kind, o.Kind))
}

// Audit is one record of the audit trail. Its key is chosen by whoever makes it, so that a write of
// unknown outcome can be repeated and leaves one record.
type Audit struct {
	AuditKey
	Body []byte `json:"body"` // an AuditEntry as EncodeAuditEntry renders it; opaque to engines
}

// SendRecorder makes the record of a message that is sent, by its id and its chat.
type SendRecorder func(messageID, chat string) (Audit, error)

// AuditQuery asks for records of the audit trail, newest first.
type AuditQuery struct {
	Before AuditKey  // only those below it; zero: all
	Since  time.Time // only those not before it; zero: all
	Limit  int       // at most so many, and at most MaxBatch; 0: MaxBatch
}

// Wants reports whether the record with this key is asked for.
func (q AuditQuery) Wants(k AuditKey) bool {
	return (q.Before.Time.IsZero() || k.Compare(q.Before) < 0) && !k.Time.Before(q.Since)
}

// AuditEntry says who did what. It never holds a secret, the text of a message, or the query of a
// URL.
type AuditEntry struct {
	Caller        string `json:"caller"`           // cli, mcp, http, page or service
	Client        string `json:"client,omitempty"` // the name the caller's program gives itself
	ClientVersion string `json:"version,omitempty"`
	// as whom an MCP client was let in that has events sent somewhere
	Principal string `json:"principal,omitempty"`
	Operation string `json:"operation"`
	// what it was done to: an id, a host, a recipient
	Object string `json:"object,omitempty"`
	URL    string `json:"url,omitempty"` // without its query
	// what was changed of the object, by name
	Fields []string `json:"fields,omitempty"`
	// what came of it, or of several steps what was asked for: "created", "3 dead letters", a
	// message's id
	Result  string `json:"result,omitempty"`
	Code    string `json:"code,omitempty"`   // of the refusal or failure; "" when it was done
	Reason  string `json:"reason,omitempty"` // why, in words
	Warning string `json:"warning,omitempty"`
	// of audit.accept: what was found
	Found []string `json:"found,omitempty"`
	// it was about to be done when this was written, and what came of it is not known
	Begun bool `json:"begun,omitempty"`
	// how many refusals before this one were not recorded, since there were too many
	Unrecorded int64 `json:"unrecorded,omitempty"`
}

// NewAudit makes a record of e that happens at a time.
func NewAudit(at time.Time, kind AuditKind, e AuditEntry) (Audit, error) {
	body, err := json.Marshal(e)
	if err != nil { // strings and numbers always marshal
		return Audit{}, fmt.Errorf("encode audit record: %w", err)
	}
	return Audit{AuditKey: AuditKey{Time: at.UTC(), Tag: rand.Uint32(), Kind: kind}, Body: body}, nil
}

// Entry decodes the body. Members that this version does not know are passed over.
func (a Audit) Entry() (e AuditEntry, err error) {
	if err := json.Unmarshal(a.Body, &e); err != nil {
		return e, fmt.Errorf("decode audit record: %w", err)
	}
	return e, nil
}

// CheckAudit reports why records cannot be stored whatever the state of the engine.
func CheckAudit(all []Audit) error {
	if len(all) > MaxBatch {
		return fmt.Errorf("%d audit records (at most %d a call): %w", len(all), MaxBatch, ErrTooLarge)
	}
	for _, a := range all {
		switch {
		case a.Time.UnixNano() <= 0:
			return errors.New("audit record has no time")
		case a.Kind >= auditKinds:
			return fmt.Errorf("audit record: kind %d does not exist", a.Kind)
		case len(a.Body) > MaxAuditBody:
			return fmt.Errorf("audit record of %d bytes (at most %d): %w", len(a.Body), MaxAuditBody, ErrTooLarge)
		}
	}
	return nil
}

// EncodeAudit renders a as the value of its key, whose stored form is key.
func EncodeAudit(key []byte, a Audit) []byte {
	b := append(make([]byte, 0, 16+len(a.Body)), codecChecked, flagChecked)
	b = appendBytes(b, a.Body)
	return appendSum(b, b, key)
}

// DecodeAudit reads the body that EncodeAudit wrote under key, and checks it. The result aliases
// nothing.
func DecodeAudit(key, b []byte) (body []byte, err error) {
	r, flags := newCheckedReader(b, key)
	if r.err == nil && (flags != 0 || b[0] != codecChecked) {
		r.fail(fmt.Errorf("version %d with flags %#x does not exist in an audit record", b[0], flags))
	}
	body = slices.Clone(r.bytes())
	if err := r.done(); err != nil {
		return nil, fmt.Errorf("decode audit record: %w", err)
	}
	return body, nil
}
