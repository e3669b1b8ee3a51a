package translate

import (
	"context"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"waoutbox/connection/wajson"
	"waoutbox/outbox"
)

// presence translates coming online and going offline.
func (t *Translator) presence(ctx context.Context, evt *events.Presence) ([]outbox.Event, error) {
	who := t.address(ctx, evt.From, types.JID{})
	state := new(wajson.Object).Str("lastKnownPresence", "available")
	if evt.Unavailable {
		state = new(wajson.Object).Str("lastKnownPresence", "unavailable")
	}
	if seen := unixSeconds(evt.LastSeen); seen > 0 { // absent when hidden
		state.Int("lastSeen", seen)
	}
	return one(t.presenceOf(who, who, state)), nil
}

// chatPresence translates typing and recording in a chat; whoever stops is simply there.
func (t *Translator) chatPresence(ctx context.Context, evt *events.ChatPresence) ([]outbox.Event, error) {
	k := t.keyOf(ctx, &evt.MessageSource, "")
	state := "available"
	if evt.State == types.ChatPresenceComposing {
		state = "composing"
		if evt.Media == types.ChatPresenceMediaAudio {
			state = "recording"
		}
	}
	return one(t.presenceOf(k.chat, k.sender, new(wajson.Object).Str("lastKnownPresence", state))), nil
}

func (t *Translator) presenceOf(chat, who address, state *wajson.Object) outbox.Event {
	data := new(wajson.Object).
		Str("id", chat.jid.String()).
		Obj("presences", new(wajson.Object).Obj(who.jid.String(), state))
	return t.eventIn(chat, PresenceUpdate, unique(), data.JSON())
}
