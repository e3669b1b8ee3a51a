package outbox

import (
	"encoding/json"
	"fmt"
	"time"
)

// webhookVersion is the version of the configuration record. Fields may be added; a change of meaning raises it.
const webhookVersion = 1

// Webhook is the configuration of a subscription: what the sender reads at send time. Secret and header values are sealed
// (store.Key), so a copy of the database without the key file holds none of them.
type Webhook struct {
	Version   int    `json:"v"`
	URL       string `json:"url"`
	Secret    []byte `json:"secret,omitempty"` // sealed; empty = unsigned
	Unordered bool   `json:"unordered,omitempty"`
	// Headers are the custom headers: a JSON object name → value, sealed as one (context string(SubID)+"/headers"); empty = none.
	// HeaderNames are its names in plain, sorted, for display: names are no secrets, values are.
	Headers     []byte   `json:"headers,omitempty"`
	HeaderNames []string `json:"header_names,omitempty"`
	// AllowInsecureHTTP lets plain http go to a public address; without it such an address is refused when dialling.
	AllowInsecureHTTP bool      `json:"allow_insecure_http,omitempty"`
	CreatedAt         time.Time `json:"created_at"`
	UpdatedAt         time.Time `json:"updated_at"`
}

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
