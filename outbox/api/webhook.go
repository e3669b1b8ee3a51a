package api

import "time"

// WebhookStatus says whether a webhook is being delivered to.
type WebhookStatus string

const (
	WebhookActive WebhookStatus = "active"
	// many dead letters in a row: new events wait while one at a time is tried; Reason has the last
	// error
	WebhookFailing WebhookStatus = "failing"
	// waiting because of our own trouble or a Retry-After; Reason says which
	WebhookHeld   WebhookStatus = "held"
	WebhookPaused WebhookStatus = "paused" // stopped by its user or by a 410
)

// WebhookStatuses lists every WebhookStatus.
func WebhookStatuses() []WebhookStatus {
	return []WebhookStatus{WebhookActive, WebhookFailing, WebhookHeld, WebhookPaused}
}

// Webhook is one line of `webhook list` and of status. It holds neither the secret nor the values
// of custom headers.
type Webhook struct {
	ID string `json:"id"`
	// user info and query never occur in errors or logs; here the URL is whole
	URL    string   `json:"url"`
	Events []string `json:"events"`
	// addresses of chats as events carry them: only these, all but those; and kinds of chat
	Chats    []string `json:"chats,omitempty"`
	NotChats []string `json:"not_chats,omitempty"`
	Kinds    []string `json:"kinds,omitempty" enum:"direct,group,status,newsletter"`
	Headers  []string `json:"headers,omitempty"` // names of the custom headers
	Signed   bool     `json:"signed"`
	// while its secret is being rotated: until when the secret before still signs
	// X-Webhook-Signature, and webhook-signature beside the new one
	RotationUntil time.Time `json:"rotation_until,omitzero"`
	// certificates of its own that the endpoint's may be signed by, beside the system's
	CA      []Certificate `json:"ca,omitempty"`
	Ordered bool          `json:"ordered"`
	// dead letters in a row until it is failing; 0 never
	HoldAfter int     `json:"hold_after"`
	MaxRate   float64 `json:"max_rate"` // attempts a second, 0 = no bound
	// the waits before attempts 1, 2, …, like "10s"
	Schedule []string `json:"schedule"`
	// the dead letters of an outage that died for passing reasons are replayed once it is over
	Redrive bool `json:"redrive,omitempty"`
	// plain http to a public host
	AllowInsecure bool `json:"allow_insecure_http,omitempty"`
	// an MCP client subscribed it, and it ends by itself; absent of all others
	Lease *Lease `json:"lease,omitempty"`
	// somebody listens at it: it is removed when that ends
	Temporary bool          `json:"temporary,omitempty"`
	Status    WebhookStatus `json:"status"`
	Reason    string        `json:"reason,omitempty" sentence:"true"`
	// when a held one goes on, and a failing one tries the next, by itself; absent when that is not
	// known
	NextTryAt            time.Time `json:"next_try_at,omitzero"`
	Pending              int64     `json:"pending"`
	Dead                 int64     `json:"dead"`
	OldestPendingSeconds int64     `json:"oldest_pending_seconds"`
	// the three counts above could not be read, and say nothing
	CountsUnknown bool `json:"counts_unknown,omitempty"`
	// The last attempt that delivered, the last request that failed, and how many did of the last
	// hour, since the service began; absent without a service
	LastSuccess *RecentAttempt `json:"last_success,omitempty"`
	LastError   *RecentAttempt `json:"last_error,omitempty"`
	LastHour    *LastHour      `json:"last_hour,omitempty"`
	CreatedAt   time.Time      `json:"created_at"`
	UpdatedAt   time.Time      `json:"updated_at"`
}

// Certificate is one certificate of a webhook's own authorities.
type Certificate struct {
	Subject  string    `json:"subject"`
	NotAfter time.Time `json:"not_after"`
}

// PutWebhook registers a webhook, or updates and resumes the one with this URL, removed ones too. A
// nil field keeps its value; on creation nil Events means every event, nil Chats and Kinds every
// chat, nil NotChats none left out, nil Secret unsigned, nil Headers none, nil CA the system's
// certificates, nil Ordered ordered, nil HoldAfter 20, nil MaxRate no bound, nil Schedule 0s, 1s,
// 3s, 10s, nil Redrive no.
type PutWebhook struct {
	URL    string    `json:"url"` // or the id of a webhook, removed ones too
	Events *[]string `json:"events,omitempty"`
	// chats in any form a person types: phone numbers, addresses of either form; empty goes back
	Chats    *[]string `json:"chats,omitempty"`
	NotChats *[]string `json:"not_chats,omitempty"`
	Kinds    *[]string `json:"kinds,omitempty" enum:"direct,group,status,newsletter"`
	// "" removes it; a new one is used at once and ends a rotation
	Secret         *string `json:"secret,omitempty"`
	GenerateSecret bool    `json:"generate_secret,omitempty"`
	CA             *string `json:"ca,omitempty"` // certificates in PEM; "" removes them
	// custom headers, name → value: all of them; empty removes all
	Headers *map[string]string `json:"headers,omitempty"`
	Ordered *bool              `json:"ordered,omitempty"`
	// after how many dead letters in a row new events are held back; 0 never
	HoldAfter *int     `json:"hold_after,omitempty"`
	MaxRate   *float64 `json:"max_rate,omitempty"` // attempts a second; 0 removes the bound
	// the waits before attempts 1, 2, …, the first "0s"; empty goes back to the default
	Schedule *[]string `json:"schedule,omitempty"`
	Redrive  *bool     `json:"redrive,omitempty"`
	// plain http to a public host; false withdraws it
	AllowInsecure *bool `json:"allow_insecure_http,omitempty"`
	// of an agent's client: what the user says to a host that is not allowed; means nothing from
	// others
	Approval Approval `json:"approval,omitempty"`
}

// Results of PutWebhook.
const (
	PutCreated = "created"
	PutUpdated = "updated"
	// the webhook had been removed: same id, its settings from before, events from now on
	PutRevived = "revived"
)

// PutWebhookResult is what PutWebhook did. It is there as soon as the webhook is stored: what fails
// afterwards is a warning.
type PutWebhookResult struct {
	Result  string  `json:"result" enum:"created,updated,revived"`
	Webhook Webhook `json:"webhook"`
	// what the call resumed it from: paused, failing or held, and why; "" when it was active, or
	// new
	Was       WebhookStatus `json:"was,omitempty"`
	WasReason string        `json:"was_reason,omitempty" sentence:"true"`
	// only the generated one, only here, only once
	Secret string `json:"secret,omitempty"`
	// e.g. the name does not resolve yet, or the webhook is stored and could not be resumed
	Warnings []string `json:"warnings,omitempty" sentence:"true"`
}

// ResumeWebhook lets a webhook go on, whatever made it wait.
type ResumeWebhook struct {
	Webhook string `json:"webhook"` // id or URL
	// what it is owed until now becomes dead letters, and it goes on with what comes
	SkipToNow bool `json:"skip_to_now,omitempty"`
}

// WebhookState is what pausing or resuming did: how the webhook stood before and stands now.
type WebhookState struct {
	Was       WebhookStatus `json:"was"`
	WasReason string        `json:"was_reason,omitempty" sentence:"true"`
	WasSince  time.Time     `json:"was_since,omitzero"`
	// with SkipToNow: how many became dead letters
	Skipped int64   `json:"skipped,omitempty"`
	Webhook Webhook `json:"webhook"`
	// some were skipped and not all, and it still waits: the same call again goes on
	Warnings []string `json:"warnings,omitempty" sentence:"true"`
}

// RotateSecret gives a signed webhook a new secret. Until the overlap has passed webhook-signature
// is made with both and X-Webhook-Signature with the one before.
type RotateSecret struct {
	Webhook string  `json:"webhook"`          // id or URL
	Secret  *string `json:"secret,omitempty"` // nil generates one
	// how long the secret before is valid, like "24h", which nil means; "0s" switches at once
	Overlap *string `json:"overlap,omitempty"`
	// ends the overlap of the rotation that runs instead, and nothing else
	Promote bool `json:"promote,omitempty"`
}

// Results of RotateSecret.
const (
	Rotated         = "rotated"
	RotationEnded   = "promoted"  // the secret before is forgotten
	RotationNoneRan = "unchanged" // nothing to promote: there is one secret
)

// RotateSecretResult is what RotateSecret did. It is there as soon as that is stored.
type RotateSecretResult struct {
	Result   string   `json:"result" enum:"rotated,promoted,unchanged"`
	Webhook  Webhook  `json:"webhook"`
	Secret   string   `json:"secret,omitempty"` // only the generated one, only here, only once
	Warnings []string `json:"warnings,omitempty" sentence:"true"`
}

// RemoveWebhook removes a webhook by id or URL. Its backlog becomes dead letters; with Purge they
// and its settings are discarded.
type RemoveWebhook struct {
	Webhook string `json:"webhook"`
	Purge   bool   `json:"purge,omitempty"`
}

// RemoveWebhookResult is what RemoveWebhook did. An unknown webhook is Removed false, not an error.
type RemoveWebhookResult struct {
	Removed      bool   `json:"removed"`
	ID           string `json:"id,omitempty"`
	URL          string `json:"url,omitempty"`
	DeadLettered int64  `json:"dead_lettered"`
	Purged       int64  `json:"purged"`
	// it was what an MCP client subscribed: what its requests carried
	Subscription string `json:"subscription,omitempty"`
	// with Purge: its settings are gone too, its id is not known any more
	Forgotten bool `json:"forgotten,omitempty"`
	// the webhook is removed, and what of its backlog or dead letters is left to do: the same call
	// again does it
	Warnings []string `json:"warnings,omitempty" sentence:"true"`
}

// TestWebhook asks for one attempt straight to a webhook's endpoint.
type TestWebhook struct {
	Webhook string `json:"webhook"` // id or URL
	// the event whose sample is sent whole; absent, a short connection.update
	Event string `json:"event,omitempty"`
}

// TestWebhookResult is the outcome of one attempt straight to the endpoint, signed like any
// delivery, outside the outbox.
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
	// how the webhook stood before: one that was failing goes on after a success, a paused one
	// stays paused
	Was WebhookStatus `json:"was,omitempty"`
}
