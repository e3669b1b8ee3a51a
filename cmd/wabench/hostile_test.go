package main

import (
	"context"
	"net/http"
	"testing"
	"time"

	"waoutbox/dispatcher"
	"waoutbox/dispatcher/webhook"
	"waoutbox/outbox"
)

// Each hostile endpoint does what its name says to the sender that is measured, twice.
func TestHostileEndpoints(t *testing.T) {
	want := map[string]struct {
		class  outbox.Class
		status int
	}{
		answerSlowHeader: {outbox.ClassTimeout, 0}, answerByte: {outbox.ClassTimeout, 0}, answerHugeHeader: {outbox.ClassNetwork, 0},
		answerEndless: {outbox.ClassHTTP, 500}, answerGzipBomb: {outbox.ClassHTTP, 500}, answerReset: {outbox.ClassHTTP, 500},
		answerRedirect: {outbox.ClassRedirect, http.StatusFound}, answerChunks: {outbox.ClassHTTP, 500}, answerTLS: {outbox.ClassTLS, 0},
		answer1xx: {outbox.ClassNetwork, 0}, answer101: {outbox.ClassHTTP, http.StatusSwitchingProtocols},
		answerEarly: {outbox.ClassHTTP, 500}, answerSecond: {outbox.ClassHTTP, 500},
	}
	for _, answer := range hostileResponses() {
		t.Run(answer, func(t *testing.T) {
			t.Parallel()
			e, err := openEndpoint(answer)
			if err != nil {
				t.Fatal(err)
			}
			s := webhook.New(webhook.Options{UserAgent: "wabench"})
			for attempt := range 2 {
				limit := 10 * time.Second
				if want[answer].class == outbox.ClassTimeout {
					limit = 100 * time.Millisecond
				}
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				res := s.Send(ctx, dispatcher.Request{Sub: "wh_0", Attempt: attempt + 1, Webhook: outbox.Webhook{URL: e.url},
					Event: outbox.Event{Seq: 1, Key: "evt_1", Name: "message.received", Body: body(time.Now())}})
				cancel()
				// What was said before a reset may be lost with it.
				lost := answer == answerReset && res.Class == outbox.ClassReset
				if w := want[answer]; (res.Class != w.class || res.Status != w.status) && !lost {
					t.Errorf("attempt %d: %+v", attempt+1, res)
				}
			}
			if got := e.take(false); got.Posts == 0 || got.Invalid != 0 {
				t.Errorf("counted %+v", got)
			}
			s.Close()
			if err := e.close(); err != nil {
				t.Error(err)
			}
		})
	}
}
