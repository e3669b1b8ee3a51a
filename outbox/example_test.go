package outbox_test

import (
	"fmt"
	"time"

	"waoutbox/outbox"
)

// An event is a fact with a final body. Its key comes from WhatsApp's own ids, so that the same
// fact, sent again, is stored once.
func ExampleEvent() {
	ev := outbox.Event{
		Key:     "evt_ca2a58e1f6f14f0b",
		Stamp:   1735689615,
		Time:    time.UnixMilli(1735689615417),
		Name:    "message.received",
		Chat:    "204813927440123@lid",
		Message: "3A5F0C91B7D24E68A101",
		Body:    []byte(`{"event":"message.received","timestamp":1735689615417,"data":{}}`),
	}
	fmt.Println(outbox.CheckEvents([]outbox.Event{ev}))
	// Output: <nil>
}

// A filter holds from a sequence on. Here a webhook wanted everything, and from sequence 100 on
// only the messages of one chat: what it is owed depends on when the event was appended, not on
// when it is read.
func ExampleSubscription_Owes() {
	sub := outbox.Subscription{ID: "wh_7K2M", Epochs: []outbox.Epoch{
		{From: 1, Filter: outbox.Filter{Events: []string{outbox.Any}}},
		{From: 100, Filter: outbox.Filter{Events: []string{"message.received"}, Chats: []string{"204813927440123@lid"}}},
	}}
	fmt.Println(sub.Owes(99, outbox.EventHead{Name: "presence.update", Chat: "118302945561077@lid"}))
	fmt.Println(sub.Owes(100, outbox.EventHead{Name: "presence.update", Chat: "118302945561077@lid"}))
	fmt.Println(sub.Owes(100, outbox.EventHead{Name: "message.received", Chat: "204813927440123@lid"}))
	// Output:
	// true
	// false
	// true
}

// Without chats every chat matches; without events nothing does.
func ExampleFilter_Match() {
	fmt.Println(outbox.Filter{Events: []string{"group.update"}}.Match(outbox.EventHead{Name: "group.update", Chat: "120363025846172094@g.us"}))
	fmt.Println(outbox.Filter{}.Match(outbox.EventHead{Name: "group.update", Chat: "120363025846172094@g.us"}))
	// Output:
	// true
	// false
}
