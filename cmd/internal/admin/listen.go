package admin

import (
	"context"

	"waoutbox/outbox/api"
)

// Listen registers a webhook for as long as somebody listens at it: it calls started with it, waits
// until ctx ends, and removes it with all that is known of it. It returns what kept it from being
// registered, started's error, or nil. One that a crash of the service left is for RemoveTemporary.
func (s *Service) Listen(ctx context.Context, in api.PutWebhook, started func(api.PutWebhookResult) error) error {
	out, err := s.put(ctx, in, true)
	if err != nil {
		return err
	}
	err = started(out)
	if err == nil {
		<-ctx.Done()
	}
	s.removeTemporary(context.WithoutCancel(ctx), out.Webhook.ID)
	return err
}

// RemoveTemporary removes the webhooks at which somebody listened when the service ended: nobody
// does any more. Call it before deliveries begin.
func (s *Service) RemoveTemporary(ctx context.Context) {
	all, err := s.rows(ctx)
	if err != nil {
		s.o.Log.WarnContext(ctx, "webhooks of those who listened cannot be looked for", "error", err)
		return
	}
	for _, r := range all {
		if r.cfg.Temporary {
			s.removeTemporary(ctx, string(r.sub.ID))
		}
	}
}

// removeTemporary removes a webhook unless it was made a lasting one meanwhile.
func (s *Service) removeTemporary(ctx context.Context, id string) {
	r, found, err := s.lookUp(ctx, id)
	if err == nil && (!found || !r.cfg.Temporary) {
		return
	}
	if err == nil {
		_, err = s.RemoveWebhook(ctx, api.RemoveWebhook{Webhook: id, Purge: true})
	}
	if err != nil {
		s.o.Log.WarnContext(ctx, "the webhook of somebody who listened was not removed; the next start does it", "webhook", id, "error", err)
	}
}
