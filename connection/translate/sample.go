package translate

import (
	"embed"
	"encoding/json"
	"fmt"
	"time"

	"waoutbox/connection/wajson"
)

// samples has one body of each event of the catalogue, as receivers get it.
//
//go:embed testdata/events/message.received-text.json testdata/events/message.sent-text.json
//go:embed testdata/events/message.update-read.json testdata/events/connection.update-open.json
//go:embed testdata/events/group.update-subject.json testdata/events/presence.update-composing.json
var samples embed.FS

// sampleOf names the sample of an event.
func sampleOf(event string) string {
	return map[string]string{
		MessageReceived: "text", MessageSent: "text", MessageUpdate: "read",
		ConnectionUpdate: "open", GroupUpdate: "subject", PresenceUpdate: "composing",
	}[event]
}

// TestBody is the body `webhook test` sends: for "" a short connection.update, else the sample of
// an event of the catalogue, whole but for its time, with test beside its data. It never enters the
// outbox.
func TestBody(event string, now time.Time) []byte {
	if event == "" {
		return body(ConnectionUpdate, now, new(wajson.Object).
			Bool("test", true).
			Str("message", "This is a test webhook payload").JSON())
	}
	// the caller knows the catalogue, and the samples are part of the program
	raw, err := samples.ReadFile("testdata/events/" + event + "-" + sampleOf(event) + ".json")
	if err != nil {
		panic(fmt.Sprintf("no sample of the event %q: %v", event, err))
	}
	var sample struct {
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(raw, &sample); err != nil {
		panic(fmt.Sprintf("the sample of the event %q: %v", event, err))
	}
	return new(wajson.Object).Str("event", event).Int("timestamp", now.UnixMilli()).
		Raw("data", wajson.JSON(sample.Data)).Bool("test", true).JSON()
}
