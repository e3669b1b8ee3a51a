package dispatcher

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"waoutbox/outbox"
)

// Mutation of finish.go: a dead letter is no line of level error.
func TestOneLineAnAttemptAndOneErrorADeadLetterWithoutSecrets(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		var out bytes.Buffer
		r := newRig(t, func(ctx context.Context, q Request) Result {
			if q.Event.Chat == "bob" {
				return ok(ctx, q)
			}
			return Result{Class: outbox.ClassHTTP, Status: 500, Message: "500", Excerpt: []byte("answer-private")}
		}, logInto(&out))
		cfg, err := outbox.EncodeWebhook(outbox.Webhook{URL: "https://crm.example/?token=url-private"})
		r.must(err)
		r.put(outbox.Subscription{ID: subA, Config: cfg, Epochs: []outbox.Epoch{{From: 1, Filter: outbox.Filter{Events: []string{outbox.Any}}}}})
		r.run()
		_, err = r.fake.Append(t.Context(), outbox.Event{Key: "evt_1", Random: true, Name: "message.received", Chat: "chat-private", Body: []byte("body-private")},
			outbox.Event{Key: "evt_2", Random: true, Name: "message.received", Chat: "bob", Body: []byte("body-private")})
		r.must(err)
		r.idle(time.Minute)
		r.stop()
		log := out.String()
		for what, want := range map[string]int{`"msg":"delivery attempted"`: 5, `"level":"ERROR"`: 1, `"msg":"dead letter"`: 1,
			// the first failure is a warning; those like it within a minute are not, nor is what
			// worked
			`"level":"WARN"`: 1, `"level":"DEBUG"`: 4, `"url":"https://crm.example/"`: 6, "private": 0} {
			if got := strings.Count(log, what); got != want {
				t.Errorf("%s: %d times, want %d\n%s", what, got, want, log)
			}
		}
		for attempt, want := range []string{"", `"outcome":"retry"`, `"outcome":"retry"`, `"outcome":"retry"`, `"outcome":"dead"`} {
			n := 0
			for line := range strings.Lines(log) {
				if strings.Contains(line, `"event_id":"evt_1"`) && strings.Contains(line, fmt.Sprintf(`"attempt":%d,"of":4`, attempt)) && strings.Contains(line, want) &&
					strings.Contains(line, `"status":500`) && strings.Contains(line, `"subscription":"wh_a"`) {
					n++
				}
			}
			if n != min(attempt, 1) {
				t.Errorf("%d lines tell of attempt %d\n%s", n, attempt, log)
			}
		}
	})
}

// An endpoint that is down for an hour fails in the same way again and again: a line a minute at
// most says so, with how many there were between. Before, each attempt had a line.
//
// Mutation of dispatcher/repeats/repeats.go: an endpoint that is down fills the log.
func TestRepeatedFailuresHaveOneLineAMinute(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		var out bytes.Buffer
		r := newRig(t, func(context.Context, Request) Result {
			return Result{Class: outbox.ClassHTTP, Status: 503, Message: "503"}
		}, logInto(&out))
		cfg, err := outbox.EncodeWebhook(outbox.Webhook{URL: "https://crm.example/?token=url-private"})
		r.must(err)
		r.put(outbox.Subscription{ID: subA, Config: cfg,
			Epochs: []outbox.Epoch{{From: 1, Filter: outbox.Filter{Events: []string{outbox.Any}}}}})
		r.run()
		for i := range 200 {
			_, err := r.fake.Append(t.Context(), outbox.Event{Key: fmt.Sprint("evt_", i), Random: true, Name: "message.received", Chat: fmt.Sprint(i), Body: []byte("body")})
			r.must(err)
		}
		r.idle(time.Hour)
		r.stop()
		attempts, lines, told := 0, 0, 0
		for line := range strings.Lines(out.String()) {
			if !strings.Contains(line, `"msg":"delivery attempted"`) {
				continue
			}
			attempts++
			if strings.Contains(line, `"level":"WARN"`) {
				lines++
				_, rest, _ := strings.Cut(line, `"repeated":`)
				n := 0
				if _, err := fmt.Sscan(rest, &n); err != nil {
					t.Error(err)
				}
				told += n + 1
			}
		}
		if lines < 2 || lines > 62 || told < attempts*9/10 || told > attempts {
			t.Errorf("%d attempts gave %d lines that tell of %d", attempts, lines, told)
		}
	})
}
