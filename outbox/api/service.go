package api

import "context"

// Service is every operation a person or an agent can ask for: the method set that the in-process administration and the control
// client share, so that commands and tools are written once. Consumers declare the part they use. Failures are *Error.
// All methods are safe for concurrent use and return early when ctx ends.
type Service interface {
	Status(ctx context.Context) (Status, error)

	Webhooks(ctx context.Context) ([]Webhook, error)
	Webhook(ctx context.Context, ref string) (Webhook, error) // ref: id or URL
	PutWebhook(ctx context.Context, in PutWebhook) (PutWebhookResult, error)
	RemoveWebhook(ctx context.Context, in RemoveWebhook) (RemoveWebhookResult, error)
	TestWebhook(ctx context.Context, ref string) (TestWebhookResult, error)

	DeadLetterSummary(ctx context.Context, f DeadLetterFilter) ([]DeadLetterGroup, error)
	DeadLetters(ctx context.Context, q DeadLetterQuery) (DeadLetterPage, error)
	DeadLetter(ctx context.Context, id string) (DeadLetterDetail, error)
	Replay(ctx context.Context, in ReplayRequest) (ReplayResult, error)
	Purge(ctx context.Context, in PurgeRequest) (PurgeResult, error)

	// Pair starts a pairing round, or joins the one that runs, and calls step for every code and once for the end. It returns nil
	// after StepLinked, the error of StepFailed otherwise, and step's error if step returns one (which leaves the round running).
	Pair(ctx context.Context, step func(PairStep) error) error
	// QR starts a pairing round if none runs and answers its current code.
	QR(ctx context.Context) (PairStep, error)
	SendText(ctx context.Context, in SendText) (SendResult, error)
}
