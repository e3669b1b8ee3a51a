package mcptools

import (
	"reflect"
	"strings"

	"waoutbox/mcptools/schema"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// eventPattern is an event name of the catalogue, or "*" for every event.
type eventPattern string

const everyEvent eventPattern = "*"

// chatKind is a kind of chat that a webhook may be limited to.
type chatKind string

// sets lists the closed sets of strings in arguments and results.
func (s *Server) sets() schema.Sets {
	return schema.Sets{
		reflect.TypeFor[eventPattern]():           {Values: s.eventPatterns(), Noun: "event", Code: api.CodeInvalidEvents},
		reflect.TypeFor[eventName]():              {Values: s.eventNames(), Noun: "event", Code: api.CodeInvalidEvents},
		reflect.TypeFor[chatKind]():               {Values: outbox.ChatKinds(), Noun: "kind of chat", Code: api.CodeInvalidArguments},
		reflect.TypeFor[registerOutcome]():        {Values: texts([]registerOutcome{registerCreated, registerUpdated})},
		reflect.TypeFor[fileKind]():               {Values: texts(fileKinds()), Noun: "kind of file", Code: api.CodeInvalidArguments},
		reflect.TypeFor[api.WebhookStatus]():      {Values: texts(api.WebhookStatuses())},
		reflect.TypeFor[api.LinkState]():          {Values: texts(api.LinkStates())},
		reflect.TypeFor[api.EventDeliveryState](): {Values: texts(api.EventDeliveryStates())},
		reflect.TypeFor[api.RecipientKind]():      {Values: texts(api.RecipientKinds())},
	}
}

// eventNames are the names of the catalogue, in its order.
func (s *Server) eventNames() []string {
	names := make([]string, 0, len(s.opts.Events)+1)
	for _, e := range s.opts.Events {
		names = append(names, e.Name)
	}
	return names
}

// eventPatterns are the names of the catalogue, in its order, and "*".
func (s *Server) eventPatterns() []string { return append(s.eventNames(), string(everyEvent)) }

// eventHelp says what the event names mean, in one string: the place where an agent chooses.
func (s *Server) eventHelp() string {
	parts := make([]string, 0, len(s.opts.Events)+1)
	for _, e := range s.opts.Events {
		parts = append(parts, e.Name+": "+strings.TrimSuffix(e.Description, "."))
	}
	return strings.Join(append(parts, `default on creation: ["*"], all`), "; ")
}

// texts are named strings as plain ones.
func texts[S ~string](named []S) []string {
	plain := make([]string, 0, len(named))
	for _, v := range named {
		plain = append(plain, string(v))
	}
	return plain
}
