package connection

import (
	"bytes"
	"context"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"waoutbox/connection/wasim"
	"waoutbox/outbox/api"
)

// expiring is a text that disappears.
func expiring(text string, seconds uint32, set time.Time) *waE2E.Message {
	info := &waE2E.ContextInfo{Expiration: proto.Uint32(seconds)}
	if !set.IsZero() {
		info.EphemeralSettingTimestamp = proto.Int64(set.Unix())
	}
	return &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: proto.String(text), ContextInfo: info}}
}

// What is sent into a chat whose messages disappear says so, in every kind, over a restart, as long
// as the chat has that setting. Before, it stayed on the recipient's phone for good.
//
// Mutation of connection/compose/request.go: what is sent into a chat whose messages disappear
// stays on the phones for good.
func TestSentIntoADisappearingChat(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob, eve := r.acc.NewContact("Bob", "15550100123"), r.acc.NewContact("Eve", "15550100456")
	week, day, set := uint32(604800), uint32(86400), time.Now().Add(-time.Hour)
	from := func(c *wasim.Contact, m *waE2E.Message) {
		t.Helper()
		_, err := c.Send(ctx, m)
		must(t, err)
		must(t, r.acc.WaitDrained(ctx))
	}
	n := 0
	sent := func(in api.Send) *waE2E.Message {
		t.Helper()
		in.To = bob.PN()
		_, err := r.Send(ctx, in)
		must(t, err)
		n++
		must(t, bob.WaitReceived(ctx, n))
		return bob.Received()[n-1].Message
	}
	wantText := func(what string, seconds uint32) {
		t.Helper()
		m := sent(api.Send{Text: what})
		if got := m.GetExtendedTextMessage().GetContextInfo().GetExpiration(); got != seconds || m.GetConversation()+m.GetExtendedTextMessage().GetText() != what {
			t.Errorf("%s: sent %v, want it for %d s", what, m, seconds)
		}
	}
	wantText("nothing is known", 0)
	from(bob, expiring("a", week, set))
	from(eve, expiring("another chat", day, set))
	wantText("a week", week)
	from(bob, expiring("older, and late", day, set.Add(-time.Hour)))
	wantText("still a week", week)
	if m := sent(api.Send{Location: &api.Location{Latitude: 52.5, Longitude: 13.4}}); m.GetLocationMessage().GetContextInfo().GetExpiration() != week {
		t.Errorf("a location: %v", m)
	}
	_, err := r.SendFile(ctx, api.Send{To: bob.LID(), File: &api.File{Name: "a.pdf", Caption: "read"}}, bytes.NewReader([]byte("%PDF-1.7")))
	must(t, err)
	n++
	must(t, bob.WaitReceived(ctx, n))
	info := bob.Received()[n-1].Message.GetDocumentWithCaptionMessage().GetMessage().GetDocumentMessage().GetContextInfo()
	if info.GetExpiration() != week || info.GetEphemeralSettingTimestamp() != set.Unix() {
		t.Errorf("a document: %v", info)
	}
	if m := sent(api.Send{Reaction: &api.Reaction{MessageID: bob.Received()[0].ID, Emoji: "👍"}}); m.GetReactionMessage() == nil || proto.Size(m) == 0 {
		t.Errorf("a reaction: %v", m)
	}
	r.restart()
	r.waitState(api.LinkConnected)
	wantText("after a restart", week)
	from(bob, &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_EPHEMERAL_SETTING.Enum(), EphemeralExpiration: proto.Uint32(0)}})
	wantText("turned off", 0)
}

// Of a group that nothing has told of WhatsApp is asked, once; its changes are followed, and what a
// member's message says is not.
func TestSentIntoADisappearingGroup(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	team := r.acc.NewGroup("Team", bob)
	n := 0
	want := func(seconds uint32) {
		t.Helper()
		_, err := r.Send(ctx, api.Send{To: team.JID(), Text: "hello"})
		must(t, err)
		n++
		must(t, bob.WaitReceived(ctx, n))
		if got := bob.Received()[n-1].Message.GetExtendedTextMessage().GetContextInfo().GetExpiration(); got != seconds {
			t.Errorf("message %d is for %d s, want %d", n, got, seconds)
		}
	}
	set := func(setting, value string) {
		t.Helper()
		must(t, team.Set(ctx, bob, setting, value))
		must(t, r.acc.WaitDrained(ctx))
	}
	set("ephemeral", "86400")
	want(86400)
	r.exec("DELETE FROM waoutbox_kept")
	r.timers.Forget()
	want(86400) // by asking
	set("ephemeral", "604800")
	want(604800)
	sendAll(t, func() (string, error) { return bob.SendGroup(ctx, team, expiring("mine", 60, time.Now())) })
	must(t, r.acc.WaitDrained(ctx))
	want(604800)
	set("not_ephemeral", "")
	want(0)

	quiet := r.acc.NewGroup("Quiet", bob)
	_, err := r.Send(ctx, api.Send{To: quiet.JID(), Text: "hello"})
	must(t, err)
	if _, known, err := r.timers.Of(context.Background(), parsed(t, quiet.JID())); !known || err != nil {
		t.Errorf("a group is asked for again with each message: %v", err)
	}
}
