// Package admin is what a person or an agent can ask of waoutbox, one file a family: webhooks, dead
// letters, status, link. It has the method set of api.Service and runs in the process that owns the
// state: in the daemon behind the control socket, or inside a CLI command while no daemon runs.
package admin

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"waoutbox/cmd/internal/admin/leases"
	"waoutbox/cmd/internal/admin/replay"
	"waoutbox/cmd/internal/hosts"
	"waoutbox/cmd/internal/term"
	"waoutbox/dispatcher"
	"waoutbox/dispatcher/webhook"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
	"waoutbox/outbox/api/wording"
)

// Engine is what administration reads and writes of the outbox itself. Deliveries are changed
// through the Dispatcher only: a subscription has one writer.
type Engine interface {
	// Subs lists the subscriptions in use, and the removed ones whose backlog is not dead-lettered.
	Subs(ctx context.Context) ([]outbox.Subscription, error)
	// Removed pages over every removed subscription by id, above after.
	Removed(ctx context.Context, after outbox.SubID, limit int) ([]outbox.Subscription, error)
	// Sub returns one subscription, removed or not, or outbox.ErrNotFound.
	Sub(ctx context.Context, id outbox.SubID) (outbox.Subscription, error)
	// PutSub stores a subscription and the records of the audit trail in one transaction.
	PutSub(ctx context.Context, s outbox.Subscription, audit ...outbox.Audit) (outbox.Subscription, error)
	PutAudit(ctx context.Context, all ...outbox.Audit) error
	// Audits lists records of the audit trail, newest first.
	Audits(ctx context.Context, q outbox.AuditQuery) ([]outbox.Audit, error)
	// VerifyAudit checks that the records are those that were stored; known are links noted
	// elsewhere.
	VerifyAudit(ctx context.Context, known ...outbox.AuditLink) (outbox.AuditCheck, error)
	// AcceptAudit takes a trail that something else changed as it is from now on, and stores the
	// record that note makes of what was found; outbox.ErrAuditKey without a key.
	AcceptAudit(ctx context.Context, note func(found outbox.AuditCheck) (outbox.Audit, error)) (outbox.AuditCheck, error)
	// Forget erases a removed subscription that holds nothing and stores the records in one
	// transaction, or returns outbox.ErrHolds or outbox.ErrNotFound.
	Forget(ctx context.Context, id outbox.SubID, audit ...outbox.Audit) error
	Dead(ctx context.Context, sub outbox.SubID, after outbox.Seq, limit int) ([]outbox.Record, error)
	// WithDead pages over the subscriptions that have dead records, removed or not, by id, above
	// after.
	WithDead(ctx context.Context, after outbox.SubID, limit int) ([]outbox.Subscription, error)
	// DeadReasons counts the dead deliveries of a subscription by Record.Reason, and reads none.
	DeadReasons(ctx context.Context, sub outbox.SubID) (map[string]int64, error)
	// DeadHeads is Dead with the heads of the events.
	DeadHeads(ctx context.Context, sub outbox.SubID, after outbox.Seq, limit int) ([]outbox.DeadHead, error)
	RecordAt(ctx context.Context, sub outbox.SubID, seq outbox.Seq) (outbox.Record, error)
	Owed(ctx context.Context, sub outbox.SubID, from, to outbox.Seq, limit int) ([]outbox.Event, outbox.Seq, error)
	Event(ctx context.Context, s outbox.Seq) (outbox.Event, error)
	// ByKey returns the sequence an event was stored under, or outbox.ErrNotFound: one with a
	// random id is in no index.
	ByKey(ctx context.Context, key string) (outbox.Seq, error)
	// Events reads the log, in both directions.
	Events(ctx context.Context, q outbox.EventQuery) (outbox.EventPage, error)
	// Wait blocks until an event at or above from is readable.
	Wait(ctx context.Context, from outbox.Seq) error
	Load(ctx context.Context, sub outbox.SubID) (next outbox.Seq, lane []byte, pending []outbox.Record, err error)
	Stats(ctx context.Context) (outbox.Stats, error)
}

// Dispatcher moves deliveries: through the lanes while they run, directly on the engine otherwise.
// Audit records are stored in the transaction of the first change of the call.
type Dispatcher interface {
	Sync(ctx context.Context, id outbox.SubID) error
	Replay(ctx context.Context, id outbox.SubID, seqs []outbox.Seq, audit ...outbox.Audit) (queued int, missing []outbox.Seq, err error)
	Redeliver(ctx context.Context, id outbox.SubID, seqs []outbox.Seq, audit ...outbox.Audit) (queued int, missing []outbox.Seq, err error)
	Purge(ctx context.Context, id outbox.SubID, seqs []outbox.Seq, audit ...outbox.Audit) (purged int, missing []outbox.Seq, err error)
	PurgeAll(ctx context.Context, id outbox.SubID, audit ...outbox.Audit) (purged int, err error)
	DeadLetterBacklog(ctx context.Context, id outbox.SubID) (int, error)
	Pause(ctx context.Context, id outbox.SubID, reason string, audit ...outbox.Audit) error
	Resume(ctx context.Context, id outbox.SubID, audit ...outbox.Audit) error
	SkipToNow(ctx context.Context, id outbox.SubID, audit ...outbox.Audit) (skipped int, err error)
	Recovered(ctx context.Context, id outbox.SubID) error
	State(id outbox.SubID) dispatcher.LaneState
	Sending(id outbox.SubID, seq outbox.Seq) bool
	// Refreshed is Sync for such a one that was renewed, and lets it go on.
	Refreshed(ctx context.Context, id outbox.SubID, audit ...outbox.Audit) (truncated bool, err error)
	Redrives() map[outbox.SubID]dispatcher.Redrive
	StopRedrive(ctx context.Context, id outbox.SubID) (stopped bool, err error)
}

// Hosts is the policy for the hosts of webhooks.
type Hosts interface {
	Mode() string // api.PolicyAsk …
	List() hosts.List
	// Allows reports whether a checked URL may be registered by anybody.
	Allows(url string) (webhook.Endpoint, bool)
	// Lists reports whether the list has a checked URL.
	Lists(url string) bool
	// Reread takes over what the settings say now.
	Reread() (changed bool, warning string, err error)
	// Change allows a pattern in normal form, or takes that back.
	Change(pattern string, disallow bool) (changed bool, warning string, err error)
}

// Sender makes the one attempt of a webhook test.
type Sender interface {
	Send(ctx context.Context, r dispatcher.Request) dispatcher.Result
}

// Link is the WhatsApp side; nil while no daemon runs.
type Link interface {
	Link() api.Link
	Alarms() []api.Alarm
	Pair(ctx context.Context, in api.PairRequest, step func(api.PairStep) error) error
	PairNow(ctx context.Context, in api.PairRequest) (api.PairStep, error)
	ContinuePairing(ctx context.Context, in api.ContinuePairing) (api.PairStep, error)
	Unpair(ctx context.Context) (api.UnpairResult, error)
	Connect(ctx context.Context) (api.Link, error)
	Disconnect(ctx context.Context) (api.Link, error)
	// Send and SendFile store what record makes in one transaction with the message as sent; a
	// repeated call records nothing.
	Send(ctx context.Context, in api.Send, record ...outbox.SendRecorder) (api.SendResult, error)
	SendFile(ctx context.Context, in api.Send, content io.Reader, record ...outbox.SendRecorder) (api.SendResult, error)
	MarkRead(ctx context.Context, in api.MarkRead) (api.MarkReadResult, error)
	Typing(ctx context.Context, in api.Typing) (api.TypingResult, error)
	WatchPresence(ctx context.Context, in api.WatchPresence) (api.WatchPresenceResult, error)
	FindRecipients(ctx context.Context, in api.FindRecipients) (api.FoundRecipients, error)
	Groups(ctx context.Context, in api.ListGroups) ([]api.Group, error)
}

// Options are the parts a Service works with. All but Link, Daemon and Alarms are required.
type Options struct {
	Engine     Engine
	Dispatcher Dispatcher
	Sender     Sender
	Link       Link // nil: no daemon
	// StoredLink returns what the state says of the link; nil: nothing. It is asked without a Link
	StoredLink func(ctx context.Context) api.Link
	Files      Files       // nil: media are not fetched
	Sources    Sources     // nil: files are sent with their content only
	Daemon     *api.Daemon // nil: no daemon
	// Ends is one of the observers of the Dispatcher, if that delivers
	Ends *replay.Ends
	// Recent is another one; nil: nothing is remembered
	Recent     Recent
	StateDir   string
	EventNames []string // the catalogue
	// EventKinds are the kinds of chat that the events of each name can be of, none for those of no
	// chat: filters that match nothing are refused by it.
	EventKinds map[string][]string
	// Seal protects a secret; the context names what is sealed (outbox.SecretContext).
	Seal func(plain []byte, context string) ([]byte, error)
	// Unseal opens what Seal closed under the same context.
	Unseal func(sealed []byte, context string) ([]byte, error)
	// CheckURL returns the identity of a URL, or a sentence why a webhook may not point there.
	CheckURL func(raw string, allowInsecure bool) (string, error)
	// Resolve looks the URL's host up: a warning if it does not resolve yet, an error if it points
	// where webhooks never go.
	Resolve func(ctx context.Context, url string, allowInsecure bool) (warning string, err error)
	// TestBody is the body of a webhook test: the sample of an event of EventNames, for "" the
	// short one.
	TestBody func(event string, now time.Time) []byte
	// Thin returns what MCP subscribers get of an event, with or without the beginning of a
	// message's text; its error says that the event is damaged. Nil: there are no such subscribers.
	Thin func(ev outbox.Event, preview bool) (json.RawMessage, error)
	// Caller says who asks; nil where only the command line does.
	Caller func(ctx context.Context) api.Caller
	// Hosts is the policy for the hosts of webhooks.
	Hosts Hosts
	// Receivers are asked whether they want what MCP clients subscribe, and told when it ends; nil:
	// nothing can be subscribed
	Receivers Receivers
	// Subscriptions are the settings for what they subscribe.
	Subscriptions SubscriptionRules
	// Public returns why a checked URL's host is no public one, nil where it is.
	Public func(ctx context.Context, url string) error
	// Media returns what is to be seen of kept media; nil, or nil from it: nothing.
	Media func() *api.MediaStatus
	// Alarms returns the alarms of the parts admin does not know (the key file).
	Alarms func() []api.Alarm
	// LinkDownAfter is how long the link may be down before that is an alarm.
	LinkDownAfter time.Duration
	// RetainPending is how long a delivery may wait before it expires; 0: nothing expires.
	RetainPending time.Duration
	Log           *slog.Logger
}

// Service implements api.Service in the process that owns the state. Safe for concurrent use;
// changes to webhooks are serialised.
type Service struct {
	o        Options
	changing chan struct{} // holds one element while the webhook table is being changed
	replays  *replay.Runs
	trail    trail
	streams  atomic.Int32 // of occurrences, that are open
	settings settingsTrail
	// of what MCP clients subscribe: requests that wait for their endpoints, how often those are
	// asked, and that something was begun or renewed
	flights    leases.Flights
	challenges leases.Pace
	leases     chan struct{}
}

var _ api.Service = (*Service)(nil)

// command is a command line on this state, for sentences that name the next step.
func (s *Service) command(words ...string) string { return term.Command(s.o.StateDir, words...) }

// again is what brings a removed webhook back.
func (s *Service) again(r webhookRow) string {
	if r.cfg.Lease != nil {
		return "It was a subscription of an MCP client, which alone can make it again; its dead letters stay here to be looked at"
	}
	return "Add it again with: " + s.addAgain(r.sub.ID)
}

// addAgain is the command that resumes a webhook, or brings a removed one back.
func (s *Service) addAgain(id outbox.SubID) string {
	return s.command("webhook", "add", term.Quote(string(id)))
}

// asks says who asks.
func (s *Service) asks(ctx context.Context) api.Caller {
	if ctx.Value(serviceKey{}) != nil {
		return api.Caller{Kind: api.CallerService}
	}
	if s.o.Caller == nil {
		return api.Caller{Kind: api.CallerCLI}
	}
	return s.o.Caller(ctx)
}

// serviceKey is in the context of what the service does by itself.
type serviceKey struct{}

// asService returns ctx as that of what the service does by itself.
func asService(ctx context.Context) context.Context {
	return context.WithValue(ctx, serviceKey{}, true)
}

// caller names who asks, for a log and for others who ask.
func (s *Service) caller(ctx context.Context) string {
	by := s.asks(ctx)
	return cmp.Or(by.Client, by.Kind)
}

// logChange writes the line of a change that somebody asked for, with who it was.
func (s *Service) logChange(ctx context.Context, what string, about ...any) {
	s.o.Log.InfoContext(ctx, what, append(about, "caller", s.caller(ctx))...)
}

// New makes a Service. It starts nothing. In a service that delivers, Run must run as long as it is
// called.
func New(o Options) *Service {
	s := &Service{o: o, changing: make(chan struct{}, 1), replays: replay.New(o.Log), trail: newTrail(), leases: make(chan struct{}, 1)}
	if o.Link != nil {
		s.o.Link = saidLink{o.Link, s.say}
	}
	return s
}

// say returns a sentence of a part that knows of no state directory, with its commands on this
// state.
func (s *Service) say(sentence string) string { return wording.ForShell(sentence, s.command()) }

// lock waits until no other change of the webhooks runs, or ctx ends, and returns what lets the
// next one in.
func (s *Service) lock(ctx context.Context) (unlock func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, apiError(err, "change the webhooks")
	}
	select {
	case s.changing <- struct{}{}:
		return func() { <-s.changing }, nil
	case <-ctx.Done():
		return nil, apiError(ctx.Err(), "change the webhooks")
	}
}

const (
	// afterPut bounds the steps after a webhook was stored: its lane takes it over in milliseconds,
	// or after the commit that it waits for.
	afterPut = 30 * time.Second
	// afterRemoval bounds the steps after a removal was stored: a backlog becomes dead letters in
	// commits of 256, and its unread part is counted once.
	afterRemoval = 5 * time.Minute
)

// afterWrite returns the context of the steps that follow a durable write: they run to their end
// whether or not the caller is still there.
func afterWrite(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), limit)
}
