package api

import "time"

// PairStep is one line of `pair --json`: a QR text, the account that was linked, or the end without one (error).
type PairStep struct {
	Step      string    `json:"step"` // StepQR, StepLinked, StepFailed
	QR        string    `json:"qr,omitempty"`
	N         int       `json:"n,omitempty"` // code N of Of
	Of        int       `json:"of,omitempty"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	Account   string    `json:"account,omitempty"`
	Name      string    `json:"name,omitempty"`
	Error     *Error    `json:"error,omitempty"`
}

const (
	StepQR     = "qr"
	StepLinked = "linked"
	StepFailed = "failed"
)

// SendText asks for one text message. To is a JID or a phone number. The same IdempotencyKey within 24 h sends nothing and
// answers the first result.
type SendText struct {
	To              string `json:"to"`
	Text            string `json:"text"`
	QuotedMessageID string `json:"quoted_message_id,omitempty"`
	IdempotencyKey  string `json:"idempotency_key,omitempty"`
}

// SendResult answers SendText.
type SendResult struct {
	MessageID string    `json:"message_id"`
	Chat      string    `json:"chat"`
	Timestamp time.Time `json:"timestamp"`
}
