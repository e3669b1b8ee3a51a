package admin

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// row is a subscription with its decoded configuration.
type row struct {
	sub outbox.Subscription
	cfg outbox.Webhook
}

func (r row) filter() outbox.Filter {
	if len(r.sub.Epochs) == 0 {
		return outbox.Filter{}
	}
	return r.sub.Epochs[len(r.sub.Epochs)-1].Filter
}

// rows answers every subscription, removed ones too, oldest first. One that cannot be read is logged and left out: it must not
// take the others' administration with it.
func (s *Service) rows(ctx context.Context) ([]row, error) {
	subs, err := s.o.Engine.Subs(ctx)
	if err != nil {
		return nil, apiError(err, "read the webhooks")
	}
	out := make([]row, 0, len(subs))
	for _, sub := range subs {
		cfg, err := outbox.DecodeWebhook(sub.Config)
		if err != nil {
			s.o.Log.Error("webhook configuration unreadable", "webhook", sub.ID, "error", err)
			continue
		}
		out = append(out, row{sub, cfg})
	}
	slices.SortFunc(out, func(a, b row) int {
		if c := a.cfg.CreatedAt.Compare(b.cfg.CreatedAt); c != 0 {
			return c
		}
		return strings.Compare(string(a.sub.ID), string(b.sub.ID))
	})
	return out, nil
}

// find answers the row that ref names: an id, or a URL in any spelling of the same identity. Removed rows only if asked for.
func (s *Service) find(ctx context.Context, ref string, removedToo bool) (row, []row, error) {
	all, err := s.rows(ctx)
	if err != nil {
		return row{}, nil, err
	}
	want := strings.TrimSpace(ref)
	if want == "" {
		return row{}, all, api.Errorf(api.CodeInvalidArguments, "no webhook given: pass its URL or its id (wh_…)")
	}
	url := want
	if !strings.HasPrefix(want, idPrefix) {
		// A URL that could not be registered today may still be a registered one (the rules may have become stricter): fall back
		// to what was typed.
		if norm, err := s.o.CheckURL(want, true); err == nil {
			url = norm
		}
	}
	for _, r := range all {
		if (string(r.sub.ID) == want || r.cfg.URL == url) && (removedToo || !r.sub.Removed) {
			return r, all, nil
		}
	}
	for _, r := range all {
		if string(r.sub.ID) == want || r.cfg.URL == url {
			return row{}, all, api.Errorf(api.CodeWebhookNotFound, "webhook %s was removed. Add it again with: waoutbox webhook add %s", r.sub.ID, r.sub.ID)
		}
	}
	return row{}, all, api.Errorf(api.CodeWebhookNotFound, "no webhook %q. See them all with: waoutbox webhook list", want)
}

// urlOf answers the URL that ref names: a webhook's own for its id (removed ones too), else ref itself.
func (s *Service) urlOf(ctx context.Context, ref string) (string, error) {
	ref = strings.TrimSpace(ref)
	if !strings.HasPrefix(ref, idPrefix) {
		return ref, nil
	}
	r, _, err := s.find(ctx, ref, true)
	return r.cfg.URL, err
}

const idPrefix = "wh_"

// newID makes a webhook id: 8 characters of Crockford's base32, which has no letters that read alike.
func newID(taken []row) outbox.SubID {
	enc := base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)
	for {
		var b [5]byte
		rand.Read(b[:]) //nolint:errcheck // crypto/rand.Read never fails (Go 1.24)
		id := outbox.SubID(idPrefix + enc.EncodeToString(b[:]))
		if !slices.ContainsFunc(taken, func(r row) bool { return r.sub.ID == id }) {
			return id
		}
	}
}

// deadLetterID is dl_<webhook>_<seq>.
func deadLetterID(sub outbox.SubID, seq outbox.Seq) string { return fmt.Sprintf("dl_%s_%d", sub, seq) }

// parseDeadLetterID reads what deadLetterID wrote.
func parseDeadLetterID(id string) (outbox.SubID, outbox.Seq, error) {
	bad := func() (outbox.SubID, outbox.Seq, error) {
		return "", 0, api.Errorf(api.CodeInvalidArguments, "%q is no dead letter id: they look like dl_wh_7K2M_1042; see them with: waoutbox deadletter list", id)
	}
	rest, ok := strings.CutPrefix(id, "dl_")
	if !ok {
		return bad()
	}
	i := strings.LastIndexByte(rest, '_')
	if i <= 0 {
		return bad()
	}
	n, err := strconv.ParseUint(rest[i+1:], 10, 64)
	if err != nil || n == 0 {
		return bad()
	}
	return outbox.SubID(rest[:i]), outbox.Seq(n), nil
}
