package api

import (
	"context"
	"io"
)

// Service is every operation a person or an agent can ask for: the method set that the in-process
// administration and the control client share, so that commands and tools are written once.
// Consumers declare the part they use. Failures are *Error. All methods are safe for concurrent use
// and return early when ctx ends; that ends the waiting only: a write that has begun is finished,
// and what is written takes effect, whether its caller still waits or not. After the write nothing
// is an error: what goes wrong then is a warning or a note beside the result.
type Service interface {
	Status(ctx context.Context) (Status, error)

	Webhooks(ctx context.Context) ([]Webhook, error)
	Webhook(ctx context.Context, ref string) (Webhook, error) // ref: id or URL
	// WebhookActivity returns what happened lately to a webhook; ref: id or URL.
	WebhookActivity(ctx context.Context, ref string) (WebhookActivity, error)
	PutWebhook(ctx context.Context, in PutWebhook) (PutWebhookResult, error)
	RemoveWebhook(ctx context.Context, in RemoveWebhook) (RemoveWebhookResult, error)
	TestWebhook(ctx context.Context, in TestWebhook) (TestWebhookResult, error)
	PauseWebhook(ctx context.Context, ref string) (WebhookState, error)
	ResumeWebhook(ctx context.Context, in ResumeWebhook) (WebhookState, error)
	RotateSecret(ctx context.Context, in RotateSecret) (RotateSecretResult, error)
	// AllowHost changes, or shows, to which hosts agents and programs may send events. Only the
	// command line may change that.
	AllowHost(ctx context.Context, in AllowHost) (HostPolicy, error)
	// RecordSetting puts the change of a setting into the audit trail.
	RecordSetting(ctx context.Context, in RecordSetting) (RecordedSetting, error)
	// Audit returns a page of what was changed, and by whom.
	Audit(ctx context.Context, q AuditQuery) (AuditPage, error)
	// VerifyAudit checks that nothing of the audit trail was changed by something else.
	VerifyAudit(ctx context.Context, in VerifyAudit) (AuditCheck, error)
	// AcceptAudit takes an audit trail that something else changed as it is from now on, and
	// records that, with what was found. Only the command line may.
	AcceptAudit(ctx context.Context, in AcceptAudit) (AcceptedAudit, error)

	DeadLetterSummary(ctx context.Context, f DeadLetterFilter) ([]DeadLetterGroup, error)
	DeadLetters(ctx context.Context, q DeadLetterQuery) (DeadLetterPage, error)
	DeadLetter(ctx context.Context, id string) (DeadLetterDetail, error)
	Replay(ctx context.Context, in ReplayRequest) (ReplayResult, error)
	Purge(ctx context.Context, in PurgeRequest) (PurgeResult, error)
	// StartReplay begins replays in the service and returns at once; without a service it fails,
	// and Replay queues what fits.
	StartReplay(ctx context.Context, in StartReplay) (StartReplayResult, error)
	// Replays returns the replays that run and the last ended one of each webhook.
	Replays(ctx context.Context) ([]ReplayRun, error)
	// StopReplay returns the replays that it ended. What they had queued goes on.
	StopReplay(ctx context.Context, in StopReplay) ([]ReplayRun, error)

	// Events returns a page of the log.
	Events(ctx context.Context, q EventQuery) (EventPage, error)
	// Event returns one event with its body and where it stands; ref is its id, its sequence, or
	// the id of a dead letter of it.
	Event(ctx context.Context, ref string) (EventDetail, error)
	// Occurrences returns a page of what MCP subscribers get.
	Occurrences(ctx context.Context, q OccurrenceQuery) (OccurrencePage, error)
	// StreamOccurrences calls each with page after page as events come, first with an empty one
	// that says where it begins, and with an empty one whenever nothing came for a while, until ctx
	// ends or each fails, with that error. The Limit and WaitSeconds of q mean nothing.
	StreamOccurrences(ctx context.Context, q OccurrenceQuery, each func(OccurrencePage) error) error
	// SubscriptionOffer says what MCP clients are offered beside asking for events.
	SubscriptionOffer(ctx context.Context) (SubscriptionOffer, error)
	// Subscribe has events sent to a URL that an MCP client names, where the user allows its host,
	// or renews that. The endpoint is asked first whether it wants them.
	Subscribe(ctx context.Context, in Subscribe) (Subscribed, error)
	// Unsubscribe ends what Subscribe began.
	Unsubscribe(ctx context.Context, in Unsubscribe) (Unsubscribed, error)
	// RefuseSubscription notes that an MCP client that may only read asked for events at a URL. It
	// returns the refusal.
	RefuseSubscription(ctx context.Context, in RefuseSubscription) (RefusedSubscription, error)
	// ReplayEvents begins a replay of past events in the service and returns at once; without a
	// service it queues what fits.
	ReplayEvents(ctx context.Context, in ReplayEvents) (StartReplayResult, error)

	// Pair starts a pairing session, or joins the one that runs, and calls step for every code and
	// once for the end. It returns nil after StepLinked, the error of StepFailed otherwise, and
	// step's error if step returns one (which leaves the session running).
	Pair(ctx context.Context, in PairRequest, step func(PairStep) error) error
	// PairNow starts a pairing session if none runs and returns what it shows now: the code, or the
	// passkey's step when the session is past codes.
	PairNow(ctx context.Context, in PairRequest) (PairStep, error)
	// ContinuePairing gives a pairing session what it waits for and returns the step that follows.
	// With Cancel it ends the session and returns StepFailed, or StepLinked when it is too late.
	ContinuePairing(ctx context.Context, in ContinuePairing) (PairStep, error)
	// Unpair logs the account out, of WhatsApp and of this machine; another one can be linked at
	// once. Where WhatsApp cannot be reached the account is forgotten here all the same, and the
	// result says so.
	Unpair(ctx context.Context, in UnpairRequest) (UnpairResult, error)
	// Connect has the link connected again, whether Disconnect or another program ended it, or the
	// next try is far away, and returns how it stands once it is up or the try failed. Without an
	// account it returns the unlinked link.
	Connect(ctx context.Context) (Link, error)
	// Disconnect closes the link and returns how it stands. It stays closed, over restarts too,
	// until Connect; the account stays linked. Without an account it returns the unlinked link.
	Disconnect(ctx context.Context) (Link, error)
	// Send sends one message, of whatever kind.
	Send(ctx context.Context, in Send) (SendResult, error)
	MarkRead(ctx context.Context, in MarkRead) (MarkReadResult, error)
	// Typing shows the account as typing in a chat.
	Typing(ctx context.Context, in Typing) (TypingResult, error)
	WatchPresence(ctx context.Context, in WatchPresence) (WatchPresenceResult, error)
	FindRecipients(ctx context.Context, in FindRecipients) (FoundRecipients, error)
	// Groups returns the groups that the account is in, with their members, by name.
	Groups(ctx context.Context, in ListGroups) ([]Group, error)

	// SendFile sends in.File with the content that it reads. Nothing is sent unless all of it could
	// be read; once it is, the send goes on whether its caller waits or not.
	SendFile(ctx context.Context, in Send, content io.Reader) (SendResult, error)
	// Media returns the file of a message, which the caller closes; ref is WhatsApp's id of the
	// message, or names its event as for Event. It may take as long as fetching the file does.
	Media(ctx context.Context, ref string) (Media, error)
}
