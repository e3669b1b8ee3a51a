package mcpevents

import (
	"encoding/json"

	"waoutbox/outbox/api"
)

// Occurrence returns an event as the receivers of webhooks get it. It has its cursor, as in a
// stream.
func Occurrence(o api.Occurrence) ([]byte, error) {
	out := occurrenceOf(o)
	out.Cursor = o.Cursor
	return json.Marshal(out)
}
