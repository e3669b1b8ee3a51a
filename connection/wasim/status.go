package wasim

import (
	"context"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
)

// PostStatus shows the account a status of the contact, and returns its id.
func (c *Contact) PostStatus(ctx context.Context, m *waE2E.Message, f Form) (string, error) {
	f.id(newContactMessageID)
	head := c.direct("message", f.ID)
	head.Attrs["participant"] = head.Attrs["from"]
	for old, name := range map[string]string{"sender_pn": "participant_pn", "sender_lid": "participant_lid"} {
		if alt, ok := head.Attrs[old]; ok {
			delete(head.Attrs, old)
			head.Attrs[name] = alt
		}
	}
	head.Attrs["from"] = types.StatusBroadcastJID
	return f.ID, c.acct.transmit(ctx, c.party, m, outgoing{head: head, group: types.StatusBroadcastJID, form: f})
}

// PhonePostStatus posts a status from the account's own phone.
func (a *Account) PhonePostStatus(ctx context.Context, m *waE2E.Message, f Form) (string, error) {
	f.id(newPhoneMessageID)
	head := waBinary.Node{Tag: "message", Attrs: waBinary.Attrs{
		"id": f.ID, "from": types.StatusBroadcastJID, "participant": a.lid, "participant_pn": a.pn,
		"t": unix(a.srv.now()), "notify": a.Name(), "addressing_mode": string(ByLID),
	}}
	return f.ID, a.transmit(ctx, a.phone, m, outgoing{head: head, group: types.StatusBroadcastJID, form: f})
}
