package api

import "time"

// LinkState is the state of the WhatsApp link.
type LinkState string

const (
	LinkUnlinked     LinkState = "unlinked"   // no account: pair first
	LinkPairing      LinkState = "pairing"    // codes are being shown
	LinkConnecting   LinkState = "connecting" // also between two tries: Reason tells why the last failed
	LinkConnected    LinkState = "connected"
	LinkDisconnected LinkState = "disconnected" // stopped for good until something is done: Reason tells
	LinkUnknown      LinkState = "unknown"      // read from the state without a daemon
)

// Link is the WhatsApp side of status. Account is the own phone-number JID, Name the push name.
type Link struct {
	State   LinkState `json:"state"`
	Account string    `json:"account,omitempty"`
	Name    string    `json:"name,omitempty"`
	Since   time.Time `json:"since,omitzero"`
	Reason  string    `json:"reason,omitempty"`
}

// Daemon is the process that owns the state.
type Daemon struct {
	PID       int       `json:"pid"`
	Version   string    `json:"version"`
	StartedAt time.Time `json:"started_at"`
}

// Alarm is something that needs a person. Message says how to mend it.
type Alarm struct {
	Code    string    `json:"code"`
	Message string    `json:"message"`
	Since   time.Time `json:"since"`
}

// Status is `status --json`. Daemon is absent when the answer was read from the state without one.
type Status struct {
	Version  int       `json:"version"`
	Daemon   *Daemon   `json:"daemon,omitempty"`
	Link     Link      `json:"link"`
	Webhooks []Webhook `json:"webhooks"`
	Pending  int64     `json:"pending"`
	Dead     int64     `json:"dead"`
	Alarms   []Alarm   `json:"alarms"`
	Events   int64     `json:"events"` // events kept in the outbox
	Bytes    int64     `json:"bytes"`  // size of the outbox on disk
	StateDir string    `json:"state_dir"`
}
