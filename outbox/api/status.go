package api

import "time"

// LinkState is the state of the WhatsApp link.
type LinkState string

const (
	LinkUnlinked LinkState = "unlinked" // no account: pair first
	LinkPairing  LinkState = "pairing"  // codes are being shown
	// also between two tries: Reason says why the last failed
	LinkConnecting LinkState = "connecting"
	LinkConnected  LinkState = "connected"
	// stopped for good until something is done: Reason says why
	LinkDisconnected LinkState = "disconnected"
	LinkUnknown      LinkState = "unknown" // read from the state without a daemon
)

// LinkStates lists every LinkState.
func LinkStates() []LinkState {
	return []LinkState{LinkUnlinked, LinkPairing, LinkConnecting, LinkConnected, LinkDisconnected, LinkUnknown}
}

// Link is the WhatsApp side of status. Account is the own phone-number JID, Name the push name;
// each of Notes is a sentence without its full stop about what is not as usual.
type Link struct {
	State   LinkState `json:"state"`
	Account string    `json:"account,omitempty"`
	Name    string    `json:"name,omitempty"`
	Since   time.Time `json:"since,omitzero"`
	Reason  string    `json:"reason,omitempty" sentence:"true"`
	// For is how long State holds by the time that goes by, where the clock may have been set since
	// then; 0: see Since
	For time.Duration `json:"-"`
	// Disconnect closed it: it stays closed until Connect
	Closed bool     `json:"closed,omitempty"`
	Notes  []string `json:"notes,omitempty" sentence:"true"`
}

// Daemon is the process that owns the state.
type Daemon struct {
	PID       int       `json:"pid"`
	Version   string    `json:"version"`
	StartedAt time.Time `json:"started_at,omitzero"`
	// absent without the setting http
	HTTP *HTTPListener `json:"http,omitempty"`
	// what it was started with beside config.json
	Settings []GivenSetting `json:"settings,omitempty"`
}

// GivenSetting is a setting that the service was given for one run. Value is absent where it is
// secret.
type GivenSetting struct {
	Key    string `json:"key"`
	Source string `json:"source"` // flag or env
	Value  string `json:"value,omitempty"`
}

// HTTPListener is where programs and agents reach the service over HTTP.
type HTTPListener struct {
	URL string `json:"url"` // on this machine; /mcp, /v1/ and /metrics lie below it
	// it can be reached from other machines without TLS, as the setting http-insecure allows
	Insecure bool `json:"insecure,omitempty"`
	// it can be reached from other machines, with TLS or without
	Reachable bool `json:"reachable,omitempty"`
}

// Status is `status --json`. Daemon is absent when the state was read without a service.
type Status struct {
	Version  int       `json:"version"`
	Daemon   *Daemon   `json:"daemon,omitempty"`
	Link     Link      `json:"link"`
	Webhooks []Webhook `json:"webhooks"`
	Pending  int64     `json:"pending"`
	Dead     int64     `json:"dead"`
	Alarms   []Alarm   `json:"alarms"`
	// absent while media are not kept, and none of before are there
	Media *MediaStatus `json:"media,omitempty"`
	// the replays that run
	Replays []ReplayRun `json:"replays,omitempty"`
	// how many MCP clients have events streamed at the moment, a stream each
	EventStreams int `json:"event_streams,omitempty"`
	// what is pending and how many events are kept could not be read, as an alarm tells
	CountsUnknown bool   `json:"counts_unknown,omitempty"`
	Events        int64  `json:"events"` // events kept in the outbox
	Bytes         int64  `json:"bytes"`  // size of the outbox on disk
	StateDir      string `json:"state_dir"`
}
