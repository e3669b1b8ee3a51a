package admin

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"waoutbox/cmd/internal/admin/settings"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// checkPut says what is wrong with the settings of a registration, before anything is looked up.
func checkPut(in api.PutWebhook, events []string) error {
	if err := settings.CheckEvents(in.Events, events); err != nil {
		return err
	}
	if err := settings.CheckFilter(in); err != nil {
		return err
	}
	if err := settings.CheckSecret(in.Secret, in.GenerateSecret); err != nil {
		return err
	}
	if err := settings.CheckLimits(in); err != nil {
		return err
	}
	if in.CA != nil {
		if _, _, err := settings.Certificates(*in.CA, time.Now()); err != nil {
			return err
		}
	}
	return settings.CheckHeaders(in.Headers)
}

// maxEpochs bounds the filters that are kept for what a webhook was owed under them: every change
// of the webhook writes them all.
const maxEpochs = 1000

// changedFilterField names a part of the filter that a request gives.
func changedFilterField(in api.PutWebhook) string {
	switch {
	case in.Events != nil:
		return "events"
	case in.Chats != nil:
		return "chats"
	case in.NotChats != nil:
		return "not_chats"
	}
	return "kinds"
}

// applySettings writes the settings that in gives into r, which is before now, sealed, and a
// generated secret into out. What in leaves out stays as it is.
func (s *Service) applySettings(before webhookRow, r *webhookRow, in api.PutWebhook, out *api.PutWebhookResult) (warnings []string, err error) {
	filter, warnings, err := settings.Filter(r.filter(), in, s.o.EventKinds)
	if err != nil {
		return nil, err
	}
	if !settings.SameFilter(filter, r.filter()) {
		if len(r.sub.Epochs) >= maxEpochs {
			return nil, api.Errorf(api.CodeInvalidArguments, "the filter of %s was changed %d times since the oldest event that it is still owed or has dead, the most is %d: "+
				"deliver or discard those first (%s)", r.sub.ID, len(r.sub.Epochs), maxEpochs, s.command("webhook", "show", string(r.sub.ID))).In(changedFilterField(in))
		}
		// an epoch that begins with this write takes the place of another that does
		r.sub.Epochs = append(slices.Clone(r.sub.Epochs), outbox.Epoch{Filter: filter})
	}
	if in.Ordered != nil {
		r.cfg.Unordered = !*in.Ordered
	}
	if in.HoldAfter != nil {
		r.cfg.HoldAfter = in.HoldAfter
	}
	if in.MaxRate != nil {
		r.cfg.MaxRate = *in.MaxRate
	}
	if in.Redrive != nil {
		r.cfg.Redrive = *in.Redrive
	}
	if in.Schedule != nil {
		if r.cfg.Schedule, err = settings.ParseSchedule(*in.Schedule); err != nil {
			return nil, err
		}
	}
	if in.CA != nil {
		var expired []string
		if r.cfg.CA, expired, err = settings.Certificates(*in.CA, time.Now()); err != nil {
			return nil, err
		}
		warnings = append(warnings, expired...)
		if len(r.cfg.CA) > 0 && strings.HasPrefix(r.cfg.URL, "http:") {
			warnings = append(warnings, "the certificates (ca-file) are used for https only, and this URL is plain http")
		}
	}
	if w := testURL(r.cfg.URL); w != "" {
		warnings = append(warnings, w)
	}
	weak, err := s.applySecret(r, in, out)
	if err != nil {
		return nil, err
	}
	if weak != "" {
		warnings = append(warnings, weak)
	}
	if in.Headers != nil {
		if r.cfg.Headers, r.cfg.HeaderNames, err = s.sealHeaders(*in.Headers, r.sub.ID); err != nil {
			return nil, err
		}
	}
	return warnings, s.encode(before, r)
}

// applySecret sets or removes the secret. Another one than the one in use ends a rotation; the one
// in use changes nothing, so that whoever registers with the same secret again does not cut an
// overlap short.
func (s *Service) applySecret(r *webhookRow, in api.PutWebhook, out *api.PutWebhookResult) (warning string, err error) {
	if !r.rotating() {
		r.endRotation()
	}
	if in.GenerateSecret {
		out.Secret = settings.NewSecret()
		in.Secret = &out.Secret
	}
	if in.Secret == nil {
		return "", nil
	}
	warning = settings.SecretWarning(*in.Secret)
	if s.isSecret(*r, *in.Secret) {
		return warning, nil
	}
	r.endRotation()
	r.cfg.Secret, err = s.sealSecret(*in.Secret, outbox.SecretContext(r.sub.ID))
	return warning, err
}

// isSecret reports whether secret is the one in use. A secret that cannot be opened is none.
func (s *Service) isSecret(r webhookRow, secret string) bool {
	if len(r.cfg.Secret) == 0 {
		return false
	}
	plain, err := s.o.Unseal(r.cfg.Secret, outbox.SecretContext(r.sub.ID))
	return err == nil && subtle.ConstantTimeCompare(plain, []byte(secret)) == 1
}

// sealedFault says what of a webhook cannot be opened, why, and what to do; "" when all can.
// Nothing is sent to such a webhook.
func (s *Service) sealedFault(r webhookRow) string {
	if r.cfg.Lease != nil {
		return s.sealedLeaseFault(r)
	}
	for _, part := range []struct {
		what, undone, flag string
		sealed             []byte
		context            string
	}{
		{"secret", "unsigned", "--secret-file", r.cfg.Secret, outbox.SecretContext(r.sub.ID)},
		{"custom headers", "without them", "--header-file", r.cfg.Headers, outbox.HeadersContext(r.sub.ID)},
	} {
		if len(part.sealed) == 0 {
			continue
		}
		if _, err := s.o.Unseal(part.sealed, part.context); err != nil {
			return fmt.Sprintf("its %s cannot be opened, and nothing is sent %s: %v: %s", part.what, part.undone, err,
				s.command("webhook", "add", string(r.sub.ID), part.flag, "FILE"))
		}
	}
	if err := s.checkSeal(r); errors.Is(err, outbox.ErrSeal) {
		return fmt.Sprintf("%v, and nothing is sent. Look at it with: %s. Store it again, with its secret and headers, when it is as you want it: %s",
			err, s.command("webhook", "show", string(r.sub.ID)), s.addAgain(r.sub.ID))
	} else if err != nil {
		return fmt.Sprintf("whether its settings are the ones that were stored cannot be told, and nothing is sent: %v: %s", err, s.addAgain(r.sub.ID))
	}
	return ""
}

// sealedLeaseFault is sealedFault for what an MCP client subscribed, which no user can store again.
func (s *Service) sealedLeaseFault(r webhookRow) string {
	_, err := s.o.Unseal(r.cfg.Secret, outbox.SecretContext(r.sub.ID))
	if err == nil {
		err = s.checkSeal(r)
	}
	if err == nil {
		return ""
	}
	return fmt.Sprintf("what is stored of it cannot be used, and nothing is sent: %v: %s, and its client subscribes again", err, s.command("webhook", "remove", string(r.sub.ID)))
}

// othersHeld warns of the other webhooks whose secret or headers cannot be opened: whoever sets one
// again after the key was lost must set them all.
func (s *Service) othersHeld(ctx context.Context, but outbox.SubID) []string {
	all, err := s.rows(ctx)
	if err != nil {
		return nil // the caller's own webhook is stored and described all the same
	}
	var held []string
	for _, r := range all {
		if !r.sub.Removed && r.sub.ID != but && s.sealedFault(r) != "" {
			held = append(held, string(r.sub.ID))
		}
	}
	if len(held) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("still held, since what they have sealed cannot be opened: %s. See why with: %s", strings.Join(held, ", "), s.command("webhook", "list"))}
}

// sealSecret returns a secret as it is stored under its context; an empty one is none.
func (s *Service) sealSecret(secret, context string) ([]byte, error) {
	if secret == "" {
		return nil, nil
	}
	sealed, err := s.o.Seal([]byte(secret), context)
	if err != nil {
		return nil, api.Errorf(api.CodeInternal, "the secret could not be sealed, so nothing was changed: %v", err)
	}
	return sealed, nil
}

// sealHeaders returns the headers sealed as one, and their names for display. None give nothing.
func (s *Service) sealHeaders(all map[string]string, id outbox.SubID) (sealed []byte, names []string, err error) {
	if len(all) == 0 {
		return nil, nil, nil
	}
	plain, err := json.Marshal(all)
	if err != nil { // strings always marshal
		return nil, nil, api.Errorf(api.CodeInternal, "the custom headers could not be encoded, so nothing was changed")
	}
	if sealed, err = s.o.Seal(plain, outbox.HeadersContext(id)); err != nil {
		return nil, nil, api.Errorf(api.CodeInternal, "the custom headers could not be sealed, so nothing was changed: %v", err)
	}
	return sealed, settings.HeaderNames(all), nil
}

// testURL warns of the URL that n8n's editor shows first: events that come while nobody tests get
// a 404.
func testURL(url string) string {
	if production, is := api.ProductionURL(url); is {
		return api.TestURLOfN8N + production
	}
	return ""
}
