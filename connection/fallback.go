package connection

import (
	"context"
	"time"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"waoutbox/connection/wajson"
	"waoutbox/outbox"
)

// stub gives the event that stands for one the translator failed on: a message keeps its place with its key and no content, all
// else becomes an empty body of the right name. False for a type that has no event.
func (t *Translator) stub(evt any) (ev outbox.Event, ok bool) {
	defer func() {
		if p := recover(); p != nil { // not even the key can be told
			ev, ok = t.event(nameFor(evt), unique(), connectionChat, failed("untranslatable")), true
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	switch e := evt.(type) {
	case *events.Message:
		k := t.keyOf(ctx, &e.Info.MessageSource, e.Info.ID)
		return t.event(messageName(k), t.messageID(e, k), k.chat.canon(), received(e, k, nil)), true
	case *events.UndecryptableMessage:
		k := t.keyOf(ctx, &e.Info.MessageSource, e.Info.ID)
		id := stable(e.Info.Timestamp, tuple(t.account(), "message", k.chat.canon(), k.who(), k.id, "ciphertext"))
		return t.event(messageName(k), id, k.chat.canon(), messages(envelope(&e.Info, k), "notify", "")), true
	}
	name := nameFor(evt)
	if name == "" {
		return outbox.Event{}, false
	}
	chat := chatFor(evt)
	if chat == "" {
		chat = connectionChat
	}
	return t.event(name, unique(), chat, failed("untranslatable")), true
}

// failed is the data of a stub.
func failed(why string) wajson.JSON {
	return new(wajson.Object).Str("error", why).JSON()
}

// stubOf is an event without its data, under the same identity.
func stubOf(ev outbox.Event, why string) outbox.Event {
	ev.Body = body(ev.Name, ev.Time, failed(why))
	return ev
}

// nameFor is the event name of a type that can fail to translate, "" if it never has an event.
func nameFor(evt any) string {
	switch evt.(type) {
	case *events.Message, *events.UndecryptableMessage, *events.CallTerminate:
		return MessageReceived
	case *events.Receipt, *events.Star:
		return MessageUpdate
	case *events.GroupInfo, *events.JoinedGroup, *events.Picture:
		return GroupUpdate
	case *events.Presence, *events.ChatPresence:
		return PresenceUpdate
	case *events.QR, *events.PairSuccess, *events.PairError, *events.PairPasskeyRequest, *events.PairPasskeyConfirmation,
		*events.PairPasskeyError, *events.Connected, *events.OfflineSyncCompleted, *events.Disconnected, *events.StreamReplaced,
		*events.LoggedOut, *events.TemporaryBan, *events.ClientOutdated, *events.ConnectFailure, *events.NotifyAccountReachoutTimelock:
		return ConnectionUpdate
	}
	return ""
}

func chatFor(evt any) string {
	var chat types.JID
	switch e := evt.(type) {
	case *events.CallTerminate:
		chat = e.From
	case *events.Receipt:
		chat = e.Chat
	case *events.Star:
		chat = e.ChatJID
	case *events.GroupInfo:
		chat = e.JID
	case *events.JoinedGroup:
		chat = e.JID
	case *events.Picture:
		chat = e.JID
	case *events.Presence:
		chat = e.From
	case *events.ChatPresence:
		chat = e.Chat
	default:
		return ""
	}
	return plain(chat).String()
}
