package mcpevents

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"waoutbox/outbox/api"

	"github.com/mark3labs/mcp-go/mcp"
)

// params are the parameters of every method.
type params struct {
	Name      string          `json:"name"`
	Arguments json.RawMessage `json:"arguments"`
	Cursor    *string         `json:"cursor"`
	MaxAgeMs  *int64          `json:"maxAgeMs"`
	MaxEvents *int64          `json:"maxEvents"`
	Delivery  json.RawMessage `json:"delivery"`
	TTLMs     json.RawMessage `json:"ttlMs"` // absent, null and a number are three things
	Meta      struct {
		Version string `json:"io.modelcontextprotocol/protocolVersion"`
		Client  struct {
			Name    string `json:"name"`
			Version string `json:"version"`
		} `json:"io.modelcontextprotocol/clientInfo"`
	} `json:"_meta"`
}

// query is what is asked of the service, checked as far as the types tell.
func (x *Extension) query(p params) (q api.OccurrenceQuery, fail *failure) {
	if p.Name == "" {
		return q, failed(mcp.INVALID_PARAMS, "The parameter name is missing: give the name of an event type, as events/list has it.", nil)
	}
	i := slices.IndexFunc(x.types, func(t listed) bool { return t.Name == p.Name })
	if i < 0 {
		var known []string
		for _, t := range x.types {
			known = append(known, t.Name)
		}
		return q, failed(codeNotFound, fmt.Sprintf("There is no event type %q. There are: %s.", short(p.Name), strings.Join(known, ", ")), map[string]any{"kind": "event"})
	}
	q.Events = []string{p.Name}
	if fail := arguments(x.types[i], p.Arguments, &q); fail != nil {
		return q, fail
	}
	if p.Cursor != nil {
		q.Cursor = *p.Cursor
		if q.Cursor == "" { // none of ours: the client has lost its own, which null would hide
			q.Cursor = "?"
		}
	}
	if p.MaxAgeMs != nil {
		if *p.MaxAgeMs < 0 {
			return q, failed(mcp.INVALID_PARAMS, "maxAgeMs is a number of milliseconds, at least 0.", nil)
		}
		q.MaxAgeMillis = max(*p.MaxAgeMs, 1)
	}
	q.Limit = maxEvents
	if p.MaxEvents != nil {
		if *p.MaxEvents < 1 {
			return q, failed(mcp.INVALID_PARAMS, "maxEvents is a number, at least 1.", nil)
		}
		q.Limit = int(min(*p.MaxEvents, maxEvents))
	}
	return q, nil
}

// arguments reads those that a type's schema has.
func arguments(t listed, raw json.RawMessage, q *api.OccurrenceQuery) *failure {
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		return nil
	}
	var schema struct {
		Properties map[string]json.RawMessage `json:"properties"`
	}
	var given map[string]json.RawMessage
	if json.Unmarshal(t.InputSchema, &schema) != nil || json.Unmarshal(raw, &given) != nil {
		return failed(mcp.INVALID_PARAMS, "The parameter arguments is no object.", nil)
	}
	lists := map[string]*[]string{"chats": &q.Chats, "notChats": &q.NotChats, "kinds": &q.Kinds}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if _, known := schema.Properties[name]; !known || lists[name] == nil {
			with := "it takes none"
			if len(schema.Properties) > 0 {
				with = "it takes " + strings.Join(slices.Sorted(maps.Keys(schema.Properties)), ", ")
			}
			return failed(mcp.INVALID_PARAMS, fmt.Sprintf("%s has no argument %q: %s.", t.Name, short(name), with), nil)
		}
		var list []*string
		if json.Unmarshal(given[name], &list) != nil || slices.Contains(list, nil) || list == nil {
			return failed(mcp.INVALID_PARAMS, fmt.Sprintf("The argument %s is no list of strings.", name), nil)
		}
		for _, v := range list {
			*lists[name] = append(*lists[name], *v)
		}
	}
	return nil
}

// failure is an error of the protocol.
type failure struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Data    any    `json:"data,omitempty"`
}

func failed(code int, message string, data any) *failure {
	return &failure{Code: code, Message: message, Data: data}
}

// explain makes the error that a client sees of the service's. What is not an *api.Error, and what
// is internal, is logged under an id and shown only by that id.
func (x *Extension) explain(ctx context.Context, r Request, err error) *failure {
	e, ok := asError(err)
	if !ok && ctx.Err() != nil {
		e, ok = api.Retryf(api.CodeTimeout, "The service did not answer in time. Try again."), true
	}
	if !ok || e.Code == api.CodeInternal || e.Code == "" {
		id := "err_" + rand.Text()[:10]
		x.o.Log.LogAttrs(ctx, slog.LevelError, "event request failed", slog.String("method", r.Method), slog.String("error_id", id), slog.Any("error", err))
		return failed(mcp.INTERNAL_ERROR, fmt.Sprintf("Something failed inside waoutbox. Look for %s in its log.", id), nil)
	}
	switch e.Code {
	case api.CodeInvalidArguments:
		return failed(mcp.INVALID_PARAMS, e.Message, map[string]any{"field": e.Field})
	case api.CodeInvalidEvents:
		return failed(codeNotFound, e.Message, map[string]any{"kind": "event"})
	case api.CodeTooManyStreams:
		return failed(codeResourceExhausted, e.Message, map[string]any{"limit": "streams", "max": maxStreams})
	}
	return failed(mcp.INTERNAL_ERROR, e.Message, map[string]any{"code": e.Code, "retryable": e.Retryable})
}

func asError(err error) (*api.Error, bool) { return errors.AsType[*api.Error](err) }

// response is a whole response. member is "result" or "error".
func response(id json.RawMessage, member string, value any) []byte {
	if len(id) == 0 {
		id = json.RawMessage("null")
	}
	raw, err := json.Marshal(map[string]any{"jsonrpc": mcp.JSONRPC_VERSION, "id": id, member: value})
	if err != nil { // what is in it is made of JSON and text
		raw, _ = json.Marshal(map[string]any{"jsonrpc": mcp.JSONRPC_VERSION, "id": nil, "error": failed(mcp.INTERNAL_ERROR, "The response could not be written as JSON.", nil)})
	}
	return raw
}

// describe says what is wrong with parameters, naming the field.
func describe(err error) string {
	if bad, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && bad.Field != "" {
		return fmt.Sprintf("%s cannot be a %s.", bad.Field, bad.Value)
	}
	return "they are no JSON object."
}

// short cuts what a client wrote before it is repeated.
func short(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
