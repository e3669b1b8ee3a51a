// Package outboxtest holds the conformance suite every outbox engine passes, and Fake, an engine in
// memory for the tests of its consumers. It is imported from tests only.
package outboxtest

import (
	"context"
	"time"

	"waoutbox/outbox"
)

// Engine is every operation of an outbox engine (docs/adr/0001 tells why each is there). Consumers
// declare the few they use.
type Engine interface {
	Append(ctx context.Context, evs ...outbox.Event) ([]outbox.Seq, error)
	Read(ctx context.Context, sub outbox.SubID, from outbox.Seq, maxBytes int) (evs []outbox.Event, next outbox.Seq, err error)
	Wait(ctx context.Context, from outbox.Seq) error
	Event(ctx context.Context, s outbox.Seq) (outbox.Event, error)
	Load(ctx context.Context, sub outbox.SubID) (next outbox.Seq, lane []byte, pending []outbox.Record, err error)
	Commit(ctx context.Context, c outbox.Change) error

	// Subs lists subscriptions by id; a removed one only while it has a pending record, or
	// something unread below its cut.
	Subs(ctx context.Context) ([]outbox.Subscription, error)
	// Removed pages over every removed subscription by id, above after, at most limit of them.
	Removed(ctx context.Context, after outbox.SubID, limit int) ([]outbox.Subscription, error)
	// Sub finds any subscription, removed or not.
	Sub(ctx context.Context, id outbox.SubID) (outbox.Subscription, error)
	// PutSub stores a subscription and the records of the audit trail in one transaction. A new one
	// may begin in the past, but not below EventPage.Whole of that moment, where it begins then; a
	// call that is repeated returns the same.
	PutSub(ctx context.Context, s outbox.Subscription, audit ...outbox.Audit) (outbox.Subscription, error)
	// Forget erases a removed subscription that holds nothing, and stores the records of the audit
	// trail in the same transaction: ErrHolds otherwise.
	Forget(ctx context.Context, id outbox.SubID, audit ...outbox.Audit) error
	Dead(ctx context.Context, sub outbox.SubID, after outbox.Seq, limit int) ([]outbox.Record, error)
	// WithDead pages over the subscriptions that have dead records, removed or not, by id, above
	// after, at most limit of them.
	WithDead(ctx context.Context, after outbox.SubID, limit int) ([]outbox.Subscription, error)
	// DeadHeads is Dead with the events' heads.
	DeadHeads(ctx context.Context, sub outbox.SubID, after outbox.Seq, limit int) ([]outbox.DeadHead, error)
	RecordAt(ctx context.Context, sub outbox.SubID, seq outbox.Seq) (outbox.Record, error)
	Owed(ctx context.Context, sub outbox.SubID, from, to outbox.Seq, limit int) (evs []outbox.Event, next outbox.Seq, err error)
	CountOwed(ctx context.Context, sub outbox.SubID, from, to outbox.Seq) (outbox.OwedRange, error)
	// Events reads the log under a filter, oldest or newest first. One call looks at a bounded
	// number of events.
	Events(ctx context.Context, q outbox.EventQuery) (outbox.EventPage, error)
	// RenewState gives the log another id (EventPage.State), durable on nil: what others keep of
	// positions in it says nothing any more.
	RenewState(ctx context.Context) error
	// ByKey returns the sequence that an event with this key was stored under, or ErrNotFound: its
	// key is not known any more, or was random.
	ByKey(ctx context.Context, key string) (outbox.Seq, error)
	// FindMessage returns the newest event of a chat that is the message with this id.
	FindMessage(ctx context.Context, chat, message string) (outbox.Event, error)
	// Newest returns the newest event kept.
	Newest(ctx context.Context) (outbox.Event, error)
	// Trim removes events created before before that every cursor has passed and no record but an
	// expired one holds, oldest first, at most limit (and outbox.MaxBatch) of them in one commit.
	// It stops at the first event that is younger, and costs what it removes and a bounded amount
	// besides, whatever is held below: more tells that there may be others.
	Trim(ctx context.Context, before time.Time, limit int) (n int, more bool, err error)
	// FirstSince returns the first sequence at or above from whose event was not created before
	// since; one above the newest when there is none.
	FirstSince(ctx context.Context, from outbox.Seq, since time.Time) (next outbox.Seq, more bool, err error)
	// DeadReasons counts the dead deliveries of a subscription, removed or not, by reason, without
	// reading them; nil when there are none.
	DeadReasons(ctx context.Context, sub outbox.SubID) (map[string]int64, error)
	Stats(ctx context.Context) (outbox.Stats, error)

	// AppendSent appends the events of a send and stores the send, in one transaction.
	AppendSent(ctx context.Context, s outbox.Send, evs ...outbox.Event) ([]outbox.Seq, error)
	PutSend(ctx context.Context, s outbox.Send) error
	SendByKey(ctx context.Context, idempotencyKey string) (outbox.Send, error)
	Send(ctx context.Context, messageID string) (outbox.Send, error)
	Unsettled(ctx context.Context) ([]outbox.Send, error)
	// ForgetSends removes some of the sends settled before before, in any number of calls: more
	// says that there may be others.
	ForgetSends(ctx context.Context, before time.Time) (more bool, err error)

	// PutAudit stores records of the audit trail, all or none; those that are there stay.
	PutAudit(ctx context.Context, all ...outbox.Audit) error
	// Audits lists records of the audit trail, newest first.
	Audits(ctx context.Context, q outbox.AuditQuery) ([]outbox.Audit, error)
	// VerifyAudit checks that the records are those that were stored; known are links that were
	// noted elsewhere.
	VerifyAudit(ctx context.Context, known ...outbox.AuditLink) (outbox.AuditCheck, error)
	// AcceptAudit takes a trail that something else changed as it is, and stores what note makes of
	// what was found.
	AcceptAudit(ctx context.Context, note func(found outbox.AuditCheck) (outbox.Audit, error)) (outbox.AuditCheck, error)
	// TrimAudit removes some of the records of a kind that are older than before or not among the
	// newest keep, in any number of calls: more says that there may be others.
	TrimAudit(ctx context.Context, kind outbox.AuditKind, before time.Time, keep int) (n int, more bool, err error)
}
