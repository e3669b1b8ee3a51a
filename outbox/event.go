package outbox

import "time"

// Seq is the position of an event in the outbox: it rises, is never reused, and gaps are normal. Zero is no position.
type Seq uint64

// MaxBody is the largest body, in bytes, an engine accepts. A translator sends a larger message as its envelope alone, so
// that one huge message never blocks the stream (DESIGN section 3).
const MaxBody = 1 << 20

// MaxBatch is the largest number of events or records one engine call takes. Anything larger is done in repeatable steps.
const MaxBatch = 256

// MaxChange is MaxBatch under the name the seam's documentation uses for a Change.
const MaxChange = MaxBatch

// SeenKept is how long the dedupe index remembers a key, whatever the retention of events. Keys of events without a stanza time
// (Stamp 0) stay for good.
const SeenKept = 30 * 24 * time.Hour

// Event is an immutable fact from WhatsApp, appended once. Its body is encoded once and sent unchanged on every attempt.
type Event struct {
	Seq     Seq       // set by the engine at append
	Key     string    // event id (`evt_…`): the dedupe key, and X-Webhook-Id on every attempt and replay
	Stamp   uint32    // WhatsApp's stanza time, unix seconds, 0 if it has none: the time half of the dedupe index
	Random  bool      // the id is random (connection, presence): not entered in the dedupe index
	Time    time.Time // creation, millisecond precision: the body's timestamp
	Name    string    // event name, opaque here: "message.received"
	Chat    string    // order key: chat JID, or "connection"
	Account string    // own phone-number JID once linked, else ""
	Body    []byte    // the exact request body
}
