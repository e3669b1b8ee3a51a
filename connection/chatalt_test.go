package connection

import (
	"fmt"
	"testing"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"waoutbox/connection/translate"
	"waoutbox/connection/wasim"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// next waits for an event of that name after the first n events, returns it, and counts on.
func (r *rig) next(n *int, name string) outbox.Event {
	r.t.Helper()
	var got outbox.Event
	eventually(r.t, name, func() bool {
		for i, e := range r.events()[*n:] {
			if e.Name == name {
				got = e
				*n += i + 1
				return true
			}
		}
		return false
	})
	return got
}

// Everything of a direct chat is stored under both addresses of the chat as soon as both are known,
// whichever of them the server used; before that under the one.
//
// Mutation of connection/translate/translator.go: a chat's other address is not told: a filter by
// phone number stops matching once the LID is known, and what it wants is owed to nobody.
func TestBothAddressesOfAChat(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	n := len(r.events())
	want := func(what, name, chat, alt string) {
		t.Helper()
		if e := r.next(&n, name); e.Chat != chat || e.ChatAlt != alt {
			t.Errorf("%s: %s in %q, also %q; want %q, also %q", what, name, e.Chat, e.ChatAlt, chat, alt)
		}
	}
	text := func(send func() (string, error)) {
		t.Helper()
		_, err := send()
		must(t, err)
	}

	bob.SetAddressing(wasim.ByPNAlone)
	text(func() (string, error) { return bob.SendText(ctx, "my LID is nobody's business") })
	want("before the LID is known", translate.MessageReceived, bob.PN(), "")
	must(t, bob.Typing(ctx, "composing"))
	want("before the LID is known", translate.PresenceUpdate, bob.PN(), "")

	bob.SetAddressing(wasim.ByLID)
	text(func() (string, error) { return bob.SendText(ctx, "here it is") })
	want("by LID", translate.MessageReceived, bob.LID(), bob.PN())
	must(t, bob.Typing(ctx, "composing"))
	want("by LID", translate.PresenceUpdate, bob.LID(), bob.PN())
	must(t, bob.SetPresence(ctx, true, time.Time{}))
	want("by LID", translate.PresenceUpdate, bob.LID(), bob.PN())

	// from here on the stanza tells the phone number alone, and the store knows the LID
	bob.SetAddressing(wasim.ByPNAlone)
	text(func() (string, error) { return bob.SendText(ctx, "and here again") })
	want("from the store", translate.MessageReceived, bob.LID(), bob.PN())
	text(func() (string, error) { return r.acc.PhoneSendText(ctx, bob, "from the phone") })
	want("sent from the phone", translate.MessageSent, bob.LID(), bob.PN())
	sent, err := r.Send(ctx, api.Send{To: bob.PN(), Text: "from the service"})
	must(t, err)
	want("sent from here", translate.MessageSent, bob.LID(), bob.PN())
	must(t, bob.SendReceipt(ctx, "read", sent.MessageID))
	want("a receipt", translate.MessageUpdate, bob.LID(), bob.PN())
	must(t, bob.Typing(ctx, "recording"))
	want("from the store", translate.PresenceUpdate, bob.LID(), bob.PN())

	team := r.acc.NewGroup("Team", bob)
	text(func() (string, error) { return bob.SendGroupText(ctx, team, "a group has one address") })
	want("in a group", translate.MessageReceived, team.JID(), "")
}

// Somebody without a phone number is like anybody else: messages, presence, receipts, groups and
// sending go by the LID alone, and a number that is learned later is on the next event.
func TestAChatWithoutANumber(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	carol := r.acc.NewContact("carol.example", "15550100777")
	n := len(r.events())
	want := func(what, name, chat, alt string) {
		t.Helper()
		if e := r.next(&n, name); e.Chat != chat || e.ChatAlt != alt {
			t.Errorf("%s: %s in %q, also %q; want %q, also %q", what, name, e.Chat, e.ChatAlt, chat, alt)
		}
	}
	text := encoded(t, &waE2E.Message{Conversation: proto.String("hello")})
	_, err := carol.SendPlain(ctx, nil, text, func(n *waBinary.Node) { delete(n.Attrs, "sender_pn") })
	must(t, err)
	want("a message", translate.MessageReceived, carol.LID(), "")
	lid := parsed(t, carol.LID())
	now := fmt.Sprint(time.Now().Unix())
	must(t, r.acc.SendStanza(ctx, tag("receipt", waBinary.Attrs{"id": "X1", "from": lid, "t": now, "type": "read"}, nil)))
	want("a receipt", translate.MessageUpdate, carol.LID(), "")
	_, err = carol.SendPlain(ctx, nil, text, func(n *waBinary.Node) { delete(n.Attrs, "sender_pn"); lastEnc(n).Attrs["type"] = "none" })
	must(t, err)
	want("an unreadable message", translate.MessageReceived, carol.LID(), "")
	_, err = r.Send(ctx, api.Send{To: carol.LID(), Text: "from the service"})
	must(t, err)
	want("sent from here", translate.MessageSent, carol.LID(), "")

	_, err = carol.SendText(ctx, "and this is my number")
	must(t, err)
	want("with the number", translate.MessageReceived, carol.LID(), carol.PN())
	_, err = carol.SendPlain(ctx, nil, text, func(n *waBinary.Node) { delete(n.Attrs, "sender_pn") })
	must(t, err)
	want("from the store", translate.MessageReceived, carol.LID(), carol.PN())
}
