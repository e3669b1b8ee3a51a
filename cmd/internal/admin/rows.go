package admin

import (
	"context"
	"errors"
	"slices"
	"strings"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// webhookRow is a subscription with its decoded configuration.
type webhookRow struct {
	sub outbox.Subscription
	cfg outbox.Webhook
}

// filter returns the filter in force.
func (r webhookRow) filter() outbox.Filter {
	if len(r.sub.Epochs) == 0 {
		return outbox.Filter{}
	}
	return r.sub.Epochs[len(r.sub.Epochs)-1].Filter
}

// rows returns the subscriptions in use, and the removed ones whose backlog is not dead-lettered
// yet, oldest first. One that cannot be read is logged and left out: it must not take the others'
// administration with it.
func (s *Service) rows(ctx context.Context) ([]webhookRow, error) {
	out, _, err := s.rowsAndUnreadable(ctx)
	return out, err
}

// rowsAndUnreadable is rows with the ids of those that are left out.
func (s *Service) rowsAndUnreadable(ctx context.Context) (out []webhookRow, unreadable []outbox.SubID, err error) {
	subs, err := s.o.Engine.Subs(ctx)
	if err != nil {
		return nil, nil, apiError(err, "read the webhooks")
	}
	out = make([]webhookRow, 0, len(subs))
	for _, sub := range subs {
		if r, ok := s.decodeRow(sub); ok {
			out = append(out, r)
		} else {
			unreadable = append(unreadable, sub.ID)
		}
	}
	slices.SortFunc(out, func(a, b webhookRow) int {
		if c := a.cfg.CreatedAt.Compare(b.cfg.CreatedAt); c != 0 {
			return c
		}
		return strings.Compare(string(a.sub.ID), string(b.sub.ID))
	})
	return out, unreadable, nil
}

// rowsWithDead returns the webhooks that have dead letters, removed or not, by id.
func (s *Service) rowsWithDead(ctx context.Context) (out []webhookRow, err error) {
	for after := outbox.SubID(""); ; {
		page, err := s.o.Engine.WithDead(ctx, after, maxPage)
		if err != nil {
			return nil, apiError(err, "read the webhooks")
		}
		for _, sub := range page {
			if r, ok := s.decodeRow(sub); ok {
				out = append(out, r)
			}
			after = sub.ID
		}
		if len(page) < maxPage {
			return out, nil
		}
	}
}

func (s *Service) decodeRow(sub outbox.Subscription) (webhookRow, bool) {
	cfg, err := outbox.DecodeWebhook(sub.Config)
	if err != nil {
		s.o.Log.Error("webhook configuration unreadable", "webhook", sub.ID, "error", err)
		return webhookRow{}, false
	}
	return webhookRow{sub, cfg}, true
}

// rowByID returns the webhook of an id, removed or not; found is false for an id that names none.
func (s *Service) rowByID(ctx context.Context, id outbox.SubID) (r webhookRow, found bool, err error) {
	sub, err := s.o.Engine.Sub(ctx, id)
	if errors.Is(err, outbox.ErrNotFound) {
		return webhookRow{}, false, nil
	}
	if err != nil {
		return webhookRow{}, false, apiError(err, "read the webhook")
	}
	r, found = s.decodeRow(sub)
	return r, found, nil
}

// rowByURL returns the webhook whose URL is url in any spelling of the same identity, removed or
// not. Of two the one in use is returned. What MCP clients subscribed is none of them: several may
// have one URL.
func (s *Service) rowByURL(ctx context.Context, url string) (r webhookRow, found bool, err error) {
	all, err := s.rows(ctx)
	if err != nil {
		return webhookRow{}, false, err
	}
	same := func(r webhookRow) bool {
		return r.cfg.Lease == nil && (r.cfg.URL == url || s.identity(r.cfg.URL) == url)
	}
	inUse := func(r webhookRow) bool { return same(r) && !r.sub.Removed }
	if i := slices.IndexFunc(all, inUse); i >= 0 {
		return all[i], true, nil
	}
	if i := slices.IndexFunc(all, same); i >= 0 {
		return all[i], true, nil
	}
	for after := outbox.SubID(""); ; {
		page, err := s.o.Engine.Removed(ctx, after, maxPage)
		if err != nil {
			return webhookRow{}, false, apiError(err, "read the removed webhooks")
		}
		for _, sub := range page {
			if r, ok := s.decodeRow(sub); ok && same(r) {
				return r, true, nil
			}
			after = sub.ID
		}
		if len(page) < maxPage {
			return webhookRow{}, false, nil
		}
	}
}

// identity returns the identity of a URL. One that could not be registered today may still be a
// registered one, since the rules may have become stricter: it is its own identity.
func (s *Service) identity(url string) string {
	if id, err := s.o.CheckURL(url, true); err == nil {
		return id
	}
	return url
}

// leaseByURL returns what an MCP client subscribed to be sent to a URL, if it is one alone.
func (s *Service) leaseByURL(ctx context.Context, url string) (r webhookRow, found bool, err error) {
	all, err := s.rows(ctx)
	if err != nil {
		return r, false, err
	}
	var ids []string
	for _, one := range all {
		if one.cfg.Lease != nil && !one.sub.Removed && one.cfg.URL == url {
			r, ids = one, append(ids, string(one.sub.ID))
		}
	}
	if len(ids) > 1 {
		return webhookRow{}, false, api.Errorf(api.CodeInvalidArguments, "MCP clients have %d subscriptions to this URL: name one by its id: %s", len(ids), strings.Join(ids, ", ")).In("webhook")
	}
	return r, len(ids) == 1, nil
}

// noLease refuses what is done to a webhook and not to a subscription of an MCP client.
func (s *Service) noLease(r webhookRow, to string) error {
	if r.cfg.Lease == nil {
		return nil
	}
	return api.Errorf(api.CodeInvalidArguments, "%s is a subscription of an MCP client: nobody else can %s it. It can be paused, or ended with: %s", r.sub.ID, to,
		s.command("webhook", "remove", string(r.sub.ID))).In("webhook")
}

// lookUp returns the webhook that ref names, removed or not: an id, or a URL in any spelling of the
// same identity. A URL names what an MCP client subscribed where nothing else has it.
func (s *Service) lookUp(ctx context.Context, ref string) (r webhookRow, found bool, err error) {
	ref = strings.TrimSpace(ref)
	if ref == "" {
		return webhookRow{}, false, api.Errorf(api.CodeInvalidArguments, "no webhook given: pass its URL or its id (wh_…)").In("webhook")
	}
	if strings.HasPrefix(ref, idPrefix) {
		return s.rowByID(ctx, outbox.SubID(ref))
	}
	url := s.identity(ref)
	if r, found, err = s.rowByURL(ctx, url); err != nil || found && !r.sub.Removed {
		return r, found, err
	}
	if lease, leased, err := s.leaseByURL(ctx, url); err != nil || leased {
		return lease, leased, err
	}
	return r, found, nil
}

// find returns the webhook in use that ref names, or a sentence.
func (s *Service) find(ctx context.Context, ref string) (webhookRow, error) {
	r, err := s.findAny(ctx, ref)
	if err == nil && r.sub.Removed {
		return webhookRow{}, api.Errorf(api.CodeWebhookNotFound, "webhook %s was removed. %s", r.sub.ID, s.again(r))
	}
	return r, err
}

// findAny is find for removed webhooks too.
func (s *Service) findAny(ctx context.Context, ref string) (webhookRow, error) {
	r, found, err := s.lookUp(ctx, ref)
	if err == nil && !found {
		err = s.unknownWebhook(ctx, ref)
	}
	return r, err
}

func (s *Service) unknownWebhook(ctx context.Context, ref string) error {
	ref = strings.TrimSpace(ref)
	return api.Errorf(api.CodeWebhookNotFound, "no webhook %q.%s See them all with: %s", ref, s.nearWebhook(ctx, ref), s.command("webhook list"))
}

// nearWebhook says which webhook was meant by what is nearly its id, or the beginning of its URL,
// "" where several may be, or none.
func (s *Service) nearWebhook(ctx context.Context, ref string) string {
	rows, err := s.rows(ctx)
	if err != nil || len(ref) < 4 {
		return ""
	}
	var ids, near []string
	for _, r := range rows {
		id := string(r.sub.ID)
		ids = append(ids, id)
		if strings.EqualFold(idPrefix+ref, id) || strings.Contains(ref, "://") && strings.HasPrefix(r.cfg.URL, ref) {
			near = append(near, id)
		}
	}
	switch {
	case len(near) == 1:
		return " Did you mean " + near[0] + "?"
	case len(near) == 0:
		return term.DidYouMean(ref, ids)
	}
	return ""
}
