package wasim

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
)

func text(s string) *waE2E.Message { return &waE2E.Message{Conversation: proto.String(s)} }

func jid(t *testing.T, s string) types.JID {
	t.Helper()
	j, err := types.ParseJID(s)
	must(t, err)
	return j
}

// send lets the client write; to may be a phone number JID.
func (c *client) send(t *testing.T, to, s string) string {
	t.Helper()
	resp, err := c.SendMessage(testContext(t), jid(t, to), text(s))
	must(t, err)
	return resp.ID
}

func TestCompanionWritesToContact(t *testing.T) {
	_, a, c := linked(t)
	bob := a.NewContact("Bob", "15550100123")
	bob.AutoReceipt("", "read")
	id := c.send(t, bob.PN(), "from the companion")
	must(t, bob.WaitReceived(testContext(t), 1))
	if got := bob.Received()[0]; got.ID != id || got.Text != "from the companion" || got.Chat != a.PN() {
		t.Errorf("Bob received %+v", got)
	}
	for _, typ := range []types.ReceiptType{types.ReceiptTypeDelivered, types.ReceiptTypeRead} {
		c.wait(t, "receipt "+string(typ), func(e any) bool {
			r, ok := e.(*events.Receipt)
			return ok && r.Type == typ && r.MessageIDs[0] == id && r.Chat.String() == bob.LID()
		})
	}
	order := emitted[*events.Receipt](c)
	if order[0].Type != types.ReceiptTypeDelivered {
		t.Errorf("first receipt is %q, want delivered", order[0].Type)
	}
	_, err := bob.SendText(testContext(t), "a reply") // in the session the companion opened
	must(t, err)
	c.waitText(t, "a reply")
	c.send(t, bob.LID(), "by LID")
	must(t, bob.WaitReceived(testContext(t), 2))
}

func TestBatchedReceipt(t *testing.T) {
	_, a, c := linked(t)
	bob := a.NewContact("Bob", "15550100123")
	first, second := c.send(t, bob.PN(), "one"), c.send(t, bob.PN(), "two")
	must(t, bob.SendReceipt(testContext(t), "played", first, second))
	got := waitFor[*events.Receipt](t, c)
	if got.Type != types.ReceiptTypePlayed || strings.Join(got.MessageIDs, " ") != first+" "+second {
		t.Errorf("receipt %q of %v, want played of %s %s", got.Type, got.MessageIDs, first, second)
	}
	must(t, a.WaitDrained(testContext(t)))
	if acked := a.Acked(); len(acked) != 1 || acked[0].Class != "receipt" || acked[0].Type != "played" {
		t.Errorf("acknowledged %+v", acked)
	}
	if err := bob.SendReceipt(testContext(t), ""); err == nil {
		t.Error("a receipt for no message was accepted")
	}
}

func TestReceiptsOfTheCompanion(t *testing.T) {
	_, a, c := linked(t)
	bob := a.NewContact("Bob", "15550100123")
	id, err := bob.SendText(testContext(t), "read me")
	must(t, err)
	got := c.waitText(t, "read me")
	must(t, bob.WaitReceipt(testContext(t), "inactive", id))
	must(t, c.MarkRead(testContext(t), []types.MessageID{id}, got.Info.Timestamp, got.Info.Chat, got.Info.Sender))
	must(t, bob.WaitReceipt(testContext(t), "read", id))
}

func TestUnknownNumberAndRejectedSend(t *testing.T) {
	_, a, c := linked(t)
	bob := a.NewContact("Bob", "15550100123")
	on, err := c.IsOnWhatsApp(testContext(t), []string{"+15550100123", "+15550100999"})
	must(t, err)
	if len(on) != 2 || !on[0].IsIn || on[0].PhoneNumber.String() != bob.PN() || on[0].JID.String() != bob.LID() || on[1].IsIn {
		t.Errorf("on WhatsApp: %+v", on)
	}
	if _, err := c.SendMessage(testContext(t), jid(t, "15550100999@s.whatsapp.net"), text("nobody")); err == nil {
		t.Error("a message to an unknown number was accepted")
	}
	a.RejectSends(463)
	if _, err := c.SendMessage(testContext(t), jid(t, bob.PN()), text("no")); err == nil || !strings.Contains(err.Error(), "463") {
		t.Errorf("a rejected send says %v, want 463", err)
	}
	a.RejectSends(0)
	c.send(t, bob.PN(), "yes")
	must(t, bob.WaitReceived(testContext(t), 1))
	if got := bob.Received(); len(got) != 1 || got[0].Text != "yes" {
		t.Errorf("Bob received %+v", got)
	}
}

func TestUndecryptableIsSentAgain(t *testing.T) {
	_, a, c := linked(t)
	bob := a.NewContact("Bob", "15550100123")
	g := a.NewGroup("Team", bob)
	for _, step := range []string{"first", "established"} {
		bob.CorruptNext(1)
		_, err := bob.SendText(testContext(t), step)
		must(t, err)
		if got := c.waitText(t, step); got.RetryCount != 1 {
			t.Errorf("%s: retry count %d, want 1", step, got.RetryCount)
		}
	}
	bob.CorruptNext(1)
	_, err := bob.SendGroupText(testContext(t), g, "in the group")
	must(t, err)
	c.waitText(t, "in the group")
	_, err = bob.SendGroupText(testContext(t), g, "and on")
	must(t, err)
	c.waitText(t, "and on")
	must(t, a.WaitDrained(testContext(t)))
	if n := len(emitted[*events.UndecryptableMessage](c)); n != 3 {
		t.Errorf("%d undecryptable messages, want 3", n)
	}
}

func TestUndecryptableWithAsynchronousAcks(t *testing.T) {
	_, a, c := linked(t)
	c.SynchronousAck = false // the acknowledgement may overtake the request to send again
	bob := a.NewContact("Bob", "15550100123")
	for i := range 10 {
		bob.CorruptNext(1)
		_, err := bob.SendText(testContext(t), fmt.Sprintf("text %d", i))
		must(t, err)
		c.waitText(t, fmt.Sprintf("text %d", i))
	}
	must(t, a.WaitDrained(testContext(t)))
	seen := make(map[string]int)
	for _, ack := range a.Acked() {
		seen[ack.ID]++
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("message %s was acknowledged %d times", id, n)
		}
	}
	if len(seen) != 10 {
		t.Errorf("%d messages acknowledged, want 10", len(seen))
	}
}

func TestContactAsksAgain(t *testing.T) {
	_, a, c := linked(t)
	bob := a.NewContact("Bob", "15550100123")
	c.send(t, bob.PN(), "one")
	_, err := bob.SendText(testContext(t), "hi") // so that the companion's session is acknowledged
	must(t, err)
	c.waitText(t, "hi")
	bob.ForgetSessions()
	id := c.send(t, bob.PN(), "two")
	must(t, bob.WaitReceived(testContext(t), 2))
	if got := bob.Received()[1]; got.ID != id || got.Text != "two" {
		t.Errorf("Bob received %+v", got)
	}
}

func TestPhoneCopies(t *testing.T) {
	_, a, c := linked(t)
	bob := a.NewContact("Bob", "15550100123")
	g := a.NewGroup("Team", bob)
	for _, mode := range []Addressing{ByLID, ByPN} {
		bob.SetAddressing(mode)
		_, err := a.PhoneSendText(testContext(t), bob, "phone "+string(mode))
		must(t, err)
		got := c.waitText(t, "phone "+string(mode))
		want := map[Addressing]string{ByLID: bob.LID(), ByPN: bob.PN()}[mode]
		if !got.Info.IsFromMe || got.Info.Chat.String() != want {
			t.Errorf("%s: from me %v in %s, want true in %s", mode, got.Info.IsFromMe, got.Info.Chat, want)
		}
	}
	_, err := a.PhoneSendGroupText(testContext(t), g, "phone in group")
	must(t, err)
	if got := c.waitText(t, "phone in group"); !got.Info.IsFromMe || got.Info.Chat.String() != g.JID() {
		t.Errorf("from me %v in %s", got.Info.IsFromMe, got.Info.Chat)
	}
	must(t, a.WaitDrained(testContext(t)))
}

func TestSendOverReconnect(t *testing.T) {
	_, a, c := linked(t)
	bob := a.NewContact("Bob", "15550100123")
	c.send(t, bob.PN(), "before")
	a.Drop()
	waitFor[*events.Disconnected](t, c)
	if !c.WaitForConnection(testTimeout) {
		t.Fatal("the client did not reconnect")
	}
	_, err := c.SendMessage(context.Background(), jid(t, bob.PN()), text("after"), whatsmeow.SendRequestExtra{Timeout: testTimeout})
	must(t, err)
	must(t, bob.WaitReceived(testContext(t), 2))
}
