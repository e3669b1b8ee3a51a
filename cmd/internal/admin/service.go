// Package admin is what a person or an agent can ask of waoutbox, one file a family: webhooks, dead letters, status, link. It has
// the method set of api.Service and runs in the process that owns the state: in the daemon behind the control socket, or inside a
// CLI command while no daemon runs.
package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// Engine is what administration reads and writes of the outbox itself. Deliveries are changed through the Dispatcher only: a
// subscription has one writer.
type Engine interface {
	Subs(ctx context.Context) ([]outbox.Subscription, error)
	PutSub(ctx context.Context, s outbox.Subscription) (outbox.Subscription, error)
	Dead(ctx context.Context, sub outbox.SubID, after outbox.Seq, limit int) ([]outbox.Record, error)
	DeadAt(ctx context.Context, sub outbox.SubID, seq outbox.Seq) (outbox.Record, error)
	Owed(ctx context.Context, sub outbox.SubID, from, to outbox.Seq, limit int) ([]outbox.Event, outbox.Seq, error)
	Event(ctx context.Context, s outbox.Seq) (outbox.Event, error)
	Load(ctx context.Context, sub outbox.SubID) (next outbox.Seq, lane []byte, pending []outbox.Record, err error)
	Stats(ctx context.Context) (outbox.Stats, error)
}

// Dispatcher moves deliveries: through the lanes while they run, directly on the engine otherwise.
type Dispatcher interface {
	Sync(ctx context.Context, id outbox.SubID) error
	Replay(ctx context.Context, id outbox.SubID, seqs []outbox.Seq) (queued int, missing []outbox.Seq, err error)
	Purge(ctx context.Context, id outbox.SubID, seqs []outbox.Seq) (purged int, missing []outbox.Seq, err error)
	PurgeAll(ctx context.Context, id outbox.SubID) (purged int, err error)
	Bury(ctx context.Context, id outbox.SubID) (int, error)
	Resume(ctx context.Context, id outbox.SubID) error
	State(id outbox.SubID) dispatcher.LaneState
}

// Sender makes the one attempt of a webhook test.
type Sender interface {
	Send(ctx context.Context, r dispatcher.Request) dispatcher.Result
}

// Link is the WhatsApp side; nil while no daemon runs.
type Link interface {
	Link() api.Link
	Alarms() []api.Alarm
	Pair(ctx context.Context, step func(api.PairStep) error) error
	QR(ctx context.Context) (api.PairStep, error)
	SendText(ctx context.Context, in api.SendText) (api.SendResult, error)
}

// Options are the parts a Service works with. All but Link, Daemon and Alarms are required.
type Options struct {
	Engine     Engine
	Dispatcher Dispatcher
	Sender     Sender
	Link       Link        // nil: no daemon
	Daemon     *api.Daemon // nil: no daemon
	StateDir   string
	EventNames []string // the catalogue
	// Seal protects a secret; the context names what is sealed. See SecretContext.
	Seal func(plain []byte, context string) ([]byte, error)
	// CheckURL answers the identity of a URL, or a sentence why a webhook may not point there.
	CheckURL func(raw string, allowInsecure bool) (string, error)
	// Resolve looks the URL's host up: a warning if it does not resolve yet, an error if it points where webhooks never go.
	Resolve func(ctx context.Context, url string, allowInsecure bool) (warning string, err error)
	// TestBody is the body of a webhook test.
	TestBody func(now time.Time) []byte
	// Alarms answers the alarms of the parts admin does not know (the key file).
	Alarms func() []api.Alarm
	Log    *slog.Logger
}

// Service implements api.Service in the process that owns the state. Safe for concurrent use; changes to webhooks are serialised.
type Service struct {
	o  Options
	mu sync.Mutex // one change of the webhook table at a time
}

var _ api.Service = (*Service)(nil)

// New makes a Service. It starts nothing.
func New(o Options) *Service { return &Service{o: o} }

// SecretContext is the associated data a webhook's secret is sealed with: a sealed secret moved to another webhook does not open.
func SecretContext(id outbox.SubID) string { return string(id) + "/secret" }

// apiError turns what the outbox answers into the error a person reads. An unknown one stays as it is: the control server logs it and
// lets only an incident id cross, a command without a daemon prints it.
func apiError(err error, doing string) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*api.Error](err); ok {
		return e
	}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return api.Retryf(api.CodeTimeout, "%s: not finished in time; run it again", doing)
	case errors.Is(err, outbox.ErrFull):
		return api.Retryf(api.CodeOutboxFull, "%s: the outbox cannot take more (%v). Free disk space, then run it again", doing, err)
	case errors.Is(err, outbox.ErrUnknown):
		return api.Retryf(api.CodeInternal, "%s: the disk did not confirm the write; run it again", doing)
	case errors.Is(err, outbox.ErrClosed):
		return api.Retryf(api.CodeServiceUnavail, "%s: the outbox is closed: the service is stopping or met a fault; see waoutbox status", doing)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
