package admin

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"waoutbox/dispatcher"
	"waoutbox/dispatcher/recent"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// TestActivityOfAWebhook: what status, webhook show and the page show of the last attempts.
func TestActivityOfAWebhook(t *testing.T) {
	r := newRig(t)
	r.runDaemon()
	id := r.status().Webhooks[0].ID
	if w := r.status().Webhooks[0]; w.LastSuccess != nil || w.LastError != nil || w.LastHour == nil || *w.LastHour != (api.LastHour{}) {
		t.Errorf("before the first attempt: %+v", w)
	}
	r.sender.set(dispatcher.Result{Class: outbox.ClassHTTP, Status: 500, Message: "500 Internal Server Error", Excerpt: []byte("no disk")})
	r.arrive("message.received", 1) // four attempts
	r.await("it is dead", func() bool { return r.status().Dead == 1 })
	r.sender.set(dispatcher.Result{Class: outbox.ClassOK, Status: 204, Excerpt: []byte("thank you")})
	r.arrive("message.received", 1)
	r.await("it is delivered", func() bool { return r.status().Webhooks[0].LastSuccess != nil })
	w, err := r.Webhook(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if w.LastSuccess.Status != 204 || w.LastSuccess.Sequence != 2 || w.LastSuccess.Outcome != dispatcher.OutcomeDelivered {
		t.Errorf("last success %+v", w.LastSuccess)
	}
	if e := w.LastError; e == nil || e.Status != 500 || e.Class != "http" || e.Message != "500 Internal Server Error" || e.Attempt != 4 || e.Outcome != dispatcher.OutcomeDead {
		t.Errorf("last error %+v", e)
	}
	if *w.LastHour != (api.LastHour{Delivered: 1, Failed: 4}) {
		t.Errorf("last hour %+v", w.LastHour)
	}
	r.sample(t.Context())
	a, err := r.WebhookActivity(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Attempts) != 5 || a.Attempts[0].Sequence != 2 || a.Attempts[4].Attempt != 1 || *a.LastError != *w.LastError {
		t.Errorf("attempts %+v", a.Attempts)
	}
	if a.Attempts[0].Response != "" || a.Attempts[1].Response != "no disk" || w.LastError.Response != "" {
		t.Errorf("responses %q, %q, and %q of the last error", a.Attempts[0].Response, a.Attempts[1].Response, w.LastError.Response)
	}
	var sum api.ActivityMinute
	for _, m := range a.Minutes {
		sum.Delivered, sum.Failed, sum.Dead = sum.Delivered+m.Delivered, sum.Failed+m.Failed, sum.Dead+m.Dead
	}
	if len(a.Minutes) != recent.Minutes || sum != (api.ActivityMinute{Delivered: 1, Failed: 4, Dead: 1}) {
		t.Errorf("%d minutes, together %+v", len(a.Minutes), sum)
	}
	if last := a.Minutes[len(a.Minutes)-1]; last.Waiting == nil {
		t.Error("what waits was not noted")
	}
	if _, err := r.RemoveWebhook(t.Context(), api.RemoveWebhook{Webhook: id}); err != nil {
		t.Fatal(err)
	}
	r.await("nothing is remembered of a removed webhook", func() bool { return len(r.recent.Attempts(outbox.SubID(id))) == 0 })
	_, err = r.WebhookActivity(t.Context(), id)
	wantError(t, err, api.CodeWebhookNotFound, "was removed")
}

// TestActivityWithoutAService is empty, and not zero attempts.
func TestActivityWithoutAService(t *testing.T) {
	r := newRig(t)
	id := r.put("http://localhost/hook").Webhook.ID
	a, err := r.WebhookActivity(t.Context(), id)
	if err != nil || !a.Since.IsZero() || len(a.Minutes) != 0 || a.Attempts == nil {
		t.Errorf("%+v, %v", a, err)
	}
	if w := r.status().Webhooks[0]; w.LastHour != nil {
		t.Errorf("%+v", w)
	}
}

// TestDeadLettersThatRiseAreAnAlarm: of a webhook that is not failing, and a purge ends it.
func TestDeadLettersThatRiseAreAnAlarm(t *testing.T) {
	r := newRig(t)
	r.runDaemon()
	id := r.status().Webhooks[0].ID
	r.arrive("message.received", recent.RisingAt-1)
	r.await("they are dead", func() bool { return r.status().Dead == recent.RisingAt-1 })
	if st := r.status(); len(st.Alarms) != 0 {
		t.Errorf("one less: %+v", st.Alarms)
	}
	r.arrive("message.received", 1)
	r.await("one more is dead", func() bool { return r.status().Dead == recent.RisingAt })
	st := r.status()
	if len(st.Alarms) != 1 || st.Alarms[0].Code != "dead_letters_rising" || st.Alarms[0].Webhook != id || time.Since(st.Alarms[0].Since) > time.Minute ||
		!strings.Contains(st.Alarms[0].Message, "deadletter --url "+id) {
		t.Errorf("alarms %+v", st.Alarms)
	}
	if _, err := r.Purge(t.Context(), api.PurgeRequest{DeadLetterFilter: api.DeadLetterFilter{Webhook: id}, All: true}); err != nil {
		t.Fatal(err)
	}
	if st := r.status(); len(st.Alarms) != 0 {
		t.Errorf("after a purge: %+v", st.Alarms)
	}
}

// TestRisingEndsByItself: an hour after the last of them, and while the webhook is failing.
func TestRisingEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lately := &recent.Recent{}
		s := &Service{o: Options{Recent: lately}}
		for range 12 {
			lately.Ended(dispatcher.DeliveryEnd{Sub: "wh_a", Dead: true, Count: 1, Reason: "400"})
			<-time.After(time.Minute)
		}
		for _, tc := range []struct {
			failing bool
			dead    int64
			want    int
		}{{false, 12, 1}, {false, 1000, 1}, {true, 1000, 0}, {false, recent.RisingAt - 1, 0}} {
			if got := s.risingAlarm("wh_a", tc.failing, tc.dead); len(got) != tc.want {
				t.Errorf("%+v: %+v", tc, got)
			}
		}
		<-time.After(57 * time.Minute) // nine of them are younger than an hour
		if got := s.risingAlarm("wh_a", false, 1000); len(got) != 0 {
			t.Errorf("an hour later: %+v", got)
		}
	})
}

// countsOnly is an engine of which nothing can be asked but its subscriptions and kept counts:
// everything else panics.
type countsOnly struct {
	Engine
	of Engine
}

func (e countsOnly) Subs(ctx context.Context) ([]outbox.Subscription, error) { return e.of.Subs(ctx) }
func (e countsOnly) Stats(ctx context.Context) (outbox.Stats, error)         { return e.of.Stats(ctx) }

// TestStatusAndSamplesWalkNothing: in a service they ask for kept counts alone, whatever there is,
// so that they can be asked for all the time.
func TestStatusAndSamplesWalkNothing(t *testing.T) {
	r := newRig(t)
	r.runDaemon()
	r.arrive("message.received", 30)
	r.await("they are dead", func() bool { return r.status().Dead == 30 })
	r.o.Engine = countsOnly{of: r.box}
	st := r.status()
	if st.Dead != 30 || len(st.Webhooks) != 1 || st.Webhooks[0].LastError == nil || len(st.Alarms) != 1 {
		t.Errorf("status %+v", st)
	}
	r.sample(t.Context())
}

// TestEveryWebhookAlarmNamesItsWebhook, for programs that do not read the sentence.
func TestEveryWebhookAlarmNamesItsWebhook(t *testing.T) {
	r := newRig(t)
	id := r.put("http://localhost/hook").Webhook.ID
	if _, err := r.PauseWebhook(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	for _, a := range r.status().Alarms {
		if a.Webhook != id || !slices.Contains(api.AlarmCodes(), a.Code) || a.Since.IsZero() {
			t.Errorf("%+v", a)
		}
	}
	if n := len(r.status().Alarms); n != 1 {
		t.Errorf("%d alarms", n)
	}
}
