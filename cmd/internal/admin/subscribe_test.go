package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"waoutbox/dispatcher/webhook"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// fakeReceivers are the endpoints' part: a small consumer interface, no HTTP.
type fakeReceivers struct {
	mu         sync.Mutex
	refuse     error
	meanwhile  func() // while an endpoint is asked
	asked      []string
	terminated []string
}

func (f *fakeReceivers) Challenge(_ context.Context, w outbox.Webhook, secret []byte, id string) error {
	f.mu.Lock()
	f.asked = append(f.asked, fmt.Sprintf("%s %s %s", w.URL, secret, id))
	refuse, meanwhile := f.refuse, f.meanwhile
	f.meanwhile = nil
	f.mu.Unlock()
	if meanwhile != nil {
		meanwhile()
	}
	return refuse
}

func (f *fakeReceivers) Terminated(_ context.Context, sub outbox.Subscription, w outbox.Webhook, why string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.terminated = append(f.terminated, fmt.Sprintf("%s %s removed %v: %s", sub.ID, w.URL, sub.Removed, why))
	return errors.New("nobody is there")
}

func (f *fakeReceivers) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.asked)
}

const (
	receiverURL = "https://good.test/hook?of=x"
	oneSecret   = "whsec_MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1u"
	otherSecret = "whsec_eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4"
)

// subscribers is a rig whose user allows good.test, asked by an MCP client over stdio.
func subscribers(t *testing.T) (*rig, *fakeReceivers) {
	t.Helper()
	r, f := newRig(t), &fakeReceivers{}
	r.o.Receivers = f
	r.o.Public = func(ctx context.Context, url string) error {
		if strings.Contains(url, ".test/") { // a look-up would leave this machine
			return nil
		}
		return webhook.Public(ctx, url)
	}
	r.o.EventKinds = map[string][]string{"message.received": outbox.ChatKinds(), "message.sent": outbox.ChatKinds(), "presence.update": {outbox.KindDirect}}
	r.o.Thin = func(outbox.Event, bool) (json.RawMessage, error) { return json.RawMessage(`{}`), nil }
	r.policy(api.PolicyAsk, "good.test")
	r.as(api.PrincipalLocal)
	return r, f
}

// as makes everything that follows asked for by an MCP client that was let in so.
func (r *rig) as(principal string) {
	r.o.Caller = func(context.Context) api.Caller {
		return api.Caller{Kind: api.CallerMCP, Client: "agent", Version: "1.2", Principal: principal}
	}
}

func wants(change ...func(*api.Subscribe)) api.Subscribe {
	in := api.Subscribe{Event: "message.received", URL: receiverURL, Secret: oneSecret}
	for _, c := range change {
		c(&in)
	}
	return in
}

func (r *rig) subscribe(change ...func(*api.Subscribe)) api.Subscribed {
	r.t.Helper()
	out, err := r.Subscribe(r.t.Context(), wants(change...))
	if err != nil {
		r.t.Fatalf("Subscribe: %v", err)
	}
	return out
}

// leased returns the subscriptions that live, as people see them.
func (r *rig) leased() (all []api.Webhook) {
	r.t.Helper()
	list, err := r.Webhooks(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	for _, w := range list {
		if w.Lease != nil {
			all = append(all, w)
		}
	}
	return all
}

// trailed returns the newest records of the audit trail as words, newest first.
func (r *rig) trailed(n int) (all []string) {
	r.t.Helper()
	page, err := r.Audit(r.t.Context(), api.AuditQuery{Limit: n})
	if err != nil {
		r.t.Fatal(err)
	}
	for _, a := range page.Items {
		all = append(all, strings.Join(strings.Fields(strings.Join([]string{a.Caller, a.Client, a.Principal, a.Operation, a.Object, a.URL, a.Result, a.Outcome, a.Code}, " ")), " "))
	}
	return all
}

// A client subscribes and is shown to people, with whom it belongs to and its end; the endpoint is
// asked once, the secret is told to nobody, and all of it is on record.
//
// Mutation of subscribe.go: an endpoint is not asked whether it wants events.
// Mutation of subscribe.go: what another client has sent there counts as the consent of the
// endpoint.
func TestSubscription(t *testing.T) {
	t.Parallel()
	r, f := subscribers(t)
	r.arrive("message.received", 2)
	before := time.Now()
	out := r.subscribe(func(in *api.Subscribe) {
		in.Arguments = `{ "kinds":["direct"] }`
		in.Kinds = []string{"direct"}
	})
	if left := out.Ends.Sub(before); left < 59*time.Minute || left > 61*time.Minute || out.Renewed || out.Truncated || out.Delivery != nil || !strings.HasPrefix(out.ID, "sub_") {
		t.Errorf("subscribed: %+v", out)
	}
	all := r.leased()
	if len(all) != 1 {
		t.Fatalf("%d subscriptions", len(all))
	}
	w := all[0]
	if w.URL != receiverURL || !w.Signed || fmt.Sprint(w.Events, w.Kinds) != "[message.received] [direct]" ||
		*w.Lease != (api.Lease{Subscription: out.ID, Principal: "local", Client: "agent", Ends: out.Ends}) {
		t.Errorf("it is shown as %+v, %+v", w, w.Lease)
	}
	cfg := r.stored(w.ID)
	if cfg.Lease.Name != "message.received" || string(cfg.Lease.Arguments) != `{"kinds":["direct"]}` || cfg.Lease.VerifiedAt.IsZero() || cfg.Lease.Generation == 0 ||
		r.checkSeal(webhookRow{cfg: cfg, sub: r.sub(w.ID)}) != nil {
		t.Errorf("it is stored as %+v", cfg.Lease)
	}
	if want := receiverURL + " " + oneSecret + " " + out.ID; f.count() != 1 || f.asked[0] != want {
		t.Errorf("the endpoint was asked %q", f.asked)
	}
	if got := r.trailed(1)[0]; got != "mcp agent local events.subscribe "+w.ID+" https://good.test/hook?… message.received done" {
		t.Errorf("on record is %q", got)
	}
	raw, err := json.Marshal([]any{out, all, r.status()})
	if err != nil || strings.Contains(string(raw), oneSecret[6:]) {
		t.Errorf("the secret is shown: %s, %v", raw, err)
	}
	// the same in other words, over the same way in: it is renewed; the endpoint has agreed already
	again := r.subscribe(func(in *api.Subscribe) {
		in.Arguments, in.Kinds, in.Cursor, in.TTLMillis = `{"kinds":["direct"]}`, []string{"direct"}, out.Cursor, new(int64(7200_000))
	})
	if again.ID != out.ID || !again.Renewed || again.Truncated || again.Delivery == nil || again.Cursor != out.Cursor || again.Ends.Sub(before) < 119*time.Minute || f.count() != 1 {
		t.Errorf("renewed: %+v, after %+v", again, out)
	}
	if got := len(r.trailed(10)); got != 1 {
		t.Errorf("%d records after a renewal", got)
	}
	// other arguments, another event, another way in: others
	for i, change := range []func(*api.Subscribe){
		func(*api.Subscribe) {}, func(in *api.Subscribe) { in.Event = "message.sent" }, func(in *api.Subscribe) { in.URL = "https://good.test/hook?of=y" },
	} {
		if next := r.subscribe(change); next.Renewed || next.ID == out.ID {
			t.Errorf("%d: %+v", i, next)
		}
	}
	if f.count() != 2 { // of the other URL
		t.Errorf("the endpoints were asked %q", f.asked)
	}
	r.as(api.PrincipalToken)
	if next := r.subscribe(); next.Renewed || f.count() != 3 {
		t.Errorf("another principal: %+v, asked %d times", next, f.count())
	}
	if all := r.leased(); len(all) != 5 {
		t.Errorf("%d subscriptions", len(all))
	}
	if _, err := r.Webhook(t.Context(), receiverURL); api.CodeOf(err) != api.CodeInvalidArguments || !strings.Contains(err.Error(), "name one by its id") {
		t.Errorf("several of one URL: %v", err)
	}
	if alone, err := r.Webhook(t.Context(), "https://good.test/hook?of=y"); err != nil || alone.Lease == nil {
		t.Errorf("one of one URL: %+v, %v", alone, err)
	}
}

func (r *rig) sub(id string) outbox.Subscription {
	r.t.Helper()
	sub, err := r.box.Sub(r.t.Context(), outbox.SubID(id))
	if err != nil {
		r.t.Fatal(err)
	}
	return sub
}

// What is refused, before the endpoint is asked and before anything is stored, and is on record.
//
// Mutation of subscribe.go: where the user would be asked about a webhook, a client needs no
// consent.
// Mutation of subscribe.go: with every host allowed, a client looks through private networks.
// Mutation of subscribe.go: events go over plain http.
// Mutation of subscribe.go: nothing is known of who asks, and he gets events.
// Mutation of subscribe.go: each port of a host is asked as often as one host may be.
func TestRefusedSubscriptions(t *testing.T) {
	t.Parallel()
	r, f := subscribers(t)
	url := func(u string) func(*api.Subscribe) { return func(in *api.Subscribe) { in.URL = u } }
	for _, c := range []struct {
		name, policy string
		allowed      []string
		change       func(*api.Subscribe)
		code         api.Code
		says         string
	}{
		{"not allowed", api.PolicyAsk, nil, nil, api.CodeHostNotAllowed, "webhook allow good.test"},
		{"ask is no consent", api.PolicyAsk, []string{"other.test"}, nil, api.CodeHostNotAllowed, "Allow it with: waoutbox"},
		{"locked", api.PolicyLocked, []string{"other.test"}, nil, api.CodeHostNotAllowed, "webhook allow good.test"},
		{"another path", api.PolicyAsk, []string{"good.test/mine"}, nil, api.CodeHostNotAllowed, "or HOST/PATH"},
		{"out of the path", api.PolicyAsk, []string{"good.test/mine"}, url("https://good.test/mine/../hook"), api.CodeHostNotAllowed, ""},
		{"this machine", api.PolicyAsk, []string{"good.test"}, url("https://127.0.0.1:8443/"), api.CodeHostNotAllowed, "webhook allow 127.0.0.1:8443"},
		{"plain http", api.PolicyOpen, nil, url("http://good.test/"), api.CodeInvalidURL, ""},
		{"plain http here", api.PolicyOpen, []string{"127.0.0.1"}, url("http://127.0.0.1:9/"), api.CodeInvalidURL, "https"},
		{"open is for public hosts", api.PolicyOpen, nil, url("https://10.0.0.7/"), api.CodeHostNotAllowed, "webhook allow 10.0.0.7"},
		{"open is not for this machine", api.PolicyOpen, nil, url("https://localhost:9/"), api.CodeHostNotAllowed, "webhook allow localhost:9"},
		{"metadata", api.PolicyOpen, []string{"169.254.169.254"}, url("https://169.254.169.254/"), api.CodeInvalidURL, "link-local"},
		{"credentials", api.PolicyOpen, nil, url("https://u:pw@good.test/"), api.CodeInvalidURL, "credentials"},
		{"no secret", api.PolicyAsk, []string{"good.test"}, func(in *api.Subscribe) { in.Secret = "" }, api.CodeInvalidSecret, "whsec_"},
		{"an unknown event", api.PolicyAsk, []string{"good.test"}, func(in *api.Subscribe) { in.Event = "nonsense" }, api.CodeInvalidEvents, ""},
		{"a chat that is none", api.PolicyAsk, []string{"good.test"}, func(in *api.Subscribe) { in.Chats = []string{"x"} }, api.CodeInvalidArguments, ""},
		{"arguments", api.PolicyAsk, []string{"good.test"}, func(in *api.Subscribe) { in.Arguments = `[]` }, api.CodeInvalidArguments, ""},
	} {
		r.policy(c.policy, c.allowed...)
		in := wants()
		if c.change != nil {
			c.change(&in)
		}
		_, err := r.Subscribe(t.Context(), in)
		if api.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), oneSecret[6:]) || strings.Contains(err.Error(), "of=x") {
			t.Errorf("%s: %v (%s)", c.name, err, api.CodeOf(err))
		}
		if got := r.trailed(1)[0]; !strings.HasPrefix(got, "mcp agent local events.subscribe ") || !strings.HasSuffix(got, "refused "+string(c.code)) || strings.Contains(got, "of=x") {
			t.Errorf("%s: on record is %q", c.name, got)
		}
	}
	r.policy(api.PolicyAsk, "good.test")
	r.as("")
	if _, err := r.Subscribe(t.Context(), wants()); api.CodeOf(err) != api.CodeNotAuthenticated {
		t.Errorf("nobody knows who asks: %v", err)
	}
	if _, err := r.Unsubscribe(t.Context(), api.Unsubscribe{Event: "message.received", URL: receiverURL}); api.CodeOf(err) != api.CodeNotAuthenticated {
		t.Errorf("nobody knows who asks: %v", err)
	}
	r.as(api.PrincipalLocal)
	if n := f.count(); n != 0 {
		t.Errorf("the endpoints were asked %q", f.asked)
	}
	// what the endpoint says
	f.refuse = &webhook.ChallengeError{Class: outbox.LeaseErrorHTTP5xx}
	_, err := r.Subscribe(t.Context(), wants())
	var e *api.Error
	if !errors.As(err, &e) || e.Code != api.CodeCallbackFailed || e.Reason != "http_5xx" || !e.Retryable {
		t.Errorf("an endpoint that does not agree: %+v", err)
	}
	for range 4 {
		_, _ = r.Subscribe(t.Context(), wants())
	}
	if _, err := r.Subscribe(t.Context(), wants()); api.CodeOf(err) != api.CodeRateLimited || f.count() != 5 {
		t.Errorf("the sixth time within a minute: %v, asked %d times", err, f.count())
	}
	if _, err := r.Subscribe(t.Context(), wants(url("https://good.test:8443/"))); api.CodeOf(err) != api.CodeRateLimited || f.count() != 5 {
		t.Errorf("another port of that host: %v, asked %d times", err, f.count())
	}
	if all := r.leased(); len(all) != 0 {
		t.Errorf("stored are %+v", all)
	}
}

// Whether webhooks are offered is the user's word: an allowed host, or all of them.
func TestSubscriptionOffer(t *testing.T) {
	t.Parallel()
	r, _ := subscribers(t)
	for _, c := range []struct {
		policy  string
		allowed []string
		want    bool
	}{
		{api.PolicyAsk, nil, false}, {api.PolicyLocked, nil, false}, {api.PolicyOpen, nil, true},
		{api.PolicyAsk, []string{"good.test"}, true}, {api.PolicyLocked, []string{"good.test/x"}, true},
	} {
		r.policy(c.policy, c.allowed...)
		if got, err := r.SubscriptionOffer(t.Context()); err != nil || got.Webhooks != c.want {
			t.Errorf("%+v: %+v, %v", c, got, err)
		}
	}
	// plain http on this machine, with the setting, where it is allowed by name
	r.o.Subscriptions.LoopbackHTTP = true
	here := func(in *api.Subscribe) { in.URL = "http://127.0.0.1:9/hook" }
	r.policy(api.PolicyAsk, "good.test")
	if _, err := r.Subscribe(t.Context(), wants(here)); api.CodeOf(err) != api.CodeHostNotAllowed {
		t.Errorf("this machine was not named: %v", err)
	}
	r.policy(api.PolicyAsk, "127.0.0.1:9/hook")
	r.subscribe(here)
	if _, err := r.Subscribe(t.Context(), wants(func(in *api.Subscribe) { in.URL = "http://good.test/" })); api.CodeOf(err) != api.CodeInvalidURL {
		t.Errorf("plain http elsewhere: %v", err)
	}
}

// A subscription begins after its cursor, or where what is kept begins, and says so.
func TestSubscriptionBegins(t *testing.T) {
	t.Parallel()
	r, _ := subscribers(t)
	start, err := r.Occurrences(t.Context(), api.OccurrenceQuery{})
	if err != nil {
		t.Fatal(err)
	}
	r.arrive("message.received", 4)
	page, err := r.Occurrences(t.Context(), api.OccurrenceQuery{Cursor: start.Cursor, Limit: 2})
	if err != nil || len(page.Items) != 2 {
		t.Fatal(page, err)
	}
	end, err := r.Occurrences(t.Context(), api.OccurrenceQuery{})
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		cursor    string
		maxAge    int64
		want      string
		truncated bool
		owed      int64
	}{
		{"", 0, end.Cursor, false, 0}, {start.Cursor, 0, start.Cursor, false, 4}, {page.Cursor, 0, page.Cursor, false, 2}, {end.Cursor, 0, end.Cursor, false, 0},
		{"nonsense", 0, end.Cursor, true, 0},
	} {
		out := r.subscribe(func(in *api.Subscribe) {
			in.URL, in.Cursor, in.MaxAgeMillis = fmt.Sprint("https://good.test/", i), c.cursor, c.maxAge
		})
		w, err := r.Webhook(t.Context(), fmt.Sprint("https://good.test/", i))
		if err != nil || out.Cursor != c.want || out.Truncated != c.truncated || w.Pending != c.owed {
			t.Errorf("%d: %+v, owed %d, %v", i, out, w.Pending, err)
		}
	}
}
