package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// RemoveWebhook takes a webhook out. One write fixes the cut and keeps the settings; its backlog
// then becomes dead letters; Purge discards them and the settings. After the write nothing is an
// error: what fails is a warning in the result, and the same call again finishes it.
//
// The receiver of what an MCP client subscribed is told, best effort, that nothing comes any more.
func (s *Service) RemoveWebhook(ctx context.Context, in api.RemoveWebhook) (api.RemoveWebhookResult, error) {
	r, out, err := s.remove(ctx, in)
	if err != nil || !out.Removed || r.cfg.Lease == nil || s.o.Receivers == nil {
		return out, err
	}
	after, cancel := afterWrite(ctx, afterPut)
	defer cancel()
	if err := s.o.Receivers.Terminated(after, r.sub, r.cfg, "the subscription was ended by its user"); err != nil {
		s.o.Log.InfoContext(ctx, "the receiver of a subscription was not told that it has ended", "webhook", r.sub.ID)
	}
	return out, nil
}

// remove is RemoveWebhook without what is told of it. It returns the webhook as it was.
func (s *Service) remove(ctx context.Context, in api.RemoveWebhook) (r webhookRow, out api.RemoveWebhookResult, err error) {
	defer func() { s.refused(ctx, &err, aboutWebhook("webhook.remove", in.Webhook)) }()
	unlock, err := s.lock(ctx)
	if err != nil {
		return r, out, err
	}
	defer unlock()
	r, found, err := s.lookUp(ctx, in.Webhook)
	if err != nil {
		return r, out, err
	}
	if !found {
		return r, api.RemoveWebhookResult{URL: in.Webhook}, nil
	}
	out = api.RemoveWebhookResult{Removed: !r.sub.Removed, ID: string(r.sub.ID), URL: r.cfg.URL}
	if r.cfg.Lease != nil {
		out.Subscription = r.cfg.Lease.ID
	}
	if !r.sub.Removed {
		warning, err := s.putRemoved(ctx, r)
		if err != nil {
			return r, api.RemoveWebhookResult{}, apiError(err, "remove the webhook")
		}
		if warning != "" {
			out.Warnings = append(out.Warnings, warning)
		}
	}

	// stored: from here on nothing is an error
	after, cancel := afterWrite(ctx, afterRemoval)
	defer cancel()
	n, err := s.o.Dispatcher.DeadLetterBacklog(after, r.sub.ID)
	out.DeadLettered = int64(n)
	if err == nil && in.Purge {
		out.Purged, err = s.forget(after, r)
		out.Forgotten = err == nil
	}
	if err != nil {
		out.Warnings = append(out.Warnings, s.warn(after, r.sub.ID, err, fmt.Sprintf("%s is removed, but not all of its backlog was taken out", r.sub.ID),
			"Run it again to finish"))
	}
	s.logChange(ctx, "webhook removed", "webhook", r.sub.ID, "dead_lettered", out.DeadLettered, "purged", out.Purged)
	return r, out, nil
}

// forget discards the dead letters of a removed webhook, then what is known of it. The first of
// these that there is carries the record.
func (s *Service) forget(ctx context.Context, r webhookRow) (purged int64, err error) {
	reasons, err := s.o.Engine.DeadReasons(ctx, r.sub.ID)
	if err != nil && !errors.Is(err, outbox.ErrNotFound) {
		return 0, err
	}
	dead := int64(0)
	for _, n := range reasons {
		dead += n
	}
	record, err := s.carry(ctx, aboutRow("webhook.purge", r, plural(dead, "dead letter")))
	if err != nil {
		return 0, err
	}
	n, err := s.o.Dispatcher.PurgeAll(ctx, r.sub.ID, record.audit...)
	record.did(n)
	if err == nil {
		if err = s.o.Engine.Forget(ctx, r.sub.ID, record.audit...); err == nil {
			record.did(1)
		}
	}
	if errors.Is(err, outbox.ErrNotFound) {
		err = nil // an earlier write of the same that was not confirmed
	}
	s.cameTo(ctx, record, plural(int64(n), "dead letter"))
	return int64(n), err
}

// putRemoved marks a webhook as removed: nothing is owed to it any more, and its filter is kept for
// when it is added again.
func (s *Service) putRemoved(ctx context.Context, r webhookRow) (warning string, err error) {
	trusted := s.checkSeal(r) == nil // what is not stays so, when it is added again too
	filter := r.filter()
	r.cfg.Filter = &filter
	r.sub.Removed = true
	r.sub.Epochs = append(slices.Clone(r.sub.Epochs), outbox.Epoch{})
	if trusted {
		err = outbox.SealSettings(&r.sub, &r.cfg, s.o.Seal)
	} else {
		r.sub.Config, err = outbox.EncodeWebhook(r.cfg)
	}
	if err != nil {
		return "", err
	}
	_, warning, err = s.putSub(ctx, r.sub, outbox.AuditEntry{Operation: "webhook.remove", Object: string(r.sub.ID), URL: r.cfg.URL})
	return warning, err
}
