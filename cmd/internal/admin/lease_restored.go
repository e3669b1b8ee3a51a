package admin

import (
	"context"
	"fmt"

	"waoutbox/outbox"
)

// EndRestoredLeases ends every lease of an outbox that was put back from a backup: its clients
// subscribed at another one, which may go on, and their cursors are of that one. What they were
// owed becomes dead letters when the service starts. It needs no key.
func (s *Service) EndRestoredLeases(ctx context.Context) error {
	all, err := s.rows(ctx)
	if err != nil {
		return err
	}
	for _, r := range all {
		if r.cfg.Lease == nil || r.sub.Removed {
			continue
		}
		sub, cfg, err := outbox.EndLease(r.sub, r.cfg, outbox.ReasonLeaseExpired)
		if err == nil { // without a new seal: nothing is sent to it any more
			sub.Config, err = outbox.EncodeWebhook(cfg)
		}
		if err == nil {
			_, _, err = s.putSub(ctx, sub, outbox.AuditEntry{Operation: "events.end", Object: string(sub.ID), URL: cfg.URL, Reason: "restored"})
		}
		if err != nil {
			return fmt.Errorf("end the lease of %s: %w", r.sub.ID, err)
		}
	}
	return nil
}
