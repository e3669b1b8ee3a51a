package main

import (
	"fmt"
	"time"

	"waoutbox/outbox/api"
)

// healthy is a linked daemon with two webhooks and nothing wrong.
func healthy() *fakeService {
	now := time.Now()
	return &fakeService{
		took: time.Second,
		status: api.Status{
			Version: 1, Daemon: &api.Daemon{PID: 4711, Version: "0.1.0", StartedAt: now.Add(-4 * time.Hour)},
			Link:   api.Link{State: api.LinkConnected, Account: "491515550100:3@s.whatsapp.net", Name: "Alice", Since: now.Add(-192 * time.Minute)},
			Events: 18204, Bytes: 41_000_000, StateDir: "/home/alice/state",
		},
		hooks: []api.Webhook{
			{ID: "wh_7K2M", URL: "http://localhost:5678/webhook/whatsapp", Events: []string{"message.received"}, Signed: true, Ordered: true,
				Status: api.WebhookActive, CreatedAt: now.Add(-50 * time.Hour), UpdatedAt: now.Add(-50 * time.Hour)},
			{ID: "wh_9QRT", URL: "https://crm.example/hooks/wa?token=hunter2", Events: []string{"*"}, Chats: []string{"1@g.us", "2@g.us"},
				Status: api.WebhookActive, CreatedAt: now.Add(-50 * time.Hour), UpdatedAt: now.Add(-time.Hour)},
		},
	}
}

// failing is healthy with a backlog and n dead letters at wh_9QRT.
func failing(n int) *fakeService {
	f := healthy()
	f.hooks[1].Status, f.hooks[1].Reason = api.WebhookFailing, "answers 503"
	f.hooks[1].Pending, f.hooks[1].Dead, f.hooks[1].OldestPendingSeconds = 1932, int64(n), 26*60
	f.status.Alarms = []api.Alarm{{Code: "endpoint_failing", Message: "wh_9QRT answers 503. Its events wait in order.", Since: time.Now().Add(-26 * time.Minute)}}
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
