package connection

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"waoutbox/connection/translate"
	"waoutbox/connection/wasim"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// received returns the n-th message of the companion that somebody got.
func received(t *testing.T, c *wasim.Contact, n int) wasim.Received {
	t.Helper()
	must(t, c.WaitReceived(bounded(t), n))
	return c.Received()[n-1]
}

// A reply in a group names who wrote the quoted message, also when that is the account, and an id
// that is not in the log is refused. Before, the participant of a quoted message that was not found
// was the group, and the reply to an invented id was sent.
func TestQuotesInAGroup(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	group := r.acc.NewGroup("Friends", bob)
	theirs, err := bob.SendGroupText(ctx, group, "who brings the cake?")
	must(t, err)
	r.waitTexts("who brings the cake?")
	mine, err := r.Send(ctx, api.Send{To: group.JID(), Text: "I do"})
	must(t, err)
	n := 1
	for quoted, want := range map[string]string{theirs: bob.LID(), mine.MessageID: r.acc.LID()} {
		got, err := r.Send(ctx, api.Send{To: group.JID(), Text: "about that", QuotedMessageID: quoted})
		must(t, err)
		n++
		m := received(t, bob, n)
		info := m.Message.GetExtendedTextMessage().GetContextInfo()
		if m.ID != got.MessageID || info.GetStanzaID() != quoted || info.GetParticipant() != want {
			t.Errorf("quoting %s of %s: %v", quoted, want, m.Message)
		}
	}
	for _, in := range []api.Send{
		{To: group.JID(), Text: "x", QuotedMessageID: "3EB0UNKNOWN"},
		{To: bob.LID(), Text: "x", QuotedMessageID: theirs}, // of another chat
		{To: bob.LID(), Location: &api.Location{}, QuotedMessageID: "3EB0UNKNOWN"},
	} {
		if _, err := r.Send(ctx, in); api.CodeOf(err) != api.CodeMessageNotFound {
			t.Errorf("quoting %s in %s: %v", in.QuotedMessageID, in.To, err)
		}
	}
	_, err = r.Send(ctx, api.Send{To: bob.LID(), Text: "x", QuotedMessageID: "evt_c25174c230484050dc4192e951e8213d"})
	if api.CodeOf(err) != api.CodeMessageNotFound || !strings.Contains(err.Error(), "waoutbox event show evt_c25174c230484050dc4192e951e8213d") {
		t.Errorf("quoting an event by its own id: %v", err)
	}
	_, err = r.Send(ctx, api.Send{To: bob.LID(), Text: "a barrier"})
	must(t, err)
	if m := received(t, bob, n+1); m.Text != "a barrier" {
		t.Errorf("a refused reply left: %+v", m)
	}
}

func TestSendReaction(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	group := r.acc.NewGroup("Friends", bob)
	direct, err := bob.SendText(ctx, "hello")
	must(t, err)
	inGroup, err := bob.SendGroupText(ctx, group, "hello all")
	must(t, err)
	r.waitTexts("hello", "hello all")
	own, err := r.Send(ctx, api.Send{To: group.JID(), Text: "mine"})
	must(t, err)
	for i, c := range []struct {
		chat   string
		in     api.Reaction
		fromMe bool
		author string
	}{
		{bob.LID(), api.Reaction{MessageID: direct, Emoji: "👍"}, false, ""},
		{bob.LID(), api.Reaction{MessageID: direct}, false, ""}, // takes it away
		{group.JID(), api.Reaction{MessageID: inGroup, Emoji: "❤️"}, false, bob.LID()},
		{group.JID(), api.Reaction{MessageID: own.MessageID, Emoji: "🎂"}, true, ""},
		{group.JID(), api.Reaction{MessageID: "3EB0OLD", Emoji: "🎂", Author: bob.LID()}, false, bob.LID()},
		{bob.LID(), api.Reaction{MessageID: "3EB0OLD", Emoji: "🎂", Author: "me"}, true, ""},
	} {
		got, err := r.Send(ctx, api.Send{To: c.chat, Reaction: &c.in})
		must(t, err)
		m := received(t, bob, i+2)
		k := m.Message.GetReactionMessage().GetKey()
		if m.ID != got.MessageID || m.Message.GetReactionMessage().GetText() != c.in.Emoji || k.GetID() != c.in.MessageID ||
			k.GetRemoteJID() != c.chat || k.GetFromMe() != c.fromMe || k.GetParticipant() != c.author {
			t.Errorf("%+v arrived as %v", c, m.Message)
		}
	}
	if n := len(r.named(translate.MessageSent)); n != 7 {
		t.Errorf("%d message.sent events, want 7", n)
	}
	for name, c := range map[string]struct {
		in   api.Reaction
		want api.Code
	}{
		"unknown message": {api.Reaction{MessageID: "3EB0UNKNOWN", Emoji: "👍"}, api.CodeMessageNotFound},
		"no message":      {api.Reaction{Emoji: "👍"}, api.CodeInvalidArguments},
		"words":           {api.Reaction{MessageID: direct, Emoji: "thanks"}, api.CodeInvalidArguments},
		"a group wrote":   {api.Reaction{MessageID: direct, Emoji: "👍", Author: group.JID()}, api.CodeInvalidArguments},
	} {
		if _, err := r.Send(ctx, api.Send{To: bob.LID(), Reaction: &c.in}); api.CodeOf(err) != c.want {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestSendLocationAndContact(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	_, err := r.Send(ctx, api.Send{To: bob.LID(), Location: &api.Location{Latitude: 52.5163, Longitude: 13.3777, Name: "Brandenburger Tor", Address: "Pariser Platz"}})
	must(t, err)
	if l := received(t, bob, 1).Message.GetLocationMessage(); l.GetDegreesLatitude() != 52.5163 || l.GetDegreesLongitude() != 13.3777 || l.GetName() != "Brandenburger Tor" || l.GetAddress() != "Pariser Platz" {
		t.Errorf("location %v", l)
	}
	_, err = r.Send(ctx, api.Send{To: bob.LID(), Contact: &api.Contact{Name: "Carol; Smith", Phones: []string{"+1 555 010 0124"}}})
	must(t, err)
	want := "BEGIN:VCARD\nVERSION:3.0\nN:;Carol\\; Smith;;;\nFN:Carol\\; Smith\nTEL;type=CELL;waid=15550100124:+15550100124\nEND:VCARD"
	if c := received(t, bob, 2).Message.GetContactMessage(); c.GetDisplayName() != "Carol; Smith" || c.GetVcard() != want {
		t.Errorf("contact %v", c)
	}
	if n := len(r.named(translate.MessageSent)); n != 2 {
		t.Errorf("%d message.sent events, want 2", n)
	}
}

// phoneCopy has the account's phone give the companion the copy of a message.
func phoneCopy(t *testing.T, r *rig, to *wasim.Contact, id string, m *waE2E.Message) {
	t.Helper()
	_, err := r.acc.PhoneSendAs(bounded(t), to, m, wasim.Form{ID: id})
	must(t, err)
}

// bodies are the bodies of the events, of the name, from the n-th on.
func (r *rig) bodies(name string, from int) string {
	r.t.Helper()
	var b strings.Builder
	for _, ev := range r.named(name)[from:] {
		b.Write(ev.Body)
	}
	return b.String()
}

// An own edit and an own deletion are told as message.sent and, once, as message.update of the
// message that they change, also when the phone's copy of them arrives as well.
func TestEditAndDelete(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	first, err := r.Send(ctx, api.Send{To: bob.LID(), Text: "see you at 8"})
	must(t, err)
	edited, err := r.Send(ctx, api.Send{To: bob.LID(), Edit: &api.Edit{MessageID: first.MessageID, Text: "see you at 9"}})
	must(t, err)
	m := received(t, bob, 2)
	p := m.Message.GetEditedMessage().GetMessage().GetProtocolMessage()
	if m.ID != edited.MessageID || p.GetType() != waE2E.ProtocolMessage_MESSAGE_EDIT || p.GetKey().GetID() != first.MessageID ||
		!p.GetKey().GetFromMe() || p.GetEditedMessage().GetConversation() != "see you at 9" {
		t.Errorf("the edit arrived as %v", m.Message)
	}
	if got := r.bodies(translate.MessageUpdate, 0); !strings.Contains(got, `"id":"`+first.MessageID+`"`) || !strings.Contains(got, `"update":{"message":{"editedMessage":{"message":{"conversation":"see you at 9"}}}`) {
		t.Errorf("the edit is told as %s", got)
	}
	deleted, err := r.Send(ctx, api.Send{To: bob.LID(), Delete: &api.Delete{MessageID: first.MessageID}})
	must(t, err)
	m = received(t, bob, 3)
	if p := m.Message.GetProtocolMessage(); m.ID != deleted.MessageID || p.GetType() != waE2E.ProtocolMessage_REVOKE || p.GetKey().GetID() != first.MessageID {
		t.Errorf("the deletion arrived as %v", m.Message)
	}
	if got := r.bodies(translate.MessageUpdate, 1); !strings.Contains(got, `"id":"`+first.MessageID+`"`) || !strings.Contains(got, `"update":{"message":null,"messageStubType":1`) {
		t.Errorf("the deletion is told as %s", got)
	}
	// copies of both from the server's side change nothing
	phoneCopy(t, r, bob, edited.MessageID, received(t, bob, 2).Message)
	phoneCopy(t, r, bob, deleted.MessageID, received(t, bob, 3).Message)
	theirs, err := bob.SendText(ctx, "fine")
	must(t, err)
	r.waitTexts("fine")
	if sent, updates := len(r.named(translate.MessageSent)), len(r.named(translate.MessageUpdate)); sent != 3 || updates != 2 {
		t.Errorf("%d message.sent, %d message.update; want 3 and 2", sent, updates)
	}
	for name, c := range map[string]struct {
		in   api.Send
		want api.Code
	}{
		"edit of another's":     {api.Send{Edit: &api.Edit{MessageID: theirs, Text: "x"}}, api.CodeInvalidArguments},
		"deletion of another's": {api.Send{Delete: &api.Delete{MessageID: theirs}}, api.CodeInvalidArguments},
		"edit of nothing":       {api.Send{Edit: &api.Edit{MessageID: "3EB0UNKNOWN", Text: "x"}}, api.CodeMessageNotFound},
		"deletion of nothing":   {api.Send{Delete: &api.Delete{MessageID: "3EB0UNKNOWN"}}, api.CodeMessageNotFound},
		"edit of a deleted":     {api.Send{Edit: &api.Edit{MessageID: first.MessageID, Text: "x"}}, api.CodeMessageNotFound},
		"a second deletion":     {api.Send{Delete: &api.Delete{MessageID: first.MessageID}}, api.CodeMessageNotFound},
		"a quoted deleted one":  {api.Send{Text: "x", QuotedMessageID: first.MessageID}, api.CodeMessageNotFound},
		"an edit to nothing":    {api.Send{Edit: &api.Edit{MessageID: first.MessageID}}, api.CodeInvalidArguments},
	} {
		c.in.To = bob.LID()
		if _, err := r.Send(ctx, c.in); api.CodeOf(err) != c.want {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// The caption of an own medium is edited with its file, which stays what it was; what has none is
// refused.
func TestEditACaption(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	send := func(f api.File, content []byte) string {
		t.Helper()
		res, err := r.SendFile(ctx, api.Send{To: bob.PN(), File: &f}, bytes.NewReader(content))
		must(t, err)
		return res.MessageID
	}
	edit := func(id, text string) error {
		_, err := r.Send(ctx, api.Send{To: bob.PN(), Edit: &api.Edit{MessageID: id, Text: text}})
		return err
	}
	picture := send(api.File{Caption: "befor"}, aJPEG(t))
	document := send(api.File{Name: "a.pdf"}, []byte("%PDF-1.7"))
	voice := send(api.File{Kind: "voice"}, []byte("OggS\x00\x02"+strings.Repeat("\x00", 22)+"OpusHead"))
	must(t, edit(picture, "before"))
	must(t, edit(document, "read this"))
	sent := received(t, bob, 1).Message.GetImageMessage()
	got := received(t, bob, 4).Message.GetEditedMessage().GetMessage().GetProtocolMessage()
	img := got.GetEditedMessage().GetImageMessage()
	if got.GetKey().GetID() != picture || img.GetCaption() != "before" || img.GetDirectPath() != sent.GetDirectPath() || !bytes.Equal(img.GetMediaKey(), sent.GetMediaKey()) {
		t.Errorf("the picture's edit arrived as %v", got)
	}
	got = received(t, bob, 5).Message.GetEditedMessage().GetMessage().GetProtocolMessage()
	doc := got.GetEditedMessage().GetDocumentWithCaptionMessage().GetMessage().GetDocumentMessage()
	if got.GetKey().GetID() != document || doc.GetCaption() != "read this" || doc.GetFileName() != "a.pdf" {
		t.Errorf("the document's edit arrived as %v", got)
	}
	if b := r.bodies(translate.MessageUpdate, 0); !strings.Contains(b, `"caption":"before"`) || !strings.Contains(b, `"id":"`+picture+`"`) {
		t.Errorf("told %s", b)
	}
	if err := edit(voice, "x"); api.CodeOf(err) != api.CodeInvalidArguments || !strings.Contains(err.Error(), "neither text nor caption") {
		t.Errorf("a voice note: %v", err)
	}
	if err := edit(picture, strings.Repeat("x", 1025)); api.CodeOf(err) != api.CodeInvalidArguments {
		t.Errorf("a caption that is too long: %v", err)
	}
}

// One message.sent results of a message that the server sends a copy of, whether the copy comes
// after the send was stored or before: a send of unknown outcome is settled by it, and a repeated
// call does not send again.
//
// Mutation of opensends.go: a copy of an own message from the server does not settle its send, so
// that the message is sent a second time.
func TestCopyOfAnOwnSend(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	text := func(s string) *waE2E.Message { return &waE2E.Message{Conversation: proto.String(s)} }
	stored, err := r.Send(ctx, api.Send{To: bob.LID(), Text: "stored"})
	must(t, err)
	phoneCopy(t, r, bob, stored.MessageID, text("stored"))
	in := api.Send{To: bob.LID(), Text: "unclear", IdempotencyKey: "k"}
	r.engine.Hook(func(op string) error {
		if op == "AppendSent" {
			return outbox.ErrFull
		}
		return nil
	})
	unclear, err := r.Send(ctx, in)
	must(t, err)
	r.stop()
	r.engine.Hook(nil)
	phoneCopy(t, r, bob, unclear.MessageID, text("unclear"))
	r.restart()
	eventually(t, "the copy", func() bool { return len(r.named(translate.MessageSent)) == 2 })
	if got := r.named(translate.MessageSent)[1]; messageIn(t, got).Key.ID != unclear.MessageID || !strings.Contains(string(got.Body), `"type":"append"`) {
		t.Errorf("message.sent is %s", got.Body)
	}
	r.waitState(api.LinkConnected)
	again, err := r.Send(ctx, in)
	if err != nil || !again.Repeated || again.MessageID != unclear.MessageID {
		t.Errorf("repeated: %+v, %v", again, err)
	}
	_, err = bob.SendText(ctx, "a barrier")
	must(t, err)
	r.waitTexts("a barrier")
	if n := len(r.named(translate.MessageSent)); n != 2 {
		t.Errorf("%d message.sent events, want 2", n)
	}
	if n := len(bob.Received()); n != 2 {
		t.Errorf("Bob received %d messages, want 2", n)
	}
	if raw, err := json.Marshal(again); err != nil || !strings.Contains(string(raw), `"repeated":true`) {
		t.Errorf("as JSON: %s, %v", raw, err)
	}
}

// Own channels take texts, and no other channel does.
func TestSendToAChannel(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	own, followed := r.acc.NewChannel("News"), r.acc.NewChannel("Others")
	own.Own()
	got, err := r.Send(ctx, api.Send{To: own.JID(), Text: "we open at 8"})
	must(t, err)
	posts, err := own.WaitPublished(ctx, 1)
	must(t, err)
	if posts[0].ID != got.MessageID || posts[0].Text != "we open at 8" || got.Chat != own.JID() {
		t.Errorf("published %+v, result %+v", posts[0], got)
	}
	if body := r.bodies(translate.MessageSent, 0); !strings.Contains(body, `"server_id":"1"`) {
		t.Errorf("message.sent is %s", body)
	}
	for name, c := range map[string]struct {
		in   api.Send
		want api.Code
	}{
		"one it follows": {api.Send{To: followed.JID(), Text: "x"}, api.CodeInvalidRecipient},
		"none":           {api.Send{To: "120363000000000000@newsletter", Text: "x"}, api.CodeInvalidRecipient},
		"a reaction":     {api.Send{To: own.JID(), Reaction: &api.Reaction{MessageID: got.MessageID, Emoji: "👍"}}, api.CodeInvalidArguments},
		"a reply":        {api.Send{To: own.JID(), Text: "x", QuotedMessageID: got.MessageID}, api.CodeInvalidArguments},
	} {
		if _, err := r.Send(ctx, c.in); api.CodeOf(err) != c.want {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// A message that came under the number alone is found when its chat is known by its LID, and the
// reverse; a person whose number nobody knows is written to like everybody.
func TestRepliesAcrossAddresses(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	bob.SetAddressing(wasim.ByPNAlone)
	early, err := bob.SendText(ctx, "by number")
	must(t, err)
	r.waitTexts("by number")
	_, err = r.Send(ctx, api.Send{To: bob.PN(), Text: "yes", QuotedMessageID: early})
	must(t, err)
	bob.SetAddressing(wasim.ByLID)
	late, err := bob.SendText(ctx, "by LID")
	must(t, err)
	r.waitTexts("by number", "by LID")
	for i, in := range []api.Send{
		{To: bob.LID(), Text: "1", QuotedMessageID: early}, {To: bob.PN(), Text: "2", QuotedMessageID: late},
		{To: "+1 555 010 0123", Reaction: &api.Reaction{MessageID: late, Emoji: "👍"}},
	} {
		_, err := r.Send(ctx, in)
		must(t, err)
		received(t, bob, i+2)
	}
	for _, ev := range r.named(translate.MessageSent) {
		if ev.Chat != bob.LID() {
			t.Errorf("message.sent in %s", ev.Chat)
		}
	}
}
