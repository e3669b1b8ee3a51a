package mcptools

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"waoutbox/outbox/api"
)

// secretText is put wherever a secret could leak from; no result and no log may hold it, see
// showsSecret.
const secretText = "whsec_dG9wLXNlY3JldA"

var moment = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

// fake is a Backend in memory that records what it was asked. Each hook replaces a method.
type fake struct {
	mu    sync.Mutex
	calls []string // method and arguments
	hooks
	declined atomic.Int32 // how often it was told that the user declined
	agreed   atomic.Int32 // and that he agreed

	webhooks    []api.Webhook
	deadLetters []api.DeadLetter
	status      api.Status
}

type hooks struct {
	onStatus      func(context.Context) (api.Status, error)
	onList        func(context.Context) ([]api.Webhook, error)
	onEvents      func(context.Context, api.EventQuery) (api.EventPage, error)
	linkError     error
	groups        []api.Group
	onPut         func(context.Context, api.PutWebhook) (api.PutWebhookResult, error)
	onRemove      func(context.Context, api.RemoveWebhook) (api.RemoveWebhookResult, error)
	onTest        func(context.Context, api.TestWebhook) (api.TestWebhookResult, error)
	onQR          func(context.Context) (api.PairStep, error)
	next          api.PairStep // what ContinuePairing returns
	unpaired      api.UnpairResult
	onMedia       func(ref string) (api.Media, error)
	onSend        func(context.Context, api.Send) (api.SendResult, error)
	onDeadLetters func(context.Context, api.DeadLetterQuery) (api.DeadLetterPage, error)
	onReplay      func(context.Context, api.ReplayRequest) (api.ReplayResult, error)
	body          string
}

func newFake() *fake {
	return &fake{
		webhooks: []api.Webhook{{ID: "wh_1", URL: "https://a.example/hook?x=1&y=2", Events: []string{"*"}, Signed: true, Ordered: true, Status: api.WebhookActive, Pending: 3, Dead: 1}},
		status: api.Status{
			Version: 1,
			Daemon:  &api.Daemon{PID: 4711, Version: "0.1.0", StartedAt: moment},
			Link:    api.Link{State: api.LinkConnected, Account: "49151@s.whatsapp.net", Name: "Alice", Since: moment},
			Pending: 3, Dead: 1,
		},
		deadLetters: []api.DeadLetter{deadLetterNo(1)},
		hooks: hooks{body: `{"event":"message.received"}`, groups: []api.Group{{
			JID: "1@g.us", Name: "Team", Role: "admin", Members: []api.GroupMember{{JID: "2048@lid", Phone: "+15550100123", Name: "Bob", Role: "member"}, {JID: "4096@lid", Role: "admin", Me: true}},
		}}},
	}
}

func deadLetterNo(n int) api.DeadLetter {
	return api.DeadLetter{
		ID: fmt.Sprintf("dl_wh_1_%d", n), Webhook: "wh_1", URL: "https://a.example/hook", Event: "message.received", EventID: "evt_1", Chat: "1@lid",
		Attempts: 4, LastError: api.LastError{Class: "server_error", Status: 503, Message: "503 Service Unavailable"}, FailedAt: moment,
	}
}

func (f *fake) record(format string, a ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, fmt.Sprintf(format, a...))
}

func (f *fake) recorded() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.calls
	f.calls = nil
	return c
}

func (f *fake) Status(ctx context.Context) (api.Status, error) {
	f.record("Status")
	if f.onStatus != nil {
		return f.onStatus(ctx)
	}
	f.mu.Lock()
	st := f.status
	f.mu.Unlock()
	st.Webhooks = f.webhooks
	return st, nil
}

func (f *fake) Webhooks(ctx context.Context) ([]api.Webhook, error) {
	f.record("Webhooks")
	if f.onList != nil {
		return f.onList(ctx)
	}
	return f.webhooks, nil
}

func (f *fake) PutWebhook(ctx context.Context, in api.PutWebhook) (api.PutWebhookResult, error) {
	asked := "PutWebhook " + in.URL
	if in.Events != nil {
		asked += " events=" + strings.Join(*in.Events, ",")
	}
	if in.Secret != nil {
		asked += " secret=" + *in.Secret
	}
	if in.Ordered != nil {
		asked += fmt.Sprint(" ordered=", *in.Ordered)
	}
	f.record("%s", asked)
	if f.onPut != nil {
		return f.onPut(ctx, in)
	}
	if strings.HasPrefix(in.URL, "wh_") { // removed ones too, as admin does
		switch in.URL {
		case "wh_1":
			in.URL = f.webhooks[0].URL
		default:
			return api.PutWebhookResult{}, api.Errorf(api.CodeWebhookNotFound, "no webhook %q", in.URL)
		}
	}
	w := api.Webhook{ID: "wh_2", URL: in.URL, Events: []string{"*"}, Ordered: true, Status: api.WebhookActive, Signed: in.Secret != nil && *in.Secret != ""}
	if in.Events != nil {
		w.Events = *in.Events
	}
	return api.PutWebhookResult{Result: api.PutCreated, Webhook: w, Warnings: []string{"The name does not resolve yet"}}, nil
}

func (f *fake) RemoveWebhook(ctx context.Context, in api.RemoveWebhook) (api.RemoveWebhookResult, error) {
	f.record("RemoveWebhook %s purge=%v", in.Webhook, in.Purge)
	if f.onRemove != nil {
		return f.onRemove(ctx, in)
	}
	for _, w := range f.webhooks {
		if w.ID == in.Webhook || w.URL == in.Webhook {
			return api.RemoveWebhookResult{Removed: true, ID: w.ID, URL: w.URL, DeadLettered: w.Pending}, nil
		}
	}
	return api.RemoveWebhookResult{}, nil
}

func (f *fake) TestWebhook(ctx context.Context, in api.TestWebhook) (api.TestWebhookResult, error) {
	f.record("%s", strings.TrimSpace("TestWebhook "+in.Webhook+" "+in.Event))
	if f.onTest != nil {
		return f.onTest(ctx, in)
	}
	return api.TestWebhookResult{ID: "wh_1", URL: "https://a.example/hook", Event: "connection.update", Signed: true, Success: true, Status: 200, Ms: 12, Class: "delivered"}, nil
}

func (f *fake) DeadLetters(ctx context.Context, q api.DeadLetterQuery) (api.DeadLetterPage, error) {
	f.record("DeadLetters webhook=%s event=%s since=%s limit=%d cursor=%s", q.Webhook, q.Event, stamp(q.Since), q.Limit, q.Cursor)
	if f.onDeadLetters != nil {
		return f.onDeadLetters(ctx, q)
	}
	if q.Cursor == "bad" {
		return api.DeadLetterPage{}, api.Errorf(api.CodeInvalidCursor, "The cursor is not one of this list.")
	}
	page := api.DeadLetterPage{Items: f.deadLetters[:min(q.Limit, len(f.deadLetters))], Total: int64(len(f.deadLetters))}
	if len(page.Items) < len(f.deadLetters) {
		page.NextCursor = fmt.Sprintf("after-%d", len(page.Items))
	}
	return page, nil
}

func (f *fake) DeadLetter(_ context.Context, id string) (api.DeadLetterDetail, error) {
	f.record("DeadLetter %s", id)
	return api.DeadLetterDetail{DeadLetter: f.deadLetters[0], Body: f.body}, nil
}

func (f *fake) Replay(ctx context.Context, in api.ReplayRequest) (api.ReplayResult, error) {
	f.record("Replay ids=%s webhook=%s all=%v dry=%v", strings.Join(in.IDs, ","), in.Webhook, in.All, in.DryRun)
	if f.onReplay != nil {
		return f.onReplay(ctx, in)
	}
	return api.ReplayResult{Queued: int64(len(in.IDs))}, nil
}

func (f *fake) ContinuePairing(_ context.Context, in api.ContinuePairing) (api.PairStep, error) {
	f.record("ContinuePairing passkey=%s confirm=%v cancel=%v", in.Passkey, in.Confirm, in.Cancel)
	return f.next, nil
}

func (f *fake) Unpair(_ context.Context, in api.UnpairRequest) (api.UnpairResult, error) {
	if in.Approval == api.ApprovalDeclined {
		f.declined.Add(1)
		return api.UnpairResult{}, api.Errorf(api.CodeApprovalDeclined, "the user did not agree: `waoutbox --state-dir /s unpair`")
	}
	if in.Approval == api.ApprovalGiven {
		f.agreed.Add(1)
	}
	f.record("Unpair")
	return f.unpaired, nil
}

func (f *fake) Connect(context.Context) (api.Link, error) {
	f.record("Connect")
	return f.status.Link, f.linkError
}

func (f *fake) Disconnect(context.Context) (api.Link, error) {
	f.record("Disconnect")
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status.Link.State, f.status.Link.Closed = api.LinkDisconnected, true
	return f.status.Link, f.linkError
}

func (f *fake) PauseWebhook(_ context.Context, ref string) (api.WebhookState, error) {
	f.record("PauseWebhook %s", ref)
	w := f.webhooks[0]
	was := w.Status
	w.Status, w.Reason = api.WebhookPaused, "by its user"
	return api.WebhookState{Was: was, Webhook: w}, nil
}

func (f *fake) ResumeWebhook(_ context.Context, in api.ResumeWebhook) (api.WebhookState, error) {
	f.record("ResumeWebhook %s skip=%v", in.Webhook, in.SkipToNow)
	st := api.WebhookState{Was: api.WebhookPaused, Webhook: f.webhooks[0]}
	if in.SkipToNow {
		st.Skipped = 3
	}
	return st, nil
}

// event is one event of the fake's log.
func event(sequence uint64) api.Event {
	return api.Event{
		ID: fmt.Sprintf("evt_%d", sequence), Sequence: sequence, Event: "message.received", Chat: "2048@lid", ChatAlt: "49151@s.whatsapp.net",
		Time: moment, Message: "3A", Body: `{"event":"message.received","data":"hello"}`,
	}
}

func (f *fake) Events(ctx context.Context, q api.EventQuery) (api.EventPage, error) {
	f.record("Events event=%s chat=%s since=%s until=%s from=%d backward=%v limit=%d bodies=%v", q.Event, q.Chat, stamp(q.Since), stamp(q.Until), q.From, q.Backward, q.Limit, q.Bodies)
	if f.onEvents != nil {
		return f.onEvents(ctx, q)
	}
	if q.From == 6 { // the last of them
		return api.EventPage{Items: []api.Event{event(6)}, Last: 7}, nil
	}
	return api.EventPage{Items: []api.Event{event(7)}, Next: 6, More: true, Last: 7}, nil
}

func (f *fake) Event(_ context.Context, ref string) (api.EventDetail, error) {
	f.record("Event %s", ref)
	return api.EventDetail{Event: event(7), Deliveries: []api.EventDelivery{
		{Webhook: "wh_1", URL: "https://a.example/hook", State: api.EventDead, Attempts: 4, DeadLetter: "dl_wh_1_7", LastError: &api.LastError{Class: "http", Status: 503, Message: "503"}},
	}}, nil
}

func (f *fake) Occurrences(_ context.Context, q api.OccurrenceQuery) (api.OccurrencePage, error) {
	f.record("Occurrences %v after %q, %d s", q.Events, q.Cursor, q.WaitSeconds)
	return api.OccurrencePage{Cursor: "c8", Items: []api.Occurrence{{ID: "evt_7", Event: "message.received", Time: event(7).Time, Cursor: "c8", Data: []byte(`{"sequence":7,"preview":"a \u003cb\u003e"}`)}}}, nil
}

func (f *fake) Subscribe(_ context.Context, in api.Subscribe) (api.Subscribed, error) {
	ttl := "default"
	if in.TTLMillis != nil {
		ttl = fmt.Sprint(*in.TTLMillis)
	}
	f.record("Subscribe %s %s chats %v to %s after %q, ttl %s, no expiry %v", in.Event, in.Arguments, in.Chats, in.URL, in.Cursor, ttl, in.NoExpiry)
	return api.Subscribed{ID: "sub_1", Cursor: "c7", Ends: time.UnixMilli(1_700_000_000_123)}, nil
}

func (f *fake) Unsubscribe(_ context.Context, in api.Unsubscribe) (api.Unsubscribed, error) {
	f.record("Unsubscribe %s %s from %s", in.Event, in.Arguments, in.URL)
	return api.Unsubscribed{}, nil
}

func (f *fake) RefuseSubscription(_ context.Context, in api.RefuseSubscription) (api.RefusedSubscription, error) {
	f.record("RefuseSubscription %s to %s", in.Event, in.URL)
	return api.RefusedSubscription{Message: "events go to no address that an MCP client names"}, nil
}

func (f *fake) StreamOccurrences(ctx context.Context, q api.OccurrenceQuery, each func(api.OccurrencePage) error) error {
	if err := each(api.OccurrencePage{Cursor: "c7"}); err != nil {
		return err
	}
	page, err := f.Occurrences(ctx, q)
	if err == nil {
		err = each(page)
	}
	if err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

func (f *fake) Purge(_ context.Context, in api.PurgeRequest) (api.PurgeResult, error) {
	if in.Approval == api.ApprovalDeclined { // only that is recorded
		f.declined.Add(1)
		return api.PurgeResult{}, api.Errorf(api.CodeApprovalDeclined, "the user did not agree: `waoutbox --state-dir /s deadletter purge ID...`")
	}
	if in.Approval == api.ApprovalGiven {
		f.agreed.Add(1)
	}
	f.record("Purge ids=%s webhook=%s all=%v dry=%v", strings.Join(in.IDs, ","), in.Webhook, in.All, in.DryRun)
	return api.PurgeResult{Purged: 1, DryRun: in.DryRun}, nil
}

func (f *fake) Groups(_ context.Context, in api.ListGroups) ([]api.Group, error) {
	f.record("Groups %s", in.JID)
	return f.groups, nil
}

func (f *fake) PairNow(ctx context.Context, in api.PairRequest) (api.PairStep, error) {
	f.record("PairNow%s", in.Phone)
	if f.onQR != nil {
		return f.onQR(ctx)
	}
	if in.Phone != "" {
		return api.PairStep{Step: api.StepCode, Phone: in.Phone, Code: "ABCD-1234", ExpiresAt: moment.Add(time.Minute)}, nil
	}
	return api.PairStep{Step: api.StepQR, QR: "2@" + strings.Repeat("AbCd1234", 28), N: 1, Of: 6, ExpiresAt: moment.Add(time.Minute)}, nil
}

func (f *fake) Media(_ context.Context, ref string) (api.Media, error) {
	f.record("Media %s", ref)
	if f.onMedia != nil {
		return f.onMedia(ref)
	}
	return mediaOf("a picture"), nil
}

// mediaOf is a file whose sender means no good.
func mediaOf(content string) api.Media {
	return api.Media{MediaInfo: api.MediaInfo{
		Event: "evt_ca2a", Message: "3A", Kind: "image", MIME: "image/jpeg; x=y", FileName: "../../evil", Bytes: int64(len(content)),
	}, Content: io.NopCloser(strings.NewReader(content))}
}

func (f *fake) Send(ctx context.Context, in api.Send) (api.SendResult, error) {
	switch {
	case in.Reaction != nil:
		f.record("Send to=%s reaction=%s on=%s", in.To, in.Reaction.Emoji, in.Reaction.MessageID)
	case in.File != nil:
		f.record("Send to=%s quoted=%s key=%s file=%+v", in.To, in.QuotedMessageID, in.IdempotencyKey, *in.File)
	case in.Location != nil:
		f.record("Send to=%s quoted=%s key=%s location=%+v", in.To, in.QuotedMessageID, in.IdempotencyKey, *in.Location)
	case in.Contact != nil:
		f.record("Send to=%s quoted=%s key=%s contact=%+v", in.To, in.QuotedMessageID, in.IdempotencyKey, *in.Contact)
	case in.Edit != nil:
		f.record("Send to=%s edit=%+v", in.To, *in.Edit)
	case in.Delete != nil:
		f.record("Send to=%s delete=%+v", in.To, *in.Delete)
	default:
		f.record("Send to=%s text=%d quoted=%s key=%s", in.To, len(in.Text), in.QuotedMessageID, in.IdempotencyKey)
	}
	if f.onSend != nil {
		return f.onSend(ctx, in)
	}
	return api.SendResult{MessageID: "3EB0", Chat: in.To, Timestamp: moment}, nil
}

func (f *fake) MarkRead(_ context.Context, in api.MarkRead) (api.MarkReadResult, error) {
	f.record("MarkRead %v", in.Messages)
	return api.MarkReadResult{Marked: len(in.Messages)}, nil
}

func (f *fake) WatchPresence(_ context.Context, in api.WatchPresence) (api.WatchPresenceResult, error) {
	f.record("WatchPresence %s", in.Of)
	return api.WatchPresenceResult{JID: "2048@lid"}, nil
}

func (f *fake) FindRecipients(_ context.Context, in api.FindRecipients) (api.FoundRecipients, error) {
	f.record("FindRecipients %s limit=%d", in.Query, in.Limit)
	return api.FoundRecipients{Total: 7, Items: []api.Recipient{
		{JID: "2048@lid", Name: strings.Repeat("x", 200), Kind: api.RecipientContact, Phone: "+15550100123", AltJID: "15550100123@s.whatsapp.net"},
	}}, nil
}
