package dispatcher

import (
	"strconv"

	"waoutbox/outbox"
)

// Outcome is what an attempt means for its delivery.
type Outcome uint8

const (
	Delivered    Outcome = iota // 2xx
	Retry                       // may pass later; spends an attempt
	Reject                      // final by rule: no further attempt
	NotAttempted                // not sent because of us; no attempt spent
)

func (o Outcome) String() string {
	switch o {
	case Delivered:
		return OutcomeDelivered
	case Retry:
		return OutcomeRetry
	case Reject:
		return "reject"
	case NotAttempted:
		return OutcomeNotAttempted
	}
	return "unknown"
}

// The statuses by which an endpoint says that it gets too much, the second one only with a
// Retry-After.
const (
	statusTooMany     = 429
	statusUnavailable = 503
)

// throttled reports whether the endpoint said that it gets too much.
func throttled(r Result) bool {
	return r.Class == outbox.ClassHTTP && (r.Status == statusTooMany || r.Status == statusUnavailable && r.RetryAfter > 0)
}

// statusRequestTimeout is the one other status below 500 that says nothing about the request.
const statusRequestTimeout = 408

// statusGone is the one status that ends a subscription: the endpoint says it will never be back.
const statusGone = 410

// What the receivers of leases say besides: the body is too large for them, and not yet.
const (
	statusTooLarge = 413
	statusTooEarly = 425
)

// Classify says what a result means. Everything that is neither a 2xx, nor our own failure, nor 410
// may pass later.
func Classify(r Result) Outcome {
	switch r.Class {
	case outbox.ClassOK:
		return Delivered
	case outbox.ClassAddress, outbox.ClassLocal:
		return NotAttempted
	case outbox.ClassHTTP:
		if r.Status == statusGone {
			return Reject
		}
	}
	return Retry
}

// deadReason is the short stable word a dead letter is grouped by: the HTTP status if there was
// one, else the class.
func deadReason(r Result) string {
	if r.Status != 0 {
		return strconv.Itoa(r.Status)
	}
	return string(r.Class)
}

// Reasons of dead letters that no attempt gave.
const (
	ReasonUnregistered = "unregistered" // the webhook was removed
	// it waited too long, or its event is no longer in the outbox
	ReasonExpired = outbox.ReasonExpired
	ReasonSkipped = "skipped" // its user wanted to go on with what comes now
	// the stored event is damaged: it can never be delivered
	ReasonCorrupt = "corrupt"
)
