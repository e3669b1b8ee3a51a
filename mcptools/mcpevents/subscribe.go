package mcpevents

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"waoutbox/outbox/api"

	"github.com/mark3labs/mcp-go/mcp"
)

// delivery is how a client wants to get events.
type delivery struct {
	Mode   *string `json:"mode"`
	URL    string  `json:"url"`
	Secret string  `json:"secret"`
}

// subscription is what a request says of one, checked as far as the types tell.
func (x *Extension) subscription(p params) (q api.OccurrenceQuery, d delivery, fail *failure) {
	if q, fail = x.query(p); fail != nil {
		return q, d, fail
	}
	if len(p.Delivery) == 0 || json.Unmarshal(p.Delivery, &d) != nil || bytes.Equal(bytes.TrimSpace(p.Delivery), []byte("null")) {
		return q, d, failed(mcp.INVALID_PARAMS, "The parameter delivery is no object with the mode webhook, a url and a secret, all of them strings.", map[string]any{"field": "delivery"})
	}
	if d.URL == "" {
		return q, d, failed(mcp.INVALID_PARAMS, "delivery.url is missing: give the URL that events are sent to.", map[string]any{"field": "delivery.url"})
	}
	return q, d, nil
}

// unsupported refuses a way to get events.
func unsupported(message, mode string) *failure {
	return failed(codeUnsupported, message, map[string]any{"feature": "delivery.mode", "value": short(mode)})
}

// subscribed has no _meta, as pollResult.
type subscribed struct {
	ResultType    string          `json:"resultType"`
	ID            string          `json:"id"`
	RefreshBefore *string         `json:"refreshBefore"`
	Cursor        string          `json:"cursor"`
	Truncated     bool            `json:"truncated"`
	Delivery      *deliveryStatus `json:"deliveryStatus,omitempty"`
}

type deliveryStatus struct {
	Active         bool    `json:"active"`
	LastDeliveryAt *string `json:"lastDeliveryAt"`
	LastError      *string `json:"lastError"`
	FailedSince    *string `json:"failedSince"`
	Throttled      bool    `json:"throttled"`
	RetryAfterMs   *int64  `json:"retryAfterMs"`
}

// subscribe has events sent to a URL that the client names, or renews that.
func (x *Extension) subscribe(ctx context.Context, r Request, p params) (any, *failure) {
	if x.o.ReadOnly {
		return nil, x.refuse(ctx, r, p)
	}
	q, d, fail := x.subscription(p)
	if fail != nil {
		return nil, fail
	}
	switch i := slices.IndexFunc(x.o.Types, func(t Type) bool { return t.Name == p.Name }); {
	case d.Mode == nil:
		return nil, failed(mcp.INVALID_PARAMS, "delivery.mode is missing: it is webhook.", map[string]any{"field": "delivery.mode"})
	case *d.Mode != deliveryWebhook:
		return nil, unsupported("A subscription is delivered by a webhook. Use events/poll or events/stream for the others.", *d.Mode)
	case !x.o.Types[i].Webhook:
		return nil, unsupported(fmt.Sprintf("%s is stale at once, and sent to no webhook. Use events/poll or events/stream.", p.Name), *d.Mode)
	}
	in := api.Subscribe{
		Event: p.Name, Arguments: string(p.Arguments), Chats: q.Chats, NotChats: q.NotChats, Kinds: q.Kinds, URL: d.URL, Secret: d.Secret,
		Cursor: q.Cursor, MaxAgeMillis: q.MaxAgeMillis,
	}
	if len(p.TTLMs) > 0 {
		if in.NoExpiry = bytes.Equal(p.TTLMs, []byte("null")); !in.NoExpiry {
			var suggested float64
			if json.Unmarshal(p.TTLMs, &suggested) != nil {
				return nil, failed(mcp.INVALID_PARAMS, "ttlMs is a number of milliseconds, or null for no end.", map[string]any{"field": "ttlMs"})
			}
			// what is granted is far below either bound
			in.TTLMillis = new(int64(max(0, min(suggested, 1e15))))
		}
	}
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	ctx, b, err := x.o.Open(ctx, p.client(r))
	if err != nil {
		return nil, x.explain(ctx, r, err)
	}
	s, err := b.Subscribe(ctx, in)
	if err != nil {
		return nil, x.explainSubscription(ctx, r, err)
	}
	out := subscribed{ResultType: "complete", ID: s.ID, RefreshBefore: timestamp(s.Ends), Cursor: s.Cursor, Truncated: s.Truncated}
	if st := s.Delivery; st != nil {
		out.Delivery = &deliveryStatus{Active: st.Active, LastDeliveryAt: timestamp(st.LastDeliveryAt), FailedSince: timestamp(st.FailedSince), Throttled: st.Throttled}
		if st.LastError != "" {
			out.Delivery.LastError = &st.LastError
		}
		if st.RetryAfterMillis > 0 {
			out.Delivery.RetryAfterMs = &st.RetryAfterMillis
		}
	}
	return out, nil
}

// unsubscribe ends a subscription.
func (x *Extension) unsubscribe(ctx context.Context, r Request, p params) (any, *failure) {
	_, d, fail := x.subscription(p)
	if fail != nil {
		return nil, fail
	}
	if x.o.ReadOnly {
		return nil, unsupported("This session may only read: it began no subscription, and ends none.", deliveryWebhook)
	}
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	ctx, b, err := x.o.Open(ctx, p.client(r))
	if err != nil {
		return nil, x.explain(ctx, r, err)
	}
	if _, err := b.Unsubscribe(ctx, api.Unsubscribe{Event: p.Name, Arguments: string(p.Arguments), URL: d.URL}); err != nil {
		return nil, x.explainSubscription(ctx, r, err)
	}
	return map[string]any{"resultType": "complete"}, nil
}

// refuse refuses a subscription in a session that may only read. The service has it on record;
// where it cannot be reached it is refused all the same.
func (x *Extension) refuse(ctx context.Context, r Request, p params) *failure {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	message := "This session may only read: it has events sent nowhere. Use events/poll or events/stream."
	if called, b, err := x.o.Open(ctx, p.client(r)); err == nil {
		var to delivery
		_ = json.Unmarshal(p.Delivery, &to) // what is no address is recorded without one
		if told, err := b.RefuseSubscription(called, api.RefuseSubscription{Event: p.Name, URL: to.URL}); err == nil {
			message = told.Message
		}
	}
	return unsupported(message, deliveryWebhook)
}

// explainSubscription is explain with the errors that only subscriptions have.
func (x *Extension) explainSubscription(ctx context.Context, r Request, err error) *failure {
	e, ok := asError(err)
	if !ok {
		return x.explain(ctx, r, err)
	}
	switch e.Code {
	case api.CodeHostNotAllowed, api.CodeNotAuthenticated:
		return failed(codeForbidden, e.Message, nil)
	case api.CodeCallbackFailed:
		return failed(codeCallbackEndpoint, e.Message, map[string]any{"reason": e.Reason})
	case api.CodeTooManyWebhooks:
		return failed(codeResourceExhausted, e.Message, map[string]any{"limit": "subscriptions", "max": maxSubscriptions})
	case api.CodeRateLimited:
		return failed(codeResourceExhausted, e.Message, map[string]any{"limit": "challengesPerMinute", "max": maxChallenges})
	case api.CodeNotFound:
		return failed(codeNotFound, e.Message, map[string]any{"kind": "subscription"})
	case api.CodeInvalidURL:
		return failed(mcp.INVALID_PARAMS, e.Message, map[string]any{"field": "delivery.url"})
	case api.CodeInvalidSecret:
		return failed(mcp.INVALID_PARAMS, e.Message, map[string]any{"field": "delivery.secret"})
	}
	return x.explain(ctx, r, err)
}

// timestamp is a time as it is written, nil for none.
func timestamp(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC().Format(timeLayout))
}
