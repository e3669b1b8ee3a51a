package admin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// MaxWebhooks bounds the webhooks in use: every one costs a lane, and 512 in-flight slots are
// shared among them.
const MaxWebhooks = 256

// putTries is how often a subscription whose write the disk did not confirm is written.
const putTries = 3

// PutWebhook registers a webhook, or updates, resumes or revives the one of this URL or id.
// Everything is checked first, then the subscription is written in one commit: a context that ends
// before that withdraws the call, and nothing was changed. After the write there is a result: what
// fails then is a warning in it, and the steps run to their end whether or not ctx does.
func (s *Service) PutWebhook(ctx context.Context, in api.PutWebhook) (out api.PutWebhookResult, err error) {
	return s.put(ctx, in, false)
}

// put is PutWebhook; a temporary webhook lasts as long as who listens at it. Registering its URL
// makes it one like all others.
func (s *Service) put(ctx context.Context, in api.PutWebhook, temporary bool) (out api.PutWebhookResult, err error) {
	defer func() { s.refused(ctx, &err, aboutWebhook("webhook.add", in.URL)) }()
	if err := checkPut(in, s.o.EventNames); err != nil {
		return api.PutWebhookResult{}, err
	}
	// looking a name up takes seconds: it is done before the lock
	r, url, err := s.target(ctx, in)
	if err == nil { // and even that tells the host something
		_, err = s.mayPoint(ctx, r, url, in.Approval)
	}
	if err != nil {
		return api.PutWebhookResult{}, err
	}
	warning, err := s.o.Resolve(ctx, url.text, url.insecure)
	if err != nil {
		return api.PutWebhookResult{}, url.refused(s.say(err.Error()))
	}
	if warning != "" {
		out.Warnings = append(out.Warnings, warning)
	}

	unlock, err := s.lock(ctx)
	if err != nil {
		return api.PutWebhookResult{}, err
	}
	defer unlock()
	if r, url, err = s.target(ctx, in); err != nil { // as it is now
		return api.PutWebhookResult{}, err
	}
	if err := s.mayUnsign(ctx, r, in); err != nil {
		return api.PutWebhookResult{}, err
	}
	distrust, err := s.mayTrust(ctx, r)
	if err != nil {
		return api.PutWebhookResult{}, err
	}
	if distrust != "" {
		out.Warnings = append(out.Warnings, distrust)
	}
	unasked, err := s.mayPoint(ctx, r, url, in.Approval)
	if err != nil {
		return api.PutWebhookResult{}, err
	}
	if unasked != "" {
		out.Warnings = append(out.Warnings, unasked)
	}
	before := r
	if r.sub.ID != "" && !r.sub.Removed {
		if st := s.lane(ctx, r); st.Status != dispatcher.StatusActive {
			out.Was, out.WasReason = api.WebhookStatus(st.Status), st.Reason
		}
	}
	if out.Result, err = s.prepare(ctx, &r); err != nil {
		return api.PutWebhookResult{}, err
	}
	if temporary && out.Result == api.PutUpdated && !before.cfg.Temporary {
		return api.PutWebhookResult{}, api.Errorf(api.CodeInvalidURL, "%s is the webhook %s already, which stays: listen at another port", url.text, r.sub.ID).In("url")
	}
	r.cfg.URL, r.cfg.AllowInsecureHTTP, r.cfg.Temporary = url.text, url.insecure, temporary
	warnings, err := s.applySettings(before, &r, in, &out)
	if err != nil {
		return api.PutWebhookResult{}, err
	}
	out.Warnings = append(out.Warnings, warnings...)
	entry := outbox.AuditEntry{Operation: "webhook.add", Object: string(r.sub.ID), URL: url.text, Result: out.Result, Warning: unasked}
	if entry.Fields = changedFields(before, r); out.Was != "" {
		entry.Fields = append(entry.Fields, "status") // it is resumed
	}
	r.sub, warning, err = s.putSub(ctx, r.sub, entry)
	if err != nil {
		return api.PutWebhookResult{}, apiError(err, "register the webhook")
	}
	if unasked != "" {
		s.o.Log.WarnContext(ctx, "a webhook was registered on a host that is not allowed, and nobody could be asked", "webhook", r.sub.ID, "caller", s.caller(ctx))
	}
	if warning != "" {
		out.Warnings = append(out.Warnings, warning)
	}

	// stored: from here on nothing is an error
	after, cancel := afterWrite(ctx, afterPut)
	defer cancel()
	if w := s.startDelivery(after, r.sub.ID); w != "" {
		out.Warnings = append(out.Warnings, w)
	}
	if fault := s.sealedFault(r); fault != "" {
		out.Warnings = append(out.Warnings, fmt.Sprintf("%s is held: %s", r.sub.ID, fault))
	} else if in.GenerateSecret || in.Secret != nil || in.Headers != nil {
		out.Warnings = append(out.Warnings, s.othersHeld(after, r.sub.ID)...)
	}
	stats, missing, err := s.counts(after)
	if err = errors.Join(missing, err); err != nil {
		s.o.Log.WarnContext(ctx, "the counts of a webhook could not be read", "webhook", r.sub.ID, "error", err)
	}
	out.Webhook = s.webhook(after, r, stats)
	s.logChange(ctx, "webhook registered", "webhook", r.sub.ID, "result", out.Result, "events", out.Webhook.Events,
		"signed", out.Webhook.Signed, "headers", len(r.cfg.HeaderNames))
	return out, nil
}

// mayPoint applies the policy for hosts to where a webhook is to point. One in use points there
// already.
func (s *Service) mayPoint(ctx context.Context, r webhookRow, url targetURL, approval api.Approval) (warning string, err error) {
	if r.sub.ID != "" && !r.sub.Removed && r.cfg.URL == url.text {
		return "", nil
	}
	return s.checkHost(ctx, url.text, approval)
}

// targetURL is where a webhook is to point, and what was allowed for it.
type targetURL struct {
	text      string
	insecure  bool // plain http to a public host is allowed
	withdrawn bool // it was allowed, and is not any more by this call
}

// refused says why the webhook may not point there.
func (u targetURL) refused(why string) error {
	if u.withdrawn {
		return api.Errorf(api.CodeInvalidURL, "the permission for plain http (allow_insecure_http) cannot be withdrawn while this webhook needs it: %s", why)
	}
	return api.Errorf(api.CodeInvalidURL, "%s", why)
}

// target returns the webhook that in names, a row without an id for a new one, and its checked URL.
// What was allowed for the webhook before stays allowed unless in says otherwise.
func (s *Service) target(ctx context.Context, in api.PutWebhook) (webhookRow, targetURL, error) {
	ref := strings.TrimSpace(in.URL)
	isID := strings.HasPrefix(ref, idPrefix)
	var r webhookRow
	found := false
	var err error
	switch {
	case isID:
		r, found, err = s.rowByID(ctx, outbox.SubID(ref))
	case ref != "":
		// what MCP clients have sent there is not meant
		r, found, err = s.rowByURL(ctx, s.identity(ref))
	}
	if err == nil {
		err = s.noLease(r, "change")
	}
	switch {
	case err != nil:
		return r, targetURL{}, err
	case isID && !found:
		return r, targetURL{}, s.unknownWebhook(ctx, ref)
	case isID:
		ref = r.cfg.URL
	}
	url := targetURL{insecure: r.cfg.AllowInsecureHTTP}
	if in.AllowInsecure != nil {
		url.insecure = *in.AllowInsecure
		url.withdrawn = r.cfg.AllowInsecureHTTP && !url.insecure
	}
	if url.text, err = s.o.CheckURL(ref, url.insecure); err != nil {
		return r, url, url.refused(s.say(err.Error()))
	}
	return r, url, nil
}

// prepare makes r a subscription that can be written: a new id, or the end of its removal. It
// returns what the call will have done.
func (s *Service) prepare(ctx context.Context, r *webhookRow) (result string, err error) {
	if r.sub.ID != "" && !r.sub.Removed {
		return api.PutUpdated, nil
	}
	if err := s.checkWebhookLimit(ctx); err != nil {
		return "", err
	}
	if r.sub.ID == "" {
		r.cfg.CreatedAt = now()
		r.sub.Epochs = []outbox.Epoch{{Filter: outbox.Filter{Events: []string{outbox.Any}}}}
		r.sub.ID, err = s.newID(ctx)
		return api.PutCreated, err
	}
	// A removal that was cut off is finished first: what it owed becomes dead letters, below the
	// new epoch.
	if _, err := s.o.Dispatcher.DeadLetterBacklog(ctx, r.sub.ID); err != nil {
		return "", apiError(err, "finish the removal of "+string(r.sub.ID))
	}
	r.sub.Removed = false
	r.sub.Epochs = append(slices.Clone(r.sub.Epochs), outbox.Epoch{Filter: keptFilter(*r)})
	r.cfg.Filter = nil
	return api.PutRevived, nil
}

// now is the time as configurations keep it.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// checkWebhookLimit refuses a webhook more than the service keeps.
func (s *Service) checkWebhookLimit(ctx context.Context) error {
	all, err := s.rows(ctx)
	if err != nil {
		return err
	}
	used := 0
	for _, r := range all {
		if !r.sub.Removed {
			used++
		}
	}
	if used >= MaxWebhooks {
		return api.Errorf(api.CodeTooManyWebhooks, "there are already %d webhooks, the most this service keeps. Remove one with: %s", used, s.command("webhook remove URL"))
	}
	return nil
}

// keptFilter returns what a removed webhook wanted before its removal. Removals by older versions
// kept it in an epoch only, which may be gone.
func keptFilter(r webhookRow) outbox.Filter {
	if r.cfg.Filter != nil {
		return *r.cfg.Filter
	}
	for _, e := range slices.Backward(r.sub.Epochs) {
		if len(e.Filter.Events) > 0 {
			return e.Filter
		}
	}
	return outbox.Filter{Events: []string{outbox.Any}}
}

// putSub writes a subscription and the record of who changed it, in one transaction. A write that
// the disk did not confirm is repeated with the same id, so that a caller who repeats the whole
// call finds it and makes no second one. When none is confirmed, what is read afterwards is the
// outcome: it is stored, with a warning, or it is not.
func (s *Service) putSub(ctx context.Context, sub outbox.Subscription, e outbox.AuditEntry) (stored outbox.Subscription, warning string, err error) {
	audit, err := s.record(ctx, outbox.AuditChange, e)
	if err != nil {
		return stored, "", err
	}
	return s.putSubWith(ctx, sub, audit)
}

// putSubWith is putSub with the records that there are.
func (s *Service) putSubWith(ctx context.Context, sub outbox.Subscription, audit ...outbox.Audit) (stored outbox.Subscription, warning string, err error) {
	if stored, err = s.o.Engine.PutSub(ctx, sub, audit...); !errors.Is(err, outbox.ErrUnknown) {
		return stored, "", err
	}
	// it may be written: no caller withdraws it any more
	ctx, cancel := afterWrite(ctx, afterPut)
	defer cancel()
	for try := 1; try < putTries && errors.Is(err, outbox.ErrUnknown); try++ {
		stored, err = s.o.Engine.PutSub(ctx, sub, audit...)
	}
	if err == nil {
		return stored, "", nil
	}
	found, unread := s.o.Engine.Sub(ctx, sub.ID)
	switch {
	case errors.Is(unread, outbox.ErrNotFound):
	case unread != nil:
		// Its lane finds out as soon as the outbox can be read. Nobody waits for that.
		over, end := context.WithCancel(ctx)
		end()
		_ = s.o.Dispatcher.Sync(over, sub.ID)
	case bytes.Equal(found.Config, sub.Config) && found.Removed == sub.Removed:
		return found, s.warn(ctx, sub.ID, err, fmt.Sprintf("%s is stored as it is shown here, but that may not outlast a crash of this machine", sub.ID),
			"Check the disk, then run it again"), nil
	}
	return stored, "", fmt.Errorf("%w, and repeating it failed: %w", outbox.ErrUnknown, err)
}

// startDelivery hands a stored webhook to its lane and resumes it. It returns a warning for what
// failed, "" when all is well.
func (s *Service) startDelivery(ctx context.Context, id outbox.SubID) string {
	err := s.o.Dispatcher.Sync(ctx, id)
	if _, unknown := errors.AsType[*dispatcher.UnknownLaneError](err); unknown {
		err = nil // which a resume ends
	}
	if err = errors.Join(err, s.o.Dispatcher.Resume(ctx, id)); err == nil {
		return ""
	}
	return s.warn(ctx, id, err, fmt.Sprintf("%s is stored, but its delivery could not be started", id),
		"Start it with: "+s.addAgain(id))
}
