package translate

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"waoutbox/connection/wajson"
	"waoutbox/outbox"
)

// The message states bodies use.
const (
	statusError     = 0
	statusServerAck = 2
	statusDelivered = 3
	statusRead      = 4
	statusPlayed    = 5
)

// The message stub types bodies use.
const (
	stubRevoke        = 1
	stubUndecryptable = 2
	stubChangeNumber  = 42
)

// message translates one message: itself, and what it changes if it is an
// edit, a revoke or a poll vote.
func (t *Translator) message(ctx context.Context, evt *events.Message) ([]outbox.Event, error) {
	if isPeer(&evt.Info) {
		return nil, nil
	}
	k := t.messageKey(ctx, evt)
	if web := evt.SourceWebMsg; evt.RawMessage == nil && web.GetMessageStubType() == waWeb.WebMessageInfo_INDIVIDUAL_CHANGE_NUMBER {
		return one(t.numberChange(evt, k)), nil
	}
	c, err := t.content(ctx, evt, k)
	if err != nil {
		id := t.messageID(evt, k)
		t.unreadable(id, err)
		return one(t.messageEvent(messageName(k), id, k, received(evt, k, nil))), nil
	}
	if deletedPost(evt) && c.empty() {
		return one(t.postDeleted(evt, k)), nil
	}
	if c.empty() || c.isMachinery() {
		return nil, nil
	}
	if evt.NewsletterMeta != nil && !evt.NewsletterMeta.EditTS.IsZero() {
		return one(t.newsletterEdit(evt, k, c.root)), nil
	}
	id := t.messageID(evt, k)
	if c.isUnknown() {
		t.raise(Alarm{Code: AlarmUnreadable, Message: "a message is of a kind that this version does not know: it is delivered without its content", EventID: id.key})
	}
	ev := t.withMessage(c.root, messageName(k), id, k, func(msg wajson.JSON) wajson.JSON {
		return received(evt, k, msg)
	})
	return append(one(ev), t.updatesFrom(ctx, evt, k, c.inner)...), nil
}

// isPeer reports whether a message is machinery between the account's own devices. Others only say
// so of theirs.
func isPeer(info *types.MessageInfo) bool { return info.Category == "peer" && info.IsFromMe }

// messengerMessage translates a message of version 3, which Messenger sends: that it came. Whoever
// writes a message chooses its version.
func (t *Translator) messengerMessage(ctx context.Context, evt *events.FBMessage) ([]outbox.Event, error) {
	evs, err := t.undecryptable(ctx, &events.UndecryptableMessage{Info: evt.Info})
	if len(evs) > 0 {
		t.raise(Alarm{Code: AlarmUnreadable, Message: "a message is in Messenger's format, which cannot be rendered: it is delivered without its content", EventID: evs[0].Key})
	}
	return evs, err
}

// messageKey is the key of a message that arrived.
func (t *Translator) messageKey(ctx context.Context, evt *events.Message) key {
	k := t.keyOf(ctx, &evt.Info.MessageSource, evt.Info.ID)
	if k.chat.jid.Server == types.NewsletterServer && evt.Info.ServerID != 0 {
		k.serverID = strconv.Itoa(evt.Info.ServerID)
	}
	if id := evt.SourceWebMsg.GetKey().GetID(); id != "" {
		k.id = id // of a recovered edit the library gives Info the target's id
	}
	return k
}

func (t *Translator) messageID(evt *events.Message, k key) identity {
	if k.id == "" { // each is another
		return unique()
	}
	return stable(evt.Info.Timestamp, tuple(t.account(), "message", k.chat.canonical(), k.senderID(), k.id, "content"))
}

// ContentKeys returns the keys that the event with a message's content may be stored under,
// whichever addresses of chat and sender were known then; none for an event that is no message.
func (t *Translator) ContentKeys(ctx context.Context, evt any) (keys []string) {
	var k key
	switch e := evt.(type) {
	case *events.UndecryptableMessage:
		k = t.keyOf(ctx, &e.Info.MessageSource, e.Info.ID)
	case *events.Message:
		k = t.messageKey(ctx, e)
	}
	if k.id == "" {
		return nil
	}
	for _, chat := range k.chat.forms() {
		for _, sender := range k.senderForms() {
			keys = append(keys, stable(time.Time{}, tuple(t.account(), "message", chat, sender, k.id, "content")).key)
		}
	}
	return keys
}

// received is the data of a message that came from the server; msg is nil when
// its content is left out.
func received(evt *events.Message, k key, msg wajson.JSON) wajson.JSON {
	e := envelope(&evt.Info, k)
	if msg != nil {
		e.Raw("message", msg)
	}
	if k.fromMe {
		e.Int("status", statusServerAck)
	}
	e.OptStr("verifiedBizName", bizName(&evt.Info))
	if evt.RetryCount > 0 {
		e.Int("retryCount", int64(evt.RetryCount))
	}
	return messages(e, "notify", evt.UnavailableRequestID)
}

func messageName(k key) string {
	if k.fromMe {
		return MessageSent
	}
	return MessageReceived
}

// envelope has what every received message starts with.
func envelope(info *types.MessageInfo, k key) *wajson.Object {
	return new(wajson.Object).
		Obj("key", k.json()).
		Int("messageTimestamp", unixSeconds(info.Timestamp)).
		OptStr("pushName", info.PushName).
		Bool("broadcast", k.chat.jid.Server == types.BroadcastServer)
}

// messages is the data of message.received and message.sent.
func messages(envelope *wajson.Object, kind, requestID string) wajson.JSON {
	return new(wajson.Object).
		Arr("messages", wajson.Objects(envelope)).
		Str("type", kind).
		OptStr("requestId", requestID).JSON()
}

// messageEvent is event for the message that k names: it is found again by its id.
func (t *Translator) messageEvent(name string, id identity, k key, data wajson.JSON) outbox.Event {
	ev := t.eventIn(k.chat, name, id, data)
	if len(k.id) <= outbox.MaxField { // its sender chose it
		ev.Message = k.id
	}
	return ev
}

// withMessage makes an event around a rendered message. data is called with the
// message, or with nil when it cannot be rendered or makes the body too large.
func (t *Translator) withMessage(m proto.Message, name string, id identity, k key, data func(msg wajson.JSON) wajson.JSON) outbox.Event {
	msg, err := t.render(m)
	if err != nil {
		t.unreadable(id, err)
		return t.messageEvent(name, id, k, data(nil))
	}
	ev := t.messageEvent(name, id, k, data(msg))
	if n := len(ev.Body); n > outbox.MaxBody {
		t.raise(Alarm{Code: alarmTooLarge, Message: fmt.Sprintf("a message makes a body of %d bytes, at most %d are stored: it is delivered without its content", n, outbox.MaxBody), EventID: id.key})
		ev.Body = body(name, ev.Time, data(nil))
	}
	return ev
}

func (t *Translator) unreadable(id identity, err error) {
	t.raise(Alarm{Code: AlarmUnreadable, Message: "a message could not be rendered: it is delivered without its content", EventID: id.key, Err: err})
}

// numberChange translates the notice that a person has another phone number; its parameters are the
// old and the new one.
func (t *Translator) numberChange(evt *events.Message, k key) outbox.Event {
	e := envelope(&evt.Info, k).
		Int("messageStubType", stubChangeNumber).
		Arr("messageStubParameters", wajson.Strings(evt.SourceWebMsg.GetMessageStubParameters()...))
	id := stable(evt.Info.Timestamp, tuple(t.account(), "message", k.chat.canonical(), k.senderID(), k.id, "number"))
	return t.messageEvent(MessageReceived, id, k, messages(e, "notify", ""))
}

// undecryptable translates the notice that a message arrived which cannot be read.
func (t *Translator) undecryptable(ctx context.Context, evt *events.UndecryptableMessage) ([]outbox.Event, error) {
	if isPeer(&evt.Info) {
		return nil, nil
	}
	if evt.DecryptFailMode == events.DecryptFailHide { // its sender says so, of whatever it is
		t.raise(Alarm{Code: AlarmUnreadable, Message: "a message cannot be decrypted, and its sender marked it as none to show (an edit, a vote or the like): " +
			"its sender is asked for it, and no event tells of it unless it comes readable"})
		return nil, nil
	}
	k := t.keyOf(ctx, &evt.Info.MessageSource, evt.Info.ID)
	k.viewOnce = evt.UnavailableType == events.UnavailableTypeViewOnce
	variant := "ciphertext"
	if evt.UnavailableType != events.UnavailableTypeUnknown {
		variant = "unavailable"
	}
	e := envelope(&evt.Info, k)
	if k.fromMe {
		e.Int("status", statusServerAck)
	}
	if !k.viewOnce {
		e.Int("messageStubType", stubUndecryptable).Arr("messageStubParameters", wajson.Strings(undecryptableText(evt)))
	}
	id := stable(evt.Info.Timestamp, tuple(t.account(), "message", k.chat.canonical(), k.senderID(), k.id, variant))
	return one(t.messageEvent(messageName(k), id, k, messages(e, "notify", ""))), nil
}

// undecryptableText tells a message that came without ciphertext. IsUnavailable
// alone does not: in a group it is also set for a missing sender key.
func undecryptableText(evt *events.UndecryptableMessage) string {
	if evt.UnavailableType != events.UnavailableTypeUnknown || (evt.IsUnavailable && !evt.Info.IsGroup) {
		return "Message absent from node"
	}
	return "Message could not be decrypted"
}

// ParseMessage reads a message as bodies show it, without what they leave out.
func (t *Translator) ParseMessage(raw []byte) (*waE2E.Message, error) {
	m := new(waE2E.Message)
	return m, t.renderer.Parse(raw, m)
}

// Sent returns the events of a message this service sent: message.sent, and the update of the other
// message that it edits or revokes. resp is what SendMessage returned and msg what it was given;
// msg must not change meanwhile.
func (t *Translator) Sent(ctx context.Context, resp whatsmeow.SendResponse, msg *waE2E.Message) (evs []outbox.Event, err error) {
	defer func() {
		if p := recover(); p != nil {
			evs, err = nil, fmt.Errorf("translate the sent message %s: panic: %s", resp.ID, outbox.PanicText(p))
		}
	}()
	k := t.sentKey(ctx, resp.Chat, resp.Sender, resp.ID)
	if k.chat.jid.Server == types.NewsletterServer && resp.ServerID != 0 {
		k.serverID = strconv.Itoa(resp.ServerID)
	}
	id := stable(resp.Timestamp, tuple(t.account(), "message", k.chat.canonical(), k.senderID(), k.id, "content"))
	ev := t.withMessage(msg, MessageSent, id, k, func(rendered wajson.JSON) wajson.JSON {
		e := new(wajson.Object).Obj("key", k.json())
		if rendered != nil {
			e.Raw("message", rendered)
		}
		e.Int("messageTimestamp", unixSeconds(resp.Timestamp)).Int("status", statusServerAck)
		return messages(e, "append", "")
	})
	evt := &events.Message{Info: types.MessageInfo{
		MessageSource: types.MessageSource{Chat: k.chat.jid, Sender: k.sender.jid, IsFromMe: true},
		ID:            k.id, Timestamp: resp.Timestamp,
	}}
	return append(one(ev), t.updatesFrom(ctx, evt, k, copyPath(msg, nil).inner)...), nil
}

// sentKey is the key of a message this service sent: sender is the identity it
// was sent with, zero for the one that suits the chat.
func (t *Translator) sentKey(ctx context.Context, chat, sender types.JID, id string) key {
	if sender.IsEmpty() {
		sender = t.self().PN
		if chat.Server == types.HiddenUserServer {
			sender = t.self().LID
		}
	}
	return t.keyOf(ctx, &types.MessageSource{Chat: chat, Sender: sender, IsFromMe: true}, id)
}

// bizName is the verified name of a business, "" for everyone else.
func bizName(info *types.MessageInfo) string {
	if info.VerifiedName == nil {
		return ""
	}
	return info.VerifiedName.Details.GetVerifiedName()
}
