package stanzas

import (
	"context"
	"strconv"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"
)

// missedMessage returns what of a message no event has told. received: it is acknowledged as
// received, and not as one that could not be read.
func (w *Watch) missedMessage(s *stanza, received bool) []Found {
	n := s.node
	info := infoOf(n, w.Account())
	if info.Sender.Server == types.NewsletterServer {
		return missedPost(s, info)
	}
	parts := n.GetChildrenByTag("enc")
	found := w.missedCopies(s)
	if len(parts) > 0 && s.told >= len(parts) { // the common case
		return found
	}
	if len(parts) == 0 {
		if s.told > 0 {
			return nil
		}
		evt := &events.UndecryptableMessage{Info: info, IsUnavailable: true}
		if unavailable, ok := n.GetOptionalChildByTag("unavailable"); ok {
			evt.UnavailableType = events.UnavailableType(text(&unavailable, "type"))
			return []Found{{Event: evt}}
		}
		return []Found{{Event: evt, Lost: "a message came without ciphertext"}}
	}
	told := s.told
	for i := range parts {
		f, unread := w.missedPart(&parts[i], info, &told)
		if unread && received {
			f.Lost = "a message uses a key that was used before"
		}
		if f != nil {
			found = append(found, *f)
		}
		if unread && !received { // the library looks no further
			break
		}
	}
	return found
}

// missedPart looks at one ciphertext of a message. told counts the events that are not yet assigned
// to a part. unread: the library could not decrypt it.
func (w *Watch) missedPart(enc *waBinary.Node, info types.MessageInfo, told *int) (found *Found, unread bool) {
	undecryptable := &events.UndecryptableMessage{Info: info, DecryptFailMode: events.DecryptFailMode(text(enc, "decrypt-fail"))}
	unreadable := func(what string) *Found {
		return &Found{Event: &events.UndecryptableMessage{Info: info}, Lost: what}
	}
	kind := text(enc, "type")
	switch {
	case kind == "pkmsg" || kind == "msg" || kind == "skmsg" && info.IsGroup:
	case kind == "msmsg" && info.Sender.IsBot():
		if *told > 0 {
			*told--
			return nil, false
		}
		return &Found{Event: undecryptable}, true
	default:
		return unreadable("a message is encrypted in an unknown way"), false
	}
	d, known := w.decrypted(enc, info, kind)
	if !known { // not decrypted: an event says so, or the ciphertext is of a key used before
		return &Found{Event: undecryptable}, true
	}
	if d.before {
		return nil, false
	}
	version, _ := strconv.Atoi(text(enc, "v"))
	plain, ok := unpadded(d.plain, version)
	if !ok {
		return &Found{Event: undecryptable}, true
	}
	whole := version == 3 || version == 2 && proto.Unmarshal(plain, &waE2E.Message{}) == nil
	if whole && *told > 0 {
		*told--
		return nil, false
	}
	msg := &waE2E.Message{}
	salvage(plain, msg.ProtoReflect(), 0)
	if version == 3 || proto.Size(msg) == len(msg.ProtoReflect().GetUnknown()) {
		return unreadable("a message could not be read"), false
	}
	evt := &events.Message{Info: info, RawMessage: msg}
	if whole { // its handling ended before its event
		return &Found{Event: evt.UnwrapRaw()}, false
	}
	return &Found{Event: evt.UnwrapRaw(), Lost: "a message could be read in part only"}, false
}

// decrypted finds the plaintext of a ciphertext under the addresses the library may have used.
func (w *Watch) decrypted(enc *waBinary.Node, info types.MessageInfo, kind string) (decrypted, bool) {
	ciphertext, ok := enc.Content.([]byte)
	if !ok {
		return decrypted{}, false
	}
	senders := []types.JID{info.Sender, info.SenderAlt}
	if info.Sender.Server == types.DefaultUserServer {
		ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
		defer cancel()
		senders = append(senders, w.LIDOf(ctx, info.Sender))
	}
	for _, sender := range senders {
		parts := []string{"normal", sender.String()}
		switch kind {
		case "pkmsg":
			parts[0] = "prekey"
		case "skmsg":
			parts = []string{"senderkey", info.Chat.String(), sender.String()}
		}
		if d, ok := w.plaintext(hashOf(ciphertext, parts...)); ok {
			return d, true
		}
	}
	return decrypted{}, false
}

// lookupTimeout bounds a look-up of an address.
const lookupTimeout = 5 * time.Second

// unpadded removes the padding of a plaintext, which version 3 has not: its last byte is how many
// bytes it has, all of them the same. False when it is not so.
func unpadded(plain []byte, version int) ([]byte, bool) {
	if version == 3 {
		return plain, true
	}
	if len(plain) == 0 {
		return nil, false
	}
	pad := plain[len(plain)-1]
	if int(pad) > len(plain) {
		return nil, false
	}
	for _, b := range plain[len(plain)-int(pad):] {
		if b != pad {
			return nil, false
		}
	}
	return plain[:len(plain)-int(pad)], true
}

// missedPost returns what of a channel's message no event has told.
func missedPost(s *stanza, info types.MessageInfo) []Found {
	if s.told > 0 {
		return nil
	}
	evt := &events.Message{Info: info, RawMessage: &waE2E.Message{}}
	if meta, ok := s.node.GetOptionalChildByTag("meta"); ok {
		evt.NewsletterMeta = &events.NewsletterMessageMeta{EditTS: atMillis(&meta, "msg_edit_t"), OriginalTS: at(&meta, "original_msg_t")}
	}
	// deleted
	if info.Edit == types.EditAttributeSenderRevoke || info.Edit == types.EditAttributeAdminRevoke {
		return []Found{{Event: evt.UnwrapRaw()}}
	}
	plain, ok := bytesIn(s.node, "plaintext")
	if !ok { // counters of views and reactions
		return nil
	}
	salvage(plain, evt.RawMessage.ProtoReflect(), 0)
	if proto.Size(evt.RawMessage) == len(evt.RawMessage.ProtoReflect().GetUnknown()) {
		return []Found{{Event: &events.UndecryptableMessage{Info: info}, Lost: "a channel's message could not be read"}}
	}
	return []Found{{Event: evt.UnwrapRaw(), Lost: "a channel's message could be read in part only"}}
}
