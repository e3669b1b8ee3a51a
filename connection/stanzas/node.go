package stanzas

import (
	"fmt"
	"strconv"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// text is an attribute as text, "" if there is none.
func text(n *waBinary.Node, name string) string {
	if v, ok := n.Attrs[name]; ok && v != nil {
		return fmt.Sprint(v)
	}
	return ""
}

// jid is an attribute as an address, zero if it is none.
func jid(n *waBinary.Node, name string) types.JID {
	switch v := n.Attrs[name].(type) {
	case types.JID:
		return v
	case string:
		if j, err := types.ParseJID(v); err == nil {
			return j
		}
	}
	return types.JID{}
}

// at is an attribute as a time in unix seconds, zero if it is none.
func at(n *waBinary.Node, name string) time.Time {
	if s, err := strconv.ParseInt(text(n, name), 10, 64); err == nil && s > 0 {
		return time.Unix(s, 0)
	}
	return time.Time{}
}

// noticeTime is a stanza's time as its attribute.
func noticeTime(t time.Time) *waBinary.Node {
	if t.IsZero() {
		return &waBinary.Node{}
	}
	return &waBinary.Node{Attrs: waBinary.Attrs{"t": t.Unix()}}
}

// bytesIn is the content of the first child with the tag; false when there is none.
func bytesIn(n *waBinary.Node, tag string) (content []byte, ok bool) {
	child, ok := n.GetOptionalChildByTag(tag)
	if !ok {
		return nil, false
	}
	content, _ = child.Content.([]byte)
	return content, true
}

// hasMembers reports whether stanzas of the chat name who wrote.
func hasMembers(chat types.JID) bool {
	return chat.Server == types.GroupServer || chat.Server == types.BroadcastServer
}

// infoOf reads what a message's stanza says of it, as the library does, but leaves out what it
// cannot read instead of giving up.
func infoOf(n *waBinary.Node, self Account) types.MessageInfo {
	info := types.MessageInfo{
		ID: text(n, "id"), Timestamp: at(n, "t"), PushName: text(n, "notify"), Category: text(n, "category"), Type: text(n, "type"),
		Edit: types.EditAttribute(text(n, "edit")),
	}
	info.ServerID, _ = strconv.Atoi(text(n, "server_id"))
	info.AddressingMode = types.AddressingMode(text(n, "addressing_mode"))
	from := jid(n, "from")
	switch {
	case hasMembers(from):
		info.Chat, info.IsGroup, info.Sender = from, true, jid(n, "participant")
		info.SenderAlt = jid(n, "participant_pn")
		if info.SenderAlt.IsEmpty() && info.AddressingMode != types.AddressingModeLID {
			info.SenderAlt = jid(n, "participant_lid")
		}
		info.IsFromMe = self.is(info.Sender)
	case from.Server == types.NewsletterServer:
		info.Chat, info.Sender = from, from
	case self.is(from):
		info.IsFromMe, info.Sender, info.Chat = true, plainServer(from), from.ToNonAD()
		if to := jid(n, "recipient"); !to.IsEmpty() {
			info.Chat = to
		}
		info.RecipientAlt = jid(n, "peer_recipient_pn")
		if info.RecipientAlt.IsEmpty() {
			info.RecipientAlt = jid(n, "peer_recipient_lid")
		}
	case from.IsBot():
		info.Sender, info.Chat = from, from
		if meta, ok := n.GetOptionalChildByTag("meta"); ok {
			info.MsgMetaInfo.TargetID = text(&meta, "target_id")
			if chat := jid(&meta, "target_chat_jid"); !chat.IsEmpty() {
				info.Chat = chat.ToNonAD()
			}
		}
	default:
		info.Sender, info.Chat = plainServer(from), plainServer(from).ToNonAD()
		info.SenderAlt = jid(n, "sender_pn")
		if info.SenderAlt.IsEmpty() {
			info.SenderAlt = jid(n, "sender_lid")
		}
	}
	if !info.SenderAlt.IsEmpty() && info.SenderAlt.Device == 0 {
		info.SenderAlt.Device = info.Sender.Device
	}
	return info
}

// is reports whether j is the account under either address.
func (a Account) is(j types.JID) bool {
	return j.User != "" && (j.User == a.PN.User || j.User == a.LID.User)
}

// plainServer is a device's address under the ordinary server.
func plainServer(j types.JID) types.JID {
	switch j.Server {
	case types.HostedServer:
		j.Server = types.DefaultUserServer
	case types.HostedLIDServer:
		j.Server = types.HiddenUserServer
	}
	return j
}
