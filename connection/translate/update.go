package translate

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"waoutbox/connection/wajson"
	"waoutbox/outbox"
)

// maxReceiptIDs is how many messages one body of receipts names; a receipt of
// more, after a long time offline, is split so that each body stays far below
// the size limit.
const maxReceiptIDs = 1000

// receiptStatus is the message state a receipt reports; receipts of other types
// are machinery between devices.
var receiptStatus = map[types.ReceiptType]int64{
	types.ReceiptTypeSender:    statusServerAck,
	types.ReceiptTypeDelivered: statusDelivered,
	types.ReceiptTypeRead:      statusRead,
	types.ReceiptTypeReadSelf:  statusRead,
	types.ReceiptTypePlayed:    statusPlayed,
}

// receipt translates delivered, read and played.
func (t *Translator) receipt(ctx context.Context, evt *events.Receipt) ([]outbox.Event, error) {
	status, ok := receiptStatus[evt.Type]
	members := hasMembers(evt.Chat)
	fromDevice := evt.Type == types.ReceiptTypeSender // the account's other device got a copy
	if !ok || (members && fromDevice) {
		return nil, nil
	}
	// The reader is the account itself on its own devices only; IsFromMe does not
	// say so in grouped receipts.
	src := evt.MessageSource
	src.IsFromMe = t.isMe(src.Sender)
	k := t.keyOf(ctx, &src, "")
	user := k.senderID()
	k.fromMe = !src.IsFromMe || fromDevice
	at := unixSeconds(evt.Timestamp)

	var evs []outbox.Event
	named := slices.DeleteFunc(slices.Clone(evt.MessageIDs), func(id string) bool { return id == "" })
	for ids := range slices.Chunk(named, maxReceiptIDs) {
		list := new(wajson.Array)
		for _, id := range ids {
			update, receipt := new(wajson.Object), new(wajson.Object)
			if members {
				field := "readTimestamp"
				if status == statusDelivered {
					field = "receiptTimestamp"
				}
				receipt.Str("userJid", k.sender.jid.String()).Int(field, at)
			} else {
				update.Int("status", status).Int("messageTimestamp", at)
			}
			el := new(wajson.Object).Obj("key", k.with(id).json()).Obj("update", update)
			if members {
				el.Obj("receipt", receipt)
			}
			list.Obj(el)
		}
		sorted := slices.Sorted(slices.Values(ids))
		id := stable(evt.Timestamp, tuple(t.account(), "receipt", k.chat.canonical(), user).
			Int(status).Arr(wajson.Strings(sorted...)))
		evs = append(evs, t.eventIn(k.chat, MessageUpdate, id, list.JSON()))
	}
	return evs, nil
}

// update is an event about one message.
func (t *Translator) update(id identity, k key, update *wajson.Object) outbox.Event {
	return t.eventIn(k.chat, MessageUpdate, id, updates(k, update))
}

func updates(k key, update *wajson.Object) wajson.JSON {
	return wajson.Objects(new(wajson.Object).Obj("key", k.json()).Obj("update", update)).JSON()
}

// updatesFrom returns the updates of other messages that a message brings about. A
// panic here costs the update, with an alarm, and not the message itself.
func (t *Translator) updatesFrom(ctx context.Context, evt *events.Message, k key, in *waE2E.Message) (evs []outbox.Event) {
	defer func() {
		if p := recover(); p != nil {
			evs = nil
			t.raise(Alarm{
				Code:    alarmUpdateLost,
				Message: "what a message changes could not be told: the message itself is delivered",
				EventID: t.messageID(evt, k).key,
				Err:     fmt.Errorf("translate the update: panic: %s", outbox.PanicText(p)),
			})
		}
	}()
	switch p := in.GetProtocolMessage(); {
	case p != nil && p.GetKey().GetID() == "":
		return nil // nobody can tell of what
	case p.GetType() == waE2E.ProtocolMessage_MESSAGE_EDIT:
		return one(t.edit(evt, k, p))
	case p != nil && p.Type != nil && p.GetType() == waE2E.ProtocolMessage_REVOKE:
		return one(t.revoke(ctx, evt, k, p))
	case in.GetSecretEncryptedMessage().GetTargetMessageKey().GetID() != "":
		return one(t.sealedEdit(evt, k, in.GetSecretEncryptedMessage()))
	case in.GetPollUpdateMessage() != nil:
		return t.vote(ctx, evt, k, in.GetPollUpdateMessage())
	}
	return nil
}

func (t *Translator) edit(evt *events.Message, k key, p *waE2E.ProtocolMessage) outbox.Event {
	target := k.with(p.GetKey().GetID())
	at := unixSeconds(evt.Info.Timestamp)
	if s := p.GetTimestampMS() / 1000; s > 0 && s <= wajson.MaxSafeInteger {
		at = s
	}
	id := stable(evt.Info.Timestamp, tuple(t.account(), "edit", k.chat.canonical(), k.senderID(), target.id, k.id))
	edited := p.GetEditedMessage()
	if edited == nil {
		edited = &waE2E.Message{}
	}
	return t.edited(id, target, edited, at)
}

// sealedEdit translates an edit that could not be opened: that it happened and to which message.
func (t *Translator) sealedEdit(evt *events.Message, k key, sealed *waE2E.SecretEncryptedMessage) outbox.Event {
	target := k.with(sealed.GetTargetMessageKey().GetID())
	id := stable(evt.Info.Timestamp, tuple(t.account(), "edit", k.chat.canonical(), k.senderID(), target.id, k.id))
	return t.update(id, target, new(wajson.Object).Int("messageTimestamp", unixSeconds(evt.Info.Timestamp)))
}

// newsletterEdit translates the edit of a channel's message, which arrives as
// the new content under the old id.
func (t *Translator) newsletterEdit(evt *events.Message, k key, content *waE2E.Message) outbox.Event {
	at := evt.NewsletterMeta.EditTS
	ms := strconv.FormatInt(at.UnixMilli(), 10)
	id := stable(evt.Info.Timestamp, tuple(t.account(), "edit", k.chat.canonical(), k.senderID(), k.id, ms))
	return t.edited(id, k, content, unixSeconds(at))
}

// deletedPost reports whether the message is the deletion of a channel's message: nothing under the
// old id.
func deletedPost(evt *events.Message) bool {
	return evt.Info.Chat.Server == types.NewsletterServer &&
		(evt.Info.Edit == types.EditAttributeSenderRevoke || evt.Info.Edit == types.EditAttributeAdminRevoke)
}

func (t *Translator) postDeleted(evt *events.Message, k key) outbox.Event {
	id := stable(evt.Info.Timestamp, tuple(t.account(), "revoke", k.chat.canonical(), k.senderID(), k.id, k.id))
	return t.update(id, k, new(wajson.Object).Null("message").Int("messageStubType", stubRevoke).Obj("key", k.json()))
}

func (t *Translator) edited(id identity, target key, content *waE2E.Message, at int64) outbox.Event {
	ev := t.withMessage(content, MessageUpdate, id, target, func(msg wajson.JSON) wajson.JSON {
		update := new(wajson.Object)
		if msg != nil {
			update.Obj("message", new(wajson.Object).Obj("editedMessage", new(wajson.Object).Raw("message", msg)))
		}
		return updates(target, update.Int("messageTimestamp", at))
	})
	ev.Message = "" // an update is no message
	return ev
}

func (t *Translator) revoke(ctx context.Context, evt *events.Message, k key, p *waE2E.ProtocolMessage) outbox.Event {
	target := k.with(p.GetKey().GetID())
	if evt.Info.Edit == types.EditAttributeAdminRevoke {
		if author, err := types.ParseJID(p.GetKey().GetParticipant()); err == nil && !author.IsEmpty() {
			target.sender = t.address(ctx, author, types.JID{})
			target.fromMe = t.isMe(author)
		}
	}
	id := stable(evt.Info.Timestamp, tuple(t.account(), "revoke", k.chat.canonical(), k.senderID(), target.id, k.id))
	ev := t.update(id, target, new(wajson.Object).Null("message").Int("messageStubType", stubRevoke).Obj("key", k.json()))
	if target.fromMe { // of another's, everybody in the chat could say so
		ev.Message = target.id // so that sends see that it is gone
	}
	return ev
}

// vote translates a poll vote that could be opened; the creation key is turned already.
func (t *Translator) vote(ctx context.Context, evt *events.Message, k key, p *waE2E.PollUpdateMessage) []outbox.Event {
	s := t.secrets()
	if s == nil || p.GetPollCreationMessageKey() == nil {
		return nil
	}
	vote, err := opened(ctx, evt, s.DecryptPollVote)
	if err != nil {
		return nil // the poll is from before linking: the encrypted vote has been sent already
	}
	rendered, err := t.render(vote)
	if err != nil {
		return nil
	}
	creation, err := t.render(p.GetPollCreationMessageKey())
	if err != nil {
		return nil
	}
	cast := new(wajson.Object).Obj("pollUpdateMessageKey", k.json()).Raw("vote", rendered)
	if ms := p.GetSenderTimestampMS(); p.SenderTimestampMS != nil && ms >= 0 && ms <= wajson.MaxSafeInteger {
		cast.Int("senderTimestampMs", ms)
	}
	el := new(wajson.Object).Raw("key", creation).Obj("update", new(wajson.Object).Arr("pollUpdates", wajson.Objects(cast)))
	id := stable(evt.Info.Timestamp, tuple(t.account(), "vote", k.chat.canonical(), k.senderID(), k.id))
	return one(t.eventIn(k.chat, MessageUpdate, id, wajson.Objects(el).JSON()))
}

// star translates a message starred or unstarred on another device.
func (t *Translator) star(ctx context.Context, evt *events.Star) ([]outbox.Event, error) {
	if evt.FromFullSync || evt.Action == nil {
		return nil, nil
	}
	src := types.MessageSource{Chat: evt.ChatJID, Sender: evt.SenderJID, IsFromMe: evt.IsFromMe}
	if src.Sender.IsEmpty() && !hasMembers(src.Chat) {
		src.Sender = src.Chat // only groups name the sender; the addressing is the chat's
	}
	k := t.keyOf(ctx, &src, evt.MessageID)
	starred := evt.Action.GetStarred()
	id := stable(evt.Timestamp, tuple(t.account(), "star", k.chat.canonical(), k.senderID(), k.id).
		Bool(starred).Int(safeMillis(evt.Timestamp)))
	return one(t.update(id, k, new(wajson.Object).Bool("starred", starred))), nil
}

// safeMillis is the time in milliseconds, 0 outside what a number holds.
func safeMillis(at time.Time) int64 {
	if unixSeconds(at) == 0 || unixSeconds(at) > wajson.MaxSafeInteger/1000-1 {
		return 0
	}
	return at.UnixMilli()
}

// SendFailed returns the message.update event of a send WhatsApp refused for good
// with the given code. sender is the identity it was sent with, zero if unknown.
func (t *Translator) SendFailed(ctx context.Context, chat, sender types.JID, id, code string) (ev outbox.Event, err error) {
	defer func() {
		if p := recover(); p != nil {
			ev, err = outbox.Event{}, fmt.Errorf("translate the failed send %s: panic: %s", id, outbox.PanicText(p))
		}
	}()
	k := t.sentKey(ctx, chat, sender, id)
	update := new(wajson.Object).Int("status", statusError)
	if code != "" {
		update.Arr("messageStubParameters", wajson.Strings(code))
	}
	return t.update(stable(time.Time{}, tuple(t.account(), "error", k.chat.canonical(), k.id)), k, update), nil
}
