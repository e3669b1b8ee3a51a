package api

import "time"

// SubscriptionOffer says how MCP clients may have events brought to them, beside asking for them.
type SubscriptionOffer struct {
	// a webhook that a client names: the user allowed a host, or every host
	Webhooks bool `json:"webhooks"`
}

// Subscribe asks, for an MCP client, for events at a URL that it names. The same caller, URL, event
// and arguments name the same subscription: it is renewed while it lives.
type Subscribe struct {
	Event string `json:"event"`
	// JSON as the client wrote it; what it means stands in the three lists
	Arguments string   `json:"arguments,omitempty"`
	Chats     []string `json:"chats,omitempty"`
	NotChats  []string `json:"not_chats,omitempty"`
	Kinds     []string `json:"kinds,omitempty"`
	URL       string   `json:"url"`
	Secret    string   `json:"secret"` // whsec_ and base64 of 24 to 64 bytes
	// where to begin, of a subscription that does not live; "" for from now on
	Cursor       string `json:"cursor,omitempty"`
	MaxAgeMillis int64  `json:"max_age_millis,omitempty"` // nothing older; 0 is whatever is kept
	// how long it is to last: absent, an hour
	TTLMillis *int64 `json:"ttl_millis,omitempty"`
	// as long as nobody ends it, where the user allows that
	NoExpiry bool `json:"no_expiry,omitempty"`
}

// Subscribed is a subscription as it is stored.
type Subscribed struct {
	ID string `json:"id"` // what its requests carry; no secret
	// when it ends, unless it is renewed before; absent: never
	Ends time.Time `json:"ends,omitzero"`
	// where it begins, of one that was renewed where it stands
	Cursor string `json:"cursor"`
	// events before Cursor may be missing
	Truncated bool `json:"truncated,omitempty"`
	Renewed   bool `json:"renewed,omitempty"` // it lived already
	// of one that was renewed
	Delivery *SubscriptionDelivery `json:"delivery,omitempty"`
}

// SubscriptionDelivery says how the requests of a subscription fare. It tells nothing of where they
// go.
type SubscriptionDelivery struct {
	Active           bool      `json:"active"` // nothing holds it back
	LastDeliveryAt   time.Time `json:"last_delivery_at,omitzero"`
	LastError        string    `json:"last_error,omitempty"` // a class
	FailedSince      time.Time `json:"failed_since,omitzero"`
	Throttled        bool      `json:"throttled,omitempty"`
	RetryAfterMillis int64     `json:"retry_after_millis,omitempty"`
}

// Unsubscribe ends the subscription of a caller that this names.
type Unsubscribe struct {
	Event     string `json:"event"`
	Arguments string `json:"arguments,omitempty"`
	URL       string `json:"url"`
}

// Unsubscribed is what ending it did.
type Unsubscribed struct {
	ID           string `json:"id"`
	DeadLettered int64  `json:"dead_lettered"`
	// it has ended, and what is left to do
	Warnings []string `json:"warnings,omitempty" sentence:"true"`
}

// Lease is what a webhook has that an MCP client subscribed: it lasts until it ends, unless it is
// renewed.
type Lease struct {
	Subscription string    `json:"subscription"` // what its requests carry
	Principal    string    `json:"principal"`    // as whom its client was let in
	Client       string    `json:"client,omitempty"`
	Ends         time.Time `json:"ends,omitzero"` // absent: never
	// its requests hold the beginning of messages' texts
	Preview bool `json:"preview,omitempty"`
}
