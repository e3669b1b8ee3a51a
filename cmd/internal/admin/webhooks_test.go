package admin

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

func ptr[T any](v T) *T { return &v }

func TestPutWebhookCreatesUpdatesRevives(t *testing.T) {
	r := newRig(t)
	created, err := r.PutWebhook(t.Context(), api.PutWebhook{URL: "HTTP://LocalHost:80/hook", Secret: ptr("a secret of some length"), Events: &[]string{"message.received", "message.received"}})
	if err != nil {
		t.Fatal(err)
	}
	w := created.Webhook
	if created.Result != api.PutCreated || w.URL != "http://localhost/hook" || !w.Signed || !w.Ordered || fmt.Sprint(w.Events) != "[message.received]" {
		t.Errorf("created: %+v", created)
	}
	// Omitted fields keep their values; any spelling of the URL is the same webhook.
	updated, err := r.PutWebhook(t.Context(), api.PutWebhook{URL: "http://localhost/hook", Ordered: ptr(false)})
	if err != nil {
		t.Fatal(err)
	}
	if u := updated.Webhook; updated.Result != api.PutUpdated || u.ID != w.ID || !u.Signed || u.Ordered || fmt.Sprint(u.Events) != "[message.received]" {
		t.Errorf("updated: %+v", updated)
	}
	if unsigned, err := r.PutWebhook(t.Context(), api.PutWebhook{URL: w.URL, Secret: ptr("")}); err != nil || unsigned.Webhook.Signed {
		t.Errorf("an empty secret removes it: %+v, %v", unsigned, err)
	}
	if res, err := r.RemoveWebhook(t.Context(), api.RemoveWebhook{Webhook: w.ID}); err != nil || !res.Removed {
		t.Errorf("removed: %+v, %v", res, err)
	}
	if list, _ := r.Webhooks(t.Context()); len(list) != 0 {
		t.Errorf("after the removal: %+v", list)
	}
	if _, err := r.PutWebhook(t.Context(), api.PutWebhook{URL: "wh_NONE"}); api.CodeOf(err) != api.CodeWebhookNotFound {
		t.Errorf("an unknown id: %v", err)
	}
	// Revived, by its id or by its URL: the id and the settings stay.
	revived := r.put(w.ID)
	if v := revived.Webhook; revived.Result != api.PutRevived || v.ID != w.ID || v.Signed || v.Ordered || fmt.Sprint(v.Events) != "[message.received]" {
		t.Errorf("revived: %+v", revived)
	}
	if other := r.put("http://localhost/other"); other.Webhook.ID == w.ID {
		t.Error("two URLs share an id")
	}
}

// TestSecretNeverShows reads the stored configuration decoded: as it stands on disk it is base64,
// which hides an unsealed secret as well as a sealed one.
func TestSecretNeverShows(t *testing.T) {
	r := newRig(t)
	var log bytes.Buffer
	r.o.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	res, err := r.PutWebhook(t.Context(), api.PutWebhook{URL: "http://localhost/hook", GenerateSecret: true})
	if err != nil || !strings.HasPrefix(res.Secret, "whsec_") {
		t.Fatalf("generated: %+v, %v", res, err)
	}
	cfg := r.stored(res.Webhook.ID)
	if len(cfg.Secret) == 0 || bytes.Contains(cfg.Secret, []byte(res.Secret)) || bytes.Contains(cfg.Secret, []byte(strings.TrimPrefix(res.Secret, "whsec_"))) {
		t.Errorf("stored: %q, want the secret sealed", cfg.Secret)
	}
	if plain, err := r.key.Open(cfg.Secret, outbox.SecretContext(outbox.SubID(res.Webhook.ID))); err != nil || string(plain) != res.Secret {
		t.Errorf("opened: %q, %v", plain, err)
	}
	if again := r.put("http://localhost/hook"); again.Secret != "" || !again.Webhook.Signed {
		t.Errorf("shown again: %+v", again)
	}
	list, err := r.Webhooks(t.Context())
	if shown := fmt.Sprintf("%+v %+v %v %s", list, r.status(), err, log.String()); strings.Contains(shown, res.Secret) || !strings.Contains(log.String(), "webhook registered") {
		t.Errorf("shown or logged: %s", shown)
	}
}

func TestPutWebhookRefuses(t *testing.T) {
	r := newRig(t)
	for name, tc := range map[string]struct {
		in    api.PutWebhook
		code  api.Code
		names string
	}{
		"no URL":             {api.PutWebhook{}, api.CodeInvalidURL, "URL"},
		"metadata":           {api.PutWebhook{URL: "http://169.254.169.254/latest"}, api.CodeInvalidURL, "link-local"},
		"public over http":   {api.PutWebhook{URL: "http://93.184.216.34/hook"}, api.CodeInvalidURL, "https"},
		"credentials":        {api.PutWebhook{URL: "https://u:p@h.example/hook"}, api.CodeInvalidURL, "credentials"},
		"unknown event":      {api.PutWebhook{URL: "http://localhost/a", Events: &[]string{"message.recieved"}}, api.CodeInvalidEvents, "Did you mean message.received?"},
		"no events":          {api.PutWebhook{URL: "http://localhost/a", Events: &[]string{}}, api.CodeInvalidEvents, "empty"},
		"blank secret":       {api.PutWebhook{URL: "http://localhost/a", Secret: ptr("  ")}, api.CodeInvalidSecret, "white space"},
		"secret with a tab":  {api.PutWebhook{URL: "http://localhost/a", Secret: ptr("a\tb")}, api.CodeInvalidSecret, "control"},
		"huge secret":        {api.PutWebhook{URL: "http://localhost/a", Secret: ptr(strings.Repeat("x", 513))}, api.CodeInvalidSecret, "513"},
		"two secrets":        {api.PutWebhook{URL: "http://localhost/a", Secret: ptr("x"), GenerateSecret: true}, api.CodeInvalidSecret, "choose one"},
		"a chat that is not": {api.PutWebhook{URL: "http://localhost/a", Chats: &[]string{"Bob"}}, api.CodeInvalidArguments, "Bob"},
	} {
		_, err := r.PutWebhook(t.Context(), tc.in)
		if api.CodeOf(err) != tc.code || !strings.Contains(err.Error(), tc.names) {
			t.Errorf("%s: %v (%s), want %s naming %q", name, err, api.CodeOf(err), tc.code, tc.names)
		}
		if strings.Contains(fmt.Sprint(err), "u:p") {
			t.Errorf("%s: the credentials are in the error: %v", name, err)
		}
	}
	if subs, err := r.box.Subs(t.Context()); err != nil || len(subs) != 0 {
		t.Errorf("a refused registration left %d subscriptions, %v", len(subs), err)
	}
}

// One webhook more than the service keeps is refused, and changes nothing; one of those in use can
// still be changed, and a removed one makes room.
//
// Mutation of webhook_put.go: a service is kept whatever number of webhooks, each of which costs a
// lane.
func TestWebhooksAreBounded(t *testing.T) {
	r := newRig(t)
	var wg sync.WaitGroup
	for i := range MaxWebhooks - 1 { // past the service, which looks at all of them each time
		wg.Go(func() {
			cfg, err := outbox.EncodeWebhook(outbox.Webhook{URL: fmt.Sprintf("http://localhost/%d", i)})
			if err == nil {
				_, err = r.box.PutSub(t.Context(), outbox.Subscription{ID: outbox.SubID(fmt.Sprintf("wh_%d", i)), Config: cfg,
					Epochs: []outbox.Epoch{{Filter: outbox.Filter{Events: []string{outbox.Any}}}}})
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	r.put("http://localhost/last")
	_, err := r.PutWebhook(t.Context(), api.PutWebhook{URL: "http://localhost/over"})
	if api.CodeOf(err) != api.CodeTooManyWebhooks || !strings.Contains(err.Error(), "256") || !strings.Contains(err.Error(), "webhook remove") {
		t.Errorf("one more: %v", err)
	}
	if subs, err := r.box.Subs(t.Context()); err != nil || len(subs) != MaxWebhooks {
		t.Errorf("%d webhooks, %v", len(subs), err)
	}
	r.put("http://localhost/last", "message.sent")
	if _, err := r.RemoveWebhook(t.Context(), api.RemoveWebhook{Webhook: "http://localhost/last"}); err != nil {
		t.Error(err)
	}
	r.put("http://localhost/over")
}

func TestRemoveTurnsTheBacklogIntoDeadLetters(t *testing.T) {
	r := newRig(t)
	w := r.put("http://localhost/hook", "message.received").Webhook
	r.arrive("message.received", 5)
	r.arrive("message.sent", 5) // not wanted
	if got := r.status().Pending; got != 5 {
		t.Fatalf("%d pending, want 5", got)
	}
	res, err := r.RemoveWebhook(t.Context(), api.RemoveWebhook{Webhook: w.URL})
	if err != nil || res.DeadLettered != 5 {
		t.Fatalf("removal: %+v, %v", res, err)
	}
	page, err := r.DeadLetters(t.Context(), api.DeadLetterQuery{})
	if err != nil || page.Total != 5 || len(page.Items) != 5 || !page.Items[0].Removed || page.Items[0].LastError.Class != "unregistered" {
		t.Errorf("dead letters: %+v, %v", page, err)
	}
	_, err = r.Replay(t.Context(), api.ReplayRequest{All: true})
	wantError(t, err, api.CodeWebhookNotFound, "webhook add "+w.ID)
	if again, err := r.RemoveWebhook(t.Context(), api.RemoveWebhook{Webhook: w.ID}); err != nil || again.Removed {
		t.Errorf("removed twice: %+v, %v", again, err)
	}
	if unknown, err := r.RemoveWebhook(t.Context(), api.RemoveWebhook{Webhook: "http://localhost/none"}); err != nil || unknown.Removed {
		t.Errorf("an unknown one: %+v, %v", unknown, err)
	}
	if purged, err := r.RemoveWebhook(t.Context(), api.RemoveWebhook{Webhook: w.ID, Purge: true}); err != nil || purged.Purged != 5 || !purged.Forgotten {
		t.Errorf("purge: %+v, %v", purged, err)
	}
	// Its settings are forgotten with its dead letters: the URL begins anew, the id is gone.
	if _, err := r.PutWebhook(t.Context(), api.PutWebhook{URL: w.ID}); api.CodeOf(err) != api.CodeWebhookNotFound {
		t.Errorf("the id of a forgotten webhook: %v", err)
	}
	if anew := r.put(w.URL); anew.Result != api.PutCreated || anew.Webhook.ID == w.ID || fmt.Sprint(anew.Webhook.Events) != "[*]" {
		t.Errorf("added after it was forgotten: %+v", anew)
	}
}

// TestARemovedWebhookIsFoundAmongMany: it holds nothing, so that no listing has it, and comes back
// with its URL or id all the same.
func TestARemovedWebhookIsFoundAmongMany(t *testing.T) {
	r := newRig(t)
	var writes sync.WaitGroup
	for n := range 600 { // more than two pages
		writes.Go(func() {
			cfg, err := outbox.EncodeWebhook(outbox.Webhook{URL: fmt.Sprintf("http://localhost/%d", n), Filter: &outbox.Filter{Events: []string{"message.received"}}})
			if err == nil {
				_, err = r.box.PutSub(t.Context(), outbox.Subscription{ID: outbox.SubID(fmt.Sprintf("wh_%03d", n)), Config: cfg, Removed: true, Epochs: []outbox.Epoch{{}}})
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	writes.Wait()
	if rows, err := r.rows(t.Context()); err != nil || len(rows) != 0 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	for _, ref := range []string{"http://localhost/0", "http://localhost/599", "HTTP://LOCALHOST:80/300", "wh_599"} {
		_, err := r.Webhook(t.Context(), ref)
		wantError(t, err, api.CodeWebhookNotFound, "was removed")
	}
	if res := r.put("http://localhost/599"); res.Result != api.PutRevived || res.Webhook.ID != "wh_599" || fmt.Sprint(res.Webhook.Events) != "[message.received]" {
		t.Errorf("revived: %+v", res)
	}
}

func TestTestWebhook(t *testing.T) {
	r := newRig(t)
	w := r.put("http://localhost/hook").Webhook
	res, err := r.TestWebhook(t.Context(), api.TestWebhook{Webhook: w.URL})
	if err != nil || res.Success || res.Status != 500 || res.Event != "connection.update" || res.ID != w.ID {
		t.Errorf("a failing endpoint: %+v, %v", res, err)
	}
	r.sender.result = dispatcher.Result{Class: outbox.ClassOK, Status: 204}
	if res, err = r.TestWebhook(t.Context(), api.TestWebhook{Webhook: w.ID}); err != nil || !res.Success || res.Error != "" {
		t.Errorf("a working endpoint: %+v, %v", res, err)
	}
	if n := len(r.sender.got); n != 2 || r.sender.got[0].Event.Key == r.sender.got[1].Event.Key {
		t.Errorf("%d attempts; each test is an event of its own", n)
	}
	if st := r.status(); st.Events != 0 || st.Dead != 0 {
		t.Errorf("a test left something in the outbox: %+v", st)
	}
	_, err = r.TestWebhook(t.Context(), api.TestWebhook{Webhook: "http://localhost/none"})
	wantError(t, err, api.CodeWebhookNotFound, "none")
	// A call may last longer than an attempt: before, an endpoint that says nothing was waited for
	// until the call's end, which told of a service that does not reply.
	call, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	if _, err = r.TestWebhook(call, api.TestWebhook{Webhook: w.ID}); err != nil || r.sender.limit.After(time.Now().Add(dispatcher.AttemptTimeout)) {
		t.Errorf("an attempt until %v, %v", r.sender.limit, err)
	}
}
