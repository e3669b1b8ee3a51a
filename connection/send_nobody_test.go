package connection

import (
	"errors"
	"testing"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"waoutbox/connection/translate"
	"waoutbox/connection/wasim/fault"
	"waoutbox/outbox/api"
)

// When WhatsApp does not give the recipient's keys, the library leaves the recipient out and sends
// the rest, for the account's own phone, which WhatsApp confirms. Before, the message was told as
// sent, and nobody got it.
//
// Mutation of readers.go: a message that is encrypted for nobody but the account's own phone is
// told as sent.
func TestAMessageForNobodyIsNotSent(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	_, err := r.Send(ctx, api.Send{To: r.acc.NewContact("Eve", "15550100456").LID(), Text: "so that the phone's keys are known"})
	must(t, err)
	must(t, r.acc.Fault(fault.Fault{From: fault.Companion, Tag: "iq", Attrs: map[string]string{"xmlns": "encrypt"}, Effect: fault.Refuse}))
	in := api.Send{To: bob.LID(), Text: "for Bob", IdempotencyKey: "key"}
	_, err = r.Send(ctx, in)
	e, ok := errors.AsType[*api.Error](err)
	if !ok || !e.Retryable || e.Code != api.CodeSendFailed {
		t.Errorf("the send returned %v", err)
	}
	if n := len(r.named(translate.MessageSent)); n != 1 {
		t.Errorf("%d message.sent events", n)
	}
	got, err := r.Send(ctx, in)
	must(t, err)
	must(t, bob.WaitReceived(ctx, 1))
	if m := bob.Received()[0]; m.ID != got.MessageID || m.Text != "for Bob" || got.Repeated {
		t.Errorf("received %+v of %+v", m, got)
	}
	if n := len(r.named(translate.MessageSent)); n != 2 {
		t.Errorf("%d message.sent events", n)
	}
}

// A recipient who asks for a message again and cannot be given it is told of in an alarm; one who
// asks for a message that nobody knows is not. Before, a line in the log said so.
func TestAMessageThatCannotBeSentAgain(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	sent, err := r.Send(ctx, api.Send{To: bob.LID(), Text: "for Bob"})
	must(t, err)
	from, err := types.ParseJID(bob.LID())
	must(t, err)
	again := func(id string) {
		must(t, r.acc.SendStanza(ctx, tag("receipt", waBinary.Attrs{"id": id, "from": from, "type": "retry", "t": "1735689600"}, []waBinary.Node{
			tag("retry", waBinary.Attrs{"count": 1, "id": id, "t": "1735689600", "v": 1}, nil),
			tag("registration", nil, []byte{0, 0, 0, 1}),
			tag("keys", nil, []waBinary.Node{tag("type", nil, []byte{5})}),
		})))
		must(t, r.acc.WaitDrained(ctx))
	}
	again("3EB0UNKNOWN")
	if r.hasAlarm(alarmNotResent) {
		t.Errorf("alarms %v", r.Alarms())
	}
	again(sent.MessageID)
	eventually(t, "the alarm", func() bool { return r.hasAlarm(alarmNotResent) })
}
