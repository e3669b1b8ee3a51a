package mcptools

import (
	"reflect"
	"strings"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// eventPattern is an event name of the catalogue, or "*" for every event.
type eventPattern string

const everyEvent eventPattern = "*"

// chatKind is a kind of chat that a webhook may be limited to.
type chatKind string

// enums lists the closed sets of strings in arguments and results.
func (s *Server) enums() enums {
	return enums{
		reflect.TypeFor[eventPattern]():      {values: s.eventPatterns(), noun: "event", code: api.CodeInvalidEvents},
		reflect.TypeFor[chatKind]():          {values: outbox.ChatKinds(), noun: "kind of chat", code: api.CodeInvalidArguments},
		reflect.TypeFor[registerOutcome]():   {values: texts([]registerOutcome{registerCreated, registerUpdated})},
		reflect.TypeFor[fileKind]():          {values: texts(fileKinds()), noun: "kind of file", code: api.CodeInvalidArguments},
		reflect.TypeFor[api.WebhookStatus](): {values: texts(api.WebhookStatuses())},
		reflect.TypeFor[api.LinkState]():     {values: texts(api.LinkStates())},
		reflect.TypeFor[api.RecipientKind](): {values: texts(api.RecipientKinds())},
	}
}

// eventPatterns are the names of the catalogue, in its order, and "*".
func (s *Server) eventPatterns() []string {
	patterns := make([]string, 0, len(s.opts.Events)+1)
	for _, e := range s.opts.Events {
		patterns = append(patterns, e.Name)
	}
	return append(patterns, string(everyEvent))
}

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
