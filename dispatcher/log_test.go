package dispatcher

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"waoutbox/outbox"
)

func TestOneLineAnAttemptAndOneErrorADeadLetterWithoutSecrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		r := newRig(t, func(ctx context.Context, q Request) Result {
			if q.Event.Chat == "bob" {
				return ok(ctx, q)
			}
			return Result{Class: outbox.ClassHTTP, Status: 500, Message: "500", Excerpt: []byte("answer-hush")}
		}, func(o *Options) {
			o.Log = slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
		})
		cfg, err := outbox.EncodeWebhook(outbox.Webhook{URL: "https://crm.example/?token=url-hush"})
		r.must(err)
		r.put(outbox.Subscription{ID: subA, Config: cfg, Epochs: []outbox.Epoch{{From: 1, Filter: outbox.Filter{Events: []string{outbox.Any}}}}})
		r.run()
		_, err = r.fake.Append(t.Context(), outbox.Event{Key: "evt_1", Random: true, Name: "message.received", Chat: "chat-hush", Body: []byte("body-hush")},
			outbox.Event{Key: "evt_2", Random: true, Name: "message.received", Chat: "bob", Body: []byte("body-hush")})
		r.must(err)
		r.idle(time.Minute)
		r.stop()
		log := out.String()
		for what, want := range map[string]int{`"msg":"delivery attempted"`: 5, `"level":"ERROR"`: 1, `"msg":"dead letter"`: 1, `"level":"DEBUG"`: 1, "hush": 0} {
			if got := strings.Count(log, what); got != want {
				t.Errorf("%s: %d times, want %d\n%s", what, got, want, log)
			}
		}
	})
}
