package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"waoutbox/outbox/api"
)

// fakeService is an in-memory api.Service: enough of one to show every output and every way a command can fail. Replayed letters
// end after a while as fate says. Its clock is the bubble's.
type fakeService struct {
	mu      sync.Mutex
	status  api.Status
	hooks   []api.Webhook
	letters []api.DeadLetterDetail // dead, in order
	flying  []fakeFlight
	fate    func(id string) bool // whether a replay delivers; nil: always
	took    time.Duration        // until a replay ends
	room    int                  // most letters one Replay takes; 0 = all
	fail    map[string]error     // by method
	put     api.PutWebhookResult
	test    api.TestWebhookResult
	steps   []api.PairStep
	none    error // what connecting answers

	puts     []api.PutWebhook // what was asked
	replays  [][]string
	sent     []api.SendText
	stopped  bool
	needs    []need
	closed   int
	args     []string
	mostAway int
}

type fakeFlight struct {
	letter api.DeadLetterDetail
	due    time.Time
}

func (f *fakeService) connect(e *env) func(context.Context, need) (backend, error) {
	return func(_ context.Context, n need) (backend, error) {
		f.needs = append(f.needs, n)
		if f.none != nil {
			return backend{}, f.none
		}
		f.args = e.daemonArgs
		return backend{Service: f, daemon: f, close: func() error { f.closed++; return f.fail["close"] }}, nil
	}
}

// land ends the flights that are due, with f.mu held.
func (f *fakeService) land() {
	now := time.Now()
	var still []fakeFlight
	for _, fl := range f.flying {
		switch {
		case fl.due.After(now):
			still = append(still, fl)
		case f.fate != nil && !f.fate(fl.letter.ID):
			fl.letter.FailedAt = fl.due
			f.letters = append(f.letters, fl.letter)
		}
	}
	f.flying = still
	slices.SortStableFunc(f.letters, func(a, b api.DeadLetterDetail) int { return compareIDs(a.ID, b.ID) })
}

// compareIDs orders dl_<webhook>_<seq> by webhook and sequence; the fixtures' sequences have one length.
func compareIDs(a, b string) int { return cmp.Compare(a, b) }

func (f *fakeService) begin(method string) (func(), error) {
	f.mu.Lock()
	f.land()
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
	if st.Alarms == nil {
		st.Alarms = []api.Alarm{}
	}
	return st, err
}

func (f *fakeService) liveHooks() []api.Webhook {
	out := []api.Webhook{}
	for _, w := range f.hooks {
		for _, fl := range f.flying {
			if fl.letter.Webhook == w.ID {
				w.Pending++
				w.OldestPendingSeconds = max(w.OldestPendingSeconds, int64(time.Since(fl.letter.FailedAt)/time.Second))
			}
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
			res := api.RemoveWebhookResult{Removed: true, ID: w.ID, URL: w.URL, DeadLettered: w.Pending}
			if in.Purge {
				res.Purged = w.Pending + w.Dead
			}
			return res, err
		}
	}
	return api.RemoveWebhookResult{ID: "wh_OLD", URL: in.Webhook, Purged: int64(len(f.letters))}, err
}

func (f *fakeService) TestWebhook(context.Context, string) (api.TestWebhookResult, error) {
	done, err := f.begin("TestWebhook")
	defer done()
	return f.test, err
}

func (f *fakeService) matching(q api.DeadLetterFilter) []api.DeadLetterDetail {
	var out []api.DeadLetterDetail
	for _, l := range f.letters {
		if len(q.IDs) > 0 && !slices.Contains(q.IDs, l.ID) || q.Webhook != "" && q.Webhook != l.Webhook && q.Webhook != l.URL ||
			q.Event != "" && q.Event != l.Event || l.FailedAt.Before(q.Since) {
			continue
		}
		out = append(out, l)
	}
	return out
}

func (f *fakeService) DeadLetterSummary(_ context.Context, q api.DeadLetterFilter) ([]api.DeadLetterGroup, error) {
	done, err := f.begin("DeadLetterSummary")
	defer done()
	var out []api.DeadLetterGroup
	for _, l := range f.matching(q) {
		reason := l.LastError.Class
		if l.LastError.Status > 0 {
			reason = fmt.Sprint(l.LastError.Status)
		}
		i := slices.IndexFunc(out, func(g api.DeadLetterGroup) bool { return g.Webhook == l.Webhook && g.Reason == reason })
		if i < 0 {
			out = append(out, api.DeadLetterGroup{Webhook: l.Webhook, URL: l.URL, Removed: l.Removed, Reason: reason, First: l.FailedAt})
			i = len(out) - 1
		}
		out[i].Count++
		out[i].Last = l.FailedAt
	}
	return out, err
}

func (f *fakeService) DeadLetters(_ context.Context, q api.DeadLetterQuery) (api.DeadLetterPage, error) {
	done, err := f.begin("DeadLetters")
	defer done()
	all := f.matching(q.DeadLetterFilter)
	page := api.DeadLetterPage{Items: []api.DeadLetter{}, Total: int64(len(all))}
	for _, l := range all {
		if q.Cursor != "" && compareIDs(l.ID, q.Cursor) <= 0 {
			continue // a cursor stays valid when its letter is gone
		}
		if len(page.Items) == cmp.Or(q.Limit, 50) {
			page.NextCursor = page.Items[len(page.Items)-1].ID
			break
		}
		page.Items = append(page.Items, l.DeadLetter)
	}
	return page, err
}

func (f *fakeService) DeadLetter(_ context.Context, id string) (api.DeadLetterDetail, error) {
	done, err := f.begin("DeadLetter")
	defer done()
	for _, l := range f.letters {
		if l.ID == id {
			return l, err
		}
	}
	return api.DeadLetterDetail{}, api.Errorf(api.CodeNotFound, "no dead letter %s. See them with: waoutbox deadletter list", id)
}

func (f *fakeService) Replay(_ context.Context, in api.ReplayRequest) (api.ReplayResult, error) {
	done, err := f.begin("Replay")
	defer done()
	res := api.ReplayResult{Missing: []string{}}
	if err != nil {
		return res, err
	}
	f.replays = append(f.replays, in.IDs)
	selected := f.matching(in.DeadLetterFilter)
	for _, id := range in.IDs {
		dead := slices.ContainsFunc(f.letters, func(l api.DeadLetterDetail) bool { return l.ID == id })
		away := slices.ContainsFunc(f.flying, func(l fakeFlight) bool { return l.letter.ID == id })
		if !dead && !away {
			res.Missing = append(res.Missing, id)
		}
	}
	for _, l := range selected {
		if f.room > 0 && len(f.flying) >= f.room || l.Removed {
			res.Remaining++
			continue
		}
		res.Queued++
		f.flying = append(f.flying, fakeFlight{l, time.Now().Add(f.took)})
		f.letters = slices.DeleteFunc(f.letters, func(o api.DeadLetterDetail) bool { return o.ID == l.ID })
	}
	f.mostAway = max(f.mostAway, len(f.flying))
	return res, nil
}

func (f *fakeService) Purge(_ context.Context, in api.PurgeRequest) (api.PurgeResult, error) {
	done, err := f.begin("Purge")
	defer done()
	var res api.PurgeResult
	for _, l := range f.matching(in.DeadLetterFilter) {
		res.Purged++
		f.letters = slices.DeleteFunc(f.letters, func(o api.DeadLetterDetail) bool { return o.ID == l.ID })
	}
	return res, err
}

func (f *fakeService) Pair(_ context.Context, step func(api.PairStep) error) error {
	done, err := f.begin("Pair")
	defer done()
	for _, s := range f.steps {
		if serr := step(s); serr != nil {
			return serr
		}
	}
	return err
}

func (f *fakeService) QR(context.Context) (api.PairStep, error) {
	return api.PairStep{}, fmt.Errorf("no command calls this")
}

func (f *fakeService) SendText(_ context.Context, in api.SendText) (api.SendResult, error) {
	done, err := f.begin("SendText")
	defer done()
	f.sent = append(f.sent, in)
	return api.SendResult{MessageID: "3EB0C0FFEE", Chat: "491515550100@s.whatsapp.net", Timestamp: time.Now()}, err
}

// result is what one command line printed and how it ended.
type result struct {
	out, err string
	code     int
}

// invoke runs one command line against the fake. It is meant for a synctest bubble: times are the bubble's, shown in UTC.
func invoke(t *testing.T, f *fakeService, stdin string, args ...string) result {
	t.Helper()
	return invokeWith(t, f, stdin, func(*env) {}, args...)
}

func invokeWith(t *testing.T, f *fakeService, stdin string, prepare func(*env), args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	getenv := func(key string) string {
		return map[string]string{"HOME": "/home/alice", "WAOUTBOX_STATE_DIR": "/home/alice/state"}[key]
	}
	e := newEnv(args, getenv, strings.NewReader(stdin), &out, &errs)
	e.loc = time.UTC
	e.connect = f.connect(e)
	prepare(e)
	code := e.run(t.Context())
	return result{out.String(), errs.String(), code}
}
