package metrics

import (
	"context"
	"fmt"
	"testing"
	"time"

	"waoutbox/dispatcher"
	"waoutbox/dispatcher/receiver"
	"waoutbox/dispatcher/recent"
	"waoutbox/dispatcher/webhook"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
	"waoutbox/outbox/outboxtest"
)

// BenchmarkPath is the whole path over loopback HTTP, the engine in memory, without observers and
// with those of the service: what they cost a delivery. Run it with -count 10, and compare the
// medians: they differ by less than the machine's noise.
func BenchmarkPath(b *testing.B) {
	b.Run("alone", func(b *testing.B) { benchmarkPath(b) })
	b.Run("observed", func(b *testing.B) { benchmarkPath(b, &recent.Recent{}, newWatched(api.Status{}, nil)) })
}

func benchmarkPath(b *testing.B, observers ...dispatcher.Observer) {
	recv := receiver.New(receiver.Options{Keep: -1, Secret: "s"})
	if err := recv.Start(); err != nil {
		b.Fatal(err)
	}
	defer recv.Close()
	cfg, err := outbox.EncodeWebhook(outbox.Webhook{URL: recv.URL(), Secret: []byte("s")})
	if err != nil {
		b.Fatal(err)
	}
	engine := outboxtest.NewFake()
	if _, err := engine.PutSub(b.Context(), outbox.Subscription{ID: "wh_a", Config: cfg, Epochs: []outbox.Epoch{{Filter: outbox.Filter{Events: []string{outbox.Any}}}}}); err != nil {
		b.Fatal(err)
	}
	body := make([]byte, 1024)
	for i := range b.N {
		if _, err := engine.Append(b.Context(), outbox.Event{Key: fmt.Sprintf("evt_%032d", i), Random: true, Name: "message.received", Chat: fmt.Sprintf("chat%d", i%1000), Time: time.Now(), Body: body}); err != nil {
			b.Fatal(err)
		}
	}
	sender := webhook.New(webhook.Options{Unseal: func(sealed []byte, _ string) ([]byte, error) { return sealed, nil }})
	defer sender.Close()
	d := dispatcher.New(dispatcher.Options{Source: engine, Subscriptions: engine, Sender: sender, MaxInFlight: 64, Observers: observers})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	b.ReportAllocs()
	b.ResetTimer()
	go func() { done <- d.Run(ctx) }()
	if err := recv.WaitFor(b.Context(), func(c receiver.Counts) bool { return c.Events == b.N }); err != nil {
		b.Error(err)
	}
	b.StopTimer()
	stop()
	if err := <-done; err != nil {
		b.Error(err)
	}
}
