package admin

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"waoutbox/cmd/internal/admin/settings"
	"waoutbox/dispatcher"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// Webhooks returns the webhooks in use, oldest first. Without readable counts they are listed all
// the same, with CountsUnknown.
func (s *Service) Webhooks(ctx context.Context) ([]api.Webhook, error) {
	all, err := s.rows(ctx)
	if err != nil {
		return nil, err
	}
	stats, _, err := s.counts(ctx)
	if err != nil {
		return nil, apiError(err, "read the webhooks")
	}
	return s.inUse(ctx, all, stats), nil
}

// inUse returns the webhooks in use with what stats counts of them.
func (s *Service) inUse(ctx context.Context, all []webhookRow, stats outbox.Stats) []api.Webhook {
	out := []api.Webhook{}
	for _, r := range all {
		if !r.sub.Removed {
			out = append(out, s.webhook(ctx, r, stats))
		}
	}
	return out
}

// Webhook returns one webhook in use, by id or URL.
func (s *Service) Webhook(ctx context.Context, ref string) (api.Webhook, error) {
	r, err := s.find(ctx, ref)
	if err != nil {
		return api.Webhook{}, err
	}
	w, err := s.describe(ctx, r)
	return w, apiError(err, "read the webhook")
}

// describe is webhook with the counts as they are now. It describes the rest after an error too.
func (s *Service) describe(ctx context.Context, r webhookRow) (api.Webhook, error) {
	stats, _, err := s.counts(ctx)
	return s.webhook(ctx, r, stats), err
}

// counts returns what the engine counts, and why a part of it is missing; what is counted stands
// there all the same. err is set when nothing can be read now: ctx has ended, the outbox is closed.
func (s *Service) counts(ctx context.Context) (stats outbox.Stats, missing, err error) {
	stats, err = s.o.Engine.Stats(ctx)
	if err != nil && ctx.Err() == nil && !errors.Is(err, outbox.ErrClosed) {
		return stats, err, nil
	}
	return stats, nil, err
}

// webhook describes one webhook.
func (s *Service) webhook(ctx context.Context, r webhookRow, stats outbox.Stats) api.Webhook {
	lane := s.lane(ctx, r)
	f := r.filter()
	counted, known := stats.Subs[r.sub.ID]
	w := api.Webhook{
		ID: string(r.sub.ID), URL: r.cfg.URL, Events: slices.Clone(f.Events), Chats: slices.Clone(f.Chats),
		NotChats: slices.Clone(f.NotChats), Kinds: slices.Clone(f.Kinds), CA: settings.DescribeCertificates(r.cfg.CA), Redrive: r.cfg.Redrive,
		Headers: slices.Clone(r.cfg.HeaderNames), Signed: len(r.cfg.Secret) > 0, Ordered: !r.cfg.Unordered,
		HoldAfter: r.cfg.HoldLimit(), MaxRate: r.cfg.MaxRate, Schedule: settings.ScheduleText(r.cfg.Schedule),
		AllowInsecure: r.cfg.AllowInsecureHTTP, Temporary: r.cfg.Temporary, Lease: describeLease(r.cfg.Lease),
		Status: api.WebhookStatus(lane.Status), Reason: lane.Reason,
		Pending: counted.Pending, Dead: counted.Dead, CountsUnknown: !known || stats.CountsUnknown,
		CreatedAt: r.cfg.CreatedAt, UpdatedAt: r.cfg.UpdatedAt,
	}
	if r.rotating() {
		w.RotationUntil = r.cfg.PreviousUntil
	}
	if counted.Pending > 0 && !counted.OldestPending.IsZero() {
		w.OldestPendingSeconds = max(0, int64(time.Since(counted.OldestPending)/time.Second))
	}
	if lane.Until.After(time.Now()) && (lane.Status == dispatcher.StatusHeld || lane.Status == dispatcher.StatusFailing) {
		w.NextTryAt = lane.Until.UTC()
	}
	s.addRecent(&w)
	return w
}

// lane returns how a webhook's lane stands. One that would be active and whose secret or headers
// cannot be opened is held: its first attempt, which may be far away, would find that out.
func (s *Service) lane(ctx context.Context, r webhookRow) dispatcher.LaneState {
	st := s.storedLane(ctx, r)
	if st.Status == dispatcher.StatusActive {
		if fault := s.sealedFault(r); fault != "" {
			st.Status, st.Reason = dispatcher.StatusHeld, fault
		}
	}
	return st
}

// storedLane returns what the running lane of a webhook shows, or without a daemon what it left on
// disk. In a daemon a webhook without a lane is held, whatever the disk says: nothing delivers to
// it.
func (s *Service) storedLane(ctx context.Context, r webhookRow) dispatcher.LaneState {
	id := r.sub.ID
	if st := s.o.Dispatcher.State(id); st.Status != "" {
		return st
	}
	if s.o.Daemon != nil {
		return dispatcher.LaneState{Status: dispatcher.StatusHeld, Reason: "its delivery has not started"}
	}
	_, bytes, _, err := s.o.Engine.Load(ctx, id)
	if err == nil {
		var st dispatcher.LaneState
		if st, err = dispatcher.DecodeLaneState(bytes, r.cfg); err == nil {
			return st
		}
	}
	return dispatcher.LaneState{Status: dispatcher.StatusHeld, Reason: "its state cannot be read: " + err.Error()}
}

// TestWebhook makes one attempt straight to the endpoint, signed like any delivery, outside the
// outbox. A webhook that was failing goes on at full speed when it succeeds.
func (s *Service) TestWebhook(ctx context.Context, in api.TestWebhook) (api.TestWebhookResult, error) {
	if in.Event != "" {
		if err := settings.KnownEvent(in.Event, s.o.EventNames); err != nil {
			return api.TestWebhookResult{}, err
		}
	}
	r, err := s.find(ctx, in.Webhook)
	if err != nil {
		return api.TestWebhookResult{}, err
	}
	if r.cfg.Lease != nil {
		return api.TestWebhookResult{}, api.Errorf(api.CodeInvalidArguments, "%s is a subscription of an MCP client, whose receiver would take a test for an event. It agreed to get events when it subscribed", r.sub.ID).In("webhook")
	}
	var id [16]byte
	rand.Read(id[:]) // never fails
	start := time.Now()
	ev := outbox.Event{
		Key: "evt_" + hex.EncodeToString(id[:]), Random: true, Time: start, Name: cmp.Or(in.Event, "connection.update"), Chat: "connection",
		Body: s.o.TestBody(in.Event, start),
	}
	was := s.lane(ctx, r)
	binding, err := outbox.Bind(r.sub, r.cfg)
	if err != nil {
		return api.TestWebhookResult{}, apiError(err, "test the webhook")
	}
	attempt, cancel := context.WithTimeout(ctx, dispatcher.AttemptTimeout) // a call may last longer
	res := s.o.Sender.Send(attempt, dispatcher.Request{Sub: r.sub.ID, Webhook: r.cfg, Binding: binding, Event: ev, Attempt: 1})
	cancel()
	took := time.Since(start)
	if err := ctx.Err(); err != nil {
		return api.TestWebhookResult{}, apiError(err, "test the webhook")
	}
	if res.Class == outbox.ClassOK && (s.o.Daemon != nil || was.Deaths > 0) {
		if err := s.o.Dispatcher.Recovered(ctx, r.sub.ID); err != nil {
			// the next probe finds out by itself
			s.o.Log.WarnContext(ctx, "a webhook was tested well, and could not be told to go on", "webhook", r.sub.ID, "error", err)
		}
	}
	return api.TestWebhookResult{
		ID: string(r.sub.ID), URL: r.cfg.URL, Event: ev.Name, EventID: ev.Key, Signed: len(r.cfg.Secret) > 0,
		Success: res.Class == outbox.ClassOK, Status: res.Status, Ms: took.Milliseconds(), Class: string(res.Class),
		Error: res.Message, Excerpt: string(res.Excerpt), Was: api.WebhookStatus(was.Status),
	}, nil
}

// KnownEvent refuses a name that is none of known, which would match nothing for ever.
func KnownEvent(name string, known []string) error { return settings.KnownEvent(name, known) }
