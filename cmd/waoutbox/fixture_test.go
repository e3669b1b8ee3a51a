package main

import (
	"fmt"
	"time"

	"waoutbox/outbox/api"
)

// usualSchedule is the default as the service shows it.
var usualSchedule = []string{"0s", "1s", "3s", "10s"}

// healthy is a linked daemon with two webhooks and nothing wrong.
func healthy() *fakeService {
	now := time.Now()
	return &fakeService{
		took: time.Second,
		status: api.Status{
			Version: 1, Daemon: &api.Daemon{PID: 4711, Version: version, StartedAt: now.Add(-4 * time.Hour)},
			Link:   api.Link{State: api.LinkConnected, Account: "491515550100:3@s.whatsapp.net", Name: "Alice", Since: now.Add(-192 * time.Minute)},
			Events: 18204, Bytes: 41_000_000, StateDir: "/home/alice/state",
		},
		hooks: []api.Webhook{
			{ID: "wh_7K2M", URL: "http://localhost:5678/webhook/whatsapp", Events: []string{"message.received"}, Signed: true, Ordered: true, HoldAfter: 20, Schedule: usualSchedule,
				Status: api.WebhookActive, CreatedAt: now.Add(-50 * time.Hour), UpdatedAt: now.Add(-50 * time.Hour)},
			{ID: "wh_9QRT", URL: "https://crm.example/hooks/wa?token=hunter2", Events: []string{"*"}, Chats: []string{"1@g.us", "2@g.us"}, HoldAfter: 20, Schedule: usualSchedule,
				Status: api.WebhookActive, CreatedAt: now.Add(-50 * time.Hour), UpdatedAt: now.Add(-time.Hour)},
		},
	}
}

// active is healthy with attempts at wh_7K2M, the last of which failed.
func active() *fakeService {
	f := healthy()
	now := time.Now()
	bad := api.RecentAttempt{At: now.Add(-20 * time.Second), Ms: 10003, Sequence: 18204, Event: "message.received", Attempt: 1, Outcome: "retry", Class: "timeout", Message: "no answer within 10 s"}
	refused := api.RecentAttempt{At: now.Add(-2 * time.Minute), Ms: 12, Sequence: 18203, Event: "message.received", Attempt: 4, Outcome: "dead", Class: "http", Status: 400, Message: "400 Bad Request"}
	good := api.RecentAttempt{At: now.Add(-3 * time.Minute), Ms: 41, Sequence: 18202, Event: "message.received", Attempt: 1, Replay: 1, Outcome: "delivered", Class: "ok", Status: 204}
	w := &f.hooks[0]
	w.LastSuccess, w.LastError, w.LastHour = &good, &bad, &api.LastHour{Delivered: 1203, Failed: 5}
	waiting := int64(1)
	f.activity = api.WebhookActivity{Since: f.status.Daemon.StartedAt, Attempts: []api.RecentAttempt{bad, refused, good}, Minutes: []api.ActivityMinute{
		{At: now.Truncate(time.Minute).Add(-4 * time.Minute)},
		{At: now.Truncate(time.Minute).Add(-3 * time.Minute), Delivered: 1203},
		{At: now.Truncate(time.Minute).Add(-2 * time.Minute), Failed: 4, Dead: 1, Waiting: &waiting},
		{At: now.Truncate(time.Minute), Failed: 1},
	}}
	return f
}

// withBacklog is healthy with a backlog and n dead letters at wh_9QRT.
func withBacklog(n int) *fakeService {
	f := healthy()
	f.hooks[1].Status, f.hooks[1].Reason = api.WebhookHeld, "503 with Retry-After"
	f.hooks[1].Pending, f.hooks[1].Dead, f.hooks[1].OldestPendingSeconds = 1932, int64(n), 26*60
	f.status.Alarms = []api.Alarm{{Code: "webhook_held", Message: "wh_9QRT is held: 503 with Retry-After. It goes on by itself", Since: time.Now().Add(-26 * time.Minute)}}
	f.letters = letters("wh_9QRT", f.hooks[1].URL, n)
	return f
}

// replayable is a daemon with n dead letters at wh_9QRT, whose endpoint works again.
func replayable(n int) *fakeService {
	f := healthy()
	f.letters = letters("wh_9QRT", f.hooks[1].URL, n)
	return f
}

func letters(webhook, url string, n int) []api.DeadLetterDetail {
	at := time.Now().Add(-30 * time.Minute)
	var out []api.DeadLetterDetail
	for i := range n {
		d := api.DeadLetterDetail{
			DeadLetter: api.DeadLetter{
				ID: fmt.Sprintf("dl_%s_%d", webhook, 18031+i), Webhook: webhook, URL: url, Event: "message.received",
				EventID: fmt.Sprintf("evt_%032x", 0xca2a+i), Chat: "204813927440123@lid", Attempts: 4,
				LastError: api.LastError{Class: "http", Status: 503, Message: "503 Service Unavailable"}, FailedAt: at.Add(time.Duration(i) * time.Second),
			},
			Body: `{"event":"message.received","timestamp":1735689615417,"data":{"text":"it's <here>"}}`,
		}
		if i%10 == 9 {
			d.LastError = api.LastError{Class: "timeout", Message: "no answer within 10 s"}
		}
		for n, after := range []time.Duration{-14046 * time.Millisecond, -13029 * time.Millisecond, -10015 * time.Millisecond, 0} {
			d.AttemptLog = append(d.AttemptLog, api.AttemptLine{N: n + 1, At: d.FailedAt.Add(after), Ms: int64(12 - n), Status: 503, Class: "http"})
		}
		d.AttemptLog[3].Response = "upstream connect error\n  or disconnect"
		out = append(out, d)
	}
	return out
}

// limited is healthy with limits of its own at wh_9QRT.
func limited() *fakeService {
	f := healthy()
	w := &f.hooks[1]
	w.Schedule, w.MaxRate, w.HoldAfter = []string{"0s", "30s", "10m"}, 2.5, 5
	f.put = api.PutWebhookResult{Result: api.PutUpdated, Webhook: *w}
	return f
}

// failing is withBacklog after many dead letters in a row.
func failing() *fakeService {
	f := withBacklog(24)
	f.hooks[1].Status = api.WebhookFailing
	f.hooks[1].Reason = "24 deliveries in a row failed, the last one with: connection refused"
	f.status.Alarms = []api.Alarm{{Code: "webhook_failing", Since: time.Now().Add(-26 * time.Minute), Message: "wh_9QRT is failing: its last 24 deliveries became " +
		"dead letters, the last one with: connection refused. New events wait while one at a time is tried, a minute apart at most. " +
		"When its endpoint works again, let them go at once with: waoutbox webhook test wh_9QRT"}}
	return f
}

// eventLog is n events of the last half hour, every third sent by this account.
func eventLog(n int) (out []api.EventDetail) {
	at := time.Now().Add(-30 * time.Minute)
	for i := range n {
		ev := api.EventDetail{Event: api.Event{
			ID: fmt.Sprintf("evt_%032x", 0xca2a+i), Sequence: uint64(700 + i), Event: "message.received", Chat: "204813927440123@lid", ChatAlt: "491700000001@s.whatsapp.net",
			Time: at.Add(time.Duration(i) * time.Second), Message: "3EB0C0FFEE", Body: `{"event":"message.received","timestamp":1735689615417,"data":{"text":"it's <here>"}}`,
		}}
		if i%3 == 0 {
			ev.Event.Event = "message.sent"
		}
		ev.Bytes = len(ev.Body)
		ev.Deliveries = []api.EventDelivery{
			{Webhook: "wh_7K2M", URL: "http://localhost:5678/webhook/whatsapp", State: api.EventDelivered},
			{Webhook: "wh_9QRT", URL: "https://crm.example/hooks/wa?token=hunter2", State: api.EventPending, Attempts: 2, Due: at.Add(31 * time.Minute),
				LastError: &api.LastError{Class: "http", Status: 503}},
			{Webhook: "wh_SLOW", URL: "https://slow.example/", State: api.EventPending, InFlight: true},
			{Webhook: "wh_AGAIN", URL: "https://again.example/", State: api.EventPending, InFlight: true, Attempts: 1, LastError: &api.LastError{Class: "timeout"}},
			{Webhook: "wh_GONE", URL: "https://gone.example/", Removed: true, State: api.EventDead, DeadLetter: fmt.Sprintf("dl_wh_GONE_%d", ev.Sequence),
				LastError: &api.LastError{Class: api.ReasonUnregistered}},
			{Webhook: "wh_QUIET", URL: "http://localhost:1/", State: api.EventNotOwed},
			{Webhook: "wh_OLD", URL: "http://localhost:2/", State: api.EventUnknown},
		}
		out = append(out, ev)
	}
	return out
}
