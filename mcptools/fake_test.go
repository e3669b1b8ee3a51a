package mcptools

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"waoutbox/outbox/api"
)

// secretText is put wherever a secret could leak from; no answer may hold it.
const secretText = "whsec_dG9wLXNlY3JldA"

var moment = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

// fake is a Backend that answers from memory and records what it was asked. Each hook replaces its answer.
type fake struct {
	mu    sync.Mutex
	calls []string // method and arguments
	hooks

	webhooks []api.Webhook
	letters  []api.DeadLetter
	status   api.Status
}

type hooks struct {
	onStatus  func(context.Context) (api.Status, error)
	onList    func(context.Context) ([]api.Webhook, error)
	onPut     func(context.Context, api.PutWebhook) (api.PutWebhookResult, error)
	onTest    func(context.Context, string) (api.TestWebhookResult, error)
	onQR      func(context.Context) (api.PairStep, error)
	onSend    func(context.Context, api.SendText) (api.SendResult, error)
	onLetters func(context.Context, api.DeadLetterQuery) (api.DeadLetterPage, error)
	onReplay  func(context.Context, api.ReplayRequest) (api.ReplayResult, error)
	body      string
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
		letters: []api.DeadLetter{letter(1)},
		hooks:   hooks{body: `{"event":"message.received"}`},
	}
}

func letter(n int) api.DeadLetter {
	return api.DeadLetter{
		ID: fmt.Sprintf("dl_wh_1_%d", n), Webhook: "wh_1", URL: "https://a.example/hook", Event: "message.received", EventID: "evt_1", Chat: "1@lid",
		Attempts: 4, LastError: api.LastError{Class: "server_error", Status: 503, Message: "503 Service Unavailable"}, FailedAt: moment,
	}
}

func (f *fake) note(format string, a ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, fmt.Sprintf(format, a...))
}

func (f *fake) took() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.calls
	f.calls = nil
	return c
}

func (f *fake) Status(ctx context.Context) (api.Status, error) {
	f.note("Status")
	if f.onStatus != nil {
		return f.onStatus(ctx)
	}
	st := f.status
	st.Webhooks = f.webhooks
	return st, nil
}

func (f *fake) Webhooks(ctx context.Context) ([]api.Webhook, error) {
	f.note("Webhooks")
	if f.onList != nil {
		return f.onList(ctx)
	}
	return f.webhooks, nil
}

func (f *fake) PutWebhook(ctx context.Context, in api.PutWebhook) (api.PutWebhookResult, error) {
	say := "PutWebhook " + in.URL
	if in.Events != nil {
		say += " events=" + strings.Join(*in.Events, ",")
	}
	if in.Secret != nil {
		say += " secret=" + *in.Secret
	}
	if in.Ordered != nil {
		say += fmt.Sprint(" ordered=", *in.Ordered)
	}
	f.note("%s", say)
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

func (f *fake) RemoveWebhook(_ context.Context, in api.RemoveWebhook) (api.RemoveWebhookResult, error) {
	f.note("RemoveWebhook %s purge=%v", in.Webhook, in.Purge)
	for _, w := range f.webhooks {
		if w.ID == in.Webhook || w.URL == in.Webhook {
			return api.RemoveWebhookResult{Removed: true, ID: w.ID, URL: w.URL, DeadLettered: w.Pending}, nil
		}
	}
	return api.RemoveWebhookResult{}, nil
}

func (f *fake) TestWebhook(ctx context.Context, ref string) (api.TestWebhookResult, error) {
	f.note("TestWebhook %s", ref)
	if f.onTest != nil {
		return f.onTest(ctx, ref)
	}
	return api.TestWebhookResult{ID: "wh_1", URL: "https://a.example/hook", Signed: true, Success: true, Status: 200, Ms: 12, Class: "delivered"}, nil
}

func (f *fake) DeadLetters(ctx context.Context, q api.DeadLetterQuery) (api.DeadLetterPage, error) {
	f.note("DeadLetters webhook=%s event=%s since=%s limit=%d cursor=%s", q.Webhook, q.Event, stamp(q.Since), q.Limit, q.Cursor)
	if f.onLetters != nil {
		return f.onLetters(ctx, q)
	}
	if q.Cursor == "bad" {
		return api.DeadLetterPage{}, api.Errorf(api.CodeInvalidCursor, "The cursor is not one of this list.")
	}
	page := api.DeadLetterPage{Items: f.letters[:min(q.Limit, len(f.letters))], Total: int64(len(f.letters))}
	if len(page.Items) < len(f.letters) {
		page.NextCursor = fmt.Sprintf("after-%d", len(page.Items))
	}
	return page, nil
}

func (f *fake) DeadLetter(_ context.Context, id string) (api.DeadLetterDetail, error) {
	f.note("DeadLetter %s", id)
	return api.DeadLetterDetail{DeadLetter: f.letters[0], Body: f.body}, nil
}

func (f *fake) Replay(ctx context.Context, in api.ReplayRequest) (api.ReplayResult, error) {
	f.note("Replay ids=%s webhook=%s all=%v dry=%v", strings.Join(in.IDs, ","), in.Webhook, in.All, in.DryRun)
	if f.onReplay != nil {
		return f.onReplay(ctx, in)
	}
	return api.ReplayResult{Queued: int64(len(in.IDs))}, nil
}

func (f *fake) QR(ctx context.Context) (api.PairStep, error) {
	f.note("QR")
	if f.onQR != nil {
		return f.onQR(ctx)
	}
	return api.PairStep{Step: api.StepQR, QR: "2@" + strings.Repeat("AbCd1234", 28), N: 1, Of: 6, ExpiresAt: moment.Add(time.Minute)}, nil
}

func (f *fake) SendText(ctx context.Context, in api.SendText) (api.SendResult, error) {
	f.note("SendText to=%s text=%d quoted=%s key=%s", in.To, len(in.Text), in.QuotedMessageID, in.IdempotencyKey)
	if f.onSend != nil {
		return f.onSend(ctx, in)
	}
	return api.SendResult{MessageID: "3EB0", Chat: in.To, Timestamp: moment}, nil
}
