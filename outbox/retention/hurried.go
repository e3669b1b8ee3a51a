package retention

import (
	"context"
	"time"

	"waoutbox/outbox"
)

// hurried bounds each call by laneTime: one webhook that cannot write does not keep what the others
// hold from going.
type hurried struct{ lanes Lanes }

func (h hurried) Expire(ctx context.Context, id outbox.SubID, before time.Time, below outbox.Seq) (n int, more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, laneTime)
	defer cancel()
	return h.lanes.Expire(ctx, id, before, below)
}

func (h hurried) ExpireDead(ctx context.Context, id outbox.SubID, after outbox.Seq, limit int) (n int, next outbox.Seq, err error) {
	ctx, cancel := context.WithTimeout(ctx, laneTime)
	defer cancel()
	return h.lanes.ExpireDead(ctx, id, after, limit)
}

func (h hurried) PurgeOld(ctx context.Context, id outbox.SubID, before time.Time) (purged int, oldest time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, laneTime)
	defer cancel()
	return h.lanes.PurgeOld(ctx, id, before)
}
