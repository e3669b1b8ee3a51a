// Package outboxtest holds the conformance suite every outbox engine passes, and Fake, an engine in memory for the tests of
// its consumers. It is imported from tests only.
package outboxtest

import (
	"context"
	"time"

	"waoutbox/outbox"
)

// Engine is every operation of an outbox engine (ENGINE.md, and the ledger of own sends). Consumers declare the few they use.
type Engine interface {
	Append(ctx context.Context, evs ...outbox.Event) ([]outbox.Seq, error)
	Read(ctx context.Context, sub outbox.SubID, from outbox.Seq, maxBytes int) (evs []outbox.Event, next outbox.Seq, err error)
	Wait(ctx context.Context, from outbox.Seq) error
	Event(ctx context.Context, s outbox.Seq) (outbox.Event, error)
	Load(ctx context.Context, sub outbox.SubID) (next outbox.Seq, lane []byte, pending []outbox.Record, err error)
	Commit(ctx context.Context, c outbox.Change) error

	Subs(ctx context.Context) ([]outbox.Subscription, error)
	PutSub(ctx context.Context, s outbox.Subscription) (outbox.Subscription, error)
	Dead(ctx context.Context, sub outbox.SubID, after outbox.Seq, limit int) ([]outbox.Record, error)
	DeadAt(ctx context.Context, sub outbox.SubID, seq outbox.Seq) (outbox.Record, error)
	Owed(ctx context.Context, sub outbox.SubID, from, to outbox.Seq, limit int) (evs []outbox.Event, next outbox.Seq, err error)
	CountOwed(ctx context.Context, sub outbox.SubID, from, to outbox.Seq) (outbox.OwedRange, error)
	Trim(ctx context.Context, before time.Time, max int) (n int, err error)
	Stats(ctx context.Context) (outbox.Stats, error)

	AppendSent(ctx context.Context, ev outbox.Event, s outbox.Send) (outbox.Seq, error)
	PutSend(ctx context.Context, s outbox.Send) error
	SendByKey(ctx context.Context, idempotencyKey string) (outbox.Send, error)
	Send(ctx context.Context, messageID string) (outbox.Send, error)
	Unsettled(ctx context.Context) ([]outbox.Send, error)
}
