package admin

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// MaxWebhooks bounds the webhooks in use: every one costs a lane, and 512 in-flight slots are shared among them.
const MaxWebhooks = 256

// maxSecret bounds a secret, in bytes. HMAC-SHA256 gains nothing above 64.
const maxSecret = 512

// maxChats bounds the chats a filter names: filters are kept with every epoch and matched at every append.
const maxChats = 100

// Webhooks answers the webhooks in use, oldest first.
func (s *Service) Webhooks(ctx context.Context) ([]api.Webhook, error) {
	stats, err := s.o.Engine.Stats(ctx)
	if err != nil {
		return nil, apiError(err, "read the webhooks")
	}
	return s.inUse(ctx, stats)
}

// inUse answers the webhooks in use with what stats counts of them.
func (s *Service) inUse(ctx context.Context, stats outbox.Stats) ([]api.Webhook, error) {
	all, err := s.rows(ctx)
	if err != nil {
		return nil, err
	}
	out := []api.Webhook{}
	for _, r := range all {
		if !r.sub.Removed {
			out = append(out, s.webhook(ctx, r, stats.Subs[r.sub.ID]))
		}
	}
	return out, nil
}

// Webhook answers one webhook in use, by id or URL.
func (s *Service) Webhook(ctx context.Context, ref string) (api.Webhook, error) {
	r, _, err := s.find(ctx, ref, false)
	if err != nil {
		return api.Webhook{}, err
	}
	return s.describe(ctx, r)
}

func (s *Service) describe(ctx context.Context, r row) (api.Webhook, error) {
	stats, err := s.o.Engine.Stats(ctx)
	if err != nil {
		return api.Webhook{}, apiError(err, "read the webhook")
	}
	return s.webhook(ctx, r, stats.Subs[r.sub.ID]), nil
}

func (s *Service) webhook(ctx context.Context, r row, st outbox.SubStats) api.Webhook {
	lane := s.lane(ctx, r.sub.ID)
	f := r.filter()
	w := api.Webhook{
		ID: string(r.sub.ID), URL: r.cfg.URL, Events: slices.Clone(f.Events), Chats: slices.Clone(f.Chats),
		Headers: slices.Clone(r.cfg.HeaderNames), Signed: len(r.cfg.Secret) > 0, Ordered: !r.cfg.Unordered,
		Status: api.WebhookStatus(lane.Status), Reason: lane.Reason,
		Pending: st.Pending, Dead: st.Dead,
		CreatedAt: r.cfg.CreatedAt, UpdatedAt: r.cfg.UpdatedAt,
	}
	if st.Pending > 0 && !st.OldestPending.IsZero() {
		w.OldestPendingSeconds = max(0, int64(time.Since(st.OldestPending)/time.Second))
	}
	return w
}

// lane answers how a webhook's lane stands: the running one's word, else what it left on disk.
func (s *Service) lane(ctx context.Context, id outbox.SubID) dispatcher.LaneState {
	if st := s.o.Dispatcher.State(id); st.Status != "" {
		return st
	}
	_, bytes, _, err := s.o.Engine.Load(ctx, id)
	if err == nil {
		var st dispatcher.LaneState
		if st, err = dispatcher.DecodeLaneState(bytes); err == nil {
			return st
		}
	}
	return dispatcher.LaneState{Status: dispatcher.StatusHeld, Reason: "its state cannot be read: " + err.Error()}
}

// PutWebhook registers, updates or revives the webhook of a URL. Nothing is half-applied: everything is checked first and the
// subscription is written in one commit.
func (s *Service) PutWebhook(ctx context.Context, in api.PutWebhook) (api.PutWebhookResult, error) {
	url, err := s.urlOf(ctx, in.URL)
	if err != nil {
		return api.PutWebhookResult{}, err
	}
	if url, err = s.o.CheckURL(url, in.AllowInsecure); err != nil {
		return api.PutWebhookResult{}, api.Errorf(api.CodeInvalidURL, "%s", err)
	}
	if err := s.checkEvents(in.Events); err != nil {
		return api.PutWebhookResult{}, err
	}
	if err := checkChats(in.Chats); err != nil {
		return api.PutWebhookResult{}, err
	}
	if err := checkSecret(in); err != nil {
		return api.PutWebhookResult{}, err
	}
	if err := checkHeaders(in.Headers); err != nil {
		return api.PutWebhookResult{}, err
	}
	var warnings []string
	warning, err := s.o.Resolve(ctx, url, in.AllowInsecure)
	if err != nil {
		return api.PutWebhookResult{}, api.Errorf(api.CodeInvalidURL, "%s", err)
	}
	if warning != "" {
		warnings = append(warnings, warning)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := s.rows(ctx)
	if err != nil {
		return api.PutWebhookResult{}, err
	}
	r, result := row{}, api.PutCreated
	now := time.Now().UTC().Truncate(time.Millisecond)
	if i := slices.IndexFunc(all, func(r row) bool { return r.cfg.URL == url }); i >= 0 {
		r, result = all[i], api.PutUpdated
		if r.sub.Removed {
			result = api.PutRevived
		}
	}
	if result != api.PutUpdated {
		used := 0
		for _, o := range all {
			if !o.sub.Removed {
				used++
			}
		}
		if used >= MaxWebhooks {
			return api.PutWebhookResult{}, api.Errorf(api.CodeTooManyWebhooks, "there are already %d webhooks, the most this service keeps. Remove one with: waoutbox webhook remove URL", used)
		}
	}
	switch result {
	case api.PutCreated:
		r = row{sub: outbox.Subscription{ID: newID(all)}, cfg: outbox.Webhook{URL: url, CreatedAt: now}}
	case api.PutRevived:
		// A removal that was cut off by a crash is finished first: what it owed becomes dead letters, below the new epoch.
		if _, err := s.o.Dispatcher.Bury(ctx, r.sub.ID); err != nil {
			return api.PutWebhookResult{}, apiError(err, "finish the removal of "+string(r.sub.ID))
		}
		r.cfg = outbox.Webhook{URL: url, CreatedAt: now}
		r.sub.Removed = false
	}

	filter, created := r.filter(), result != api.PutUpdated
	if created {
		filter = outbox.Filter{Events: []string{outbox.Any}}
	}
	if in.Events != nil {
		filter.Events = normalEvents(*in.Events)
	}
	if in.Chats != nil {
		filter.Chats = slices.Compact(slices.Sorted(slices.Values(*in.Chats)))
	}
	if created || !sameFilter(filter, r.filter()) {
		r.sub.Epochs = append(slices.Clone(r.sub.Epochs), outbox.Epoch{Filter: filter})
	}
	if in.Ordered != nil {
		r.cfg.Unordered = !*in.Ordered
	}
	if in.AllowInsecure {
		r.cfg.AllowInsecureHTTP = true
	}
	secret := ""
	if in.GenerateSecret {
		secret = newSecret()
		in.Secret = &secret
	}
	if in.Secret != nil {
		if r.cfg.Secret, err = s.seal(*in.Secret, r.sub.ID); err != nil {
			return api.PutWebhookResult{}, err
		}
		if w := secretWarning(*in.Secret); w != "" {
			warnings = append(warnings, w)
		}
	}
	if in.Headers != nil {
		if r.cfg.Headers, r.cfg.HeaderNames, err = s.sealHeaders(*in.Headers, r.sub.ID); err != nil {
			return api.PutWebhookResult{}, err
		}
	}
	r.cfg.UpdatedAt = now
	if r.sub.Config, err = outbox.EncodeWebhook(r.cfg); err != nil {
		return api.PutWebhookResult{}, apiError(err, "register the webhook")
	}
	if r.sub, err = s.o.Engine.PutSub(ctx, r.sub); err != nil {
		return api.PutWebhookResult{}, apiError(err, "register the webhook")
	}
	if err := s.o.Dispatcher.Sync(ctx, r.sub.ID); err != nil {
		return api.PutWebhookResult{}, apiError(err, "hand the webhook to its lane")
	}
	if err := s.o.Dispatcher.Resume(ctx, r.sub.ID); err != nil {
		return api.PutWebhookResult{}, apiError(err, "resume the webhook")
	}
	s.o.Log.InfoContext(ctx, "webhook registered", "webhook", r.sub.ID, "result", result, "events", filter.Events, "signed", len(r.cfg.Secret) > 0, "headers", len(r.cfg.HeaderNames))
	w, err := s.describe(ctx, r)
	if err != nil {
		return api.PutWebhookResult{}, err
	}
	return api.PutWebhookResult{Result: result, Webhook: w, Secret: secret, Warnings: warnings}, nil
}

// RemoveWebhook takes a webhook out. One write fixes the cut; its backlog then becomes dead letters, or is discarded with Purge.
func (s *Service) RemoveWebhook(ctx context.Context, in api.RemoveWebhook) (api.RemoveWebhookResult, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, _, err := s.find(ctx, in.Webhook, true)
	if api.CodeOf(err) == api.CodeWebhookNotFound {
		return api.RemoveWebhookResult{URL: in.Webhook}, nil
	}
	if err != nil {
		return api.RemoveWebhookResult{}, err
	}
	out := api.RemoveWebhookResult{Removed: !r.sub.Removed, ID: string(r.sub.ID), URL: r.cfg.URL}
	before, err := s.o.Engine.Stats(ctx)
	if err != nil {
		return out, apiError(err, "remove the webhook")
	}
	if !r.sub.Removed {
		r.sub.Removed = true
		r.sub.Epochs = append(slices.Clone(r.sub.Epochs), outbox.Epoch{})
		if r.sub, err = s.o.Engine.PutSub(ctx, r.sub); err != nil {
			return out, apiError(err, "remove the webhook")
		}
		if err := s.o.Dispatcher.Sync(ctx, r.sub.ID); err != nil {
			return out, apiError(err, "remove the webhook")
		}
	}
	if _, err := s.o.Dispatcher.Bury(ctx, r.sub.ID); err != nil {
		return out, apiError(err, "turn the backlog into dead letters")
	}
	after, err := s.o.Engine.Stats(ctx)
	if err != nil {
		return out, apiError(err, "remove the webhook")
	}
	out.DeadLettered = max(0, after.Subs[r.sub.ID].Dead-before.Subs[r.sub.ID].Dead)
	if in.Purge {
		res, err := s.Purge(ctx, api.PurgeRequest{DeadLetterFilter: api.DeadLetterFilter{Webhook: string(r.sub.ID)}})
		if err != nil {
			return out, err
		}
		out.Purged = res.Purged
	}
	s.o.Log.InfoContext(ctx, "webhook removed", "webhook", r.sub.ID, "dead_lettered", out.DeadLettered, "purged", out.Purged)
	return out, nil
}

// TestWebhook makes one attempt straight to the endpoint, signed like any delivery, outside the outbox.
func (s *Service) TestWebhook(ctx context.Context, ref string) (api.TestWebhookResult, error) {
	r, _, err := s.find(ctx, ref, false)
	if err != nil {
		return api.TestWebhookResult{}, err
	}
	var id [16]byte
	rand.Read(id[:]) //nolint:errcheck // never fails (Go 1.24)
	now := time.Now()
	ev := outbox.Event{
		Key: "evt_" + hex.EncodeToString(id[:]), Random: true, Time: now, Name: "connection.update", Chat: "connection",
		Body: s.o.TestBody(now),
	}
	start := time.Now()
	res := s.o.Sender.Send(ctx, dispatcher.Request{Sub: r.sub.ID, Webhook: r.cfg, Event: ev, Attempt: 1})
	took := time.Since(start)
	if err := ctx.Err(); err != nil {
		return api.TestWebhookResult{}, apiError(err, "test the webhook")
	}
	return api.TestWebhookResult{
		ID: string(r.sub.ID), URL: r.cfg.URL, Event: ev.Name, EventID: ev.Key, Signed: len(r.cfg.Secret) > 0,
		Success: res.Class == outbox.ClassOK, Status: res.Status, Ms: took.Milliseconds(), Class: string(res.Class),
		Error: res.Message, Excerpt: string(res.Excerpt),
	}, nil
}

func (s *Service) seal(secret string, id outbox.SubID) ([]byte, error) {
	if secret == "" {
		return nil, nil
	}
	sealed, err := s.o.Seal([]byte(secret), SecretContext(id))
	if err != nil {
		return nil, api.Errorf(api.CodeInternal, "the secret could not be sealed, so nothing was changed: %v", err)
	}
	return sealed, nil
}

func (s *Service) checkEvents(events *[]string) error {
	if events == nil {
		return nil
	}
	known := strings.Join(s.o.EventNames, ", ") + ", " + outbox.Any
	if len(*events) == 0 {
		return api.Errorf(api.CodeInvalidEvents, "events is empty: name at least one. Known: %s", known)
	}
	for _, name := range *events {
		if name == outbox.Any || slices.Contains(s.o.EventNames, name) {
			continue
		}
		hint := ""
		if near := nearest(name, s.o.EventNames); near != "" {
			hint = fmt.Sprintf(" Did you mean %s?", near)
		}
		return api.Errorf(api.CodeInvalidEvents, "unknown event %q.%s Known: %s", name, hint, known)
	}
	return nil
}

// normalEvents drops repeats; the pattern for everything swallows the names beside it.
func normalEvents(events []string) []string {
	if slices.Contains(events, outbox.Any) {
		return []string{outbox.Any}
	}
	var out []string
	for _, e := range events {
		if !slices.Contains(out, e) {
			out = append(out, e)
		}
	}
	return out
}

func sameFilter(a, b outbox.Filter) bool {
	return slices.Equal(a.Events, b.Events) && slices.Equal(a.Chats, b.Chats)
}

func checkChats(chats *[]string) error {
	if chats == nil {
		return nil
	}
	if len(*chats) > maxChats {
		return api.Errorf(api.CodeInvalidArguments, "chats names %d chats, the most is %d: leave it out and filter in the receiver", len(*chats), maxChats)
	}
	for _, c := range *chats {
		user, server, ok := strings.Cut(c, "@")
		if c != "connection" && (!ok || user == "" || server == "" || strings.ContainsFunc(c, unicode.IsSpace)) {
			return api.Errorf(api.CodeInvalidArguments, "chat %q is no chat: use the chat's JID as events show it in remoteJid, like 204813927440123@lid or 120363025846172094@g.us", c)
		}
	}
	return nil
}

func checkSecret(in api.PutWebhook) error {
	if in.Secret == nil {
		return nil
	}
	v := *in.Secret
	switch {
	case in.GenerateSecret:
		return api.Errorf(api.CodeInvalidSecret, "both a secret and a generated secret were asked for: choose one")
	case v == "":
		return nil
	case strings.TrimSpace(v) == "":
		return api.Errorf(api.CodeInvalidSecret, "the secret is only white space: pass a real one, or an empty string to remove it")
	case len(v) > maxSecret:
		return api.Errorf(api.CodeInvalidSecret, "the secret has %d bytes, the most is %d", len(v), maxSecret)
	case !utf8.ValidString(v) || strings.ContainsFunc(v, unicode.IsControl):
		return api.Errorf(api.CodeInvalidSecret, "the secret holds control characters or invalid UTF-8: use printable text")
	}
	return nil
}

func secretWarning(secret string) string {
	if rest, ok := strings.CutPrefix(secret, "whsec_"); ok {
		if _, err := base64.StdEncoding.DecodeString(rest); err != nil {
			return "the secret starts with whsec_ but the rest is not base64: X-Webhook-Signature works, Standard Webhooks verifiers (webhook-signature) will not accept it"
		}
	}
	if secret != "" && len(secret) < 16 {
		return "the secret is shorter than 16 characters and could be guessed"
	}
	return ""
}

// newSecret makes a Standard Webhooks secret: 32 random bytes.
func newSecret() string {
	var b [32]byte
	rand.Read(b[:]) //nolint:errcheck // never fails (Go 1.24)
	return "whsec_" + base64.StdEncoding.EncodeToString(b[:])
}
