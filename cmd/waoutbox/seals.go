package main

import (
	"context"
	"fmt"
	"os"
	"slices"

	"waoutbox/outbox"
	"waoutbox/store"
)

// eachWebhook calls do with every webhook, removed ones included, until it returns an error.
func (a *app) eachWebhook(ctx context.Context, do func(sub outbox.Subscription) error) error {
	subs, err := a.box.Subs(ctx)
	for after := outbox.SubID(""); err == nil; {
		for _, sub := range subs {
			if err := do(sub); err != nil {
				return err
			}
		}
		if subs, err = a.box.Removed(ctx, after, outbox.MaxBatch); len(subs) == 0 {
			break
		}
		after = subs[len(subs)-1].ID
	}
	return err
}

// somethingSealed reports whether a webhook holds something sealed, a removed one too: it keeps it
// for when it is added again.
func (a *app) somethingSealed(ctx context.Context) (some bool, err error) {
	err = a.eachWebhook(ctx, func(sub outbox.Subscription) error {
		cfg, err := outbox.DecodeWebhook(sub.Config)
		some = some || err == nil && len(cfg.Secret)+len(cfg.Headers)+len(cfg.Seal) > 0
		return nil
	})
	return some, err
}

// sealWebhooks seals the settings of the webhooks that a version stored which did not do that, once
// in the life of a key. Afterwards a webhook without a seal is one that something else stored.
func (a *app) sealWebhooks(ctx context.Context) error {
	key := a.keys.unsettled()
	if key == nil {
		return nil
	}
	var all []outbox.SubID
	if err := a.eachWebhook(ctx, func(sub outbox.Subscription) error { all = append(all, sub.ID); return nil }); err != nil {
		return fmt.Errorf("seal the settings of the webhooks: %w", err)
	}
	slices.Sort(all)
	for _, id := range slices.Compact(all) {
		sub, err := a.box.Sub(ctx, id)
		if err != nil {
			return fmt.Errorf("seal the settings of %s: %w", id, err)
		}
		cfg, err := outbox.DecodeWebhook(sub.Config)
		if err != nil || len(cfg.Seal) > 0 {
			continue // one that cannot be read is held, and told of
		}
		if err = outbox.SealSettings(&sub, &cfg, key.Seal); err == nil {
			_, err = a.box.PutSub(ctx, sub)
		}
		if err != nil {
			return fmt.Errorf("seal the settings of %s: %w", id, err)
		}
	}
	return key.Settle()
}

// unsealedAnew is called before an outbox is begun in the place of one that is lost: it has no
// seals of the key that is there.
func unsealedAnew(state *store.State) error {
	if info, err := os.Stat(state.Path(store.OutboxFile)); err == nil && info.Size() > 0 {
		return nil // it is not lost
	}
	key, err := store.OpenKey(state.Path(store.KeyFile), true)
	if err != nil {
		return nil //nolint:nilerr // without one that can be used there is none to note it with: openKeyring says why
	}
	return key.UnsettleAudit()
}

// sealAudit has the audit trail sealed from now on, and notes with the key that it is.
func (a *app) sealAudit(ctx context.Context) error {
	if err := a.box.SealAudit(ctx, a.keys.audit); err != nil {
		return fmt.Errorf("seal the audit trail: %w", err)
	}
	a.keys.mu.Lock()
	defer a.keys.mu.Unlock()
	if key := a.keys.key; key != nil && key.Settled() && !key.AuditSettled() {
		return key.SettleAudit()
	}
	return nil
}
