package dispatcher

import (
	"strconv"

	"waoutbox/outbox"
)

// Outcome is what an attempt means for its delivery.
type Outcome uint8

const (
	Delivered Outcome = iota // 2xx
	Retry                    // may pass later; spends an attempt
	Reject                   // final by rule: no further attempt
	Ours                     // not sent because of us; no attempt spent
)

func (o Outcome) String() string {
	switch o {
	case Delivered:
		return "delivered"
	case Retry:
		return "retry"
	case Reject:
		return "reject"
	case Ours:
		return "ours"
	}
	return "unknown"
}

// statusGone is the one status that ends a subscription: the endpoint says it will never be back.
const statusGone = 410

// Classify says what a result means. Everything that is neither a 2xx, nor our own failure, nor 410 may pass later.
func Classify(r Result) Outcome {
	switch r.Class {
	case outbox.ClassOK:
		return Delivered
	case outbox.ClassAddress, outbox.ClassLocal:
		return Ours
	case outbox.ClassHTTP:
		if r.Status == statusGone {
			return Reject
		}
	}
	return Retry
}

// reason is the short stable word a dead letter is grouped by: the status of an answer, else the class.
func reason(r Result) string {
	if r.Status != 0 {
		return strconv.Itoa(r.Status)
	}
	return string(r.Class)
}

// Reasons of dead letters that no attempt gave.
const (
	ReasonUnregistered = "unregistered" // the webhook was removed
	ReasonExpired      = "expired"      // the event is no longer in the outbox
)
