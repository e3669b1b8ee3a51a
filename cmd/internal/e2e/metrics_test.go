package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"waoutbox/dispatcher/receiver"
	"waoutbox/outbox/api"
)

// metrics returns what `waoutbox metrics` prints, by series.
func (r *rig) metrics() map[string]float64 {
	r.t.Helper()
	out := map[string]float64{}
	for line := range strings.Lines(r.mustRun("metrics")) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		i := strings.LastIndexByte(line, ' ')
		v, err := strconv.ParseFloat(strings.TrimSpace(line[i+1:]), 64)
		if err != nil {
			r.t.Fatalf("metrics printed %q: %v", line, err)
		}
		out[line[:i]] = v
	}
	return out
}

// wantMetrics compares series with what they must be. One that must be absent is -1.
func (r *rig) wantMetrics(when string, want map[string]float64) {
	r.t.Helper()
	got := r.metrics()
	for series, v := range want {
		have, shown := got[series]
		if !shown {
			have = -1
		}
		if have != v {
			r.t.Errorf("%s: %s is %v, want %v", when, series, have, v)
		}
	}
}

// TestMetricsTellWhatHappened: what the receivers saw and what was done, after deliveries, deaths,
// a kill, a replay, a removal and a purge.
func TestMetricsTellWhatHappened(t *testing.T) {
	t.Parallel()
	const letters = 12 // enough to raise dead_letters_rising
	r := newRig(t)
	r.serve()
	r.pair()
	bob := r.phone.NewContact("Bob", "491515550201")
	good, bad := r.receiver(receiver.Options{Secret: secret}), r.receiver(receiver.Options{Secret: secret})
	a := r.addWebhook(good.URL(), secret, "message.received")
	b := r.deadLetters(bad, letters, bob)
	r.until("the healthy one has all", func() bool { return good.Counts().Accepted == letters && r.status().Pending == 0 })

	of := func(name string, w api.Webhook, more string) string {
		return fmt.Sprintf(`waoutbox_%s{%swebhook=%q}`, name, more, w.ID)
	}
	r.wantMetrics("after the dead letters", map[string]float64{
		`waoutbox_events_appended_total{event="message.received"}`: letters,
		of("attempts_total", a, `class="ok",`):                     float64(good.Counts().Posts),
		of("attempts_total", b, `class="http",`):                   float64(bad.Counts().Posts),
		of("attempt_seconds_count", a, ""):                         letters,
		of("deliveries_total", a, `outcome="delivered",`):          letters,
		of("deliveries_total", b, `outcome="dead",`):               letters,
		of("dead_letters", a, ""):                                  0,
		of("dead_letters", b, ""):                                  letters,
		of("pending_deliveries", b, ""):                            0,
		`waoutbox_alarms{code="dead_letters_rising"}`:              1,
		`waoutbox_link_state{state="connected"}`:                   1,
		`waoutbox_counts_known`:                                    1,
		`waoutbox_events`:                                          float64(r.status().Events),
	})
	// messages that wait share an append
	if m := r.metrics(); m["waoutbox_append_seconds_count"] < 1 || m["waoutbox_commit_seconds_count"] < 1 ||
		m[`waoutbox_events_appended_total{event="message.received"}`] != letters ||
		m["waoutbox_database_live_bytes"]+m["waoutbox_database_free_bytes"] > m["waoutbox_database_bytes"] || m["waoutbox_database_live_bytes"] <= 0 {
		t.Errorf("appends, commits or bytes: %v", m)
	}
	if res := r.run("status", "--check"); res.code != 1 || !strings.Contains(res.stdout, "dead_letters_rising") || !strings.Contains(res.stdout, b.ID) {
		t.Errorf("status --check: exit %d\n%s", res.code, res.stdout)
	}
	if w := one[api.Webhook](r, "webhook", "show", b.ID); w.LastSuccess != nil || w.LastError == nil || w.LastError.Status != 503 || w.LastHour.Failed != letters {
		t.Errorf("webhook show: %+v, %+v, %+v", w.LastSuccess, w.LastError, w.LastHour)
	}

	r.kill()
	r.serve()
	r.until("it is connected again", func() bool { return r.status().Link.State == api.LinkConnected })
	r.wantMetrics("after a kill", map[string]float64{
		of("deliveries_total", b, `outcome="dead",`):  -1,
		of("dead_letters", b, ""):                     letters,
		of("pending_deliveries", a, ""):               0,
		`waoutbox_alarms{code="dead_letters_rising"}`: 0,
		`waoutbox_events`:                             float64(r.status().Events),
	})

	r.mustRun("deadletter", "replay", "--all", "--rate", "0")
	r.wantMetrics("after a replay", map[string]float64{
		of("dead_letters", b, ""):                         0,
		of("deliveries_total", b, `outcome="delivered",`): letters,
		of("attempts_total", b, `class="ok",`):            letters,
	})
	attempts := one[api.WebhookActivity](r, "webhook", "show", b.ID, "--attempts").Attempts
	if len(attempts) != letters || attempts[0].Replay != 1 || attempts[0].Outcome != "delivered" {
		t.Errorf("%d attempts: %+v", len(attempts), attempts)
	}

	r.mustRun("webhook", "pause", b.ID)
	for i := range 3 {
		if _, err := bob.SendText(r.within(time.Minute), fmt.Sprintf("later %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	r.until("they wait", func() bool { return r.metrics()[of("pending_deliveries", b, "")] == 3 })
	r.wantMetrics("while it is paused", map[string]float64{
		of("webhook_state", b, `state="paused",`): 1, of("webhook_state", b, `state="active",`): 0, `waoutbox_alarms{code="webhook_paused"}`: 1,
	})

	r.mustRun("webhook", "remove", b.ID, "--yes")
	r.until("its series are gone", func() bool { return !strings.Contains(r.mustRun("metrics"), b.ID) })
	r.wantMetrics("after the removal", map[string]float64{`waoutbox_removed_webhooks_dead_letters`: 3, of("dead_letters", a, ""): 0})
	r.mustRun("deadletter", "purge", "--all", "--yes")
	r.wantMetrics("after the purge", map[string]float64{`waoutbox_removed_webhooks_dead_letters`: 0})
}
