package main

import (
	"context"

	"waoutbox/cmd/internal/admin"
	"waoutbox/cmd/internal/config"
	"waoutbox/connection/translate/thin"
	"waoutbox/dispatcher/webhook"
	"waoutbox/mcptools/mcpevents"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
	"waoutbox/outbox/boltbox"
)

// occurrences are what is sent to the receivers of MCP clients' subscriptions.
type occurrences struct {
	preview bool // where a subscription may have it too
	box     *boltbox.Box
}

// body is an event as its receiver gets it, with the cursor before watermark.
func (o occurrences) body(ev outbox.Event, preview bool, watermark outbox.Seq) ([]byte, error) {
	data, err := thin.Data(ev, preview && o.preview)
	if err != nil {
		return nil, err
	}
	return mcpevents.Body(api.Occurrence{ID: ev.Key, Event: ev.Name, Time: ev.Time, Data: data, Cursor: o.cursor(watermark)})
}

// cursor is the place before watermark.
func (o occurrences) cursor(watermark outbox.Seq) string {
	return outbox.Position(o.box.State(), watermark)
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
