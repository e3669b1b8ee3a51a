package api

import "time"

// WebhookStatus says whether a webhook is being delivered to.
type WebhookStatus string

const (
	WebhookActive  WebhookStatus = "active"
	WebhookFailing WebhookStatus = "failing" // many dead letters in a row: probing
	WebhookHeld    WebhookStatus = "held"    // waiting because of our own trouble or a Retry-After; Reason tells
	WebhookPaused  WebhookStatus = "paused"  // stopped by its user or by a 410
)

// Webhook is one line of `webhook list` and of status. It holds neither the secret nor the values of
// custom headers.
type Webhook struct {
	ID                   string        `json:"id"`
	URL                  string        `json:"url"` // user info and query never occur in errors or logs; here the URL is whole
	Events               []string      `json:"events"`
	Chats                []string      `json:"chats,omitempty"`
	Headers              []string      `json:"headers,omitempty"` // names of the custom headers
	Signed               bool          `json:"signed"`
	Ordered              bool          `json:"ordered"`
	Status               WebhookStatus `json:"status"`
	Reason               string        `json:"reason,omitempty"`
	Pending              int64         `json:"pending"`
	Dead                 int64         `json:"dead"`
	OldestPendingSeconds int64         `json:"oldest_pending_seconds"`
	CreatedAt            time.Time     `json:"created_at"`
	UpdatedAt            time.Time     `json:"updated_at"`
}

// PutWebhook registers a webhook, or updates and resumes the one with this URL. A nil field keeps its value; on creation (and on
// revival of a removed URL) nil Events means every event, nil Secret unsigned, nil Headers none, nil Ordered ordered.
type PutWebhook struct {
	URL            string             `json:"url"` // or the id of a webhook, removed ones too
	Events         *[]string          `json:"events,omitempty"`
	Chats          *[]string          `json:"chats,omitempty"`
	Secret         *string            `json:"secret,omitempty"` // "" removes it
	GenerateSecret bool               `json:"generate_secret,omitempty"`
	Headers        *map[string]string `json:"headers,omitempty"` // custom headers, name → value: all of them; empty removes all
	Ordered        *bool              `json:"ordered,omitempty"`
	AllowInsecure  bool               `json:"allow_insecure_http,omitempty"`
}

// Results of PutWebhook.
const (
	PutCreated = "created"
	PutUpdated = "updated"
	PutRevived = "revived" // the URL had been removed: same id, configuration as on creation, events from now on
)

// PutWebhookResult answers PutWebhook.
type PutWebhookResult struct {
	Result   string   `json:"result"`
	Webhook  Webhook  `json:"webhook"`
	Secret   string   `json:"secret,omitempty"`   // only the generated one, only here, only once
	Warnings []string `json:"warnings,omitempty"` // e.g. the name does not resolve yet
}

// RemoveWebhook removes a webhook by id or URL. Its backlog becomes dead letters, or is discarded with Purge.
type RemoveWebhook struct {
	Webhook string `json:"webhook"`
	Purge   bool   `json:"purge,omitempty"`
}

// RemoveWebhookResult answers RemoveWebhook. An unknown webhook is Removed false, not an error.
type RemoveWebhookResult struct {
	Removed      bool   `json:"removed"`
	ID           string `json:"id,omitempty"`
	URL          string `json:"url,omitempty"`
	DeadLettered int64  `json:"dead_lettered"`
	Purged       int64  `json:"purged"`
}

// TestWebhookResult is the outcome of one attempt straight to the endpoint, signed like any delivery, outside the outbox.
type TestWebhookResult struct {
	ID      string `json:"id"`
	URL     string `json:"url"`
	Event   string `json:"event"`
	EventID string `json:"event_id"`
	Signed  bool   `json:"signed"`
	Success bool   `json:"success"`
	Status  int    `json:"status,omitempty"`
	Ms      int64  `json:"ms"`
	Class   string `json:"class"`
	Error   string `json:"error,omitempty"`
	Excerpt string `json:"response,omitempty"`
}
