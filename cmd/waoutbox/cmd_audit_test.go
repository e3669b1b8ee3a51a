package main

import (
	"strings"
	"testing"

	"waoutbox/outbox/api"
)

// A subscription that was refused has no webhook: where its events were to be sent is said, also
// where the event that was asked for looks like a chat.
func TestAuditSaysWhereRefusedEventsWereWanted(t *testing.T) {
	t.Parallel()
	for _, event := range []string{"message.received", "1@lid"} {
		f := healthy()
		f.audit = []api.AuditRecord{{
			Caller: api.CallerMCP, Client: "agent", Operation: "events.subscribe", Object: event, URL: "https://evil.example/collect?…", Outcome: api.AuditRefused,
			Code: string(api.CodeHostNotAllowed),
		}}
		if res := invokeWith(t, f, "", func(*env) {}, "audit"); res.code != 0 || !strings.Contains(res.out, "https://evil.example/collect?… ("+event+")") {
			t.Errorf("%s: %+v", event, res)
		}
	}
}
