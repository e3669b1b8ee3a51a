package connection

import (
	"context"
	"fmt"
	"strconv"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
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
)

// message translates one message: itself, and what it changes if it is an
// edit, a revoke or a poll vote.
func (t *Translator) message(ctx context.Context, evt *events.Message) ([]outbox.Event, error) {
	if evt.Info.Category == "peer" { // from the own phone to this device
		return nil, nil
	}
	k := t.keyOf(ctx, &evt.Info.MessageSource, evt.Info.ID)
	if k.chat.jid.Server == types.NewsletterServer && evt.Info.ServerID != 0 {
		k.serverID = strconv.Itoa(evt.Info.ServerID)
	}
	c, err := t.content(ctx, evt, k)
	if err != nil {
		id := t.messageID(evt, k)
		t.unreadable(id, err)
		return one(t.event(messageName(k), id, k.chat.canon(), received(evt, k, nil))), nil
	}
	if c.empty() || c.hidden() {
		return nil, nil
	}
	if evt.NewsletterMeta != nil && !evt.NewsletterMeta.EditTS.IsZero() {
		return one(t.newsletterEdit(evt, k, c.root)), nil
	}
	if web := evt.SourceWebMsg; web != nil && c.inner.GetProtocolMessage().GetType() == waE2E.ProtocolMessage_MESSAGE_EDIT {
		k.id = web.GetKey().GetID() // the library gave Info the target's id
	}
	ev := t.withMessage(c.root, messageName(k), t.messageID(evt, k), k.chat.canon(), func(msg wajson.JSON) wajson.JSON {
		return received(evt, k, msg)
	})
	return append(one(ev), t.effects(ctx, evt, k, c.inner)...), nil
}

func (t *Translator) messageID(evt *events.Message, k key) identity {
	return stable(evt.Info.Timestamp, tuple(t.account(), "message", k.chat.canon(), k.who(), k.id, "content"))
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
	return new(wajson.Object).Arr("messages", wajson.Objects(envelope)).Str("type", kind).OptStr("requestId", requestID).JSON()
}

// withMessage makes an event around a rendered message. data is called with the
// message, or with nil when it cannot be rendered or makes the body too large.
func (t *Translator) withMessage(m proto.Message, name string, id identity, chat string, data func(msg wajson.JSON) wajson.JSON) outbox.Event {
	msg, err := t.render(m)
	if err != nil {
		t.unreadable(id, err)
		return t.event(name, id, chat, data(nil))
	}
	ev := t.event(name, id, chat, data(msg))
	if n := len(ev.Body); n > outbox.MaxBody {
		t.raise(Alarm{Code: "message_too_large", Message: fmt.Sprintf("a message makes a body of %d bytes, at most %d are stored: it is delivered without its content", n, outbox.MaxBody), EventID: id.key})
		ev.Body = body(name, ev.Time, data(nil))
	}
	return ev
}

func (t *Translator) unreadable(id identity, err error) {
	t.raise(Alarm{Code: "message_unreadable", Message: "a message could not be rendered: it is delivered without its content", EventID: id.key, Err: err})
}

// undecryptable translates the notice that a message arrived which cannot be read.
func (t *Translator) undecryptable(ctx context.Context, evt *events.UndecryptableMessage) ([]outbox.Event, error) {
	if evt.DecryptFailMode == events.DecryptFailHide || evt.Info.Category == "peer" {
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
	id := stable(evt.Info.Timestamp, tuple(t.account(), "message", k.chat.canon(), k.who(), k.id, variant))
	return one(t.event(messageName(k), id, k.chat.canon(), messages(e, "notify", ""))), nil
}

// undecryptableText tells a message that came without ciphertext. IsUnavailable
// alone does not: in a group it is also set for a missing sender key.
func undecryptableText(evt *events.UndecryptableMessage) string {
	if evt.UnavailableType != events.UnavailableTypeUnknown || (evt.IsUnavailable && !evt.Info.IsGroup) {
		return "Message absent from node"
	}
	return "Message could not be decrypted"
}

// Sent gives the message.sent event of a message this service sent. resp is
// what SendMessage answered and msg what it was given; msg must not change meanwhile.
func (t *Translator) Sent(ctx context.Context, resp whatsmeow.SendResponse, msg *waE2E.Message) (ev outbox.Event, err error) {
	defer func() {
		if p := recover(); p != nil {
			ev, err = outbox.Event{}, fmt.Errorf("translate the sent message %s: panic: %v", resp.ID, p)
		}
	}()
	k := t.sentKey(ctx, resp.Chat, resp.Sender, resp.ID)
	if k.chat.jid.Server == types.NewsletterServer && resp.ServerID != 0 {
		k.serverID = strconv.Itoa(resp.ServerID)
	}
	id := stable(resp.Timestamp, tuple(t.account(), "message", k.chat.canon(), k.who(), k.id, "content"))
	return t.withMessage(msg, MessageSent, id, k.chat.canon(), func(rendered wajson.JSON) wajson.JSON {
		e := new(wajson.Object).Obj("key", k.json())
		if rendered != nil {
			e.Raw("message", rendered)
		}
		e.Int("messageTimestamp", unixSeconds(resp.Timestamp)).Int("status", statusServerAck)
		return messages(e, "append", "")
	}), nil
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
