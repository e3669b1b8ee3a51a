package api

import (
	"encoding/json"
	"time"
)

// PairRequest says how to link. With a phone number WhatsApp makes a code that is typed into that
// phone; without, QR codes are shown.
type PairRequest struct {
	Phone string `json:"phone,omitempty"`
}

// PairStep is one line of `pair --json`: a QR text, a code to type into the phone, the passkey that
// WhatsApp asks for, a code to compare with the one on the phone, the account that was linked, or
// the end without one (error).
type PairStep struct {
	Step  string `json:"step" enum:"qr,code,passkey,confirm,linked,failed,end"` // StepQR …
	QR    string `json:"qr,omitempty"`
	N     int    `json:"n,omitempty"` // code N of Of
	Of    int    `json:"of,omitempty"`
	Phone string `json:"phone,omitempty"` // digits: whose phone the code is for
	// to type into the phone (StepCode), or to compare with the one there (StepConfirm)
	Code      string       `json:"code,omitempty"`
	Passkey   *PairPasskey `json:"passkey,omitempty"`
	ExpiresAt time.Time    `json:"expires_at,omitzero"`
	Account   string       `json:"account,omitempty"`
	Name      string       `json:"name,omitempty"`
	Error     *Error       `json:"error,omitempty"`
}

const (
	StepQR      = "qr"
	StepCode    = "code"
	StepPasskey = "passkey" // ContinuePairing.Passkey goes on
	StepConfirm = "confirm" // ContinuePairing.Confirm goes on
	StepLinked  = "linked"
	StepFailed  = "failed"
)

// PairPasskey is the account's passkey as WhatsApp asks for it. A browser at Page, which has the
// passkey, signs Request when Script runs in its console; what it shows goes on.
type PairPasskey struct {
	Page    string          `json:"page"`
	Request json.RawMessage `json:"request"` // WebAuthn's PublicKeyCredentialRequestOptionsJSON
	Script  string          `json:"script"`  // one line of JavaScript
}

// ContinuePairing is what a pairing session waits for, or its end: exactly one field is set.
type ContinuePairing struct {
	// WebAuthn's AuthenticationResponseJSON, as it was copied
	Passkey string `json:"passkey,omitempty"`
	Confirm bool   `json:"confirm,omitempty"` // the phone shows the same code
	// the session ends for everybody who follows it, whatever it waits for
	Cancel bool `json:"cancel,omitempty"`
}

// UnpairRequest gives a link up.
type UnpairRequest struct {
	// of an agent's client; unless its user agreed, nothing is given up (policy open: unless he
	// declined)
	Approval Approval `json:"approval,omitempty"`
}

// UnpairResult is what became of a link that was given up. Without an account none was linked.
type UnpairResult struct {
	Account string `json:"account,omitempty"`
	Name    string `json:"name,omitempty"`
	// WhatsApp knows: the phone does not list it any more
	Told bool   `json:"told"`
	Note string `json:"note,omitempty" sentence:"true"` // what is left to do
}

// PageLink is a link to the operator's page. It can be used once.
type PageLink struct {
	URL       string    `json:"url"`
	ExpiresAt time.Time `json:"expires_at"`
}
