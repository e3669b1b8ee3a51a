package crash

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"waoutbox/outbox"
)

const (
	message = "message.received"
	noise   = "presence.update" // nobody subscribes to it: it fills the log and the dedupe index
	// begins the name of a burst that is 60 days older than others: its keys expire
	old   = "old"
	chats = 30
)

func hash(text string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(text))
	return h.Sum32()
}

// event is the event of a key: all of it follows from the key, so that whoever gets it can tell
// whether it is whole.
func event(key string) outbox.Event {
	h, stamp, name := hash(key), uint32(1_700_000_000), nameOf(key)
	if strings.HasPrefix(key, "evt_"+old) {
		stamp -= 60 * 24 * 60 * 60
	}
	return outbox.Event{
		Key: key, Stamp: stamp + h%1000, Time: time.Now().Truncate(time.Millisecond), Name: name,
		Chat: fmt.Sprintf("%d@lid", h%chats), Account: "15550000000@s.whatsapp.net", Body: body(key, name),
	}
}

// nameOf is the event name that a key stands for.
func nameOf(key string) string {
	if strings.Contains(key, noise) {
		return noise
	}
	return message
}

func body(key, name string) []byte {
	b := fmt.Appendf(nil, `{"event":%q,"data":{"key":%q,"pad":"`, name, key)
	b = append(b, bytes.Repeat([]byte{'a' + byte(hash(key)%26)}, int(hash(key+"pad")%700))...)
	return append(b, `"}}`...)
}

// keyOf reads the key back out of a body.
func keyOf(b []byte) string {
	_, rest, _ := bytes.Cut(b, []byte(`"key":"`))
	key, _, _ := bytes.Cut(rest, []byte{'"'})
	return string(key)
}

// burst is one append: some events that are acknowledged together.
type burst struct {
	base string
	n    int
}

func (b burst) keys() []string {
	keys := make([]string, b.n)
	for i := range keys {
		keys[i] = fmt.Sprintf("evt_%s.%d", b.base, i)
	}
	return keys
}

func (b burst) events() []outbox.Event {
	var evs []outbox.Event
	for _, key := range b.keys() {
		evs = append(evs, event(key))
	}
	return evs
}
