package admin

import (
	"context"
	"errors"
	"time"

	"waoutbox/dispatcher"
	"waoutbox/dispatcher/webhook"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// begin stores a subscription that did not live: a new one, whatever there was before it. agreed is
// when its endpoint agreed.
func (s *Service) begin(ctx context.Context, in api.Subscribe, w wanted, agreed time.Time) (out api.Subscribed, err error) {
	all, err := s.rows(ctx)
	if err == nil {
		err = s.checkSubscriptionLimit(all)
	}
	if err == nil {
		err = s.checkWebhookLimit(ctx)
	}
	if err != nil {
		return out, err
	}
	start, err := s.readOccurrences(ctx, api.OccurrenceQuery{
		Events: []string{w.event}, Chats: in.Chats, NotChats: in.NotChats, Kinds: in.Kinds, Cursor: in.Cursor, MaxAgeMillis: in.MaxAgeMillis,
	})
	if err != nil {
		return out, apiError(err, "read the events")
	}
	epoch := outbox.Epoch{From: start.from, Filter: w.filter}
	r := webhookRow{sub: outbox.Subscription{Epochs: []outbox.Epoch{epoch}}}
	if r.sub.ID, err = s.newID(ctx); err != nil {
		return out, err
	}
	r.cfg = outbox.Webhook{URL: w.url, CreatedAt: now(), Lease: &outbox.Lease{
		ID: w.id, Principal: w.principal, Client: auditText(s.asks(ctx).Client), Name: w.event, Arguments: w.arguments,
		Preview: s.o.Subscriptions.Preview, Ends: w.ends, Public: w.public, Asked: asked(in.Cursor, start.state), VerifiedAt: agreed, Generation: generationAfter(0),
	}}
	if r.cfg.Secret, err = s.sealSecret(w.secret, outbox.SecretContext(r.sub.ID)); err != nil {
		return out, err
	}
	if err := s.encode(webhookRow{}, &r); err != nil {
		return out, err
	}
	var warning string
	if r.sub, warning, err = s.putSub(ctx, r.sub, subscriptionEntry("events.subscribe", r, w.event)); err != nil {
		return out, apiError(err, "store the subscription")
	}

	// stored: from here on nothing is an error, and what is wrong is logged
	after, cancel := afterWrite(ctx, afterPut)
	defer cancel()
	if w := s.startDelivery(after, r.sub.ID); w != "" {
		warning = w
	}
	s.leasesChanged()
	from := r.sub.Epochs[0].From // above what was asked for, where that was removed
	s.logChange(ctx, "events were subscribed", "webhook", r.sub.ID, "event", w.event, "ends", w.ends, "warning", warning)
	return api.Subscribed{ID: w.id, Ends: w.ends, Cursor: outbox.Position(start.state, from), Truncated: start.truncated || from > epoch.From}, nil
}

// generationAfter is another generation than any before it.
func generationAfter(before uint64) uint64 { return max(before+1, uint64(time.Now().UnixNano())) }

// renew stores a subscription that lives with what its client says now: a new end, another secret,
// beside which the one before signs for a while. Its lane goes on, unless its user has paused it.
func (s *Service) renew(ctx context.Context, r webhookRow, w wanted) (out api.Subscribed, err error) {
	if err := s.checkSeal(r); err != nil {
		return out, api.Errorf(api.CodeServiceUnavail, "the subscription is held, and its user must look at it: %v. He ends it with: `%s`", err, s.command("webhook", "remove", string(r.sub.ID)))
	}
	from, err := s.renewedFrom(ctx, w.cursor)
	if err != nil {
		return out, apiError(err, "read the events")
	}
	before, lease := r, *r.cfg.Lease
	var audit []outbox.Audit
	if !s.isSecret(r, w.secret) {
		lease.Generation = generationAfter(lease.Generation)
		if err := s.replaceSecret(&r, w.secret); err != nil {
			return out, err
		}
		a, err := s.record(ctx, outbox.AuditChange, subscriptionEntry("events.refresh", r, "another secret"))
		if err != nil {
			return out, err
		}
		audit = append(audit, a)
	} else if !r.rotating() {
		r.endRotation()
	}
	lease.Client, lease.Preview, lease.Ends = auditText(s.asks(ctx).Client), s.o.Subscriptions.Preview, w.ends
	lease.Public = lease.Public || w.public
	r.cfg.Lease = &lease
	if err := s.encode(before, &r); err != nil {
		return out, err
	}
	if _, _, err := s.putSubWith(ctx, r.sub, audit...); err != nil {
		return out, apiError(err, "renew the subscription")
	}

	// stored: from here on nothing is an error
	after, cancel := afterWrite(ctx, afterPut)
	defer cancel()
	out = api.Subscribed{ID: w.id, Ends: w.ends, Renewed: true}
	if out.Truncated, err = s.o.Dispatcher.Refreshed(after, r.sub.ID); err != nil {
		s.o.Log.WarnContext(ctx, "a renewed subscription could not be resumed: the next renewal does it", "webhook", r.sub.ID, "error", err)
	}
	out.Truncated = out.Truncated || s.missed(r, from)
	s.leasesChanged()
	if out.Cursor, err = s.standsAt(after, r.sub.ID); err != nil {
		s.o.Log.WarnContext(ctx, "where a subscription stands could not be read", "webhook", r.sub.ID, "error", err)
	}
	out.Delivery = subscriptionDelivery(s.leaseState(r.sub.ID))
	return out, nil
}

// replaceSecret puts another secret in place of the one in use, which signs along for a while. One
// that signed along before is given up.
func (s *Service) replaceSecret(r *webhookRow, secret string) error {
	plain, err := s.o.Unseal(r.cfg.Secret, outbox.SecretContext(r.sub.ID))
	if err != nil { // nothing could be signed with it
		r.endRotation()
	} else {
		if r.cfg.PreviousSecret, err = s.sealSecret(string(plain), outbox.PreviousContext(r.sub.ID)); err != nil {
			return err
		}
		r.cfg.PreviousUntil = now().Add(outbox.SecretOverlap)
	}
	r.cfg.Secret, err = s.sealSecret(secret, outbox.SecretContext(r.sub.ID))
	return err
}

// standsAt is the cursor of what a subscription has finished: all before it is behind its receiver.
func (s *Service) standsAt(ctx context.Context, id outbox.SubID) (string, error) {
	now, err := s.o.Engine.Events(ctx, outbox.EventQuery{Backward: true, Limit: 1, Heads: true})
	if err != nil {
		return "", err
	}
	next, _, pending, err := s.o.Engine.Load(ctx, id)
	if err != nil {
		return "", err
	}
	for _, rec := range pending {
		next = min(next, rec.Seq)
	}
	return outbox.Position(now.State, next), nil
}

// subscriptionDelivery is what a client is told of how its subscription fares.
func subscriptionDelivery(st dispatcher.LeaseState) *api.SubscriptionDelivery {
	return &api.SubscriptionDelivery{
		Active: st.Active, LastDeliveryAt: st.LastDelivery, LastError: st.LastError, FailedSince: st.FailedSince, Throttled: st.Throttled,
		RetryAfterMillis: st.RetryAfter.Milliseconds(),
	}
}

// leaseOver reports whether the time of a lease is over: it is about to be removed.
func (s *Service) leaseOver(r webhookRow) bool {
	return s.leaseState(r.sub.ID).Ended
}

// leaseState returns how the lane of a subscription stands.
func (s *Service) leaseState(id outbox.SubID) dispatcher.LeaseState {
	return s.o.Dispatcher.State(id).Lease
}

// describeLease describes the lease of a webhook, nil for one without.
func describeLease(l *outbox.Lease) *api.Lease {
	if l == nil {
		return nil
	}
	return &api.Lease{Subscription: l.ID, Principal: l.Principal, Client: l.Client, Ends: l.Ends, Preview: l.Preview}
}

func asChallenge(err error) (*webhook.ChallengeError, bool) {
	return errors.AsType[*webhook.ChallengeError](err)
}
