package scheduler

import (
	"hash/fnv"
	"unsafe"

	"waoutbox/outbox"
)

// ChatKey is what the record of a delivery keeps of its event's chat. Two chats with one hash only
// wait for each other.
func ChatKey(ev outbox.Event) uint64 {
	h := fnv.New64a()
	h.Write([]byte(ev.Chat))
	return h.Sum64()
}

// sizeOf is about what it takes to hold an event, in bytes.
func sizeOf(ev outbox.Event) int {
	return int(unsafe.Sizeof(ev)) + len(ev.Key) + len(ev.Name) + len(ev.Chat) + len(ev.ChatAlt) + len(ev.Account) + len(ev.Message) + len(ev.Body)
}
