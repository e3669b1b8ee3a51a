package main

import (
	"context"

	"waoutbox/connection/translate/thin"
	"waoutbox/mcptools/mcpevents"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
	"waoutbox/outbox/boltbox"
)

// leaseBodies makes what the receivers of leases get, with the cursors of one log.
type leaseBodies struct{ log string }

// leaseBodiesOf returns those of an outbox, whose log has one id for as long as it is open.
func leaseBodiesOf(ctx context.Context, box *boltbox.Box) (leaseBodies, error) {
	page, err := box.Events(ctx, outbox.EventQuery{Backward: true, Limit: 1, Heads: true})
	return leaseBodies{log: page.State}, err
}

// occurrence is the body of an event; see webhook.Options.
func (b leaseBodies) occurrence(ev outbox.Event, preview bool, watermark outbox.Seq) ([]byte, error) {
	data, err := thin.Data(ev, preview)
	if err != nil {
		return nil, err
	}
	return mcpevents.Occurrence(api.Occurrence{ID: ev.Key, Event: ev.Name, Time: ev.Time.UTC(), Data: data, Cursor: b.cursor(watermark)})
}

func (b leaseBodies) cursor(watermark outbox.Seq) string { return outbox.Position(b.log, watermark) }
