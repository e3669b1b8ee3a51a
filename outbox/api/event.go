package api

import "time"

// Event is one line of `event list`: an event as the outbox keeps it.
type Event struct {
	ID       string    `json:"id"` // evt_…
	Sequence uint64    `json:"sequence"`
	Event    string    `json:"event"`
	Chat     string    `json:"chat"`
	ChatAlt  string    `json:"chat_alt,omitempty"` // the chat's other address, when it is known
	Time     time.Time `json:"time"`
	Account  string    `json:"account,omitempty"`
	// WhatsApp's id of the message it is, or of the own message that it deletes
	Message string `json:"message,omitempty"`
	Bytes   int    `json:"bytes,omitempty"` // of the body, where that was read
	Body    string `json:"body,omitempty"`  // the exact bytes, only when asked for
	// the stored event is damaged: there is no body, and what could not be read is empty
	Damaged bool `json:"damaged,omitempty"`
}

// EventFilter selects events: those that match every field that is set.
type EventFilter struct {
	Event string `json:"event,omitempty"`
	// either address: a JID or a phone number; or "connection"
	Chat  string    `json:"chat,omitempty"`
	Since time.Time `json:"since,omitzero"` // created at or after
	Until time.Time `json:"until,omitzero"` // created before
}

// EventQuery asks for a page of the log.
type EventQuery struct {
	EventFilter
	// the sequence to begin at, itself included; 0 = the end that the direction comes from
	From     uint64 `json:"from,omitempty"`
	Backward bool   `json:"backward,omitempty"`            // newest first
	Limit    int    `json:"limit,omitempty" range:"1,256"` // default 50
	Bodies   bool   `json:"bodies,omitempty"`
	// when there is nothing to return, forwards: how long to wait for it, at most 30
	WaitSeconds int `json:"wait_seconds,omitempty" range:"0,30"`
}

// EventPage is a page of the log. It may be empty although More is true: a page looks at a bounded
// part of the log.
type EventPage struct {
	Items []Event `json:"items"`
	Next  uint64  `json:"next,omitempty"` // From of the next page; backwards 0 at the end
	More  bool    `json:"more,omitempty"` // there may be more now
	Last  uint64  `json:"last,omitempty"` // the newest sequence
	// below it events are gone: whoever read on from below may have missed some
	Whole uint64 `json:"whole,omitempty"`
}

// EventDeliveryState says where an event stands for one webhook.
type EventDeliveryState string

const (
	// it has it, or its dead letter was purged
	EventDelivered EventDeliveryState = "delivered"
	EventPending   EventDeliveryState = "pending" // it will be sent, or is being retried
	EventDead      EventDeliveryState = "dead"
	EventNotOwed   EventDeliveryState = "not_owed" // its filter does not want it, or it came later
	// its filter was changed since, and what it wanted then is kept no longer
	EventUnknown EventDeliveryState = "unknown"
)

// EventDeliveryStates lists every EventDeliveryState.
func EventDeliveryStates() []EventDeliveryState {
	return []EventDeliveryState{EventDelivered, EventPending, EventDead, EventNotOwed, EventUnknown}
}

// EventDelivery is where an event stands for one webhook.
type EventDelivery struct {
	Webhook    string             `json:"webhook"`
	URL        string             `json:"url"`
	Removed    bool               `json:"removed,omitempty"`
	State      EventDeliveryState `json:"state"`
	Attempts   int                `json:"attempts,omitempty"`  // failed so far
	InFlight   bool               `json:"in_flight,omitempty"` // an attempt is under way now
	Due        time.Time          `json:"due,omitzero"`        // pending: not before
	Replay     int                `json:"replay,omitempty"`    // how often it was replayed
	DeadLetter string             `json:"dead_letter,omitempty"`
	LastError  *LastError         `json:"last_error,omitempty"`
}

// EventDetail is `event show`.
type EventDetail struct {
	Event
	Deliveries []EventDelivery `json:"deliveries"`
}

// ReplayEvents delivers past events of the log to one webhook again: those that were delivered to
// it, those that are dead for it, and those that it was not owed, as far as its filter of now wants
// them. Either IDs (evt_… or sequences) or Since must be set.
type ReplayEvents struct {
	Webhook string   `json:"webhook"` // id or URL
	IDs     []string `json:"ids,omitempty"`
	EventFilter
	ReplayPace
}
