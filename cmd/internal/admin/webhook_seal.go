package admin

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// encode renders the configuration into the subscription, changed now, with its seal. before is the
// webhook as it is stored. While the key cannot be used, what it sealed stays as it is, so that
// putting the key back is enough; a webhook that has nothing else sealed gets a new seal.
func (s *Service) encode(before webhookRow, r *webhookRow) (err error) {
	r.cfg.UpdatedAt = now()
	if len(before.cfg.Seal) > 0 && sameSealed(before, *r) && len(r.cfg.Secret)+len(r.cfg.Headers) > 0 {
		if err := s.checkSeal(before); err != nil && !errors.Is(err, outbox.ErrSeal) {
			if r.sub.Config, err = outbox.EncodeWebhook(r.cfg); err != nil {
				return apiError(err, "store the webhook")
			}
			return nil
		}
	}
	if err := outbox.SealSettings(&r.sub, &r.cfg, s.o.Seal); err != nil {
		return api.Errorf(api.CodeInternal, "the settings could not be sealed, so nothing was changed: %v", err)
	}
	return nil
}

// sameSealed reports whether nothing of a and b was sealed in between.
func sameSealed(a, b webhookRow) bool {
	return bytes.Equal(a.cfg.Secret, b.cfg.Secret) && bytes.Equal(a.cfg.Headers, b.cfg.Headers)
}

// checkSeal says why the settings of a webhook cannot be trusted, nil when they can: they are as
// they were sealed.
func (s *Service) checkSeal(r webhookRow) error {
	b, err := outbox.Bind(r.sub, r.cfg)
	if err != nil {
		return err
	}
	return outbox.CheckSeal(r.sub.ID, r.cfg, b, s.o.Unseal)
}

// mayTrust refuses what would seal settings again that cannot be trusted, unless it is the user who
// stores them himself, at the command line. warning is then what he should look at.
func (s *Service) mayTrust(ctx context.Context, r webhookRow) (warning string, err error) {
	if r.sub.ID == "" {
		return "", nil
	}
	fault := s.checkSeal(r)
	if fault == nil {
		return "", nil
	}
	if s.asks(ctx).Kind != api.CallerCLI {
		return "", api.Errorf(api.CodeInvalidArguments, "%s is held, and only the user can store it again: %v. He looks at it with: `%s`, and stores it again with: `%s`",
			r.sub.ID, fault, s.command("webhook", "show", string(r.sub.ID)), s.addAgain(r.sub.ID)).In("url")
	}
	if !errors.Is(fault, outbox.ErrSeal) {
		return "", nil // the key was lost: what was sealed with it is told of elsewhere
	}
	return fmt.Sprintf("the settings of %s had been changed by something else than waoutbox, and are stored again as they are shown here: "+
		"look whether its URL, events, secret and headers are yours", r.sub.ID), nil
}
