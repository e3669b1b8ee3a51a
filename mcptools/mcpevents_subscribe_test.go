package mcptools

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"waoutbox/outbox/api"
)

// leaseBackend is a service of which only subscriptions are used.
type leaseBackend struct {
	*fake
	mu  sync.Mutex
	out api.Subscribed
	err error
}

func (b *leaseBackend) Subscribe(ctx context.Context, in api.Subscribe) (api.Subscribed, error) {
	_, _ = b.fake.Subscribe(ctx, in)
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.out, b.err
}

func (b *leaseBackend) Unsubscribe(ctx context.Context, in api.Unsubscribe) (api.Unsubscribed, error) {
	_, _ = b.fake.Unsubscribe(ctx, in)
	b.mu.Lock()
	defer b.mu.Unlock()
	return api.Unsubscribed{}, b.err
}

func (b *leaseBackend) returns(out api.Subscribed, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.out, b.err = out, err
}

const hook = `"delivery":{"mode":"webhook","url":"https://a.example/hook?of=x","secret":"whsec_c2VjcmV0"}`

// What a client asks for reaches the service whole, and comes back as the extension has it: no
// _meta, null for what is not there, never the secret.
func TestSubscribe(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1_700_000_000_123)
	b := &leaseBackend{fake: newFake()}
	s := start(t, eventOptions(b))
	s.initialize()
	for i, c := range []struct {
		params string
		out    api.Subscribed
		asked  string
		want   string
	}{
		{
			`{"name":"message.received","arguments":{},"cursor":null,` + hook + `}`, api.Subscribed{ID: "sub_1", Cursor: "c7", Ends: at},
			`Subscribe message.received {} chats [] to https://a.example/hook?of=x after "", ttl default, no expiry false`,
			`{"resultType":"complete","id":"sub_1","refreshBefore":"2023-11-14T22:13:20.123Z","cursor":"c7","truncated":false}`,
		},
		{
			`{"name":"message.received","arguments":{"chats":["1@g.us"]},"cursor":"c3","ttlMs":60000,` + hook + `}`,
			api.Subscribed{ID: "sub_2", Cursor: "c9", Truncated: true, Renewed: true, Delivery: &api.SubscriptionDelivery{Active: true}},
			`Subscribe message.received {"chats":["1@g.us"]} chats [1@g.us] to https://a.example/hook?of=x after "c3", ttl 60000, no expiry false`,
			`{"resultType":"complete","id":"sub_2","refreshBefore":null,"cursor":"c9","truncated":true,` +
				`"deliveryStatus":{"active":true,"lastDeliveryAt":null,"lastError":null,"failedSince":null,"throttled":false,"retryAfterMs":null}}`,
		},
		{
			`{"name":"message.received","ttlMs":null,"maxAgeMs":5,` + hook + `}`,
			api.Subscribed{ID: "sub_3", Ends: at, Delivery: &api.SubscriptionDelivery{LastDeliveryAt: at, FailedSince: at, LastError: "http_5xx", Throttled: true, RetryAfterMillis: 1500}},
			`Subscribe message.received  chats [] to https://a.example/hook?of=x after "", ttl default, no expiry true`,
			`{"resultType":"complete","id":"sub_3","refreshBefore":"2023-11-14T22:13:20.123Z","cursor":"","truncated":false,` +
				`"deliveryStatus":{"active":false,"lastDeliveryAt":"2023-11-14T22:13:20.123Z","lastError":"http_5xx","failedSince":"2023-11-14T22:13:20.123Z","throttled":true,"retryAfterMs":1500}}`,
		},
		{
			`{"name":"message.received","ttlMs":-1e300,` + hook + `}`, api.Subscribed{ID: "sub_4", Ends: at},
			`Subscribe message.received  chats [] to https://a.example/hook?of=x after "", ttl 0, no expiry false`,
			`{"resultType":"complete","id":"sub_4","refreshBefore":"2023-11-14T22:13:20.123Z","cursor":"","truncated":false}`,
		},
	} {
		b.returns(c.out, nil)
		s.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"events/subscribe","params":%s}`, i, c.params))
		if r := s.response(fmt.Sprint(i)); r.raw != fmt.Sprintf(`{"id":%d,"jsonrpc":"2.0","result":%s}`, i, c.want)+"\n" {
			t.Errorf("%s: %s", c.params, r.raw)
		}
		if asked := b.recorded(); asked[len(asked)-1] != c.asked {
			t.Errorf("%s asks for %q", c.params, asked[len(asked)-1])
		}
	}
	s.send(`{"jsonrpc":"2.0","id":"u","method":"events/unsubscribe","params":{"name":"message.received","arguments":{"kinds":["group"]},"delivery":{"url":"https://a.example/"}}}`)
	if r := s.response(`"u"`); r.raw != `{"id":"u","jsonrpc":"2.0","result":{"resultType":"complete"}}`+"\n" {
		t.Errorf("unsubscribe: %s", r.raw)
	}
	if asked := b.recorded(); asked[len(asked)-1] != `Unsubscribe message.received {"kinds":["group"]} from https://a.example/` {
		t.Errorf("unsubscribe asks for %q", asked[len(asked)-1])
	}
}

// Whatever is wrong with a subscription has its number, and what data there is.
func TestSubscribeErrors(t *testing.T) {
	t.Parallel()
	b := &leaseBackend{fake: newFake()}
	s := start(t, eventOptions(b))
	s.initialize()
	id := 0
	try := func(method, params string, code int, says ...string) {
		t.Helper()
		id++
		s.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`, id, method, params))
		r := s.response(fmt.Sprint(id))
		if r.Error == nil || r.Error.Code != code {
			t.Errorf("%s %s: %s, want %d", method, params, r.raw, code)
		}
		for _, want := range says {
			if !strings.Contains(r.raw, want) {
				t.Errorf("%s %s: %s does not say %s", method, params, r.raw, want)
			}
		}
	}
	for _, c := range []struct {
		method, params string
		code           int
		says           string
	}{
		{"events/subscribe", `{` + hook + `}`, -32602, "name is missing"},
		{"events/subscribe", `{"name":"nonsense",` + hook + `}`, -32011, `"kind":"event"`},
		{"events/subscribe", `{"name":"message.received"}`, -32602, `"field":"delivery"`},
		{"events/subscribe", `{"name":"message.received","delivery":null}`, -32602, `"field":"delivery"`},
		{"events/subscribe", `{"name":"message.received","delivery":"https://a.example"}`, -32602, `"field":"delivery"`},
		{"events/subscribe", `{"name":"message.received","delivery":{"mode":"webhook"}}`, -32602, `"field":"delivery.url"`},
		{"events/subscribe", `{"name":"message.received","delivery":{"url":"https://a.example"}}`, -32602, `"field":"delivery.mode"`},
		{"events/subscribe", `{"name":"message.received","delivery":{"mode":"push","url":"https://a.example"}}`, -32014, `"value":"push"`},
		{"events/subscribe", `{"name":"connection.update",` + hook + `}`, -32014, `"value":"webhook"`},
		{"events/subscribe", `{"name":"message.received","arguments":{"from":["1"]},` + hook + `}`, -32602, "it takes chats, kinds, notChats"},
		{"events/subscribe", `{"name":"message.received","ttlMs":"1h",` + hook + `}`, -32602, `"field":"ttlMs"`},
		{"events/subscribe", `{"name":"message.received","maxAgeMs":-1,` + hook + `}`, -32602, "maxAgeMs"},
		{"events/unsubscribe", `{"name":"message.received"}`, -32602, `"field":"delivery"`},
		{"events/unsubscribe", `{"name":"nonsense",` + hook + `}`, -32011, `"kind":"event"`},
	} {
		try(c.method, c.params, c.code, c.says)
	}
	if asked := b.recorded(); len(asked) != 0 {
		t.Errorf("the service was asked %q", asked)
	}
	failed := api.Retryf(api.CodeCallbackFailed, "it did not agree")
	failed.Reason = "challenge_failed"
	for _, c := range []struct {
		err  error
		code int
		says []string
	}{
		{api.Errorf(api.CodeHostNotAllowed, "Allow it with: waoutbox webhook allow a.example"), -32012, []string{"waoutbox webhook allow a.example"}},
		{api.Errorf(api.CodeNotAuthenticated, "nothing is known of who asks"), -32012, nil},
		{api.Errorf(api.CodeTooManyWebhooks, "too many"), -32013, []string{`"limit":"subscriptions"`, `"max":64`}},
		{api.Retryf(api.CodeRateLimited, "too fast"), -32013, []string{`"limit":"challengesPerMinute"`, `"max":5`}},
		{failed, -32015, []string{`"reason":"challenge_failed"`}},
		{api.Errorf(api.CodeInvalidURL, "no"), -32602, []string{`"field":"delivery.url"`}},
		{api.Errorf(api.CodeInvalidSecret, "no"), -32602, []string{`"field":"delivery.secret"`}},
		{api.Errorf(api.CodeInvalidArguments, "no").In("chats"), -32602, []string{`"field":"chats"`}},
		{api.Errorf(api.CodeNotFound, "no"), -32011, []string{`"kind":"subscription"`}},
		{api.Retryf(api.CodeServiceUnavail, "start it"), -32603, []string{`"retryable":true`}},
		{errors.New("of a disk"), -32603, []string{"err_"}},
	} {
		b.returns(api.Subscribed{}, c.err)
		try("events/subscribe", `{"name":"message.received",`+hook+`}`, c.code, c.says...)
		try("events/unsubscribe", `{"name":"message.received",`+hook+`}`, c.code, c.says...)
	}
}

// Webhooks stand in the list where the user allows them, of the types that have them, and never in
// a session that may only read: there a subscription is refused, on record.
//
// Mutation of mcptools/mcpevents/subscribe.go: a session that may only read has events sent
// somewhere.
// Mutation of mcptools/mcpevents/extension.go: webhooks are offered before the user allowed a host.
func TestWebhooksAreListed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		offered, readOnly bool
		want              int
	}{{false, false, 0}, {true, false, 1}, {true, true, 0}} {
		b := &leaseBackend{fake: newFake()}
		o := eventOptions(b)
		o.ReadOnly = c.readOnly
		o.EventWebhooks = func(context.Context) bool { return c.offered }
		s := start(t, o)
		s.initialize()
		s.send(`{"jsonrpc":"2.0","id":1,"method":"events/list","params":{}}`)
		if r := s.response("1").raw; strings.Count(r, `"delivery":["poll","push","webhook"]`) != c.want || strings.Count(r, `"delivery":["poll","push"`) != 2 {
			t.Errorf("%+v: %s", c, r)
		}
		if !c.readOnly {
			continue
		}
		s.send(`{"jsonrpc":"2.0","id":2,"method":"events/subscribe","params":{"name":"message.received",` + hook + `}}`)
		if r := s.response("2"); r.Error == nil || r.Error.Code != -32014 || strings.Contains(r.raw, "whsec_") {
			t.Errorf("a session that may only read: %s", r.raw)
		}
		s.send(`{"jsonrpc":"2.0","id":3,"method":"events/unsubscribe","params":{"name":"message.received",` + hook + `}}`)
		if r := s.response("3"); r.Error == nil || r.Error.Code != -32014 {
			t.Errorf("a session that may only read: %s", r.raw)
		}
		if asked := b.recorded(); len(asked) != 1 || asked[0] != "RefuseSubscription message.received to https://a.example/hook?of=x" {
			t.Errorf("the service was told %q", asked)
		}
	}
}

// An agent that looks through the webhooks sees which of them MCP clients have subscribed.
func TestLeasesAreListed(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.webhooks[0].Lease = &api.Lease{Subscription: "mcps_1", Principal: api.PrincipalLocal, Client: "agent", Ends: moment}
	f.webhooks = append(f.webhooks, api.Webhook{ID: "wh_2", URL: "https://b.example/", Status: api.WebhookActive, Lease: &api.Lease{Subscription: "mcps_2", Principal: api.PrincipalToken}})
	s := start(t, optionsFor(f))
	s.initialize()
	r := s.call("whatsapp_webhook_list", `{}`)
	for _, want := range []string{`"lease":"MCP client agent (local), until ` + stamp(moment) + ` unless it renews that"`, `"lease":"MCP client (http-token), without an end"`} {
		if !strings.Contains(string(r.StructuredContent), want) {
			t.Errorf("%s\nhas no %s", r.StructuredContent, want)
		}
	}
}
