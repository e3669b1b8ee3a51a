package dispatcher

import (
	"context"
	"time"

	"waoutbox/outbox"
)

// Source is what the dispatcher needs from an outbox engine: what a lane reads and writes, and what
// replay, purge and removal ask. All methods are safe for concurrent use; one goroutine at a time
// commits to a subscription.
type Source interface {
	// Read returns events owed to sub at or above from, about maxBytes of bodies (at least one
	// event if there is one), and where to go on: past gaps, skipped events and everything it
	// returned.
	Read(ctx context.Context, sub outbox.SubID, from outbox.Seq, maxBytes int) (evs []outbox.Event, next outbox.Seq, err error)
	// Wait blocks until an event at or above from is readable.
	Wait(ctx context.Context, from outbox.Seq) error
	// Event returns one event by its sequence, or outbox.ErrNotFound, or outbox.ErrCorrupt with
	// what could be read of it.
	Event(ctx context.Context, s outbox.Seq) (outbox.Event, error)
	// Load returns a subscription's cursor, its lane bytes and its pending records in sequence
	// order, without their logs.
	Load(ctx context.Context, sub outbox.SubID) (next outbox.Seq, lane []byte, pending []outbox.Record, err error)
	// Commit applies a Change, whole or not at all; durable when nil. After outbox.ErrUnknown the
	// same Change is repeated first. A context withdraws it only before its write has begun.
	Commit(ctx context.Context, c outbox.Change) error
	// RecordAt returns the record that holds seq: pending, dead, or a dead run around it, or
	// outbox.ErrNotFound.
	RecordAt(ctx context.Context, sub outbox.SubID, seq outbox.Seq) (outbox.Record, error)
	// Dead returns dead records filed above after, in key order, at most limit; a run is one
	// record.
	Dead(ctx context.Context, sub outbox.SubID, after outbox.Seq, limit int) ([]outbox.Record, error)
	// Owed returns events owed to sub in [from, to], at most limit, and where to go on; next > to
	// when there are no more. Bodies may be absent.
	Owed(ctx context.Context, sub outbox.SubID, from, to outbox.Seq, limit int) (evs []outbox.Event, next outbox.Seq, err error)
	// CountOwed counts the events owed to sub in [from, to] and returns the first and last of them.
	CountOwed(ctx context.Context, sub outbox.SubID, from, to outbox.Seq) (outbox.OwedRange, error)
	// FirstSince returns the first sequence at or above from whose event was not created before
	// since; more tells that there may be older ones from there on.
	FirstSince(ctx context.Context, from outbox.Seq, since time.Time) (next outbox.Seq, more bool, err error)
}

// appending is the optional half of a Source: whether events are being appended, or were within the
// time given, each in a commit that a Change can share. Without it they are taken to be.
type appending interface {
	Appending(within time.Duration) bool
}

// Subscriptions lists every subscription, removed ones included.
type Subscriptions interface {
	Subs(ctx context.Context) ([]outbox.Subscription, error)
	// Sub returns one subscription as it is stored now, removed or not, or outbox.ErrNotFound.
	Sub(ctx context.Context, id outbox.SubID) (outbox.Subscription, error)
}

// Sender makes one attempt. Send is called concurrently, ends soon after ctx does, and never
// retries. A panic in it is recovered by the lane and counts as a failed attempt. A Sender that
// also has Forget(outbox.SubID) is told when a lane has ended, so that it can close what it holds
// for that subscription.
type Sender interface {
	Send(ctx context.Context, r Request) Result
}

// forgetter is the optional half of a Sender.
type forgetter interface {
	Forget(sub outbox.SubID)
}

// laneWatcher is the optional half of an Observer.
type laneWatcher interface {
	LaneEnded(sub outbox.SubID)
}

// Request is one attempt to make.
type Request struct {
	Sub     outbox.SubID
	Webhook outbox.Webhook // the configuration at the moment of sending
	Binding outbox.Binding // of the subscription as it is stored, for comparing with Webhook.Seal
	Event   outbox.Event
	Attempt int // from 1 within the schedule
	Replay  int // 0, or how often the delivery was replayed
	// of a lease: the lowest sequence that it has not finished, this one or one below. It is never
	// above an event that was neither delivered nor became a dead letter on disk, nor above one
	// that expired before its client was told
	Watermark outbox.Seq
}

// Result is how an attempt ended, in words the dispatcher needs; it knows no HTTP.
type Result struct {
	Class  outbox.Class
	Status int // HTTP status, 0 without a response
	// what went wrong, for people: no secret, no URL query; "" when delivered
	Message    string
	Excerpt    []byte        // start of the response's body, at most outbox.MaxExcerpt
	RetryAfter time.Duration // what the endpoint asked for, 0 if nothing
}

// Observer is told how attempts and deliveries end. It is called in the goroutine of a lane, of
// several lanes concurrently, before the end is on disk (a crash may repeat it), and must return at
// once: the lane does nothing meanwhile. A panic in it is logged and nothing else. An Observer that
// also has LaneEnded(outbox.SubID) is told when a lane has ended, because its subscription was
// removed or Run ends: it is told no more of that subscription until a new lane begins.
type Observer interface {
	// Attempted is called after each attempt, also one that was cut off or that cost nothing, and
	// before Ended of its delivery.
	Attempted(a AttemptEnd)
	// Ended is called when a delivery was delivered or has become a dead letter, for a backlog that
	// is dead-lettered as one run once for all of it.
	Ended(e DeliveryEnd)
}

// AttemptEnd is how one attempt ended.
type AttemptEnd struct {
	Sub     outbox.SubID
	Seq     outbox.Seq
	Event   string // its name
	Replay  int    // 0, or how often the delivery was replayed
	Attempt int    // from 1 within the schedule
	Result  Result // its Message is bounded, and has no secret
	Start   time.Time
	Took    time.Duration
	// OutcomeDelivered, OutcomeRetry, OutcomeDead, OutcomeThrottled or OutcomeNotAttempted
	Outcome string
}

// Outcomes of an attempt. Stable words: they are logged, and may be metric labels.
const (
	OutcomeDelivered    = "delivered"
	OutcomeRetry        = "retry"         // it failed, and another one follows
	OutcomeDead         = "dead"          // it failed, and the delivery is a dead letter
	OutcomeThrottled    = "throttled"     // refused because too much was sent at once; cost nothing
	OutcomeNotAttempted = "not attempted" // not made, or cut off, because of us; cost nothing
)

// DeliveryEnd is how a delivery ended, or, with a Count above 1, all of a run.
type DeliveryEnd struct {
	Sub    outbox.SubID
	Seq    outbox.Seq // the first one of a run
	Count  int        // at least 1
	Replay int        // 0, or how often it was replayed
	// Dead tells a dead letter from what was delivered. Then Reason is the word it is grouped by.
	Dead   bool
	Reason string
	// Class is that of the attempt that ended it, "" when none did: expired, skipped, unregistered.
	Class outbox.Class
	// Failing tells that with this dead letter the subscription is failing: it is one of an outage.
	Failing bool
}
