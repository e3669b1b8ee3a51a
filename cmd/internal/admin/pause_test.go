package admin

import (
	"strings"
	"testing"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// TestPauseAndResume: without a running lane and through a running one; the events wait meanwhile,
// and the pause is shown with its reason and the command that ends it.
func TestPauseAndResume(t *testing.T) {
	r := newRig(t)
	id := r.put("http://localhost/hook").Webhook.ID
	r.arrive("message.received", 3)
	st, err := r.PauseWebhook(t.Context(), "http://localhost/hook")
	if err != nil || st.Was != api.WebhookActive || st.Webhook.Status != api.WebhookPaused || st.Webhook.Reason != pausedByUser || st.Webhook.Pending != 3 {
		t.Errorf("paused: %+v, %v", st, err)
	}
	again, err := r.PauseWebhook(t.Context(), id)
	if err != nil || again.Was != api.WebhookPaused || again.WasReason != pausedByUser || again.WasSince.IsZero() || again.Webhook.Status != api.WebhookPaused {
		t.Errorf("paused twice: %+v, %v", again, err)
	}
	if alarms := r.status().Alarms; len(alarms) != 1 || alarms[0].Code != "webhook_paused" || !strings.Contains(alarms[0].Message, "webhook resume "+id) {
		t.Errorf("alarms: %+v", alarms)
	}
	r.sender.set(dispatcher.Result{Class: outbox.ClassOK, Status: 200})
	r.deliver("what waits is delivered after the resumption", func() bool {
		if st := r.disp.State(outbox.SubID(id)); st.Status != dispatcher.StatusPaused && r.sender.count(outbox.SubID(id)) == 0 {
			return false // its lane is still being loaded
		}
		if r.sender.count(outbox.SubID(id)) == 0 {
			st, err := r.ResumeWebhook(t.Context(), api.ResumeWebhook{Webhook: id})
			if err != nil || st.Was != api.WebhookPaused || st.WasReason != pausedByUser || st.Webhook.Status != api.WebhookActive || st.Skipped != 0 {
				t.Errorf("resumed: %+v, %v", st, err)
			}
			r.await("all are delivered", func() bool { return r.sender.count(outbox.SubID(id)) == 3 })
		}
		return true
	})
	if st, err := r.ResumeWebhook(t.Context(), api.ResumeWebhook{Webhook: id}); err != nil || st.Was != api.WebhookActive {
		t.Errorf("resumed twice: %+v, %v", st, err)
	}
	for _, ref := range []string{"wh_NOPE", "http://localhost/other"} {
		_, err := r.PauseWebhook(t.Context(), ref)
		wantError(t, err, api.CodeWebhookNotFound, "webhook list")
		_, err = r.ResumeWebhook(t.Context(), api.ResumeWebhook{Webhook: ref})
		wantError(t, err, api.CodeWebhookNotFound, "webhook list")
	}
	if _, err := r.RemoveWebhook(t.Context(), api.RemoveWebhook{Webhook: id}); err != nil {
		t.Fatal(err)
	}
	_, err = r.ResumeWebhook(t.Context(), api.ResumeWebhook{Webhook: id})
	wantError(t, err, api.CodeWebhookNotFound, "webhook add "+id)
}

// TestResumeAfterGone: a webhook that its endpoint stopped with 410 says so when it is resumed, and
// a pause of it does not take that reason away.
func TestResumeAfterGone(t *testing.T) {
	r := newRig(t)
	id := r.put("http://localhost/hook").Webhook.ID
	r.sender.set(dispatcher.Result{Class: outbox.ClassHTTP, Status: 410})
	r.arrive("message.received", 1)
	r.deliver("it is paused", func() bool { return r.disp.State(outbox.SubID(id)).Status == dispatcher.StatusPaused })
	if st, err := r.PauseWebhook(t.Context(), id); err != nil || !strings.Contains(st.WasReason, "410 Gone") || !strings.Contains(st.Webhook.Reason, "410 Gone") {
		t.Errorf("paused: %+v, %v", st, err)
	}
	st, err := r.ResumeWebhook(t.Context(), api.ResumeWebhook{Webhook: id})
	if err != nil || st.Was != api.WebhookPaused || !strings.Contains(st.WasReason, "410 Gone") || st.WasSince.IsZero() || st.Webhook.Status != api.WebhookActive {
		t.Errorf("resumed: %+v, %v", st, err)
	}
}

// TestResumeSkipToNow: what waited is kept as dead letters, and what comes afterwards is delivered.
func TestResumeSkipToNow(t *testing.T) {
	r := newRig(t)
	id := r.put("http://localhost/hook").Webhook.ID
	if _, err := r.PauseWebhook(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	r.arrive("message.received", 4)
	st, err := r.ResumeWebhook(t.Context(), api.ResumeWebhook{Webhook: id, SkipToNow: true})
	if err != nil || st.Skipped != 4 || st.Was != api.WebhookPaused || st.Webhook.Status != api.WebhookActive || st.Webhook.Pending != 0 || st.Webhook.Dead != 4 || len(st.Warnings) != 0 {
		t.Errorf("resumed: %+v, %v", st, err)
	}
	r.sender.set(dispatcher.Result{Class: outbox.ClassOK, Status: 200})
	r.arrive("message.received", 1)
	r.deliver("the new one is delivered", func() bool { return r.sender.count(outbox.SubID(id)) == 1 })
	if st := r.status(); st.Dead != 4 || st.Pending != 0 {
		t.Errorf("%d dead, %d pending", st.Dead, st.Pending)
	}
}

// TestAddingAgainResumesAndSaysSo: whoever changes a webhook that somebody has paused hears that it
// goes on. Before, the answer did not differ from that of an active one.
func TestAddingAgainResumesAndSaysSo(t *testing.T) {
	r := newRig(t)
	id := r.put("http://localhost/hook").Webhook.ID
	if res := r.put(id); res.Was != "" || res.WasReason != "" {
		t.Errorf("an active one: %+v", res)
	}
	if _, err := r.PauseWebhook(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if res := r.put(id, "message.sent"); res.Was != api.WebhookPaused || res.WasReason != pausedByUser || res.Webhook.Status != api.WebhookActive {
		t.Errorf("a paused one: %+v", res)
	}
}
