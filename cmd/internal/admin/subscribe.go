package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"waoutbox/cmd/internal/admin/leases"
	"waoutbox/dispatcher/webhook"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// MaxSubscriptions bounds what MCP clients have subscribed at a time: the rest of MaxWebhooks is
// the user's.
const MaxSubscriptions = 64

// Receivers are the endpoints of subscriptions, asked and told other things than events.
type Receivers interface {
	// Challenge asks whether an endpoint wants events. Its error is a *webhook.ChallengeError where
	// that does not.
	Challenge(ctx context.Context, w outbox.Webhook, secret []byte, subscriptionID string) error
	// Terminated tells an endpoint, best effort, that nothing comes any more, and why.
	Terminated(ctx context.Context, sub outbox.Subscription, w outbox.Webhook, why string) error
}

// SubscriptionRules are what the settings say of subscriptions.
type SubscriptionRules struct {
	Preview      bool // their requests hold the beginning of messages' texts
	Endless      bool // they may have no end
	LoopbackHTTP bool // plain http on this machine
}

// SubscriptionOffer says whether MCP clients may have events sent to URLs that they name.
func (s *Service) SubscriptionOffer(context.Context) (api.SubscriptionOffer, error) {
	offered := s.o.Receivers != nil && (s.o.Hosts.Mode() == api.PolicyOpen || len(s.o.Hosts.List()) > 0)
	return api.SubscriptionOffer{Webhooks: offered}, nil
}

// wanted is a subscription that somebody asks for, checked.
type wanted struct {
	id        string
	principal string
	url       string // its identity
	public    bool   // its host is in no private network now
	host      string // without a port
	event     string
	arguments json.RawMessage // canonical
	filter    outbox.Filter
	secret    string
	ends      time.Time
	cursor    string // what the client has, "" for nothing
}

// Subscribe has events sent to a URL that an MCP client names; see api.Service.
//
// Everything is checked before the endpoint is asked, and that before anything is stored. The
// subscription is stored in one write with its record; a context that ends before that withdraws
// the call.
func (s *Service) Subscribe(ctx context.Context, in api.Subscribe) (out api.Subscribed, err error) {
	defer func() {
		s.refused(ctx, &err, outbox.AuditEntry{Operation: "events.subscribe", Object: in.Event, URL: in.URL})
	}()
	want, err := s.wanted(ctx, in)
	if err != nil {
		return out, err
	}
	flight := s.flights.Begin(want.id)
	defer flight.End()
	agreed, before, err := s.agreed(ctx, want)
	if err != nil {
		return out, err
	}
	unlock, err := s.lock(ctx)
	if err != nil {
		return out, err
	}
	defer unlock()
	if flight.Stopped() {
		return out, api.Retryf(api.CodeNotFound, "the subscription was ended by events/unsubscribe while its endpoint was asked")
	}
	if _, err := s.subscriptionURL(in.URL); err != nil {
		return out, err // its user has disallowed it meanwhile
	}
	living, found, err := s.living(ctx, want.id)
	switch {
	case err != nil:
		return out, err
	case found && living.cfg.Lease.Generation != before && !s.isSecret(living, want.secret):
		return out, api.Retryf(api.CodeTimeout, "the subscription was changed by another request while its endpoint was asked: subscribe again")
	case found:
		return s.renew(ctx, living, want)
	}
	return s.begin(ctx, in, want, agreed)
}

// wanted checks what a client asks for.
func (s *Service) wanted(ctx context.Context, in api.Subscribe) (w wanted, err error) {
	if w.principal = s.asks(ctx).Principal; w.principal == "" {
		return w, api.Errorf(api.CodeNotAuthenticated, "nothing is known of who asks, so that events are sent nowhere: use %s, or the HTTP listener with its token", s.command("mcp"))
	}
	if s.o.Receivers == nil || s.o.Thin == nil {
		return w, api.Errorf(api.CodeServiceUnavail, "this needs the service: start it with %s", s.command("start"))
	}
	at, err := s.subscriptionURL(in.URL)
	if err != nil {
		return w, err
	}
	w.url, w.host, w.event, w.cursor = at.url, at.name, in.Event, in.Cursor
	if w.filter, err = s.occurrenceFilter(api.OccurrenceQuery{Events: []string{in.Event}, Chats: in.Chats, NotChats: in.NotChats, Kinds: in.Kinds}); err != nil {
		return w, err
	}
	if w.arguments, err = leases.Canonical(json.RawMessage(in.Arguments)); err != nil {
		return w, err
	}
	if w.secret, err = leases.Secret(in.Secret); err != nil {
		return w, err
	}
	if in.MaxAgeMillis < 0 {
		return w, api.Errorf(api.CodeInvalidArguments, "max_age_millis is a number of milliseconds, at least 0").In("max_age_millis")
	}
	w.id = leases.ID(w.principal, w.url, w.event, w.arguments)
	w.ends = leases.Ends(time.Now(), in.TTLMillis, in.NoExpiry, s.o.Subscriptions.Endless)
	w.public, err = s.mayReach(ctx, at)
	return w, err
}

// subscriptionTarget is where events are wanted.
type subscriptionTarget struct {
	url    string
	name   string // of the host
	host   string // as it is allowed: with the port where that is an odd one
	listed bool
}

// subscriptionURL checks a URL and applies the policy for hosts to it: the client's user is not
// asked, since the extension has no way to, and this machine is no exception.
func (s *Service) subscriptionURL(raw string) (at subscriptionTarget, err error) {
	if at.url, err = s.o.CheckURL(raw, false); err != nil {
		return at, api.Errorf(api.CodeInvalidURL, "%s", s.say(err.Error())).In("url")
	}
	e, err := webhook.EndpointOf(at.url)
	if err != nil {
		return at, api.Errorf(api.CodeInvalidURL, "%s", err).In("url")
	}
	if !strings.HasPrefix(at.url, "https:") && !(e.Loopback() && s.o.Subscriptions.LoopbackHTTP) {
		return at, api.Errorf(api.CodeInvalidURL, "events are sent to https URLs alone: give one that begins with https://").In("url")
	}
	at.name = e.Host
	if at.host = e.String(); e.Port == "443" || e.Port == "80" {
		at.host = e.Host
	}
	at.listed = s.o.Hosts.Lists(at.url)
	if at.listed || s.o.Hosts.Mode() == api.PolicyOpen {
		return at, nil
	}
	host := at.host
	if strings.Contains(host, "xn--") {
		host += " (an international name in its ASCII form)"
	}
	return at, api.Errorf(api.CodeHostNotAllowed, "events may not be sent to %s: MCP clients have them sent only where the user allows it. Allow it with: %s (or HOST/PATH, "+
		"where others use that host too). Without that, poll for them or have them streamed", host, s.command("webhook", "allow", at.host))
}

// mayReach refuses, where every host is allowed, those in private networks that the user did not
// name: a client could look for what listens there. public tells that a host is in none, so that no
// delivery may find it in one later.
func (s *Service) mayReach(ctx context.Context, at subscriptionTarget) (public bool, err error) {
	err = s.o.Public(ctx, at.url)
	if at.listed {
		return err == nil, nil
	}
	if err != nil {
		return false, api.Errorf(api.CodeHostNotAllowed, "%s, where events are sent only if the user names it. Allow it with: %s", err, s.command("webhook", "allow", at.host))
	}
	return true, nil
}

// agreed returns when the endpoint agreed to what the caller has sent there: it is asked unless it
// did that for a subscription that lives. generation is that of the same subscription, if it lives.
func (s *Service) agreed(ctx context.Context, w wanted) (at time.Time, generation uint64, err error) {
	all, err := s.rows(ctx)
	if err != nil {
		return at, 0, err
	}
	for _, r := range all {
		if !s.lives(r) {
			continue
		}
		l := r.cfg.Lease
		if l.ID == w.id {
			generation = l.Generation
		}
		if l.Principal == w.principal && r.cfg.URL == w.url && !l.VerifiedAt.IsZero() && s.checkSeal(r) == nil {
			at = l.VerifiedAt
		}
	}
	if generation == 0 {
		if err := s.checkSubscriptionLimit(all); err != nil {
			return at, 0, err
		}
	}
	if !at.IsZero() {
		return at, generation, nil
	}
	if wait, ok := s.challenges.Take(w.host, time.Now()); !ok {
		e := api.Retryf(api.CodeRateLimited, "%s was asked %d times within a minute whether it wants events, or many hosts were: try again later", w.host, leases.HostChallenges)
		e.RetryAfterSeconds = int(wait/time.Second) + 1
		return at, 0, e
	}
	cfg := outbox.Webhook{URL: w.url, Lease: &outbox.Lease{ID: w.id, Public: w.public}}
	if err := s.o.Receivers.Challenge(ctx, cfg, []byte(w.secret), w.id); err != nil {
		return at, 0, s.callbackFailed(err)
	}
	return now(), generation, nil
}

// checkSubscriptionLimit refuses one more subscription than there may be: before its endpoint is
// asked, and again before it is stored, since others may be stored meanwhile.
func (s *Service) checkSubscriptionLimit(all []webhookRow) error {
	count := 0
	for _, r := range all {
		if s.lives(r) {
			count++
		}
	}
	if count < MaxSubscriptions {
		return nil
	}
	return api.Errorf(api.CodeTooManyWebhooks, "there are already %d subscriptions of MCP clients, the most this service keeps. End one, or have the user remove one with: `%s`",
		MaxSubscriptions, s.command("webhook remove ID"))
}

// callbackFailed says why an endpoint did not agree, in one of a few words.
func (s *Service) callbackFailed(err error) error {
	e, ok := asChallenge(err)
	if !ok {
		return apiError(err, "ask the endpoint")
	}
	failed := api.Retryf(api.CodeCallbackFailed, "the endpoint did not agree to get events (%s): it must listen before it subscribes, and return {\"challenge\": …} to a verification with a status 2xx", e.Class)
	failed.Reason = e.Class
	return failed
}

// lives reports whether a row is a subscription that lives.
func (s *Service) lives(r webhookRow) bool {
	return r.cfg.Lease != nil && !r.sub.Removed && !s.leaseOver(r)
}

// living returns the subscription of that id that lives.
func (s *Service) living(ctx context.Context, id string) (r webhookRow, found bool, err error) {
	all, err := s.rows(ctx)
	if err != nil {
		return r, false, err
	}
	for _, r := range all {
		if s.lives(r) && r.cfg.Lease.ID == id {
			return r, true, nil
		}
	}
	return r, false, nil
}

// subscriptionEntry begins the record of what was done about a subscription.
func subscriptionEntry(operation string, r webhookRow, result string) outbox.AuditEntry {
	e := aboutRow(operation, r, result)
	e.Principal = r.cfg.Lease.Principal
	if r.cfg.Lease.Client != "" && operation == "events.end" {
		e.Reason = fmt.Sprintf("subscribed by %s", auditText(r.cfg.Lease.Client))
	}
	return e
}
