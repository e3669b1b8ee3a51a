// Package mcpevents serves the MCP extension for events, of which mcp-go knows nothing: a client
// lists the types of events, polls for them, has them streamed, or has them sent to a URL. Its
// transports hand it the messages whose methods it serves, and have it add the extension to what
// the server says of itself.
//
// It keeps nothing of a client: a poll or a stream is a read of the service's log after a cursor,
// and a subscription is the service's.
package mcpevents

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"waoutbox/outbox"
	"waoutbox/outbox/api"

	"github.com/mark3labs/mcp-go/mcp"
	"golang.org/x/time/rate"
)

const (
	// callLimit bounds a poll, far above what a read of the log takes.
	callLimit = 30 * time.Second
	// perMinute is how many requests there may be, over all clients of the process: far above what
	// clients do that know what they are doing.
	perMinute = 6000
)

// Backend is the part of the service that is needed. See api.Service.
type Backend interface {
	Occurrences(ctx context.Context, q api.OccurrenceQuery) (api.OccurrencePage, error)
	StreamOccurrences(ctx context.Context, q api.OccurrenceQuery, each func(api.OccurrencePage) error) error
	Subscribe(ctx context.Context, in api.Subscribe) (api.Subscribed, error)
	Unsubscribe(ctx context.Context, in api.Unsubscribe) (api.Unsubscribed, error)
	RefuseSubscription(ctx context.Context, in api.RefuseSubscription) (api.RefusedSubscription, error)
}

// Type is one type of events, as clients are told of it.
type Type struct {
	Name, Description string
	// JSON schemas of a subscription's arguments and of the payload
	Input, Payload json.RawMessage
	Webhook        bool // it may be sent to a URL that a client names
}

// Client is a client's word about itself.
type Client struct{ Name, Version string }

// Options are what an Extension needs; all fields but Webhooks and ReadOnly are required.
type Options struct {
	Types []Type
	// Open returns the service for a client, starting it if need be, and the context to call it
	// with. It is not called to list types.
	Open func(ctx context.Context, c Client) (context.Context, Backend, error)
	// Webhooks reports whether clients may have events sent to URLs that they name, as far as is
	// known without starting the service; nil: they may not.
	Webhooks func(ctx context.Context) bool
	// ReadOnly refuses all subscriptions.
	ReadOnly bool
	Log      *slog.Logger
}

// Extension serves the extension. Safe for concurrent use. Use New.
type Extension struct {
	o     Options
	types []listed
	pace  *rate.Limiter
}

// New makes an Extension. It starts nothing.
func New(o Options) *Extension {
	x := &Extension{o: o, pace: rate.NewLimiter(rate.Limit(perMinute)/60, perMinute)}
	for _, t := range o.Types {
		x.types = append(x.types, listed{
			Name: t.Name, Description: t.Description, InputSchema: t.Input, PayloadSchema: t.Payload, webhook: t.Webhook,
		})
	}
	return x
}

// Request is a message of the extension.
type Request struct {
	ID     json.RawMessage // as the client wrote it
	Method string
	Params json.RawMessage
	Client Client // what an earlier handshake said; a request's own word comes first
	// the transport has no way to end a stream: the HTTP of the versions with sessions
	NoStreams bool
}

// Serves reports whether a method is the extension's.
func (x *Extension) Serves(method string) bool { return strings.HasPrefix(method, methodPrefix) }

// Streams reports whether a method's request is answered by a stream.
func (x *Extension) Streams(method string) bool { return method == methodStream }

// Respond returns the whole response to a request that is no stream.
func (x *Extension) Respond(ctx context.Context, r Request) (out []byte) {
	defer x.contain(r, &out)
	result, fail := x.respond(ctx, r)
	if fail != nil {
		return response(r.ID, "error", fail)
	}
	return response(r.ID, "result", result)
}

// contain, called deferred, makes the response of a panic: it ends its request alone.
func (x *Extension) contain(r Request, out *[]byte) {
	if p := recover(); p != nil {
		x.o.Log.Error("a request for events panicked", "panic", outbox.PanicText(p), "stack", string(debug.Stack()))
		*out = response(r.ID, "error", failed(mcp.INTERNAL_ERROR, "Something went wrong inside waoutbox; its log has more.", nil))
	}
}

func (x *Extension) respond(ctx context.Context, r Request) (any, *failure) {
	p, fail := x.begin(r)
	if fail != nil {
		return nil, fail
	}
	switch r.Method {
	case methodList:
		return x.list(ctx, r, p)
	case methodPoll:
		return x.poll(ctx, r, p)
	case methodStream:
		return nil, failed(mcp.INVALID_REQUEST, "A stream cannot be part of a batch: send its request alone.", nil)
	case methodSubscribe:
		return x.subscribe(ctx, r, p)
	case methodUnsubscribe:
		return x.unsubscribe(ctx, r, p)
	}
	return nil, failed(mcp.METHOD_NOT_FOUND, "There is no method "+short(r.Method)+".", nil)
}

// begin reads the parameters of a request, and refuses it where too many come or its protocol
// version is unknown.
func (x *Extension) begin(r Request) (p params, fail *failure) {
	if !x.pace.Allow() {
		return p, failed(codeResourceExhausted, "Too many requests: wait as long as nextPollMs says before you poll again.",
			map[string]any{"limit": "requestsPerMinute", "max": perMinute})
	}
	if len(r.Params) > 0 {
		if err := json.Unmarshal(r.Params, &p); err != nil {
			return p, failed(mcp.INVALID_PARAMS, "The parameters are not as they should be: "+describe(err), nil)
		}
	}
	if v := p.Meta.Version; v != "" && !mcp.IsValidProtocolVersion(v) {
		return p, failed(mcp.UNSUPPORTED_PROTOCOL_VERSION, "The protocol version is not supported.", mcp.UnsupportedProtocolVersionData{Supported: mcp.ValidProtocolVersions, Requested: short(v)})
	}
	return p, nil
}

// client is who asks.
func (p params) client(r Request) Client {
	if p.Meta.Client.Name != "" {
		return Client{Name: p.Meta.Client.Name, Version: p.Meta.Client.Version}
	}
	return r.Client
}

// listed is one type in a result.
type listed struct {
	Name          string          `json:"name"`
	Description   string          `json:"description"`
	Delivery      []string        `json:"delivery"`
	InputSchema   json.RawMessage `json:"inputSchema"`
	PayloadSchema json.RawMessage `json:"payloadSchema"`
	webhook       bool
}

func (x *Extension) list(ctx context.Context, r Request, p params) (any, *failure) {
	if p.Cursor != nil && *p.Cursor != "" {
		return nil, failed(mcp.INVALID_PARAMS, "There is one page of event types: leave the cursor out.", nil)
	}
	ways := []string{deliveryPoll}
	if !r.NoStreams {
		ways = append(ways, deliveryPush)
	}
	webhooks := x.o.Webhooks != nil && !x.o.ReadOnly && x.o.Webhooks(ctx)
	types := append([]listed{}, x.types...)
	for i := range types {
		types[i].Delivery = ways
		if webhooks && types[i].webhook {
			types[i].Delivery = append(slices.Clone(ways), deliveryWebhook)
		}
	}
	return map[string]any{"resultType": "complete", "events": types}, nil
}

// pollResult has no _meta: a client in use takes such a result for one of a tool.
type pollResult struct {
	ResultType string       `json:"resultType"`
	Events     []occurrence `json:"events"`
	Cursor     string       `json:"cursor"`
	Truncated  bool         `json:"truncated"`
	HasMore    bool         `json:"hasMore"`
	NextPollMs int          `json:"nextPollMs"`
}

// occurrence is an event on the wire.
type occurrence struct {
	EventID   string          `json:"eventId"`
	Name      string          `json:"name"`
	Timestamp string          `json:"timestamp"`
	Data      json.RawMessage `json:"data"`
	Cursor    string          `json:"cursor,omitempty"` // of a stream
}

func occurrenceOf(o api.Occurrence) occurrence {
	return occurrence{EventID: o.ID, Name: o.Event, Timestamp: o.Time.UTC().Format(timeLayout), Data: o.Data}
}

// Body is what the receiver of a subscription gets of an event.
func Body(o api.Occurrence) ([]byte, error) {
	one := occurrenceOf(o)
	one.Cursor = o.Cursor
	return json.Marshal(one)
}

// Revoked is the error that the receiver of a subscription is told whose end its user wants.
func Revoked(why string) any { return failed(codeForbidden, why, nil) }

func (x *Extension) poll(ctx context.Context, r Request, p params) (any, *failure) {
	q, fail := x.query(p)
	if fail != nil {
		return nil, fail
	}
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	ctx, b, err := x.o.Open(ctx, p.client(r))
	if err != nil {
		return nil, x.explain(ctx, r, err)
	}
	page, err := b.Occurrences(ctx, q)
	if err != nil {
		return nil, x.explain(ctx, r, err)
	}
	out := pollResult{ResultType: "complete", Events: []occurrence{}, Cursor: page.Cursor, Truncated: page.Truncated, HasMore: page.More, NextPollMs: nextPollMs}
	for _, o := range page.Items {
		out.Events = append(out.Events, occurrenceOf(o))
	}
	return out, nil
}

// errStopping is why a stream ends that its server ends.
var errStopping = errors.New("the server is stopping")

// Stopping is the cause with which a transport ends the contexts of streams that it ends itself:
// their clients are told. Of any other end they are the reason.
func Stopping() error { return errStopping }

// Stream serves a request of a stream until its client or its server ends it: it calls send with
// each notification, one message without a newline, and returns the response that comes last, nil
// when the client has ended it. It stops when send fails.
func (x *Extension) Stream(ctx context.Context, r Request, send func([]byte) error) (out []byte) {
	defer x.contain(r, &out)
	p, fail := x.begin(r)
	if fail != nil {
		return response(r.ID, "error", fail)
	}
	if r.NoStreams {
		return response(r.ID, "error", failed(codeUnsupported, "Over HTTP streams need protocol version 2026-07-28: before it a client could not end one. Use events/poll.",
			map[string]any{"feature": "delivery.mode", "value": deliveryPush}))
	}
	q, fail := x.query(p)
	if fail != nil {
		return response(r.ID, "error", fail)
	}
	called, b, err := x.o.Open(ctx, p.client(r))
	if err != nil {
		return response(r.ID, "error", x.explain(ctx, r, err))
	}
	s := stream{id: r.ID, send: send}
	err = b.StreamOccurrences(called, q, s.page)
	stopping := errors.Is(context.Cause(ctx), errStopping)
	switch {
	case s.failed != nil, ctx.Err() != nil && !stopping:
		return nil
	case stopping:
		err = api.Retryf(api.CodeServiceUnavail, "waoutbox is stopping. Open the stream again, with the last cursor.")
	case err == nil:
		err = api.Retryf(api.CodeServiceUnavail, "The stream has ended. Open it again, with the last cursor.")
	}
	why := x.explain(ctx, r, err)
	if !s.open {
		return response(r.ID, "error", why)
	}
	if s.note(noteTerminated, map[string]any{"error": why}) != nil {
		return nil
	}
	return response(r.ID, "result", map[string]any{"resultType": "complete", "_meta": map[string]any{subscriptionID: r.ID}})
}

// stream is one that is open, or about to be.
type stream struct {
	id     json.RawMessage
	send   func([]byte) error
	open   bool
	cursor string // where the next page begins
	failed error  // of send
}

// page tells the client of a page: that the stream is open, and again after a gap; the events; and
// where it stands when there are none.
func (s *stream) page(p api.OccurrencePage) error {
	begins := !s.open
	if begins {
		s.open, s.cursor = true, p.Cursor
	}
	var err error
	if begins || p.Truncated {
		err = s.note(noteActive, map[string]any{"cursor": s.cursor, "truncated": p.Truncated})
	}
	for _, o := range p.Items {
		if err != nil {
			break
		}
		event := occurrenceOf(o)
		event.Cursor = o.Cursor
		err = s.note(noteEvent, map[string]any{"eventId": event.EventID, "name": event.Name, "timestamp": event.Timestamp, "data": event.Data, "cursor": event.Cursor})
	}
	if err == nil && !begins && len(p.Items) == 0 {
		err = s.note(noteHeartbeat, map[string]any{"cursor": p.Cursor})
	}
	s.cursor, s.failed = p.Cursor, err
	return err
}

// note sends a notification of the stream.
func (s *stream) note(method string, with map[string]any) error {
	with["_meta"] = map[string]any{subscriptionID: s.id}
	raw, err := json.Marshal(map[string]any{"jsonrpc": mcp.JSONRPC_VERSION, "method": method, "params": with})
	if err != nil {
		return err
	}
	return s.send(raw)
}

// Advertise adds the extension to what a server says of itself, in the response to initialize or
// server/discover, where clients look that know no extensions. Any other response stays as it is.
func (x *Extension) Advertise(message []byte) []byte {
	var outer, result, capabilities map[string]json.RawMessage
	if json.Unmarshal(message, &outer) != nil || json.Unmarshal(outer["result"], &result) != nil || json.Unmarshal(result["capabilities"], &capabilities) != nil {
		return message
	}
	capabilities[capability] = json.RawMessage("{}")
	inner, err := json.Marshal(capabilities)
	if err != nil {
		return message
	}
	result["capabilities"] = inner
	if inner, err = json.Marshal(result); err != nil {
		return message
	}
	outer["result"] = inner
	if inner, err = json.Marshal(outer); err != nil {
		return message
	}
	return inner
}
