package outbox

import (
	"errors"
	"time"
)

// SendKept is how long a settled send stays in the ledger at least, so that a repeated call with
// its idempotency key gets its result and is not sent twice.
const SendKept = 24 * time.Hour

// ErrDuplicate: another send that did not fail holds this idempotency key. Read it with SendByKey.
var ErrDuplicate = errors.New("idempotency key is taken by another send")

// SendState is how far an own send came.
type SendState uint8

const (
	// written before the message leaves; after a crash its outcome is unknown
	SendPrepared SendState = iota
	SendSent               // the server acknowledged it
	SendFailed             // it did not leave, or the server refused it
)

func (s SendState) String() string {
	switch s {
	case SendPrepared:
		return "prepared"
	case SendSent:
		return "sent"
	case SendFailed:
		return "failed"
	}
	return "unknown"
}

// Send is the ledger entry of one message this service sends.
type Send struct {
	MessageID      string // WhatsApp's message id, chosen before sending: the key
	Chat           string
	IdempotencyKey string // the caller's, "" if it gave none
	Content        []byte // what was asked to be sent, opaque to engines
	State          SendState
	CreatedAt      time.Time
	SettledAt      time.Time // when it became sent or failed; zero while prepared
	Result         []byte    // what the caller was told, opaque to engines
	// records of the audit trail, stored in the same transaction; no part of the entry
	Audit []Audit
}
