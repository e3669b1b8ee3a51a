package main

import (
	"context"
	"sync"

	"waoutbox/cmd/internal/admin"
	"waoutbox/cmd/internal/config"
	"waoutbox/connection/translate/thin"
	"waoutbox/dispatcher/webhook"
	"waoutbox/mcptools/mcpevents"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
	"waoutbox/outbox/boltbox"
)

// occurrences are what is sent to the receivers of MCP clients' subscriptions. Safe for concurrent
// use.
type occurrences struct {
	preview bool // where a subscription may have it too
	box     *boltbox.Box

	mu    sync.Mutex
	state string // of the log; "" until it could be read
}

// body is an event as its receiver gets it, with the cursor before watermark.
func (o *occurrences) body(ev outbox.Event, preview bool, watermark outbox.Seq) ([]byte, error) {
	data, err := thin.Data(ev, preview && o.preview)
	if err != nil {
		return nil, err
	}
	return mcpevents.Body(api.Occurrence{ID: ev.Key, Event: ev.Name, Time: ev.Time, Data: data, Cursor: o.cursor(watermark)})
}

// cursor is the place before watermark.
func (o *occurrences) cursor(watermark outbox.Seq) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.state == "" {
		if now, err := o.box.Events(context.Background(), outbox.EventQuery{Backward: true, Limit: 1, Heads: true}); err == nil {
			o.state = now.State
		}
	}
	return outbox.Position(o.state, watermark)
}

// receivers are the endpoints of these subscriptions.
type receivers struct{ *webhook.Sender }

// Terminated says that nothing comes any more, as the extension's error.
func (r receivers) Terminated(ctx context.Context, sub outbox.Subscription, w outbox.Webhook, why string) error {
	return r.Sender.Terminated(ctx, sub, w, mcpevents.Revoked(why))
}

// subscriptionRules are the settings for what MCP clients subscribe.
func subscriptionRules(cfg config.Config) admin.SubscriptionRules {
	return admin.SubscriptionRules{Preview: cfg.MCPPreview, Endless: cfg.MCPNoExpiry, LoopbackHTTP: cfg.MCPLoopback}
}
