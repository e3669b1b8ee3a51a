package outbox

import "time"

// Seq is the position of an event in the outbox: it rises, is never reused, and gaps are normal.
// Zero is no position.
type Seq uint64

// MaxBody is the largest body, in bytes, an engine accepts. A translator sends a larger message as
// its envelope alone, so that one huge message never blocks the stream.
const MaxBody = 1 << 20

// MaxBatch is the largest number of events or records one engine call takes. Anything larger is
// done in repeatable steps.
const MaxBatch = 256

// MaxChange is MaxBatch under the name the seam's documentation uses for a Change.
const MaxChange = MaxBatch

// SeenKept is how long an engine remembers a key at least, whatever the retention of events. It may
// remember it longer. Keys of events without a stanza time (Stamp 0) stay for good.
const SeenKept = 30 * 24 * time.Hour

// Event is an immutable fact from WhatsApp, appended once. Its body is encoded once and sent
// unchanged on every attempt.
type Event struct {
	Seq Seq // set by the engine at append
	// event id (`evt_…`): the dedupe key, and X-Webhook-Id on every attempt and replay
	Key string
	// WhatsApp's stanza time, unix seconds, 0 if it has none. It is no part of the dedupe key: the
	// same id with another time is the same event
	Stamp  uint32
	Random bool      // the id is random (connection, presence): not entered in the dedupe index
	Time   time.Time // creation, millisecond precision: the body's timestamp
	Name   string    // event name, opaque here: "message.received"
	Chat   string    // order key: chat JID, or "connection"
	// the other address of the chat's user (the phone number of a LID and the reverse), "" if
	// unknown: filters match either
	ChatAlt string
	Account string // own phone-number JID once linked, else ""
	// WhatsApp's id of the message this event is, or of the own message that it deletes, "" for
	// every other event: how a message is found again (FindMessage) without a look into bodies
	Message string
	Body    []byte // the exact request body
	// the stored event is damaged: it has no body, and of the rest what could still be read,
	// nothing but Seq when Name is empty. It can never be delivered
	Corrupt bool
}

// EventHead is the part of an event that filters and ages are decided by.
type EventHead struct {
	Time    time.Time
	Stamp   uint32 // as of an Event
	Name    string
	Chat    string
	ChatAlt string
	// the head is damaged: nobody knows what the event was, so every filter that wants anything
	// matches it
	Corrupt bool
}

// Stanza returns the stanza time that WhatsApp gave, zero for none.
func (h EventHead) Stanza() time.Time {
	if h.Stamp == 0 {
		return time.Time{}
	}
	return time.Unix(int64(h.Stamp), 0)
}

// Created returns when an event was created: its time, or the stanza's when that is later, for then
// the clock of the machine was behind. It may be in the future: then a clock is wrong.
func (h EventHead) Created() time.Time {
	if s := h.Stanza(); s.After(h.Time) {
		return s
	}
	return h.Time
}

// Head returns the head of e.
func (e Event) Head() EventHead {
	return EventHead{Time: e.Time, Stamp: e.Stamp, Name: e.Name, Chat: e.Chat, ChatAlt: e.ChatAlt, Corrupt: e.Corrupt && e.Name == ""}
}

// EventQuery asks for a part of the log. The zero value asks for its oldest events, whatever they
// are.
type EventQuery struct {
	// where to begin, itself included; 0 = at the end the direction comes from
	From     Seq
	Backward bool   // newest first
	Filter   Filter // no Events here means every event name
	Limit    int    // events, at most and if 0 MaxBatch
	MaxBytes int    // bodies together, but one always fits; at most and if 0 MaxBody
	Heads    bool   // events come without their bodies, which are not read
}

// Match reports whether an event with this head is asked for.
func (q EventQuery) Match(h EventHead) bool {
	f := q.Filter
	if len(f.Events) == 0 {
		f.Events = []string{Any}
	}
	return f.Match(h)
}

// EventPage is a part of the log.
type EventPage struct {
	Events []Event
	// where to go on, past what was returned and what was passed over: forwards above Last when
	// that was all there is now (Wait for it), backwards 0
	Next  Seq
	Floor Seq // the lowest sequence kept; one above Last when there is none
	// from here on nothing has been removed: who read on from below missed what was removed between
	// (between Floor and Whole stays what records name)
	Whole Seq
	Last  Seq // the newest sequence, 0 if none was ever given
	// which log this is: a random id, made with it and anew when a copy of it is put back
	// (RenewState), so that a sequence of one says nothing of another
	State string
}
