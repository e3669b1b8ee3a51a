package translate

import (
	"context"
	"reflect"
	"time"

	"go.mau.fi/whatsmeow/types/events"

	"waoutbox/connection/wajson"
	"waoutbox/outbox"
)

// Placeholder returns the event that stands for one that Translate failed on: a message keeps its
// place with its key and no content, all else becomes an empty body of the right name. False for a
// type that has no event.
func (t *Translator) Placeholder(evt any) (ev outbox.Event, ok bool) {
	r, known := t.rows[reflect.TypeOf(evt)]
	if !known || r.event() == "" {
		return outbox.Event{}, false
	}
	defer func() {
		if p := recover(); p != nil { // not even the key can be told
			ev, ok = t.event(r.event(), unique(), ConnectionChat, withoutContent("untranslatable")), true
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return r.placeholder(ctx, t, evt), true
}

func (t *Translator) messagePlaceholder(ctx context.Context, evt *events.Message) outbox.Event {
	k := t.messageKey(ctx, evt)
	return t.messageEvent(messageName(k), t.messageID(evt, k), k, received(evt, k, nil))
}

func (t *Translator) undecryptablePlaceholder(ctx context.Context, evt *events.UndecryptableMessage) outbox.Event {
	k := t.keyOf(ctx, &evt.Info.MessageSource, evt.Info.ID)
	id := stable(evt.Info.Timestamp, tuple(t.account(), "message", k.chat.canonical(), k.senderID(), k.id, "ciphertext"))
	return t.messageEvent(messageName(k), id, k, messages(envelope(&evt.Info, k), "notify", ""))
}

// withoutContent is the data of an event whose own cannot be told.
func withoutContent(why string) wajson.JSON {
	return new(wajson.Object).Str("error", why).JSON()
}

// WithoutContent returns the event without its data, which would not fit, under the same identity;
// why stands in its place.
func WithoutContent(ev outbox.Event, why string) outbox.Event {
	ev.Body = body(ev.Name, ev.Time, withoutContent(why))
	return ev
}
