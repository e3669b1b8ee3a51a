package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"waoutbox/cmd/internal/admin/replay"
	"waoutbox/outbox/api"
)

// fakeService is an in-memory api.Service: enough of one to show every output and every way a
// command can fail. Replayed letters end after a while as fate says. Its clock is the bubble's.
type fakeService struct {
	mu       sync.Mutex
	status   api.Status
	hooks    []api.Webhook
	letters  []api.DeadLetterDetail // dead, in order
	replayed []fakeReplay
	events   []api.EventDetail    // the log, in order
	fate     func(id string) bool // whether a replay delivers; nil: always
	took     time.Duration        // until a replay ends
	room     int                  // most letters one Replay takes; 0 = all
	fail     map[string]error     // by method
	put      api.PutWebhookResult
	test     api.TestWebhookResult
	steps    []api.PairStep
	// what ContinuePairing got, and returns
	continued []api.ContinuePairing
	next      api.PairStep
	unpaired  api.UnpairResult
	activity  api.WebhookActivity
	none      error // what connecting returns
	edited    bool  // the audit trail was changed by something else
	// what webhooks are owed cannot be counted until then
	uncountedUntil time.Time
	// what a removal or a purge could not finish
	warnings []string

	skipped  int64     // what a resumption to now skips
	wasSince time.Time // since when a webhook was as it was before it is paused or resumed
	rotated  api.RotateSecretResult

	puts            []api.PutWebhook // what was asked
	tests           []api.TestWebhook
	rotations       []api.RotateSecret
	queries         []api.DeadLetterQuery
	replays         [][]string
	sent            []api.Send
	media           api.Media
	file            string // its content
	marked          []api.MessageRef
	stopped         bool
	modes           []mode
	closed          int
	hosts           []string
	audit           []api.AuditRecord // newest first
	args            []string
	mostOutstanding int
	runs            *replay.Runs // the service's own
	prepare         func()       // called before a command line is run
}

func (f *fakeService) connect(e *env) func(context.Context, mode) (backend, error) {
	if f.runs == nil {
		f.runs = replay.New(slog.New(slog.DiscardHandler))
	}
	return func(_ context.Context, m mode) (backend, error) {
		f.modes = append(f.modes, m)
		if f.none != nil {
			return backend{}, f.none
		}
		f.args = e.daemonArgs
		return backend{Service: f, daemon: f, close: func() error { f.closed++; return f.fail["close"] }}, nil
	}
}

func (f *fakeService) begin(method string) (func(), error) {
	f.mu.Lock()
	f.endDue()
	return f.mu.Unlock, f.fail[method]
}

func (f *fakeService) Daemon(context.Context) (api.Daemon, error) {
	done, err := f.begin("Daemon")
	defer done()
	if f.status.Daemon == nil {
		return api.Daemon{}, api.Errorf(api.CodeServiceUnavail, "waoutbox is not running. Start it: waoutbox start")
	}
	return *f.status.Daemon, err
}

func (f *fakeService) Metrics(context.Context) (string, error) {
	done, err := f.begin("Metrics")
	defer done()
	return "# HELP waoutbox_events Events that the outbox keeps.\n# TYPE waoutbox_events gauge\nwaoutbox_events 18204\n", err
}

func (f *fakeService) RotateHTTPToken(context.Context) error {
	done, err := f.begin("RotateHTTPToken")
	defer done()
	return err
}

func (f *fakeService) Outbox(context.Context) (io.ReadCloser, int64, error) {
	done, err := f.begin("Outbox")
	defer done()
	return io.NopCloser(strings.NewReader("")), 0, err
}

func (f *fakeService) Listen(ctx context.Context, in api.PutWebhook, started func(api.PutWebhookResult) error) error {
	done, err := f.begin("Listen")
	done()
	if err == nil {
		err = started(api.PutWebhookResult{Result: api.PutCreated, Webhook: api.Webhook{ID: "wh_7K2M", URL: in.URL, Events: []string{"*"}}, Secret: "whsec_aGVsbG8="})
	}
	if err == nil {
		<-ctx.Done()
	}
	return err
}

func (f *fakeService) Examine(context.Context, api.Examine) (api.Examination, error) {
	done, err := f.begin("Examine")
	defer done()
	return api.Examination{}, err
}

func (f *fakeService) OpenPage(context.Context) (api.PageLink, error) {
	done, err := f.begin("OpenPage")
	defer done()
	return api.PageLink{URL: "http://127.0.0.1:34567/page/open?k=made-up", ExpiresAt: time.Now().Add(5 * time.Minute).UTC()}, err
}

func (f *fakeService) Stop(context.Context) error {
	done, err := f.begin("Stop")
	defer done()
	f.stopped = err == nil
	return err
}

func (f *fakeService) Status(context.Context) (api.Status, error) {
	done, err := f.begin("Status")
	defer done()
	st := f.status
	st.Webhooks = f.liveHooks()
	for _, w := range st.Webhooks {
		st.Pending += w.Pending
	}
	st.Dead = int64(len(f.letters))
	st.Replays = runningReplays(f.runs.List())
	if st.Alarms == nil {
		st.Alarms = []api.Alarm{}
	}
	return st, err
}

func (f *fakeService) liveHooks() []api.Webhook {
	out := []api.Webhook{}
	for _, w := range f.hooks {
		for _, fl := range f.replayed {
			if fl.letter.Webhook == w.ID {
				w.Pending++
				w.OldestPendingSeconds = max(w.OldestPendingSeconds, int64(time.Since(fl.letter.FailedAt)/time.Second))
			}
		}
		if time.Now().Before(f.uncountedUntil) {
			w.Pending, w.OldestPendingSeconds, w.CountsUnknown = 0, 0, true
		}
		out = append(out, w)
	}
	return out
}

func (f *fakeService) Webhooks(context.Context) ([]api.Webhook, error) {
	done, err := f.begin("Webhooks")
	defer done()
	return f.liveHooks(), err
}

func (f *fakeService) Webhook(_ context.Context, ref string) (api.Webhook, error) {
	done, err := f.begin("Webhook")
	defer done()
	for _, w := range f.liveHooks() {
		if w.ID == ref || w.URL == ref {
			return w, err
		}
	}
	return api.Webhook{}, api.Errorf(api.CodeWebhookNotFound, "no webhook %q. See them all with: waoutbox webhook list", ref)
}

func (f *fakeService) WebhookActivity(ctx context.Context, ref string) (api.WebhookActivity, error) {
	w, err := f.Webhook(ctx, ref)
	if err == nil {
		err = f.fail["WebhookActivity"]
	}
	a := f.activity
	a.Webhook, a.URL, a.LastSuccess, a.LastError = w.ID, w.URL, w.LastSuccess, w.LastError
	return a, err
}

func (f *fakeService) PutWebhook(_ context.Context, in api.PutWebhook) (api.PutWebhookResult, error) {
	done, err := f.begin("PutWebhook")
	defer done()
	f.puts = append(f.puts, in)
	return f.put, err
}

func (f *fakeService) RemoveWebhook(_ context.Context, in api.RemoveWebhook) (api.RemoveWebhookResult, error) {
	done, err := f.begin("RemoveWebhook")
	defer done()
	for i, w := range f.hooks {
		if w.ID == in.Webhook || w.URL == in.Webhook {
			f.hooks = slices.Delete(f.hooks, i, i+1)
			res := api.RemoveWebhookResult{Removed: true, ID: w.ID, URL: w.URL, DeadLettered: w.Pending, Warnings: f.warnings}
			if in.Purge {
				res.Purged, res.Forgotten = w.Pending+w.Dead, true
			}
			return res, err
		}
	}
	return api.RemoveWebhookResult{ID: "wh_OLD", URL: in.Webhook, Purged: int64(len(f.letters)), Forgotten: in.Purge}, err
}

func (f *fakeService) TestWebhook(_ context.Context, in api.TestWebhook) (api.TestWebhookResult, error) {
	done, err := f.begin("TestWebhook")
	defer done()
	f.tests = append(f.tests, in)
	return f.test, err
}

// state moves the webhook of a reference into a status.
func (f *fakeService) state(ref string, to api.WebhookStatus, reason string) api.WebhookState {
	i := slices.IndexFunc(f.hooks, func(w api.Webhook) bool { return w.ID == ref || w.URL == ref })
	was := f.hooks[i]
	f.hooks[i].Status, f.hooks[i].Reason = to, reason
	return api.WebhookState{Was: was.Status, WasReason: was.Reason, WasSince: f.wasSince, Webhook: f.hooks[i]}
}

func (f *fakeService) PauseWebhook(_ context.Context, ref string) (api.WebhookState, error) {
	done, err := f.begin("PauseWebhook")
	defer done()
	if err != nil {
		return api.WebhookState{}, err
	}
	return f.state(ref, api.WebhookPaused, "by its user"), nil
}

func (f *fakeService) ResumeWebhook(_ context.Context, in api.ResumeWebhook) (api.WebhookState, error) {
	done, err := f.begin("ResumeWebhook")
	defer done()
	if err != nil {
		return api.WebhookState{}, err
	}
	if len(f.warnings) > 0 {
		res := f.state(in.Webhook, api.WebhookPaused, "by its user")
		res.Skipped, res.Warnings = f.skipped, f.warnings
		return res, nil
	}
	res := f.state(in.Webhook, api.WebhookActive, "")
	res.Skipped = f.skipped
	return res, nil
}

func (f *fakeService) RotateSecret(_ context.Context, in api.RotateSecret) (api.RotateSecretResult, error) {
	done, err := f.begin("RotateSecret")
	defer done()
	f.rotations = append(f.rotations, in)
	return f.rotated, err
}

func (f *fakeService) Pair(_ context.Context, _ api.PairRequest, step func(api.PairStep) error) error {
	done, err := f.begin("Pair")
	steps := f.steps
	done() // what shows a step may ask for more
	for _, s := range steps {
		if serr := step(s); serr != nil {
			return serr
		}
	}
	return err
}

func (f *fakeService) PairNow(context.Context, api.PairRequest) (api.PairStep, error) {
	return api.PairStep{}, fmt.Errorf("no command calls this")
}

func (f *fakeService) SendFile(_ context.Context, in api.Send, content io.Reader) (api.SendResult, error) {
	done, err := f.begin("SendFile")
	defer done()
	if err != nil {
		return api.SendResult{}, err
	}
	b, err := io.ReadAll(content)
	f.sent, f.file = append(f.sent, in), string(b)
	return api.SendResult{MessageID: "3EB0C0FFEE", Chat: "491515550100@s.whatsapp.net", Timestamp: time.Now()}, err
}

func (f *fakeService) Media(_ context.Context, ref string) (api.Media, error) {
	done, err := f.begin("Media")
	defer done()
	if err != nil {
		return api.Media{}, err
	}
	m := f.media
	m.Content = io.NopCloser(strings.NewReader(f.file))
	return m, nil
}

func (f *fakeService) ContinuePairing(_ context.Context, in api.ContinuePairing) (api.PairStep, error) {
	done, err := f.begin("ContinuePairing")
	defer done()
	f.continued = append(f.continued, in)
	return f.next, err
}

func (f *fakeService) Unpair(context.Context, api.UnpairRequest) (api.UnpairResult, error) {
	done, err := f.begin("Unpair")
	defer done()
	return f.unpaired, err
}

func (f *fakeService) Connect(context.Context) (api.Link, error) {
	done, err := f.begin("Connect")
	defer done()
	return f.status.Link, err
}

func (f *fakeService) Disconnect(context.Context) (api.Link, error) {
	done, err := f.begin("Disconnect")
	defer done()
	return f.status.Link, err
}

// result is what one command line printed and how it ended.
type result struct {
	out, err string
	code     int
}

// invoke runs one command line against the fake. It is meant for a synctest bubble: times are the
// bubble's, shown in UTC.
func invoke(t *testing.T, f *fakeService, stdin string, args ...string) result {
	t.Helper()
	return invokeWith(t, f, stdin, func(*env) {}, args...)
}

func invokeWith(t *testing.T, f *fakeService, stdin string, prepare func(*env), args ...string) result {
	t.Helper()
	return invokeUntil(t.Context(), t, f, stdin, prepare, args...)
}

// invokeUntil is invokeWith until ctx ends, for what goes on.
func invokeUntil(ctx context.Context, t *testing.T, f *fakeService, stdin string, prepare func(*env), args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	getenv := func(key string) string {
		return map[string]string{"HOME": "/home/alice", "WAOUTBOX_STATE_DIR": "/home/alice/state"}[key]
	}
	e := newEnv(args, getenv, strings.NewReader(stdin), &out, &errs)
	e.loc = time.UTC
	e.connect = f.connect(e)
	t.Cleanup(f.runs.Close)
	prepare(e)
	if f.prepare != nil {
		f.prepare()
	}
	code := e.run(ctx)
	return result{out.String(), errs.String(), code}
}
