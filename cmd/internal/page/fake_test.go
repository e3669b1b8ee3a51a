package page

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"waoutbox/outbox/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeService is what the page shows: a status with everything in it, and what was asked for.
type fakeService struct {
	mu      sync.Mutex
	status  api.Status
	letters []api.DeadLetterDetail
	events  []api.EventDetail
	runs    []api.ReplayRun
	trail   []api.AuditRecord
	died    int64 // how many more died of the first reason than the summary begins with
	// what is searched page by page, nil: all of it is there at once
	log    func(context.Context, api.EventQuery) (api.EventPage, error)
	walk   func(context.Context, api.DeadLetterQuery) (api.DeadLetterPage, error)
	fail   error               // of every reading call but Status and Webhook
	blind  error               // of Status
	hidden error               // of Webhook
	gone   api.DeadLetterGroup // when those of the removed webhook died
	asked  []string
	step   chan api.PairStep                          // to the one who pairs by scanning
	typed  chan api.PairStep                          // and by typing
	by     string                                     // who called last
	groups func(context.Context) ([]api.Group, error) // nil: there are none
}

type callerKey struct{}

func (f *fakeService) did(ctx context.Context, format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.by, _ = ctx.Value(callerKey{}).(string)
	f.asked = append(f.asked, fmt.Sprintf(format, args...))
}

// done returns what was asked for, and forgets it.
func (f *fakeService) done() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := strings.Join(f.asked, "; ")
	f.asked = nil
	return out
}

func (f *fakeService) change(do func()) { f.mu.Lock(); defer f.mu.Unlock(); do() }

func (f *fakeService) Status(context.Context) (api.Status, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.blind != nil {
		return api.Status{}, f.blind
	}
	return f.status, nil
}

func (f *fakeService) Webhook(_ context.Context, ref string) (api.Webhook, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.hidden != nil {
		return api.Webhook{}, f.hidden
	}
	for _, w := range f.status.Webhooks {
		if w.ID == ref {
			return w, nil
		}
	}
	return api.Webhook{}, api.Errorf(api.CodeWebhookNotFound, "no webhook %q", ref)
}

func (f *fakeService) WebhookActivity(_ context.Context, ref string) (api.WebhookActivity, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	waiting := int64(7)
	now := time.Now().Truncate(time.Minute)
	return api.WebhookActivity{
		Webhook: ref, Since: now.Add(-10 * time.Minute), Minutes: []api.ActivityMinute{{At: now.Add(-time.Minute), Delivered: 12, Failed: 3, Dead: 2, Waiting: &waiting}, {At: now, Delivered: 4}},
		Attempts: []api.RecentAttempt{{At: now, Ms: 12, Sequence: 7, Event: "message.received", Attempt: 1, Outcome: "dead", Class: "http", Status: 503, Message: "503 Service Unavailable", Response: hostile}},
	}, f.fail
}

func (f *fakeService) RemoveWebhook(ctx context.Context, in api.RemoveWebhook) (api.RemoveWebhookResult, error) {
	f.did(ctx, "remove %s %v", in.Webhook, in.Purge)
	return api.RemoveWebhookResult{Removed: true, ID: in.Webhook, DeadLettered: 2}, nil
}

func (f *fakeService) TestWebhook(ctx context.Context, in api.TestWebhook) (api.TestWebhookResult, error) {
	f.did(ctx, "test %s", in.Webhook)
	return api.TestWebhookResult{ID: in.Webhook, URL: "https://crm.example.com/hooks/wa?token=secret-in-query", Event: "connection.update", Status: 503, Ms: 3, Class: "http", Excerpt: hostile}, nil
}

func (f *fakeService) PauseWebhook(ctx context.Context, ref string) (api.WebhookState, error) {
	f.did(ctx, "pause %s", ref)
	w, err := f.Webhook(ctx, ref)
	return api.WebhookState{Webhook: w}, err
}

func (f *fakeService) ResumeWebhook(ctx context.Context, in api.ResumeWebhook) (api.WebhookState, error) {
	f.did(ctx, "resume %s %v", in.Webhook, in.SkipToNow)
	w, err := f.Webhook(ctx, in.Webhook)
	return api.WebhookState{Webhook: w}, err
}

func (f *fakeService) RotateSecret(ctx context.Context, in api.RotateSecret) (api.RotateSecretResult, error) {
	f.did(ctx, "rotate %s %v", in.Webhook, in.Promote)
	w, err := f.Webhook(ctx, in.Webhook)
	return api.RotateSecretResult{Result: api.Rotated, Webhook: w, Secret: "whsec_bmV3IHNlY3JldA=="}, err
}

func (f *fakeService) Audit(context.Context, api.AuditQuery) (api.AuditPage, error) {
	return api.AuditPage{Items: f.trail}, f.fail
}

func (f *fakeService) DeadLetterSummary(_ context.Context, q api.DeadLetterFilter) ([]api.DeadLetterGroup, error) {
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.refused(q); err != nil {
		return nil, err
	}
	if q.Webhook == "wh_NONE" {
		return nil, nil
	}
	if q.Webhook == "wh_GONE" {
		return []api.DeadLetterGroup{{Webhook: "wh_GONE", URL: "https://old.example.com/hooks", Removed: true, Reason: api.ReasonUnregistered, Count: 1204, First: now, Last: now}}, f.fail
	}
	return []api.DeadLetterGroup{
		{Webhook: "wh_9QRT", URL: "https://crm.example.com/hooks/wa?token=secret-in-query", Reason: "503", Count: 42 + f.died, First: now.Add(-time.Hour), Last: now},
		{Webhook: "wh_GONE", URL: "https://old.example.com/hooks", Removed: true, Reason: api.ReasonUnregistered, Count: 1204, First: f.gone.First, Last: f.gone.Last},
		{Webhook: "wh_9QRT", URL: "https://crm.example.com/hooks/wa", Reason: api.ReasonExpired, Count: 3},
	}, f.fail
}

// refused is why a filter is not understood.
func (f *fakeService) refused(q api.DeadLetterFilter) error {
	if q.Chat == "nobody" {
		return api.Errorf(api.CodeInvalidArguments, "chat %q is neither a number nor an address", q.Chat)
	}
	return nil
}

func (f *fakeService) DeadLetters(ctx context.Context, q api.DeadLetterQuery) (api.DeadLetterPage, error) {
	if f.walk != nil && q.Look > 0 {
		return f.walk(ctx, q)
	}
	if err := f.refused(q.DeadLetterFilter); err != nil {
		return api.DeadLetterPage{}, err
	}
	page := api.DeadLetterPage{Total: int64(len(f.letters))}
	from := 0
	if q.Cursor != "" {
		if _, err := fmt.Sscanf(q.Cursor, "from/%d", &from); err != nil {
			return page, api.Errorf(api.CodeInvalidCursor, "cursor %q was not given by this listing", q.Cursor)
		}
	}
	for i := from; i < min(from+q.Limit, len(f.letters)); i++ {
		page.Items = append(page.Items, f.letters[i].DeadLetter)
	}
	if from+q.Limit < len(f.letters) {
		page.NextCursor = fmt.Sprintf("from/%d", from+q.Limit)
	}
	return page, f.fail
}

func (f *fakeService) DeadLetter(_ context.Context, id string) (api.DeadLetterDetail, error) {
	for _, l := range f.letters {
		if l.ID == id {
			return l, nil
		}
	}
	return api.DeadLetterDetail{}, api.Errorf(api.CodeNotFound, "no dead letter %s", id)
}

func (f *fakeService) Purge(ctx context.Context, in api.PurgeRequest) (api.PurgeResult, error) {
	n := int64(len(in.IDs))
	if n == 0 {
		n = 1204
	}
	if !in.DryRun {
		f.did(ctx, "purge %v all=%v %s until=%v", in.IDs, in.All, in.Reason, !in.Until.IsZero())
	}
	return api.PurgeResult{Purged: n, DryRun: in.DryRun}, nil
}

func (f *fakeService) StartReplay(ctx context.Context, in api.StartReplay) (api.StartReplayResult, error) {
	if !in.DryRun {
		rate := -1.0
		if in.Rate != nil {
			rate = *in.Rate
		}
		f.did(ctx, "replay %v all=%v url=%s rate=%g keep=%v", in.IDs, in.All, in.Webhook, rate, in.KeepGoing)
	}
	return api.StartReplayResult{Runs: []api.ReplayRun{{Webhook: "wh_9QRT", URL: "https://crm.example.com/hooks/wa", Total: 42}}, Missing: []string{}}, nil
}

func (f *fakeService) Replays(context.Context) ([]api.ReplayRun, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.runs, nil
}

func (f *fakeService) StopReplay(ctx context.Context, in api.StopReplay) ([]api.ReplayRun, error) {
	f.did(ctx, "stop %s", in.Webhook)
	return nil, nil
}

func (f *fakeService) Events(ctx context.Context, q api.EventQuery) (api.EventPage, error) {
	if f.log != nil && q.Limit == searchLength {
		return f.log(ctx, q)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	page := api.EventPage{Last: uint64(len(f.events)), Next: q.From}
	for i := range f.events {
		ev := f.events[i].Event
		if q.Backward {
			ev = f.events[len(f.events)-1-i].Event
		}
		if ev.Time.Before(q.Since) {
			continue
		}
		if (q.Backward || ev.Sequence >= q.From) && len(page.Items) < q.Limit {
			page.Items = append(page.Items, ev)
			page.Next = ev.Sequence + 1
		}
	}
	if q.Backward {
		page.Next = 0
	}
	return page, f.fail
}

func (f *fakeService) Event(_ context.Context, ref string) (api.EventDetail, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, ev := range f.events {
		if fmt.Sprint(ev.Sequence) == ref || ev.ID == ref {
			return ev, nil
		}
	}
	return api.EventDetail{}, api.Errorf(api.CodeNotFound, "no event %s", ref)
}

func (f *fakeService) ReplayEvents(ctx context.Context, in api.ReplayEvents) (api.StartReplayResult, error) {
	f.did(ctx, "events %v to %s", in.IDs, in.Webhook)
	return api.StartReplayResult{Runs: []api.ReplayRun{{}}}, nil
}

func (f *fakeService) Pair(ctx context.Context, in api.PairRequest, step func(api.PairStep) error) error {
	f.did(ctx, "pair %s", in.Phone)
	steps := f.step
	if in.Phone != "" {
		steps = f.typed
	}
	for {
		select {
		case s := <-steps:
			if s.Step == api.StepFailed {
				return s.Error
			}
			if err := step(s); err != nil || s.Step == api.StepLinked {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (f *fakeService) ContinuePairing(ctx context.Context, in api.ContinuePairing) (api.PairStep, error) {
	f.did(ctx, "continue passkey=%s confirm=%v cancel=%v", in.Passkey, in.Confirm, in.Cancel)
	return api.PairStep{Step: api.StepLinked}, nil
}

func (f *fakeService) Unpair(ctx context.Context, _ api.UnpairRequest) (api.UnpairResult, error) {
	f.did(ctx, "unpair")
	return api.UnpairResult{Told: true}, nil
}

func (f *fakeService) Connect(ctx context.Context) (api.Link, error) {
	f.did(ctx, "connect")
	return f.status.Link, nil
}

func (f *fakeService) Groups(ctx context.Context, _ api.ListGroups) ([]api.Group, error) {
	if f.groups == nil {
		return nil, nil
	}
	return f.groups(ctx)
}

func (f *fakeService) Disconnect(ctx context.Context) (api.Link, error) {
	f.did(ctx, "disconnect")
	return f.status.Link, nil
}

// hostile is what a stranger or an endpoint may write.
const hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\u202e\u0007{{.}}"

const (
	ownNumber = "491515550100"
	bobNumber = "15550100123"
)

// everything is a service with something of each kind.
func everything() *fakeService {
	began := time.Now().Add(-time.Hour)
	body := `{"event":"message.received","timestamp":1,"data":{"messages":[{"key":{"remoteJid":"204813927440123@lid","remoteJidAlt":"` + bobNumber + `@s.whatsapp.net"},"pushName":"Bob ` +
		strings.ReplaceAll(strings.ReplaceAll(hostile, `"`, `\"`), "\u0007", `\u0007`) + `","message":{"conversation":"the text of Bob"}}]}}`
	attempt := &api.RecentAttempt{At: began, Ms: 41, Sequence: 7, Event: "message.received", Attempt: 1, Outcome: "delivered", Class: "delivered", Status: 200}
	hook := func(id, url string, status api.WebhookStatus) api.Webhook {
		return api.Webhook{
			ID: id, URL: url, Events: []string{"*"}, Signed: true, Ordered: true, HoldAfter: 20, Schedule: []string{"0s", "1s", "3s", "10s"}, Status: status, Pending: 3, Dead: 45, OldestPendingSeconds: 1560,
			Headers: []string{"X-Tenant"}, CreatedAt: began, UpdatedAt: began, LastSuccess: attempt, Reason: hostile,
		}
	}
	letter := api.DeadLetterDetail{
		DeadLetter: api.DeadLetter{
			ID: "dl_wh_9QRT_7", Webhook: "wh_9QRT", URL: "https://crm.example.com/hooks/wa?token=secret-in-query", Event: "message.received", EventID: "evt_7", Chat: "204813927440123@lid", Attempts: 4,
			LastError: api.LastError{Class: "http", Status: 503, Message: hostile}, FailedAt: began,
		},
		Body: body, Sequence: 7, Account: ownNumber + "@s.whatsapp.net", Signed: true, Headers: []string{"X-Tenant"},
		AttemptLog: []api.AttemptLine{{N: 1, At: began, Ms: 9, Status: 503, Class: "http"}, {N: 2, At: began.Add(time.Second), Ms: 8, Status: 503, Class: "http", Response: hostile}},
	}
	return &fakeService{
		step: make(chan api.PairStep), typed: make(chan api.PairStep),
		status: api.Status{
			Link:     api.Link{State: api.LinkConnected, Account: ownNumber + "@s.whatsapp.net", Name: "Alice", Since: began},
			Webhooks: []api.Webhook{hook("wh_7K2M", "http://localhost:5678/webhook/whatsapp", api.WebhookActive), hook("wh_9QRT", "https://crm.example.com/hooks/wa?token=secret-in-query", api.WebhookFailing), hook("wh_5XWB", "https://archive.example.com/ingest", api.WebhookPaused)},
			Pending:  9, Dead: 135, Events: 18204, Bytes: 41 << 20, StateDir: "/state",
			Alarms: []api.Alarm{
				{Code: "webhook_failing", Webhook: "wh_9QRT", Since: began, Message: "wh_9QRT is failing: " + hostile + ". Let them go at once with: waoutbox webhook test wh_9QRT"},
				{Code: "webhook_paused", Webhook: "wh_5XWB", Since: began, Message: "wh_5XWB is paused"}, {Code: "account_restricted", Message: "the account +" + ownNumber + " is restricted"},
			},
		},
		letters: []api.DeadLetterDetail{letter},
		events: []api.EventDetail{{
			Event: api.Event{ID: "evt_7", Sequence: 7, Event: "message.received", Chat: "204813927440123@lid", ChatAlt: bobNumber + "@s.whatsapp.net", Time: began, Body: body},
			Deliveries: []api.EventDelivery{
				{Webhook: "wh_7K2M", URL: "http://localhost:5678/webhook/whatsapp", State: api.EventDelivered}, {Webhook: "wh_9QRT", URL: "https://crm.example.com/hooks/wa", State: api.EventDead, Attempts: 4, DeadLetter: "dl_wh_9QRT_7"},
				{Webhook: "wh_5XWB", URL: "https://archive.example.com/ingest", State: api.EventPending},
			},
		}},
		runs: []api.ReplayRun{
			{ID: "r1", Webhook: "wh_9QRT", URL: "https://crm.example.com/hooks/wa?token=secret-in-query", State: api.ReplayRunning, Total: 100, Delivered: 40, Failed: 2, Left: 58, PerSecond: 20, SecondsLeft: 3, LastError: &api.LastError{Class: "timeout"}},
			{ID: "r2", Webhook: "wh_7K2M", URL: "http://localhost:5678/webhook/whatsapp", State: api.ReplayGaveUp, Total: 12, Failed: 10, Left: 2, EndedAt: time.Now()},
		},
		trail: []api.AuditRecord{
			{ID: "1", At: began, Caller: api.CallerMCP, Client: hostile, Operation: "webhook.add", Object: "wh_9QRT", URL: "https://crm.example.com/hooks/wa?…", Outcome: api.AuditDone, Result: "created"},
			{ID: "2", At: began, Caller: api.CallerHTTP, Operation: "message.send", Object: bobNumber + "@s.whatsapp.net", Outcome: api.AuditRefused, Code: "rate_limited", Reason: "too many to +" + bobNumber},
		},
	}
}

// browser is a session of the page of a service.
type browser struct {
	t    *testing.T
	f    *fakeService
	page *Server
	base string
	http *http.Client
}

func newServer(t *testing.T, f *fakeService) (*Server, string) {
	t.Helper()
	s := newPage(t, f)
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	return s, web.URL
}

// newPage is a page without a listener.
func newPage(t testing.TB, f *fakeService) *Server {
	t.Helper()
	s, err := New(Options{
		Service: f, Version: "0.1.0", Started: time.Now().Add(-time.Hour), Events: []string{"message.received", "connection.update"}, Log: slog.New(slog.DiscardHandler), Place: "~/state",
		Caller: func(ctx context.Context, client string) context.Context {
			return context.WithValue(ctx, callerKey{}, client)
		},
		Command:  func(words ...string) string { return "waoutbox " + strings.Join(words, " ") },
		Arrivals: func(time.Time) []int64 { return make([]int64, 60) }, LastMinute: func(time.Time) int64 { return 7 },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// open begins a session.
func open(t *testing.T, f *fakeService) *browser {
	t.Helper()
	s, base := newServer(t, f)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, f: f, page: s, base: base, http: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	t.Cleanup(b.http.CloseIdleConnections)
	if status, _ := b.get(strings.TrimPrefix(s.Link(base).URL, base+Root)); status != http.StatusOK {
		t.Fatalf("the link: %d", status)
	}
	return b
}

// get reads a page by its path below Root.
func (b *browser) get(path string) (status int, text string) {
	b.t.Helper()
	resp, err := b.http.Get(b.base + Root + path)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, b.read(resp)
}

// wholeWord is a word of a command, which is marked so that a browser does not break it.
var wholeWord = regexp.MustCompile(`<span class="w">([^<]*)</span>`)

// read returns what was answered, its commands as they are read.
func (b *browser) read(resp *http.Response) string {
	b.t.Helper()
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return wholeWord.ReplaceAllString(string(raw), "$1")
}

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// csrf is the token of the session's forms.
func (b *browser) csrf() string {
	b.t.Helper()
	_, text := b.get("audit")
	m := csrfField.FindStringSubmatch(text)
	if m == nil {
		b.t.Fatal("no form has a token")
	}
	return m[1]
}

// post sends a form as a browser does, and returns where it leads.
func (b *browser) post(path string, form url.Values, headers ...string) (status int, to, text string) {
	b.t.Helper()
	req, err := http.NewRequest(http.MethodPost, b.base+Root+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", b.base)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Del(headers[i])
		if headers[i+1] != "" {
			req.Header.Set(headers[i], headers[i+1])
		}
	}
	resp, err := b.http.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("Location"), b.read(resp)
}

// form is a form of this session with these fields.
func (b *browser) form(fields ...string) url.Values {
	b.t.Helper()
	out := url.Values{"csrf": {b.csrf()}}
	for i := 0; i < len(fields); i += 2 {
		out.Add(fields[i], fields[i+1])
	}
	return out
}
