package admin

import (
	"context"
	"fmt"

	"waoutbox/dispatcher"
	"waoutbox/outbox/api"
)

// pausedByUser is the reason of a webhook that was paused by command.
const pausedByUser = "by its user"

// PauseWebhook stops the deliveries to a webhook until it is resumed; its events wait. One that is
// paused already stays so, with its reason.
func (s *Service) PauseWebhook(ctx context.Context, ref string) (out api.WebhookState, err error) {
	defer func() { s.refused(ctx, &err, aboutWebhook("webhook.pause", ref)) }()
	r, was, unlock, err := s.forPause(ctx, ref)
	if err != nil {
		return out, err
	}
	defer unlock()
	if was.Status != dispatcher.StatusPaused {
		record, err := s.carry(ctx, aboutRow("webhook.pause", r, ""))
		if err != nil {
			return out, apiError(err, "pause the webhook")
		}
		if err := s.o.Dispatcher.Pause(ctx, r.sub.ID, pausedByUser, record.audit...); err != nil {
			return out, s.laneError(err, "pause the webhook")
		}
		s.logChange(ctx, "webhook paused", "webhook", r.sub.ID)
	}
	return s.changed(ctx, r, was), nil
}

// ResumeWebhook lets a webhook go on at full speed, whatever made it wait: with what it is owed, or
// with what comes from now on.
func (s *Service) ResumeWebhook(ctx context.Context, in api.ResumeWebhook) (out api.WebhookState, err error) {
	defer func() { s.refused(ctx, &err, aboutWebhook("webhook.resume", in.Webhook)) }()
	r, was, unlock, err := s.forPause(ctx, in.Webhook)
	if err != nil {
		return out, err
	}
	defer unlock()
	asked, skipped := "", 0
	if in.SkipToNow {
		asked = "skips to now"
	}
	record, err := s.carry(ctx, aboutRow("webhook.resume", r, asked))
	switch {
	case err != nil:
	case in.SkipToNow:
		if skipped, err = s.o.Dispatcher.SkipToNow(ctx, r.sub.ID, record.audit...); skipped > 0 {
			record.did(skipped)
			s.cameTo(ctx, record, "skipped "+plural(int64(skipped), "event"))
		}
	default:
		err = s.o.Dispatcher.Resume(ctx, r.sub.ID, record.audit...)
	}
	var warnings []string
	switch {
	case err == nil:
		s.logChange(ctx, "webhook resumed", "webhook", r.sub.ID, "was", was.Status, "skipped", skipped)
	case skipped > 0:
		warnings = []string{s.warn(ctx, r.sub.ID, err, fmt.Sprintf("Only %d events of %s were skipped, and it was not resumed", skipped, r.sub.ID), "Run it again to go on")}
	default:
		return out, apiError(err, "resume the webhook")
	}
	out = s.changed(ctx, r, was)
	out.Skipped, out.Warnings = int64(skipped), warnings
	return out, nil
}

// forPause returns a webhook in use and how its lane stands, while nobody else changes it.
func (s *Service) forPause(ctx context.Context, ref string) (r webhookRow, was dispatcher.LaneState, unlock func(), err error) {
	if unlock, err = s.lock(ctx); err != nil {
		return r, was, nil, err
	}
	if r, err = s.find(ctx, ref); err != nil {
		unlock()
		return r, was, nil, err
	}
	return r, s.lane(ctx, r), unlock, nil
}

// changed describes a webhook after it was paused or resumed. That is done: what fails here is
// logged.
func (s *Service) changed(ctx context.Context, r webhookRow, was dispatcher.LaneState) api.WebhookState {
	after, cancel := afterWrite(ctx, afterPut)
	defer cancel()
	out := api.WebhookState{Was: api.WebhookStatus(was.Status), WasReason: was.Reason}
	if !was.Since.IsZero() {
		out.WasSince = was.Since.UTC()
	}
	var err error
	if out.Webhook, err = s.describe(after, r); err != nil {
		s.o.Log.WarnContext(ctx, "the counts of a webhook could not be read", "webhook", r.sub.ID, "error", err)
	}
	return out
}
