package admin

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// lanes is a dispatcher whose lanes say what a test says.
type lanes struct {
	*dispatcher.Dispatcher
	mu        sync.Mutex
	over      map[outbox.SubID]bool
	refreshed []outbox.SubID
	lost      bool
}

func (l *lanes) State(id outbox.SubID) dispatcher.LaneState {
	l.mu.Lock()
	defer l.mu.Unlock()
	st := l.Dispatcher.State(id)
	st.Lease.Ended = l.over[id]
	st.Lease.Active, st.Lease.LastError, st.Lease.RetryAfter = true, outbox.LeaseErrorTimeout, 1500*time.Millisecond
	return st
}

func (l *lanes) Refreshed(_ context.Context, id outbox.SubID, _ ...outbox.Audit) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refreshed = append(l.refreshed, id)
	return l.lost, nil
}

func (l *lanes) end(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over[outbox.SubID(id)] = true
}

func withLanes(r *rig) *lanes {
	l := &lanes{Dispatcher: r.disp, over: map[outbox.SubID]bool{}}
	r.o.Dispatcher = l
	return l
}

// A renewal with another secret has the one before sign along for a while, is on record, and makes
// another generation; one without changes the end alone. What was lost is told.
//
// Mutation of subscribe_store.go: another secret is on no record.
// Mutation of subscribe_store.go: the secret before stops signing at once.
func TestRenewals(t *testing.T) {
	t.Parallel()
	r, _ := subscribers(t)
	l := withLanes(r)
	r.subscribe()
	id := r.leased()[0].ID
	first := r.stored(id)
	l.lost = true
	out := r.subscribe(func(in *api.Subscribe) { in.Secret = otherSecret })
	second := r.stored(id)
	if !out.Renewed || !out.Truncated || *out.Delivery != (api.SubscriptionDelivery{Active: true, LastError: "timeout", RetryAfterMillis: 1500}) {
		t.Errorf("renewed: %+v, %+v", out, out.Delivery)
	}
	for sealed, want := range map[string]string{
		string(second.Secret) + "|" + outbox.SecretContext(outbox.SubID(id)): otherSecret, string(second.PreviousSecret) + "|" + outbox.PreviousContext(outbox.SubID(id)): oneSecret,
	} {
		at := strings.LastIndex(sealed, "|")
		if plain, err := r.key.Open([]byte(sealed[:at]), sealed[at+1:]); err != nil || string(plain) != want {
			t.Errorf("a secret is %q, %v, want %q", plain, err, want)
		}
	}
	if left := time.Until(second.PreviousUntil); left < 9*time.Minute || left > 10*time.Minute || second.Lease.Generation <= first.Lease.Generation {
		t.Errorf("the one before signs for %s, generation %d after %d", left, second.Lease.Generation, first.Lease.Generation)
	}
	if got := r.trailed(1)[0]; got != "mcp agent local events.refresh "+id+" https://good.test/hook?… another secret done" {
		t.Errorf("on record is %q", got)
	}
	l.lost = false
	out = r.subscribe(func(in *api.Subscribe) { in.Secret, in.NoExpiry = otherSecret, true })
	third := r.stored(id)
	if left := time.Until(third.Lease.Ends); out.Truncated || left < 23*time.Hour || left > 24*time.Hour || third.Lease.Generation != second.Lease.Generation || len(third.PreviousSecret) == 0 {
		t.Errorf("renewed with the same secret: %+v, ends in %s", out, left)
	}
	r.o.Subscriptions = SubscriptionRules{Endless: true, Preview: true}
	out = r.subscribe(func(in *api.Subscribe) { in.Secret, in.NoExpiry = otherSecret, true })
	if fourth := r.stored(id); !out.Ends.IsZero() || !fourth.Lease.Ends.IsZero() || !fourth.Lease.Preview {
		t.Errorf("no end: %+v, %+v", out, fourth.Lease)
	}
	if n := len(r.trailed(10)); n != 2 || len(l.refreshed) != 3 {
		t.Errorf("%d records, refreshed %v", n, l.refreshed)
	}
	// where the host is not allowed any more it is not renewed, and ends by itself
	r.policy(api.PolicyAsk)
	if _, err := r.Subscribe(t.Context(), wants()); api.CodeOf(err) != api.CodeHostNotAllowed {
		t.Errorf("renewed at a host that is not allowed any more: %v", err)
	}
}

// A request whose endpoint is asked while the subscription is ended, or made otherwise, stores
// nothing.
//
// Mutation of subscribe.go: a challenge that ends after the end of its subscription begins that
// anew.
// Mutation of subscribe.go: a challenge that ends after another secret brings the one before back.
// Mutation of subscribe.go: a host that its user disallows while the endpoint is asked gets events.
func TestRequestsThatAreOvertaken(t *testing.T) {
	t.Parallel()
	r, f := subscribers(t)
	end := func() {
		if _, err := r.Unsubscribe(t.Context(), api.Unsubscribe{Event: "message.received", URL: receiverURL}); err != nil {
			t.Errorf("unsubscribe while the endpoint is asked: %v", err)
		}
	}
	f.meanwhile = end
	if _, err := r.Subscribe(t.Context(), wants()); api.CodeOf(err) != api.CodeNotFound || len(r.leased()) != 0 {
		t.Errorf("ended meanwhile: %v, stored are %+v", err, r.leased())
	}
	f.meanwhile = func() { r.subscribe(func(in *api.Subscribe) { in.Secret = otherSecret }) }
	if _, err := r.Subscribe(t.Context(), wants()); api.CodeOf(err) != api.CodeTimeout {
		t.Errorf("made otherwise meanwhile: %v", err)
	}
	all := r.leased()
	if len(all) != 1 || !r.isSecret(webhookRow{cfg: r.stored(all[0].ID), sub: r.sub(all[0].ID)}, otherSecret) {
		t.Errorf("stored are %+v", all)
	}
	f.meanwhile = func() { r.policy(api.PolicyAsk) }
	elsewhere := func(in *api.Subscribe) { in.URL = "https://good.test/another" }
	if _, err := r.Subscribe(t.Context(), wants(elsewhere)); api.CodeOf(err) != api.CodeHostNotAllowed || len(r.leased()) != 1 {
		t.Errorf("disallowed meanwhile: %v, stored are %+v", err, r.leased())
	}
}

// Whoever made a subscription ends it, by the same words, and what it was owed becomes dead
// letters, which nobody gets any more; another life of the same begins where its cursor says.
//
// Mutation of rows.go: a URL of a client is the URL of a webhook.
func TestUnsubscribe(t *testing.T) {
	t.Parallel()
	r, f := subscribers(t)
	out := r.subscribe()
	first := r.leased()[0].ID
	r.arrive("message.received", 3)
	in := api.Unsubscribe{Event: "message.received", URL: "https://GOOD.test:443/hook?of=x", Arguments: " { } "}
	r.as(api.PrincipalToken)
	if _, err := r.Unsubscribe(t.Context(), in); api.CodeOf(err) != api.CodeNotFound {
		t.Errorf("another principal: %v", err)
	}
	r.as(api.PrincipalLocal)
	for _, other := range []api.Unsubscribe{
		{Event: "message.sent", URL: receiverURL}, {Event: "message.received", URL: "https://good.test/hook"}, {Event: "message.received", URL: receiverURL, Arguments: `{"kinds":[]}`},
	} {
		if _, err := r.Unsubscribe(t.Context(), other); api.CodeOf(err) != api.CodeNotFound {
			t.Errorf("%+v: %v", other, err)
		}
	}
	ended, err := r.Unsubscribe(t.Context(), in)
	if err != nil || ended.ID != out.ID || ended.DeadLettered != 3 || len(r.leased()) != 0 {
		t.Fatalf("%+v, %v, left %+v", ended, err, r.leased())
	}
	if got := r.trailed(1)[0]; got != "mcp agent local events.unsubscribe "+first+" https://good.test/hook?… done" {
		t.Errorf("on record is %q", got)
	}
	if len(f.terminated) != 0 {
		t.Errorf("the endpoint was told %q", f.terminated)
	}
	if _, err := r.Unsubscribe(t.Context(), in); api.CodeOf(err) != api.CodeNotFound {
		t.Errorf("a second time: %v", err)
	}
	// people see the letters, and cannot replay them
	r.by(api.CallerCLI, "")
	letters, err := r.DeadLetters(t.Context(), api.DeadLetterQuery{})
	if err != nil || len(letters.Items) != 3 {
		t.Errorf("%+v, %v", letters, err)
	}
	if _, err := r.Replay(t.Context(), api.ReplayRequest{All: true}); api.CodeOf(err) != api.CodeNotReplayable || !strings.Contains(err.Error(), "has ended") && !strings.Contains(err.Error(), "have ended") {
		t.Errorf("replay: %v", err)
	}
	if _, err := r.PutWebhook(t.Context(), api.PutWebhook{URL: first}); api.CodeOf(err) != api.CodeInvalidArguments || !strings.Contains(err.Error(), "MCP client") {
		t.Errorf("added again by its id: %v", err)
	}
	if _, err := r.Webhook(t.Context(), first); api.CodeOf(err) != api.CodeWebhookNotFound || strings.Contains(err.Error(), "webhook add") {
		t.Errorf("shown: %v", err)
	}
	// an ordinary webhook of the URL is one of its own
	if put, err := r.PutWebhook(t.Context(), api.PutWebhook{URL: receiverURL}); err != nil || put.Result != api.PutCreated || put.Webhook.ID == first {
		t.Errorf("an ordinary webhook: %+v, %v", put, err)
	}
	r.as(api.PrincipalLocal)
	again := r.subscribe(func(in *api.Subscribe) { in.Cursor = out.Cursor })
	second := r.leased()[0]
	if again.ID != out.ID || again.Renewed || again.Cursor != out.Cursor || second.ID == first || second.Pending != 3 || f.count() != 2 {
		t.Errorf("another life: %+v, %+v, asked %d times", again, second, f.count())
	}
}

// The service itself ends what is over, once the lane says so, and records whose it was. What is
// renewed first goes on.
//
// Mutation of subscribe_end.go: what is over is not ended.
func TestExpiredSubscriptions(t *testing.T) {
	t.Parallel()
	r, f := subscribers(t)
	l := withLanes(r)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.RunSubscriptions(ctx) }()
	r.subscribe()
	r.subscribe(func(in *api.Subscribe) { in.Event = "message.sent" })
	r.arrive("message.received", 2)
	all := r.leased()
	l.end(all[0].ID)
	r.leasesChanged()
	r.await("it has ended", func() bool { return len(r.leased()) == 1 })
	r.await("it is on record", func() bool { return strings.Contains(r.trailed(1)[0], "events.end") })
	if got := r.trailed(1)[0]; got != "service local events.end "+all[0].ID+" https://good.test/hook?… expired done" {
		t.Errorf("on record is %q", got)
	}
	if page, err := r.Audit(t.Context(), api.AuditQuery{Limit: 1}); err != nil || page.Items[0].Reason != "subscribed by agent" {
		t.Errorf("on record is %+v, %v", page, err)
	}
	r.await("its backlog is dead", func() bool {
		letters, err := r.DeadLetterSummary(t.Context(), api.DeadLetterFilter{})
		return err == nil && len(letters) == 1 && letters[0].Count == 2 && strings.Contains(fmt.Sprintf("%+v", letters[0]), outbox.ReasonLeaseExpired)
	})
	// the lane is over, and the client was faster than the service: another life
	l.end(all[1].ID)
	if out := r.subscribe(func(in *api.Subscribe) { in.Event = "message.sent" }); out.Renewed {
		t.Errorf("renewed after the end: %+v", out)
	}
	r.await("the old life has ended", func() bool { left := r.leased(); return len(left) == 1 && left[0].ID != all[1].ID })
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if len(f.terminated) != 0 {
		t.Errorf("the endpoint was told %q", f.terminated)
	}
}

// The user sees and pauses a subscription, and ends it: then its endpoint is told. Nothing else
// that is done to webhooks is done to it.
//
// Mutation of webhook_remove.go: a receiver is not told that its user has ended it.
func TestUserAndSubscription(t *testing.T) {
	t.Parallel()
	r, f := subscribers(t)
	r.subscribe()
	id := r.leased()[0].ID
	r.by(api.CallerCLI, "")
	for name, err := range map[string]error{
		"add":    errorOf(r.PutWebhook(t.Context(), api.PutWebhook{URL: id, MaxRate: new(1.0)})),
		"rotate": errorOf(r.RotateSecret(t.Context(), api.RotateSecret{Webhook: id})),
		"test":   errorOf(r.TestWebhook(t.Context(), api.TestWebhook{Webhook: id})),
		"replay": errorOf(r.ReplayEvents(t.Context(), api.ReplayEvents{Webhook: id, EventFilter: api.EventFilter{Since: time.Unix(1, 0)}})),
	} {
		if api.CodeOf(err) != api.CodeInvalidArguments || !strings.Contains(err.Error(), "MCP client") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if st, err := r.PauseWebhook(t.Context(), id); err != nil || st.Webhook.Status != api.WebhookPaused || st.Webhook.Lease == nil {
		t.Errorf("pause: %+v, %v", st, err)
	}
	r.as(api.PrincipalLocal)
	r.subscribe()
	if w := r.leased()[0]; w.Status != api.WebhookPaused {
		t.Errorf("a renewal resumes what its user paused: %+v", w)
	}
	r.by(api.CallerCLI, "")
	if st, err := r.ResumeWebhook(t.Context(), api.ResumeWebhook{Webhook: id}); err != nil || st.Webhook.Status != api.WebhookActive {
		t.Errorf("resume: %+v, %v", st, err)
	}
	out, err := r.RemoveWebhook(t.Context(), api.RemoveWebhook{Webhook: receiverURL})
	if err != nil || !out.Removed || out.ID != id || len(r.leased()) != 0 {
		t.Errorf("remove: %+v, %v", out, err)
	}
	if want := id + " " + receiverURL + " removed false: the subscription was ended by its user"; len(f.terminated) != 1 || f.terminated[0] != want {
		t.Errorf("the endpoint was told %q, want %q", f.terminated, want)
	}
	if out, err := r.RemoveWebhook(t.Context(), api.RemoveWebhook{Webhook: id}); err != nil || out.Removed || len(f.terminated) != 1 {
		t.Errorf("removed again: %+v, %v, told %q", out, err, f.terminated)
	}
}

// There is room for the user's own webhooks whatever clients subscribe.
//
// Mutation of subscribe.go: clients subscribe as much as they like.
// Mutation of subscribe_store.go: requests that wait for their endpoints at the same time subscribe
// more than there is room for.
func TestTooManySubscriptions(t *testing.T) {
	t.Parallel()
	r, f := subscribers(t)
	for i := range MaxSubscriptions {
		r.subscribe(func(in *api.Subscribe) { in.Arguments = fmt.Sprintf(`{"n":%d}`, i) })
	}
	one := func(in *api.Subscribe) { in.Arguments = `{"n":-1}` }
	if _, err := r.Subscribe(t.Context(), wants(one)); api.CodeOf(err) != api.CodeTooManyWebhooks {
		t.Errorf("one more: %v", err)
	}
	r.subscribe(func(in *api.Subscribe) { in.Arguments = `{"n":3}` }) // it is there
	if _, err := r.Unsubscribe(t.Context(), api.Unsubscribe{Event: "message.received", URL: receiverURL, Arguments: `{"n":5}`}); err != nil {
		t.Error(err)
	}
	r.subscribe(one)
	// the last place goes to another request while the endpoint of this one is asked
	if _, err := r.Unsubscribe(t.Context(), api.Unsubscribe{Event: "message.received", URL: receiverURL, Arguments: `{"n":6}`}); err != nil {
		t.Error(err)
	}
	f.meanwhile = func() { r.subscribe(func(in *api.Subscribe) { in.URL = "https://good.test/faster" }) }
	if _, err := r.Subscribe(t.Context(), wants(func(in *api.Subscribe) { in.URL = "https://good.test/slower" })); api.CodeOf(err) != api.CodeTooManyWebhooks {
		t.Errorf("one more, at the same time: %v", err)
	}
	if n := len(r.leased()); n != MaxSubscriptions {
		t.Errorf("%d subscriptions", n)
	}
	r.by(api.CallerCLI, "")
	r.put("https://own.test/")
	if f.count() != 3 {
		t.Errorf("the endpoint was asked %d times", f.count())
	}
}
