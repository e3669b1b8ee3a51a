package admin

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// TestInsecureHTTPIsKeptAndWithdrawn: a webhook that needed --allow-insecure-http keeps it until it
// is withdrawn. Before, updating or resuming it by id printed "93.184.216.34 is a public address:
// plain http …" unless the flag was repeated, and nothing withdrew it.
func TestInsecureHTTPIsKeptAndWithdrawn(t *testing.T) {
	r := newRig(t)
	put := func(url string, allow *bool) (api.PutWebhookResult, error) {
		return r.PutWebhook(t.Context(), api.PutWebhook{URL: url, AllowInsecure: allow})
	}
	_, err := put("http://93.184.216.34/hook", ptr(false))
	wantError(t, err, api.CodeInvalidURL, "https")
	made, err := put("http://93.184.216.34/hook", ptr(true))
	if err != nil {
		t.Fatal(err)
	}
	id := made.Webhook.ID
	for _, ref := range []string{id, "http://93.184.216.34/hook"} {
		if res, err := put(ref, nil); err != nil || res.Result != api.PutUpdated || !r.stored(id).AllowInsecureHTTP {
			t.Errorf("updated as %s without the flag: %+v, %v", ref, res, err)
		}
	}
	if !made.Webhook.AllowInsecure {
		t.Error("the webhook does not show that plain http is allowed") // it did nowhere
	}
	_, err = put(id, ptr(false))
	wantError(t, err, api.CodeInvalidURL, "cannot be withdrawn")
	if !r.stored(id).AllowInsecureHTTP {
		t.Error("a refused call changed the webhook")
	}
	// A removed one comes back with it.
	if _, err := r.RemoveWebhook(t.Context(), api.RemoveWebhook{Webhook: id}); err != nil {
		t.Fatal(err)
	}
	if res, err := put(id, nil); err != nil || res.Result != api.PutRevived || !r.stored(id).AllowInsecureHTTP {
		t.Errorf("revived without the flag: %+v, %v", res, err)
	}
	// Where it is not needed it can go.
	local, err := put("http://localhost/hook", ptr(true))
	if err != nil || !r.stored(local.Webhook.ID).AllowInsecureHTTP {
		t.Fatalf("%+v, %v", local, err)
	}
	if res, err := put(local.Webhook.ID, ptr(false)); err != nil || res.Webhook.AllowInsecure || r.stored(local.Webhook.ID).AllowInsecureHTTP {
		t.Errorf("withdrawn: %v, still allowed %v", err, r.stored(local.Webhook.ID).AllowInsecureHTTP)
	}
}

// TestRevivalKeepsEverySetting: a removed webhook that is added again, by URL or id, has its
// filter, chats, headers, order and secret; what died before is replayed signed. Before, all were
// lost ("Events:[*] Chats:[] Headers:[] Signed:false Ordered:true") and dead letters left unsigned.
//
// Mutation of webhook_put.go: a signed webhook that was removed comes back unsigned.
func TestRevivalKeepsEverySetting(t *testing.T) {
	r := newRig(t)
	made, err := r.PutWebhook(t.Context(), api.PutWebhook{
		URL: "http://localhost/hook", Secret: ptr("a secret of some length"), Events: &[]string{"message.received"},
		Chats: &[]string{"0@lid", "1@lid"}, NotChats: &[]string{"2@lid"}, Kinds: &[]string{"direct"}, Redrive: ptr(true), Headers: &map[string]string{"X-Tenant": "blue"}, Ordered: ptr(false),
	})
	if err != nil {
		t.Fatal(err)
	}
	settings := func(w api.Webhook) string {
		return fmt.Sprint(w.ID, w.Events, w.Chats, w.NotChats, w.Kinds, w.Redrive, w.Headers, w.Signed, w.Ordered, w.CreatedAt)
	}
	want := settings(made.Webhook)
	for n, ref := range []string{made.Webhook.ID, "HTTP://localhost:80/hook"} {
		r.arrive("message.received", 3) // one in each of three chats
		if res, err := r.RemoveWebhook(t.Context(), api.RemoveWebhook{Webhook: made.Webhook.ID}); err != nil || res.DeadLettered != 2 {
			t.Fatalf("removed: %+v, %v", res, err)
		}
		if page, err := r.DeadLetters(t.Context(), api.DeadLetterQuery{}); err != nil || page.Total != int64(2*(n+1)) {
			t.Fatalf("dead letters: %+v, %v", page, err)
		}
		if n == 1 { // the engine forgets the epochs of a webhook that holds no run
			if _, err := r.Purge(t.Context(), api.PurgeRequest{All: true}); err != nil {
				t.Fatal(err)
			}
		}
		res := r.put(ref)
		if got := settings(res.Webhook); res.Result != api.PutRevived || got != want {
			t.Errorf("revived as %s: %s\nwant %s", ref, got, want)
		}
		if cfg := r.stored(made.Webhook.ID); cfg.Filter != nil {
			t.Errorf("a webhook in use holds the filter of its removal: %+v", cfg.Filter)
		}
		if n == 1 {
			continue
		}
		if res, err := r.Replay(t.Context(), api.ReplayRequest{All: true}); err != nil || res.Queued != 2 {
			t.Fatalf("replay: %+v, %v", res, err)
		}
		r.sender.set(dispatcher.Result{Class: outbox.ClassHTTP, Status: 500})
		r.deliver("the replayed ones are dead again", func() bool { return r.status().Dead == 2 })
		for _, req := range r.sender.got {
			if len(req.Webhook.Secret) == 0 || len(req.Webhook.Headers) == 0 {
				t.Errorf("replayed with a secret of %d bytes and headers of %d", len(req.Webhook.Secret), len(req.Webhook.Headers))
			}
		}
	}
	// Only an explicit empty secret makes it unsigned.
	if _, err := r.RemoveWebhook(t.Context(), api.RemoveWebhook{Webhook: made.Webhook.ID}); err != nil {
		t.Fatal(err)
	}
	res, err := r.PutWebhook(t.Context(), api.PutWebhook{URL: made.Webhook.ID, Secret: ptr(""), Events: &[]string{"message.sent"}})
	if w := res.Webhook; err != nil || w.Signed || fmt.Sprint(w.Events) != "[message.sent]" || len(w.Chats) != 2 || len(w.Headers) != 1 {
		t.Errorf("revived with changes: %+v, %v", res, err)
	}
}

// TestZeroTimesAreLeftOut: before, a state without a moment printed "since":"0001-01-01T00:00:00Z".
func TestZeroTimesAreLeftOut(t *testing.T) {
	for _, v := range []any{api.Alarm{Code: "x"}, api.DeadLetter{}, api.AttemptLine{}, api.DeadLetterGroup{}, api.Daemon{}, api.SendResult{}, api.Link{}, api.PairStep{}} {
		raw, err := json.Marshal(v)
		if err != nil || strings.Contains(string(raw), "0001-01-01") {
			t.Errorf("%T: %s, %v", v, raw, err)
		}
	}
	r := newRig(t)
	r.put("http://localhost/hook")
	r.o.Daemon = &api.Daemon{PID: 1}
	if raw, err := json.Marshal(r.status()); err != nil || strings.Contains(string(raw), "0001-01-01") || !strings.Contains(string(raw), "webhook_held") {
		t.Errorf("status: %s, %v", raw, err)
	}
}

// TestLimitsAreCheckedAndKept: what an update leaves out stays, and what is wrong is said.
func TestLimitsAreCheckedAndKept(t *testing.T) {
	r := newRig(t)
	for wrong, in := range map[string]api.PutWebhook{
		"max-rate":         {MaxRate: new(-1.0)},
		"0.01 to 10000":    {MaxRate: new(0.001)},
		"for no bound":     {MaxRate: new(math.NaN())},
		"11 attempts":      {Schedule: &[]string{"0s", "1s", "1s", "1s", "1s", "1s", "1s", "1s", "1s", "1s", "1s"}},
		"at once":          {Schedule: &[]string{"1s", "3s"}},
		"no wait":          {Schedule: &[]string{"0s", "3"}},
		"longest is 1h":    {Schedule: &[]string{"0s", "61m"}},
		"none is below 0s": {Schedule: &[]string{"0s", "-1s"}},
	} {
		in.URL = "http://localhost/hook"
		_, err := r.PutWebhook(t.Context(), in)
		wantError(t, err, api.CodeInvalidArguments, wrong)
	}
	type shown struct {
		rate     float64
		schedule string
	}
	for i, step := range []struct {
		in   api.PutWebhook
		want shown
	}{
		{api.PutWebhook{}, shown{0, "0s 1s 3s 10s"}},
		{api.PutWebhook{MaxRate: new(2.5), Schedule: &[]string{"0s", "500ms", "90s", "5m", "1h"}}, shown{2.5, "0s 500ms 1m30s 5m 1h"}},
		{api.PutWebhook{Ordered: new(false)}, shown{2.5, "0s 500ms 1m30s 5m 1h"}},
		{api.PutWebhook{MaxRate: new(0.0)}, shown{0, "0s 500ms 1m30s 5m 1h"}},
		{api.PutWebhook{Schedule: &[]string{}}, shown{0, "0s 1s 3s 10s"}},
	} {
		step.in.URL = "http://localhost/hook"
		res, err := r.PutWebhook(t.Context(), step.in)
		if err != nil {
			t.Fatal(err)
		}
		if got := (shown{res.Webhook.MaxRate, strings.Join(res.Webhook.Schedule, " ")}); got != step.want {
			t.Errorf("step %d: %+v, want %+v", i, got, step.want)
		}
		if cfg := r.stored(res.Webhook.ID); cfg.MaxRate != step.want.rate {
			t.Errorf("step %d: stored %+v", i, cfg)
		}
	}
}

// TestAChangedFilterIsAnEpoch: a filter holds for what is appended after it was set; the same one
// in other words is no change; and a webhook whose old events stay does not keep filters without
// end.
func TestAChangedFilterIsAnEpoch(t *testing.T) {
	r := newRig(t)
	put := func(in api.PutWebhook) {
		t.Helper()
		in.URL = "http://localhost/hook"
		if _, err := r.PutWebhook(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	put(api.PutWebhook{})
	w, err := r.Webhook(t.Context(), "http://localhost/hook")
	if err != nil {
		t.Fatal(err)
	}
	epochs := func() int {
		t.Helper()
		sub, err := r.box.Sub(t.Context(), outbox.SubID(w.ID))
		if err != nil {
			t.Fatal(err)
		}
		return len(sub.Epochs)
	}
	for i, c := range []struct {
		in      api.PutWebhook
		changed int
	}{
		{api.PutWebhook{NotChats: &[]string{"+49 151 55501001"}}, 1},
		{api.PutWebhook{NotChats: &[]string{"4915155501001:3@C.US", "004915155501001"}}, 0},
		{api.PutWebhook{Kinds: &[]string{"group", "direct"}}, 1},
		{api.PutWebhook{Kinds: &[]string{"Direct", "group"}}, 0},
		{api.PutWebhook{MaxRate: new(2.0), Events: &[]string{"message.sent", "*"}}, 0},
		{api.PutWebhook{NotChats: &[]string{}, Kinds: &[]string{}}, 1},
	} {
		r.arrive("message.received", 1)
		before := epochs()
		put(c.in)
		if got := epochs() - before; got != c.changed {
			t.Errorf("step %d: %d epochs more, want %d", i, got, c.changed)
		}
	}
	r.arrive("message.received", maxEpochs)
	sub, err := r.box.Sub(t.Context(), outbox.SubID(w.ID))
	if err != nil {
		t.Fatal(err)
	}
	for from := sub.Epochs[len(sub.Epochs)-1].From + 1; len(sub.Epochs) < maxEpochs; from++ {
		sub.Epochs = append(sub.Epochs, outbox.Epoch{From: from, Filter: outbox.Filter{Events: []string{outbox.Any}}})
	}
	if _, err := r.box.PutSub(t.Context(), sub); err != nil {
		t.Fatal(err)
	}
	_, err = r.PutWebhook(t.Context(), api.PutWebhook{URL: w.ID, Kinds: &[]string{"group"}})
	wantError(t, err, api.CodeInvalidArguments, "changed 1000 times")
	put(api.PutWebhook{MaxRate: new(3.0)})
	if res, err := r.RemoveWebhook(t.Context(), api.RemoveWebhook{Webhook: w.ID}); err != nil || !res.Removed {
		t.Errorf("removed: %+v, %v", res, err)
	}
}
