package wasim

import (
	"context"

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
	return a.PhoneSendAs(ctx, to, m, Form{})
}

// PhoneSendAs is PhoneSend with a stanza of another form.
func (a *Account) PhoneSendAs(ctx context.Context, to *Contact, m *waE2E.Message, f Form) (string, error) {
	f.id(newPhoneMessageID)
	a.mu.Lock()
	mode, name := to.addressing, a.name
	a.mu.Unlock()
	attrs := waBinary.Attrs{"id": f.ID, "t": unix(a.srv.now()), "notify": name, "addressing_mode": mode.attr()}
	chat := to.lid
	if mode.byPN() {
		chat = to.pn
		attrs["from"], attrs["recipient"] = a.pn, to.pn
		if mode == ByPN {
			attrs["peer_recipient_lid"] = to.lid
		}
	} else {
		attrs["from"], attrs["recipient"], attrs["peer_recipient_pn"] = a.lid, to.lid, to.pn
	}
	wrapped := &waE2E.Message{DeviceSentMessage: &waE2E.DeviceSentMessage{DestinationJID: proto.String(chat.String()), Message: m}}
	return f.ID, a.transmit(ctx, a.phone, wrapped, outgoing{head: waBinary.Node{Tag: "message", Attrs: attrs}, form: f})
}

// PhoneSendGroupText lets the own phone write into a group.
func (a *Account) PhoneSendGroupText(ctx context.Context, g *Group, text string) (string, error) {
	return a.PhoneSendGroup(ctx, g, &waE2E.Message{Conversation: proto.String(text)})
}

// PhoneSendGroup is PhoneSendGroupText for any message.
func (a *Account) PhoneSendGroup(ctx context.Context, g *Group, m *waE2E.Message) (string, error) {
	return a.PhoneSendGroupAs(ctx, g, m, Form{})
}

// PhoneSendGroupAs is PhoneSendGroup with a stanza of another form.
func (a *Account) PhoneSendGroupAs(ctx context.Context, g *Group, m *waE2E.Message, f Form) (string, error) {
	f.id(newPhoneMessageID)
	return f.ID, a.transmit(ctx, a.phone, m, outgoing{head: g.head("message", f.ID, a.member(), a.Name()), group: g.jid, form: f})
}

// PhoneRead tells that messages of a contact were read on the own phone. It is queued like a
// message.
func (a *Account) PhoneRead(ctx context.Context, from *Contact, ids ...string) error {
	n := from.receipt(nil, "read-self", ids...)
	n.Attrs["recipient"] = n.Attrs["from"]
	n.Attrs["from"] = a.lid
	delete(n.Attrs, "sender_pn")
	if delete(n.Attrs, "sender_lid"); n.Attrs["recipient"] == from.pn {
		n.Attrs["from"] = a.pn
	}
	return a.SendStanza(ctx, n)
}
