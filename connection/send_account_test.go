package connection

import (
	"testing"

	"waoutbox/connection/translate"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// relink has another account take the place of the linked one.
func (r *rig) relink(phone, name string) {
	r.t.Helper()
	r.acc.Unlink()
	r.waitState(api.LinkUnlinked)
	r.acc = r.sim.NewAccount(phone, name)
	r.pair()
}

// refuseSent makes the outbox refuse the events of own sends.
func (r *rig) refuseSent() {
	r.engine.Hook(func(op string) error {
		if op == "AppendSent" {
			return outbox.ErrFull
		}
		return nil
	})
}

// A message the outbox had no room for is told of the account that sent it, although another one is
// linked when there is room. Before, the event named the second account, in the account of the
// event, in its id and in its key.
//
// Mutation of opensends.go: what an account sent is told of the one that is linked by now.
func TestASendIsToldOfTheAccountThatSentIt(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	group := r.acc.NewGroup("Friends", r.acc.NewContact("Bob", "15550100123"))
	first := r.acc
	r.refuseSent()
	got, err := r.Send(ctx, api.Send{To: group.JID(), Text: "from the shop", IdempotencyKey: "k"})
	must(t, err)
	r.engine.Hook(nil)
	r.relink("491515550199", "Office")
	eventually(t, "message.sent", func() bool { return len(r.named(translate.MessageSent)) == 1 })
	ev := r.named(translate.MessageSent)[0]
	if m := messageIn(t, ev); ev.Account != first.PN() || m.Key.ID != got.MessageID || m.Key.Participant != first.LID() {
		t.Errorf("the message of %s (%s) is told of %s: %s", first.PN(), first.LID(), ev.Account, ev.Body)
	}
	again, err := r.Send(ctx, api.Send{To: group.JID(), Text: "from the shop", IdempotencyKey: "k"})
	if err != nil || again.MessageID != got.MessageID {
		t.Errorf("a repeated call returned %+v, %v; want the first result", again, err)
	}
}

// A send of unknown outcome, left by another account, is neither sent again nor told of by the one
// that is linked now. Before, it went out under the same id in the name of the second account.
func TestAnUnclearSendOfAnotherAccountStaysOpen(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	in := api.Send{To: r.acc.NewContact("Bob", "15550100123").LID(), Text: "once", IdempotencyKey: "k"}
	got := prepared(t, r, in)
	r.restart()
	r.waitState(api.LinkConnected)
	r.relink("491515550199", "Office")
	bob := r.acc.NewContact("Bob", "15550100123")
	if _, err := r.Send(ctx, in); api.CodeOf(err) != api.CodeSendFailed {
		t.Errorf("a call with the key of the other account's send returned %v", err)
	}
	must(t, bob.SendReceipt(ctx, "", got.MessageID))
	_, err := bob.SendText(ctx, "a barrier")
	must(t, err)
	r.waitTexts("a barrier")
	if n := len(r.named(translate.MessageSent)); n != 0 || len(bob.Received()) != 0 {
		t.Errorf("%d message.sent events, received by Bob %+v", n, bob.Received())
	}
	if s, err := r.engine.Send(ctx, got.MessageID); err != nil || s.State != outbox.SendPrepared {
		t.Errorf("ledger: %+v, %v", s, err)
	}
}
