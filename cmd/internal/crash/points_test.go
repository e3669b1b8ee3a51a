package crash

import (
	"context"
	"slices"

	"waoutbox/dispatcher"
	"waoutbox/dispatcher/webhook"
	"waoutbox/outbox"
	"waoutbox/outbox/boltbox"
	"waoutbox/store/failpoint"
)

// The moments around the storage: before and after each kind of write of a lane, and around a
// request. before and after are appended to the kinds.
const (
	settling       = "settle"       // the cursor passes what was delivered
	retrying       = "retry"        // a failed attempt is recorded
	deadLettering  = "deadletter"   // a delivery has spent its schedule
	expiring       = "expiry"       // what is old goes, and stays counted
	removing       = "removal"      // a step of the backlog of a removed webhook
	replaying      = "replay"       // dead letters become pending
	changing       = "subscription" // a webhook is stored, removed or revived
	sending        = "send"         // a request
	loading        = "load"         // a lane reads its state
	before         = ".before"
	after          = ".after"
	unregisteredIs = "unregistered"
	expiredIs      = "expired"
)

// compacting is the moment of a step of a compaction.
func compacting(step string) { failpoint.Hit(failpoint.Point("compact." + step)) }

// compactSteps lists these steps.
func compactSteps() []string {
	return []string{"begun", "copied", "chunk", "last chunk", "caught up", "closed", "renamed", "synced"}
}

// kinds lists the others.
func kinds() []string {
	return []string{settling, retrying, deadLettering, expiring, removing, replaying, changing, sending, loading}
}

// box is the engine with these moments.
type box struct{ *boltbox.Box }

// kindOf says what a Change is.
func kindOf(c outbox.Change) string {
	has := func(is func(outbox.Record) bool) bool { return slices.ContainsFunc(c.Set, is) }
	switch {
	case has(func(r outbox.Record) bool { return r.State == outbox.Dead && r.Reason == expiredIs }):
		return expiring
	case has(func(r outbox.Record) bool { return r.State == outbox.Dead && r.Reason == unregisteredIs }):
		return removing
	case has(func(r outbox.Record) bool { return r.State == outbox.Pending && r.Replay > 0 && r.Attempts == 0 }):
		return replaying
	case has(func(r outbox.Record) bool { return r.State == outbox.Dead }):
		return deadLettering
	case has(func(r outbox.Record) bool { return r.State == outbox.Pending && r.Attempts > 0 }):
		return retrying
	}
	return settling
}

func (b box) Commit(ctx context.Context, c outbox.Change) error {
	kind := kindOf(c)
	failpoint.Hit(failpoint.Point(kind + before))
	err := b.Box.Commit(ctx, c)
	failpoint.Hit(failpoint.Point(kind + after))
	return err
}

func (b box) PutSub(ctx context.Context, s outbox.Subscription, audit ...outbox.Audit) (outbox.Subscription, error) {
	failpoint.Hit(changing + before)
	got, err := b.Box.PutSub(ctx, s, audit...)
	failpoint.Hit(changing + after)
	return got, err
}

func (b box) Load(ctx context.Context, sub outbox.SubID) (outbox.Seq, []byte, []outbox.Record, error) {
	failpoint.Hit(loading + before)
	next, lane, pending, err := b.Box.Load(ctx, sub)
	failpoint.Hit(loading + after)
	return next, lane, pending, err
}

// sender is the real sender with the moments around a request.
type sender struct{ *webhook.Sender }

func (s sender) Send(ctx context.Context, r dispatcher.Request) dispatcher.Result {
	failpoint.Hit(sending + before)
	res := s.Sender.Send(ctx, r)
	failpoint.Hit(sending + after)
	return res
}
