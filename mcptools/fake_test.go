package mcptools

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
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

	webhooks    []api.Webhook
	deadLetters []api.DeadLetter
	status      api.Status
}

type hooks struct {
	onStatus      func(context.Context) (api.Status, error)
	onList        func(context.Context) ([]api.Webhook, error)
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
		hooks:       hooks{body: `{"event":"message.received"}`},
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
	st := f.status
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
	f.record("TestWebhook %s%s", in.Webhook, in.Event)
	if f.onTest != nil {
		return f.onTest(ctx, in)
	}
	return api.TestWebhookResult{ID: "wh_1", URL: "https://a.example/hook", Signed: true, Success: true, Status: 200, Ms: 12, Class: "delivered"}, nil
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
	f.record("ContinuePairing passkey=%s confirm=%v", in.Passkey, in.Confirm)
	return f.next, nil
}

func (f *fake) Unpair(context.Context) (api.UnpairResult, error) {
	f.record("Unpair")
	return f.unpaired, nil
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
