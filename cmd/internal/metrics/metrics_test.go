package metrics

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
	"waoutbox/store"
)

// someStatus has one webhook with a telling URL, and an alarm.
func someStatus() api.Status {
	return api.Status{
		Link:     api.Link{State: api.LinkConnected, Account: "491515550100@s.whatsapp.net", Name: "Alice"},
		Webhooks: []api.Webhook{{ID: "wh_a", URL: "https://crm.example/hook?token=hunter2", Chats: []string{"4915155501001@s.whatsapp.net"}, Status: api.WebhookFailing, Pending: 7, Dead: 3, OldestPendingSeconds: 61}},
		Dead:     5, Events: 1200, Bytes: 4096, Alarms: []api.Alarm{{Code: "webhook_failing"}, {Code: "webhook_failing"}, {Code: "of the future"}},
	}
}

// newWatched returns Metrics that have been told of everything once, over the status st or err.
func newWatched(st api.Status, err error) *Metrics {
	m := New("1.2.3", []string{"message.received", "group.update"})
	m.Watch(Source{
		Status:   func(context.Context) (api.Status, error) { return st, err },
		Database: func() (live, free int64) { return 3072, 1024 },
	})
	m.Committed(store.Commit{Writes: 5, Took: 2 * time.Millisecond})
	m.Committed(store.Commit{Writes: 1, Err: errors.New("no space")})
	m.Appended([]outbox.Event{{Name: "message.received"}, {Name: "group.update"}, {Name: "of the future"}}, 3*time.Millisecond)
	m.Appended(nil, time.Millisecond) // stored before
	failed := dispatcher.AttemptEnd{Sub: "wh_a", Outcome: dispatcher.OutcomeDead, Result: dispatcher.Result{Class: outbox.ClassTimeout}, Took: 10 * time.Second}
	m.Attempted(failed)
	m.Ended(dispatcher.DeliveryEnd{Sub: "wh_a", Count: 1, Dead: true})
	m.Ended(dispatcher.DeliveryEnd{Sub: "wh_a", Count: 40, Dead: true})
	m.Attempted(dispatcher.AttemptEnd{Sub: "wh_a", Outcome: dispatcher.OutcomeDelivered, Result: dispatcher.Result{Class: outbox.ClassOK}, Took: 4 * time.Millisecond})
	m.Ended(dispatcher.DeliveryEnd{Sub: "wh_a", Count: 1})
	m.Attempted(dispatcher.AttemptEnd{Sub: "wh_a", Outcome: dispatcher.OutcomeNotAttempted, Result: dispatcher.Result{Class: "of the future"}})
	return m
}

// scrape returns what GET /metrics serves.
func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
		t.Fatalf("%d %s: %s", w.Code, w.Header().Get("Content-Type"), w.Body)
	}
	return w.Body.String()
}

// wantLines checks that each line is there.
func wantLines(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("no line %q", line)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

// Mutation of metrics.go: a backlog that dies as one run counts as one dead letter.
// Mutation of metrics.go: a write that failed counts as one that did not.
// Mutation of metrics.go: an attempt that was never made counts as one that was quick.
// Mutation of present.go: an alarm of a code that the metrics do not know is not counted.
func TestValues(t *testing.T) {
	text := scrape(t, newWatched(someStatus(), nil))
	wantLines(t, text,
		`waoutbox_events_appended_total{event="message.received"} 1`,
		`waoutbox_events_appended_total{event="group.update"} 1`,
		`waoutbox_events_appended_total{event="other"} 1`,
		`waoutbox_append_seconds_count 2`,
		`waoutbox_commit_seconds_count 1`,
		`waoutbox_commit_writes_sum 5`,
		`waoutbox_commit_failures_total 1`,
		`waoutbox_attempts_total{class="ok",webhook="wh_a"} 1`,
		`waoutbox_attempts_total{class="timeout",webhook="wh_a"} 1`,
		`waoutbox_attempts_total{class="other",webhook="wh_a"} 1`,
		`waoutbox_attempts_total{class="tls",webhook="wh_a"} 0`,
		`waoutbox_attempt_seconds_count{webhook="wh_a"} 2`,
		`waoutbox_deliveries_total{outcome="dead",webhook="wh_a"} 41`,
		`waoutbox_deliveries_total{outcome="delivered",webhook="wh_a"} 1`,
		`waoutbox_pending_deliveries{webhook="wh_a"} 7`,
		`waoutbox_oldest_pending_seconds{webhook="wh_a"} 61`,
		`waoutbox_dead_letters{webhook="wh_a"} 3`,
		`waoutbox_removed_webhooks_dead_letters 2`,
		`waoutbox_webhook_state{state="failing",webhook="wh_a"} 1`,
		`waoutbox_webhook_state{state="active",webhook="wh_a"} 0`,
		`waoutbox_link_state{state="connected"} 1`,
		`waoutbox_link_state{state="unlinked"} 0`,
		`waoutbox_alarms{code="webhook_failing"} 2`,
		`waoutbox_alarms{code="webhook_full"} 0`,
		`waoutbox_alarms{code="other"} 1`,
		`waoutbox_events 1200`,
		`waoutbox_database_bytes 4096`,
		`waoutbox_database_live_bytes 3072`,
		`waoutbox_database_free_bytes 1024`,
		`waoutbox_counts_known 1`,
	)
	if !strings.Contains(text, `version="1.2.3"} 1`) || !strings.Contains(text, "\ngo_goroutines ") {
		t.Error("no build, or no Go runtime")
	}
	for _, secret := range []string{"crm", "hunter2", "491515550100", "Alice", "@"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is shown", secret)
		}
	}
}

// TestUnknownCountsAreAbsent, not zero.
//
// Mutation of present.go: what is not known is shown as nothing pending and nothing dead.
func TestUnknownCountsAreAbsent(t *testing.T) {
	unknown := someStatus()
	unknown.CountsUnknown, unknown.Webhooks[0].CountsUnknown = true, true
	for name, m := range map[string]*Metrics{"no counts": newWatched(unknown, nil), "no status": newWatched(api.Status{}, errors.New("closed"))} {
		text := scrape(t, m)
		wantLines(t, text, `waoutbox_counts_known 0`, `waoutbox_commit_failures_total 1`)
		for _, d := range []description{pending, deadLetters, oldestPending, eventsKept, removedDead} {
			if strings.Contains(text, "\n"+d.name+"{") || strings.Contains(text, "\n"+d.name+" ") {
				t.Errorf("%s: %s is shown", name, d.name)
			}
		}
	}
}

// TestARemovedWebhookDisappears, and one that comes back begins at zero.
//
// Mutation of metrics.go: a webhook that was removed is shown for ever, and a process that goes on
// shows more and more of them.
func TestARemovedWebhookDisappears(t *testing.T) {
	m := newWatched(api.Status{}, nil)
	for i := range 1000 {
		id := outbox.SubID(fmt.Sprintf("wh_%d", i))
		m.Attempted(dispatcher.AttemptEnd{Sub: id, Outcome: dispatcher.OutcomeDelivered})
		m.LaneEnded(id)
	}
	m.LaneEnded("wh_a")
	if text := scrape(t, m); strings.Contains(text, "wh_") {
		t.Error("a removed webhook is shown:\n", text)
	}
	m.Ended(dispatcher.DeliveryEnd{Sub: "wh_a", Count: 1})
	wantLines(t, scrape(t, m), `waoutbox_deliveries_total{outcome="delivered",webhook="wh_a"} 1`)
}

// TestDescriptions: what is served has the names, types, labels and meanings of the descriptions,
// and nothing else.
func TestDescriptions(t *testing.T) {
	families, err := newWatched(someStatus(), nil).registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]description{}
	for _, d := range descriptions() {
		want[d.name] = d
	}
	for _, f := range families {
		name := f.GetName()
		if strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") {
			continue
		}
		d, ok := want[name]
		if !ok {
			t.Errorf("%s has no description", name)
			continue
		}
		delete(want, name)
		if got := strings.ToLower(f.GetType().String()); got != string(d.kind) || f.GetHelp() != d.help {
			t.Errorf("%s: a %s: %s", name, got, f.GetHelp())
		}
		for _, series := range f.GetMetric() {
			var labels []string
			for _, l := range series.GetLabel() {
				labels = append(labels, l.GetName())
			}
			if sorted := slices.Sorted(slices.Values(d.labels)); !slices.Equal(labels, sorted) {
				t.Errorf("%s has the labels %q, want %q", name, labels, sorted)
			}
		}
	}
	for name := range want {
		t.Errorf("%s is not served", name)
	}
}

// TestLint: the names and helps keep Prometheus' rules.
func TestLint(t *testing.T) {
	problems, err := promlint.New(strings.NewReader(scrape(t, newWatched(someStatus(), nil)))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// BenchmarkObserve is what a delivery costs: one attempt and its end.
func BenchmarkObserve(b *testing.B) {
	m := newWatched(api.Status{}, nil)
	a := dispatcher.AttemptEnd{Sub: "wh_a", Outcome: dispatcher.OutcomeDelivered, Result: dispatcher.Result{Class: outbox.ClassOK}, Took: time.Millisecond}
	b.ReportAllocs()
	for b.Loop() {
		m.Attempted(a)
		m.Ended(dispatcher.DeliveryEnd{Sub: "wh_a", Count: 1})
	}
}
