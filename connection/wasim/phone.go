package wasim

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
)

// PhoneSendText lets the account's own phone write to a contact: the companion
// gets the copy that phones send to the account's other devices.
func (a *Account) PhoneSendText(ctx context.Context, to *Contact, text string) (string, error) {
	return a.PhoneSend(ctx, to, &waE2E.Message{Conversation: proto.String(text)})
}

// PhoneSend is PhoneSendText for any message.
func (a *Account) PhoneSend(ctx context.Context, to *Contact, m *waE2E.Message) (string, error) {
	id := newPhoneMessageID()
	a.mu.Lock()
	mode, name := to.addressing, a.name
	a.mu.Unlock()
	attrs := waBinary.Attrs{"id": id, "t": unix(time.Now()), "notify": name, "addressing_mode": string(mode)}
	chat := to.lid
	if mode == ByPN {
		chat = to.pn
		attrs["from"], attrs["recipient"], attrs["peer_recipient_lid"] = a.pn, to.pn, to.lid
	} else {
		attrs["from"], attrs["recipient"], attrs["peer_recipient_pn"] = a.lid, to.lid, to.pn
	}
	wrapped := &waE2E.Message{DeviceSentMessage: &waE2E.DeviceSentMessage{DestinationJID: proto.String(chat.String()), Message: m}}
	return id, a.transmit(ctx, a.phone, id, wrapped, outgoing{head: waBinary.Node{Tag: "message", Attrs: attrs}})
}

// PhoneSendGroupText lets the own phone write into a group.
func (a *Account) PhoneSendGroupText(ctx context.Context, g *Group, text string) (string, error) {
	return a.PhoneSendGroup(ctx, g, &waE2E.Message{Conversation: proto.String(text)})
}

// PhoneSendGroup is PhoneSendGroupText for any message.
func (a *Account) PhoneSendGroup(ctx context.Context, g *Group, m *waE2E.Message) (string, error) {
	id := newPhoneMessageID()
	return id, a.transmit(ctx, a.phone, id, m, outgoing{head: g.head("message", id, a.member(), a.Name()), group: g})
}
