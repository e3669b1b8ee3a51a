package translate

import (
	"context"

	"go.mau.fi/whatsmeow/types"

	"waoutbox/connection/wajson"
)

// BareJID returns a JID as bodies show it: without device and agent, hosted devices
// under their ordinary server.
func BareJID(j types.JID) types.JID {
	j = j.ToNonAD()
	switch j.Server {
	case types.HostedServer:
		j.Server = types.DefaultUserServer
	case types.HostedLIDServer:
		j.Server = types.HiddenUserServer
	}
	return j
}

// isUser reports whether j is a person, who has a phone number and a LID.
func isUser(j types.JID) bool {
	return j.Server == types.DefaultUserServer || j.Server == types.HiddenUserServer
}

// hasMembers reports whether messages of the chat name their sender.
func hasMembers(chat types.JID) bool {
	return chat.Server == types.GroupServer || chat.Server == types.BroadcastServer
}

// isMe reports whether j is the own account under either address.
func (t *Translator) isMe(j types.JID) bool {
	self, j := t.self(), BareJID(j)
	return j.User != "" && (j == BareJID(self.PN) || j == BareJID(self.LID))
}

// address is one user under the address the server used and, when known, the other one.
type address struct {
	jid, alt types.JID
}

// address completes a JID with the user's other address: the stanza's, else
// what is known of the account itself, else the look-up's.
func (t *Translator) address(ctx context.Context, jid, stanzaAlt types.JID) address {
	a := address{jid: BareJID(jid)}
	if !isUser(a.jid) {
		return a
	}
	self := t.self()
	switch other := BareJID(stanzaAlt); {
	case areForms(a.jid, other):
		a.alt = other
	case a.jid == BareJID(self.PN):
		a.alt = BareJID(self.LID)
	case a.jid == BareJID(self.LID):
		a.alt = BareJID(self.PN)
	default:
		a.alt = BareJID(t.lookup.AltJID(ctx, a.jid))
	}
	if !areForms(a.jid, a.alt) {
		a.alt = types.JID{}
	}
	return a
}

// areForms reports whether two addresses can be of one user: a phone number and a LID. What else
// stands where one of them should is not taken for it.
func areForms(a, b types.JID) bool {
	return isUser(a) && isUser(b) && a.Server != b.Server && a.User != "" && b.User != ""
}

// canonical is the address that identities and the order of a chat go by: the LID
// where one is known, so that it does not change with the server's addressing.
func (a address) canonical() string {
	if a.jid.Server != types.HiddenUserServer && a.alt.Server == types.HiddenUserServer {
		return a.alt.String()
	}
	return a.jid.String()
}

// other is the address that canonical is not, "" when only one is known.
func (a address) other() string {
	for _, j := range []types.JID{a.jid, a.alt} {
		if s := j.String(); s != a.canonical() {
			return s
		}
	}
	return ""
}

// key is a message's key, the same everywhere a body has one.
type key struct {
	chat     address
	sender   address
	fromMe   bool
	id       string
	mode     types.AddressingMode
	serverID string
	viewOnce bool
}

// keyOf reads the key of a message from its stanza.
func (t *Translator) keyOf(ctx context.Context, src *types.MessageSource, id string) key {
	k := key{fromMe: src.IsFromMe, id: id, mode: modeOf(src)}
	k.sender = t.address(ctx, src.Sender, src.SenderAlt)
	switch {
	case src.IsFromMe:
		k.chat = t.address(ctx, src.Chat, src.RecipientAlt)
	case BareJID(src.Chat) == k.sender.jid:
		k.chat = k.sender
	case BareJID(src.Chat) == k.sender.alt: // the same user under the other address
		k.chat = address{jid: k.sender.alt, alt: k.sender.jid}
	default: // a group, or a bot that writes in someone's chat
		k.chat = t.address(ctx, src.Chat, types.JID{})
	}
	return k
}

// modeOf is the addressing the server used, "" where there is none.
func modeOf(src *types.MessageSource) types.AddressingMode {
	switch sender := BareJID(src.Sender); {
	case src.Chat.Server == types.NewsletterServer:
		return ""
	case src.AddressingMode != "":
		return src.AddressingMode
	case sender.Server == types.HiddenUserServer:
		return types.AddressingModeLID
	case sender.Server == types.DefaultUserServer:
		return types.AddressingModePN
	}
	return ""
}

// forms are the addresses that canonical may have been, the present one first.
func (a address) forms() []string {
	if other := a.other(); other != "" {
		return []string{a.canonical(), other}
	}
	return []string{a.canonical()}
}

// senderForms are what senderID may have been.
func (k key) senderForms() []string {
	if k.fromMe {
		return []string{k.senderID()}
	}
	return k.sender.forms()
}

// senderID is the sender in identities: own messages have one sender whatever the
// device and the addressing.
func (k key) senderID() string {
	if k.fromMe {
		return "me"
	}
	return k.sender.canonical()
}

// with is the key of another message of the same sender in the same chat.
func (k key) with(id string) key {
	k.id = id
	k.serverID, k.viewOnce = "", false
	return k
}

func (k key) json() *wajson.Object {
	o := new(wajson.Object).Str("remoteJid", k.chat.jid.String())
	if !hasMembers(k.chat.jid) {
		o.OptStr("remoteJidAlt", k.chat.alt.String())
	}
	o.Bool("fromMe", k.fromMe).Str("id", k.id)
	if hasMembers(k.chat.jid) {
		o.OptStr("participant", k.sender.jid.String()).OptStr("participantAlt", k.sender.alt.String())
	}
	o.OptStr("addressingMode", string(k.mode)).OptStr("server_id", k.serverID)
	if k.viewOnce {
		o.Bool("isViewOnce", true)
	}
	return o
}
