package dispatcher

import (
	"context"
	"time"

	"waoutbox/outbox"
)

// Source is what the dispatcher needs from an outbox engine: the Lane interface of ENGINE.md, and the questions that
// replay, purge and bury ask. All methods are safe for concurrent use; one goroutine at a time commits to a subscription.
type Source interface {
	// Read answers events owed to sub at or above from, about maxBytes of bodies (at least one event if there is one), and
	// where to go on: past gaps, skipped events and everything it answered.
	Read(ctx context.Context, sub outbox.SubID, from outbox.Seq, maxBytes int) (evs []outbox.Event, next outbox.Seq, err error)
	// Wait blocks until an event at or above from is readable.
	Wait(ctx context.Context, from outbox.Seq) error
	// Event answers one event by its sequence, or outbox.ErrNotFound.
	Event(ctx context.Context, s outbox.Seq) (outbox.Event, error)
	// Load answers a subscription's cursor, its lane bytes and its pending records in sequence order.
	Load(ctx context.Context, sub outbox.SubID) (next outbox.Seq, lane []byte, pending []outbox.Record, err error)
	// Commit applies a Change, whole or not at all; durable when nil. After outbox.ErrUnknown the same Change is repeated first.
	Commit(ctx context.Context, c outbox.Change) error
	// DeadAt answers the dead record that holds seq, be it a single letter or a run around it, or outbox.ErrNotFound.
	DeadAt(ctx context.Context, sub outbox.SubID, seq outbox.Seq) (outbox.Record, error)
	// Dead answers dead records filed above after, in key order, at most limit; a run is one record.
	Dead(ctx context.Context, sub outbox.SubID, after outbox.Seq, limit int) ([]outbox.Record, error)
	// Owed answers events owed to sub in [from, to], at most limit, and where to go on; next > to when there are no more.
	// Bodies may be absent.
	Owed(ctx context.Context, sub outbox.SubID, from, to outbox.Seq, limit int) (evs []outbox.Event, next outbox.Seq, err error)
	// CountOwed counts the events owed to sub in [from, to] and answers the first and last of them.
	CountOwed(ctx context.Context, sub outbox.SubID, from, to outbox.Seq) (outbox.OwedRange, error)
}

// Subscriptions lists every subscription, removed ones included.
type Subscriptions interface {
	Subs(ctx context.Context) ([]outbox.Subscription, error)
}

// Sender makes one attempt. Send is called concurrently, ends soon after ctx does, and never retries. A panic in it is
// recovered by the lane and counts as a failed attempt. A Sender that also has Forget(outbox.SubID) is told when a lane has
// ended, so that it can close what it holds for that subscription.
type Sender interface {
	Send(ctx context.Context, r Request) Result
}

// forgetter is the optional half of a Sender.
type forgetter interface {
	Forget(sub outbox.SubID)
}

// Request is one attempt to make.
type Request struct {
	Sub     outbox.SubID
	Webhook outbox.Webhook // the configuration at the moment of sending
	Event   outbox.Event
	Attempt int // from 1 within the schedule
	Replay  int // 0, or how often the delivery was replayed
}

// Result is how an attempt ended, in words the dispatcher needs; it knows no HTTP.
type Result struct {
	Class      outbox.Class
	Status     int           // HTTP status, 0 without an answer
	Message    string        // what went wrong, for people: no secret, no URL query; "" when delivered
	Excerpt    []byte        // start of the answer's body, at most outbox.MaxExcerpt
	RetryAfter time.Duration // what the endpoint asked for, 0 if nothing
}
