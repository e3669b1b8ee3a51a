package outbox

import (
	"encoding/json"
	"fmt"
	"time"
)

// webhookVersion is the version of the configuration record. Fields may be added; a change of
// meaning raises it.
const webhookVersion = 1

// Webhook is the configuration of a subscription: what the sender reads at send time. Secret and
// header values are sealed (store.Key), so a copy of the database without the key file holds none
// of them.
type Webhook struct {
	Version   int    `json:"v"`
	URL       string `json:"url"`
	Secret    []byte `json:"secret,omitempty"` // sealed (SecretContext); empty = unsigned
	Unordered bool   `json:"unordered,omitempty"`
	// Headers are the custom headers: a JSON object name → value, sealed as one (HeadersContext);
	// empty = none. HeaderNames are its names in plain, sorted, for display: names are no secrets,
	// values are.
	Headers     []byte   `json:"headers,omitempty"`
	HeaderNames []string `json:"header_names,omitempty"`
	// AllowInsecureHTTP lets plain http go to a public address; without it such an address is
	// refused when dialling.
	AllowInsecureHTTP bool `json:"allow_insecure_http,omitempty"`
	// HoldAfter is after how many dead letters in a row new events are held back: nil the default,
	// 0 never.
	HoldAfter *int `json:"hold_after,omitempty"`
	// MaxRate bounds the attempts a second, 0 = no bound.
	MaxRate float64 `json:"max_rate,omitempty"`
	// Redrive replays the dead letters of an outage once, when the endpoint is back: those that
	// died for passing reasons.
	Redrive bool `json:"redrive,omitempty"`
	// CA holds certificates (PEM) that the endpoint's may be signed by, beside the system's; empty
	// = the system's alone.
	CA []byte `json:"ca,omitempty"`
	// During a rotation PreviousSecret is the sealed secret before (PreviousContext), valid until
	// PreviousUntil.
	PreviousSecret []byte    `json:"previous_secret,omitempty"`
	PreviousUntil  time.Time `json:"previous_until,omitzero"`
	// Schedule is the waits before attempts 1, 2, …, the first one 0; none = the default.
	Schedule []time.Duration `json:"schedule,omitempty"`
	// Temporary: somebody listens at it, and it is removed when that ends, or at the next start.
	Temporary bool `json:"temporary,omitempty"`
	// Lease is set for what an MCP client subscribed, nil for an ordinary webhook. Its secret is
	// Secret, the one before a refresh PreviousSecret.
	Lease *Lease `json:"lease,omitempty"`
	// Filter is set while the webhook is removed: what it wanted, for when it is added again. The
	// epochs do not keep that.
	Filter *Filter `json:"filter,omitempty"`
	// Seal is the sealed Binding of this and the filters (SettingsContext): without it, or with
	// another one, nothing is sent.
	Seal      []byte    `json:"seal,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// DefaultHoldAfter is HoldAfter of a webhook that says nothing about it.
const DefaultHoldAfter = 20

// HoldLimit returns after how many dead letters in a row new events are held back, 0 for never. A
// lease always has a limit.
func (w Webhook) HoldLimit() int {
	if w.HoldAfter == nil || w.Lease != nil && *w.HoldAfter <= 0 {
		return DefaultHoldAfter
	}
	return max(0, *w.HoldAfter)
}

// SecretContext is the associated data a webhook's secret is sealed with: moved to another webhook
// it does not open.
func SecretContext(id SubID) string { return string(id) + "/secret" }

// PreviousContext is the associated data the secret before a rotation is sealed with.
func PreviousContext(id SubID) string { return string(id) + "/previous-secret" }

// HeadersContext is the associated data a webhook's custom headers are sealed with: moved to
// another webhook they do not open.
func HeadersContext(id SubID) string { return string(id) + "/headers" }

// EncodeWebhook renders a configuration for Subscription.Config.
func EncodeWebhook(w Webhook) ([]byte, error) {
	w.Version = webhookVersion
	b, err := json.Marshal(w)
	if err != nil {
		return nil, fmt.Errorf("encode webhook configuration: %w", err)
	}
	return b, nil
}

// DecodeWebhook reads what EncodeWebhook wrote. A newer version is refused rather than misread.
func DecodeWebhook(b []byte) (Webhook, error) {
	var w Webhook
	if err := json.Unmarshal(b, &w); err != nil {
		return Webhook{}, fmt.Errorf("decode webhook configuration: %w", err)
	}
	if w.Version != webhookVersion {
		return Webhook{}, fmt.Errorf("decode webhook configuration: version %d is not known to this program (it knows %d): use the version that wrote it", w.Version, webhookVersion)
	}
	return w, nil
}
