package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"waoutbox/cmd/internal/admin/settings"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// rotating reports whether the secret before is still valid.
func (r webhookRow) rotating() bool {
	return len(r.cfg.PreviousSecret) > 0 && time.Now().Before(r.cfg.PreviousUntil)
}

// endRotation forgets the secret before.
func (r *webhookRow) endRotation() { r.cfg.PreviousSecret, r.cfg.PreviousUntil = nil, time.Time{} }

// RotateSecret gives a webhook a new secret beside the one it has, which stays valid for the
// overlap, or ends an overlap. A webhook without a secret is refused, and so is a rotation within
// another's overlap: receivers would need three secrets. Everything is checked first, then stored
// in one commit; after that there is a result, and what fails is a warning in it.
func (s *Service) RotateSecret(ctx context.Context, in api.RotateSecret) (out api.RotateSecretResult, err error) {
	defer func() { s.refused(ctx, &err, aboutWebhook("webhook.rotate-secret", in.Webhook)) }()
	overlap, err := checkRotation(in)
	if err != nil {
		return out, err
	}
	unlock, err := s.lock(ctx)
	if err != nil {
		return out, err
	}
	defer unlock()
	r, err := s.find(ctx, in.Webhook)
	if err != nil {
		return out, err
	}
	if err := s.noLease(r, "give another secret to"); err != nil {
		return out, err
	}
	if len(r.cfg.Secret) == 0 {
		return out, api.Errorf(api.CodeInvalidArguments, "%s has no secret to rotate: its requests are not signed. Sign them with: %s", r.sub.ID,
			s.command("webhook", "add", string(r.sub.ID), "--generate-secret")).In("webhook")
	}
	if err := s.checkSeal(r); errors.Is(err, outbox.ErrSeal) {
		return out, api.Errorf(api.CodeInvalidArguments, "%s is held: %v. Look at it, then store it again with: %s", r.sub.ID, err, s.addAgain(r.sub.ID)).In("webhook")
	}
	before := r
	if in.Promote {
		out.Result = api.RotationNoneRan
		if r.rotating() {
			out.Result = api.RotationEnded
		}
		if len(r.cfg.PreviousSecret) == 0 {
			out.Webhook, err = s.describe(ctx, r)
			return out, err
		}
		r.endRotation()
	} else if err := s.rotate(&r, in.Secret, overlap, &out); err != nil {
		return api.RotateSecretResult{}, err
	}
	if err := s.encode(before, &r); err != nil {
		return api.RotateSecretResult{}, err
	}
	sub, warning, err := s.putSub(ctx, r.sub, outbox.AuditEntry{
		Operation: "webhook.rotate-secret", Object: string(r.sub.ID), URL: r.cfg.URL, Fields: changedFields(before, r), Result: out.Result,
	})
	if err != nil {
		return api.RotateSecretResult{}, apiError(err, "rotate the secret")
	}
	r.sub = sub
	if warning != "" {
		out.Warnings = append(out.Warnings, warning)
	}

	// stored: from here on nothing is an error
	after, cancel := afterWrite(ctx, afterPut)
	defer cancel()
	if err := s.o.Dispatcher.Sync(after, r.sub.ID); err != nil {
		out.Warnings = append(out.Warnings, s.warn(after, r.sub.ID, err, fmt.Sprintf("the secrets of %s are stored, but its delivery could not be told", r.sub.ID),
			"Tell it with: "+s.addAgain(r.sub.ID)))
	}
	if !in.Promote {
		out.Warnings = append(out.Warnings, s.othersHeld(after, r.sub.ID)...)
	}
	if out.Webhook, err = s.describe(after, r); err != nil {
		s.o.Log.WarnContext(ctx, "the counts of a webhook could not be read", "webhook", r.sub.ID, "error", err)
	}
	s.logChange(ctx, "webhook secret rotated", "webhook", r.sub.ID, "result", out.Result, "until", r.cfg.PreviousUntil)
	return out, nil
}

const (
	// defaultOverlap is how long the secret before stays valid.
	defaultOverlap = 24 * time.Hour
	// maxOverlap bounds that: a secret that is never given up was not rotated.
	maxOverlap = 30 * 24 * time.Hour
)

// checkRotation says what is wrong with a rotation, and returns its overlap.
func checkRotation(in api.RotateSecret) (overlap time.Duration, err error) {
	if in.Promote && (in.Secret != nil || in.Overlap != nil) {
		return 0, api.Errorf(api.CodeInvalidArguments, "promote ends the overlap of the rotation that runs, and takes neither a secret nor an overlap: leave them out").In("promote")
	}
	if in.Secret != nil && *in.Secret == "" {
		return 0, api.Errorf(api.CodeInvalidSecret, "the new secret is empty: pass a real one, or leave it out to have one generated")
	}
	if err := settings.CheckSecret(in.Secret, false); err != nil {
		return 0, err
	}
	if in.Overlap == nil {
		return defaultOverlap, nil
	}
	overlap, err = time.ParseDuration(strings.TrimSpace(*in.Overlap))
	if err != nil || overlap < 0 || overlap > maxOverlap {
		return 0, api.Errorf(api.CodeInvalidArguments, "overlap %q: give a duration like 24h or 90m, at most %s; 0s switches at once", *in.Overlap, settings.ShortWait(maxOverlap)).In("overlap")
	}
	return overlap, nil
}

// rotate puts a new secret beside the one in use.
func (s *Service) rotate(r *webhookRow, secret *string, overlap time.Duration, out *api.RotateSecretResult) (err error) {
	if r.rotating() {
		return api.Errorf(api.CodeInvalidArguments, "%s is being rotated already: the secret before is valid until %s. End that first, when every receiver knows the new one, with: %s",
			r.sub.ID, r.cfg.PreviousUntil.UTC().Format(time.RFC3339), s.command("webhook", "rotate-secret", string(r.sub.ID), "--promote")).In("webhook")
	}
	r.endRotation()
	if overlap > 0 {
		plain, err := s.o.Unseal(r.cfg.Secret, outbox.SecretContext(r.sub.ID))
		if err != nil {
			return api.Errorf(api.CodeInternal, "the secret in use cannot be opened, so the new one cannot stand beside it, and nothing was changed: %v. Or give it up at once with: %s", err,
				s.command("webhook", "rotate-secret", string(r.sub.ID), "--overlap", "0s"))
		}
		if secret != nil && *secret == string(plain) {
			return api.Errorf(api.CodeInvalidSecret, "this is the secret in use: give another one, or leave it out to have one generated")
		}
		if r.cfg.PreviousSecret, err = s.sealSecret(string(plain), outbox.PreviousContext(r.sub.ID)); err != nil {
			return err
		}
		r.cfg.PreviousUntil = now().Add(overlap)
	}
	if secret == nil {
		out.Secret = settings.NewSecret()
		secret = &out.Secret
	} else if w := settings.SecretWarning(*secret); w != "" {
		out.Warnings = append(out.Warnings, w)
	}
	out.Result = api.Rotated
	r.cfg.Secret, err = s.sealSecret(*secret, outbox.SecretContext(r.sub.ID))
	return err
}
