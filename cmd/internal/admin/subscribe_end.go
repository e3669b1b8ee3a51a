package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"waoutbox/cmd/internal/admin/leases"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// Unsubscribe ends the subscription of the caller that in names; see api.Service.
func (s *Service) Unsubscribe(ctx context.Context, in api.Unsubscribe) (out api.Unsubscribed, err error) {
	defer func() {
		s.refused(ctx, &err, outbox.AuditEntry{Operation: "events.unsubscribe", Object: in.Event, URL: in.URL})
	}()
	principal := s.asks(ctx).Principal
	if principal == "" {
		return out, api.Errorf(api.CodeNotAuthenticated, "nothing is known of who asks: use %s, or the HTTP listener with its token", s.command("mcp"))
	}
	arguments, err := leases.Canonical(json.RawMessage(in.Arguments))
	if err != nil {
		return out, err
	}
	id := leases.ID(principal, s.identity(in.URL), in.Event, arguments)
	stopped := s.flights.Stop(id)
	unlock, err := s.lock(ctx)
	if err != nil {
		return out, err
	}
	defer unlock()
	r, found, err := s.living(ctx, id)
	switch {
	case err != nil:
		return out, err
	case !found && stopped:
		return api.Unsubscribed{ID: id}, nil
	case !found:
		return out, api.Errorf(api.CodeNotFound, "there is no such subscription: it was never made, has ended, or is named otherwise (the URL with its query, the event and the arguments)")
	}
	dead, warning, err := s.endLease(ctx, r, "", subscriptionEntry("events.unsubscribe", r, ""))
	if err != nil {
		return out, apiError(err, "end the subscription")
	}
	out = api.Unsubscribed{ID: id, DeadLettered: dead}
	if warning != "" {
		out.Warnings = append(out.Warnings, warning)
	}
	return out, nil
}

// RefuseSubscription records that a client that may only read asked for events at a URL, and
// returns what it is told.
func (s *Service) RefuseSubscription(ctx context.Context, in api.RefuseSubscription) (api.RefusedSubscription, error) {
	var why error = api.Errorf(api.CodeHostNotAllowed, "this session may only read: it has events sent nowhere. Poll for them or have them streamed")
	s.refused(ctx, &why, outbox.AuditEntry{Operation: "events.subscribe", URL: in.URL, Object: in.Event})
	return api.RefusedSubscription{Message: why.Error()}, nil
}

// endLease removes what a client subscribed. What it is owed becomes dead letters, with that reason
// where it has one of its own. After the write nothing is an error. The caller holds the lock.
func (s *Service) endLease(ctx context.Context, r webhookRow, reason string, e outbox.AuditEntry) (dead int64, warning string, err error) {
	trusted := s.checkSeal(r) == nil
	sub, cfg, err := outbox.EndLease(r.sub, r.cfg, reason)
	if err != nil {
		return 0, "", err
	}
	if trusted {
		err = outbox.SealSettings(&sub, &cfg, s.o.Seal)
	} else { // what is not trusted stays so
		sub.Config, err = outbox.EncodeWebhook(cfg)
	}
	if err != nil {
		return 0, "", err
	}
	if _, warning, err = s.putSub(ctx, sub, e); err != nil {
		return 0, "", err
	}

	after, cancel := afterWrite(ctx, afterRemoval)
	defer cancel()
	n, err := s.o.Dispatcher.DeadLetterBacklog(after, sub.ID)
	if err != nil {
		warning = s.warn(after, sub.ID, err, fmt.Sprintf("%s is removed, but not all of its backlog was taken out", sub.ID), "Finish that with: "+s.command("webhook", "remove", string(sub.ID)))
	}
	s.logChange(ctx, "a subscription has ended", "webhook", sub.ID, "dead_lettered", n)
	return int64(n), warning, nil
}

const (
	// leaseLook is how long nobody looks whether a subscription is over while there is one: a clock
	// that is set forward is noticed within it.
	leaseLook = 15 * time.Second
	// leaseEnd bounds the end of one.
	leaseEnd = time.Minute
)

// RunSubscriptions ends the subscriptions of MCP clients whose time is over, until ctx ends, and
// returns nil. What is over while no service runs ends some minutes after its start.
func (s *Service) RunSubscriptions(ctx context.Context) error {
	ctx = asService(ctx)
	for {
		wait, some := s.endLeases(ctx)
		var look <-chan time.Time
		var timer *time.Timer
		if some {
			timer = time.NewTimer(wait)
			look = timer.C
		}
		select {
		case <-ctx.Done():
		case <-s.leases:
		case <-look:
		}
		if timer != nil {
			timer.Stop()
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}

// endLeases ends those that are over, and returns when to look again, if there is one that ends.
func (s *Service) endLeases(ctx context.Context) (wait time.Duration, some bool) {
	all, err := s.rows(ctx)
	if err != nil {
		return leaseLook, true
	}
	wait = leaseLook
	for _, r := range all {
		if r.cfg.Lease == nil || r.sub.Removed || r.cfg.Lease.Ends.IsZero() {
			continue
		}
		some = true
		if s.leaseOver(r) {
			s.endOver(ctx, r.sub.ID)
		} else if left := time.Until(r.cfg.Lease.Ends); left > 0 {
			wait = min(wait, left+time.Millisecond)
		}
	}
	return max(wait, time.Millisecond), some
}

// endOver ends a subscription if it is still over.
func (s *Service) endOver(ctx context.Context, id outbox.SubID) {
	ctx, cancel := context.WithTimeout(ctx, leaseEnd)
	defer cancel()
	unlock, err := s.lock(ctx)
	if err != nil {
		return
	}
	defer unlock()
	r, found, err := s.rowByID(ctx, id)
	if err == nil && (!found || r.sub.Removed || r.cfg.Lease == nil || !s.leaseOver(r)) {
		return // renewed or removed meanwhile
	}
	if err == nil {
		_, _, err = s.endLease(ctx, r, outbox.ReasonLeaseExpired, subscriptionEntry("events.end", r, "expired"))
	}
	if err != nil {
		s.o.Log.WarnContext(ctx, "a subscription that is over was not removed; it is tried again, and gets nothing meanwhile", "webhook", id, "error", err)
	}
}

// leasesChanged has RunSubscriptions look again.
func (s *Service) leasesChanged() {
	select {
	case s.leases <- struct{}{}:
	default:
	}
}
