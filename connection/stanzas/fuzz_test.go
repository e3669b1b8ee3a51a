package stanzas

import (
	"context"
	"errors"
	"testing"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
)

// packed is a stanza as it is in a frame, whose first byte says that it is not compressed.
func packed(f *testing.F, n waBinary.Node) []byte {
	f.Helper()
	b, err := waBinary.Marshal(n)
	if err != nil {
		f.Fatal(err)
	}
	return b[1:]
}

// unpacked is what the library takes a frame for, nil where it refuses it. A panic over one is
// contained around the library, see connection/guard.
func unpacked(frame []byte) (n *waBinary.Node) {
	defer func() { _ = recover() }()
	n, err := waBinary.Unmarshal(frame)
	if err != nil {
		return nil
	}
	return n
}

// FuzzStanza: any bytes that the library takes for a stanza are looked into when it is acknowledged
// without an event: no panic but one that the look itself contains is met, nothing stays open, and
// what is found is an event or says what was lost.
func FuzzStanza(f *testing.F) {
	part := func(v, kind string, content []byte) waBinary.Node {
		return waBinary.Node{Tag: "enc", Attrs: waBinary.Attrs{"v": v, "type": kind}, Content: content}
	}
	for _, n := range []waBinary.Node{
		*message("A"),
		{Tag: "message", Attrs: waBinary.Attrs{"id": "A", "from": team, "participant": bob, "t": "1735689600"}, Content: []waBinary.Node{part("2", "skmsg", []byte{1}), part("3", "pkmsg", nil)}},
		{Tag: "message", Attrs: waBinary.Attrs{"id": "A", "from": types.NewJID("1", types.NewsletterServer), "server_id": "7"}, Content: []waBinary.Node{{Tag: "plaintext", Content: field(6, field(36, nil))}, {Tag: "meta", Attrs: waBinary.Attrs{"msg_edit_t": "1735689600000"}}}},
		{Tag: "message", Attrs: waBinary.Attrs{"id": "A", "from": bob}, Content: []waBinary.Node{{Tag: "unavailable", Attrs: waBinary.Attrs{"type": "view_once"}}}},
		{Tag: "receipt", Attrs: waBinary.Attrs{"id": "A", "from": team}, Content: []waBinary.Node{{Tag: "participants", Attrs: waBinary.Attrs{"key": "k"}, Content: []waBinary.Node{{Tag: "user", Attrs: waBinary.Attrs{"jid": bob, "t": "1"}}}}}},
		{Tag: "notification", Attrs: waBinary.Attrs{"id": "A", "from": team, "type": "w:gp2"}, Content: []waBinary.Node{{Tag: "subject"}, {Tag: "subject"}}},
		{Tag: "notification", Attrs: waBinary.Attrs{"id": "A", "from": bob, "type": "contacts"}, Content: []waBinary.Node{{Tag: "modify", Attrs: waBinary.Attrs{"old": bob, "new": bob}}}},
		{Tag: "notification", Attrs: waBinary.Attrs{"id": "A", "from": bob, "type": "picture"}, Content: []waBinary.Node{{Tag: "set", Attrs: waBinary.Attrs{"jid": team}}}},
	} {
		f.Add(packed(f, n), []byte("plain\x01"), true)
	}
	f.Fuzz(func(t *testing.T, frame, plain []byte, received bool) {
		n := unpacked(frame)
		if n == nil {
			return
		}
		w := newWatching()
		w.LIDOf = func(context.Context, types.JID) types.JID { return bob }
		w.ParseCopy = func(*waWeb.WebMessageInfo) (*events.Message, error) { return nil, errors.New("none") }
		for _, enc := range n.GetChildrenByTag("enc") {
			if ciphertext, ok := enc.Content.([]byte); ok {
				info := infoOf(n, w.Account())
				w.Decrypted(hashOf(ciphertext, "normal", info.Sender.String()), plain)
				w.Decrypted(hashOf(ciphertext, "senderkey", info.Chat.String(), info.Sender.String()), plain)
			}
		}
		ack := &waBinary.Node{Tag: "ack", Attrs: waBinary.Attrs{"class": n.Tag, "id": text(n, "id"), "to": text(n, "from"), "participant": text(n, "participant")}}
		if received && n.Tag == "message" {
			ack.Tag = "receipt"
		}
		w.Received(n)
		w.Handle(n, func() { w.Sending(ack) })
		if len(w.open)+len(w.handled) > 1 || len(w.handled) > 0 {
			t.Errorf("%d and %d are open", len(w.open), len(w.handled))
		}
		for _, found := range w.found {
			if found.Err != nil {
				t.Errorf("%v: %v", n, found.Err)
			}
			if found.Event == nil && found.Lost == "" {
				t.Errorf("%v: %+v", n, found)
			}
		}
	})
}
