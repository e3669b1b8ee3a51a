package outboxtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"waoutbox/outbox"
)

// Subs lists subscriptions by id; see Engine.
func (f *Fake) Subs(ctx context.Context) ([]outbox.Subscription, error) {
	if err := f.enter(ctx, "Subs"); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	var out []outbox.Subscription
	for _, id := range slices.Sorted(maps.Keys(f.subs)) {
		if s := f.subs[id]; !s.ended() {
			out = append(out, cloneSub(s.Subscription))
		}
	}
	return out, nil
}

func (s *fakeSub) ended() bool { return s.Ended(s.next, uint64(len(s.pending))) }

// WithDead pages over subscriptions with dead records; see Engine.
func (f *Fake) WithDead(ctx context.Context, after outbox.SubID, limit int) ([]outbox.Subscription, error) {
	if err := f.enter(ctx, "WithDead"); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	var out []outbox.Subscription
	for _, id := range slices.Sorted(maps.Keys(f.subs)) {
		if s := f.subs[id]; id > after && len(s.dead) > 0 && len(out) < page(limit) {
			out = append(out, cloneSub(s.Subscription))
		}
	}
	return out, nil
}

// Removed pages over removed subscriptions; see Engine.
func (f *Fake) Removed(ctx context.Context, after outbox.SubID, limit int) ([]outbox.Subscription, error) {
	if err := f.enter(ctx, "Removed"); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	var out []outbox.Subscription
	for _, id := range slices.Sorted(maps.Keys(f.subs)) {
		if s := f.subs[id]; id > after && s.Subscription.Removed && len(out) < page(limit) {
			out = append(out, cloneSub(s.Subscription))
		}
	}
	return out, nil
}

// Forget erases a removed subscription; see Engine.
func (f *Fake) Forget(ctx context.Context, id outbox.SubID, audit ...outbox.Audit) error {
	if err := outbox.CheckAudit(audit); err != nil {
		return err
	}
	if err := f.enter(ctx, "Forget"); err != nil {
		return err
	}
	defer f.mu.Unlock()
	s, err := f.sub(id)
	if err != nil {
		return err
	}
	if !s.ended() || len(s.dead) > 0 {
		return fmt.Errorf("forget subscription %s: %w", id, outbox.ErrHolds)
	}
	delete(f.subs, id)
	f.putAudit(audit)
	return nil
}

func page(limit int) int {
	if limit <= 0 || limit > outbox.MaxBatch {
		return outbox.MaxBatch
	}
	return limit
}

// Sub returns one subscription; see Engine.
func (f *Fake) Sub(ctx context.Context, id outbox.SubID) (outbox.Subscription, error) {
	if err := f.enter(ctx, "Sub"); err != nil {
		return outbox.Subscription{}, err
	}
	defer f.mu.Unlock()
	s, err := f.sub(id)
	if err != nil {
		return outbox.Subscription{}, err
	}
	return cloneSub(s.Subscription), nil
}

func cloneSub(s outbox.Subscription) outbox.Subscription {
	s.Config, s.Epochs = slices.Clone(s.Config), outbox.CloneEpochs(s.Epochs)
	return s
}

// PutSub stores a subscription; see Engine.
func (f *Fake) PutSub(ctx context.Context, s outbox.Subscription, audit ...outbox.Audit) (outbox.Subscription, error) {
	if err := errors.Join(outbox.CheckSubscription(s), outbox.CheckAudit(audit)); err != nil {
		return outbox.Subscription{}, err
	}
	if err := f.enter(ctx, "PutSub"); err != nil {
		return outbox.Subscription{}, err
	}
	defer f.mu.Unlock()
	s, err := outbox.ResolveEpochs(s, f.last+1)
	if err != nil {
		return outbox.Subscription{}, err
	}
	old, ok := f.subs[s.ID]
	if !ok {
		s = outbox.StartAt(s, f.whole)
		old = &fakeSub{next: s.Epochs[0].From, pending: map[outbox.Seq]outbox.Record{}, dead: map[outbox.Seq]outbox.Record{}}
		f.subs[s.ID] = old
	} else {
		s = outbox.StartAt(s, old.Epochs[0].From)
	}
	s.Epochs = outbox.PruneEpochs(s, old.pinned())
	old.Subscription = cloneSub(s)
	f.putAudit(audit)
	return cloneSub(s), nil
}
