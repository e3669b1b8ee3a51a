package e2e

import (
	"strings"
	"testing"
	"time"

	"waoutbox/connection/wasim/fault"
	"waoutbox/outbox/api"
)

// TestKilledWhileSending kills the daemon with SIGKILL while a message is on its way: after the
// ledger has it and before WhatsApp does, after WhatsApp has it and before the daemon knows, and so
// that the delivery receipt tells of it at the next start. The same command then sends it under the
// same id, or not at all, message.sent comes once, and so does its record in the audit trail.
func TestKilledWhileSending(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault    fault.Fault
		receipts bool
		reaches  int // how often the message reaches its recipient, under one id
	}{
		"before WhatsApp has it": {fault.Fault{From: fault.Companion, Tag: "message", Effect: fault.Lose}, false, 1},
		"before it is confirmed": {fault.Fault{From: fault.Server, Tag: "ack", Attrs: map[string]string{"class": "message"}, Effect: fault.Lose}, false, 2},
		"with a receipt waiting": {fault.Fault{From: fault.Server, Tag: "ack", Attrs: map[string]string{"class": "message"}, Effect: fault.Lose}, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.serve()
			r.pair()
			bob := r.phone.NewContact("Bob", "491515550111")
			if c.receipts {
				bob.AutoReceipt("")
			}
			if err := r.phone.Fault(c.fault); err != nil {
				t.Fatal(err)
			}
			send := []string{"send", "text", "+49 (0) 151 5550111", "once", "--idempotency-key", "order-1042"}
			cut := make(chan result, 1)
			go func() { cut <- r.run(send...) }()
			r.until("the message is on its way", func() bool { return r.phone.FaultsLeft() == 0 })
			r.kill()
			if res := <-cut; res.code == 0 || !strings.Contains(res.stderr, "may have done what it was asked") {
				t.Errorf("the command that was cut off: %+v", res)
			}

			r.serve()
			r.until("linked again", func() bool { return r.status().Link.State == api.LinkConnected })
			if c.receipts {
				r.until("the receipt", func() bool { return len(sentEvents(r)) == 1 })
			}
			got := one[api.SendResult](r, send...)
			if !got.Repeated {
				t.Errorf("%+v, want repeated", got)
			}
			if err := bob.WaitReceived(r.within(30*time.Second), c.reaches); err != nil {
				t.Fatal(err)
			}
			for _, m := range bob.Received() {
				if m.ID != got.MessageID || m.Text != "once" {
					t.Errorf("received %s %q, want %s", m.ID, m.Text, got.MessageID)
				}
			}
			if again := one[api.SendResult](r, send...); again != got {
				t.Errorf("a third call: %+v, want %+v", again, got)
			}
			if n := len(bob.Received()); n != c.reaches {
				t.Errorf("received %d times, want %d", n, c.reaches)
			}
			if sent := sentEvents(r); len(sent) != 1 || !strings.Contains(sent[0].Body, `"id":"`+got.MessageID+`"`) {
				t.Errorf("message.sent events %+v", sent)
			}
			// the process that was told who sends it is gone, and it is on record all the same
			var recorded int
			for _, a := range lines[api.AuditRecord](r, "audit") {
				if a.Operation == "message.send" && a.Result == got.MessageID && a.Object == got.Chat && a.Outcome == api.AuditDone && a.Caller == api.CallerCLI {
					recorded++
				}
			}
			if recorded != 1 {
				t.Errorf("the message is %d times in the audit trail", recorded)
			}
			res := r.run("send", "text", "+49 151 5550111", "twice", "--idempotency-key", "order-1042")
			if res.code != 1 || !strings.Contains(res.stderr, got.MessageID) {
				t.Errorf("the key for another text: %+v", res)
			}
		})
	}
}

func sentEvents(r *rig) []api.Event {
	return lines[api.Event](r, "event", "list", "--event", "message.sent", "--bodies")
}

// TestAnswering does with the real program what somebody who got an event may want to do: reply,
// react, share a place and a card, correct and take back, mark as read, show typing, watch, and
// find out whom to write to.
func TestAnswering(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.serve()
	r.pair()
	ctx := r.within(60 * time.Second)
	bob, carol := r.phone.NewContact("Bob", "491515550111"), r.phone.NewContact("Carol", "491515550112")
	team := r.phone.NewGroup("Team", bob, carol)
	question, err := bob.SendGroupText(ctx, team, "who is in?")
	if err != nil {
		t.Fatal(err)
	}
	r.until("the question is stored", func() bool {
		return len(lines[api.Event](r, "event", "list", "--event", "message.received")) == 1
	})

	found := one[api.Recipient](r, "contact", "find", "team")
	if found.JID != team.JID() || found.Kind != api.RecipientGroup {
		t.Fatalf("found %+v", found)
	}
	if g := one[api.Group](r, "group", "list"); g.Name != "Team" || len(g.Members) != 3 {
		t.Errorf("groups %+v", g)
	}
	reply := one[api.SendResult](r, "send", "text", found.JID, "me", "--quote", question)
	for _, args := range [][]string{
		{"send", "reaction", found.JID, question, "👍"},
		{"send", "location", found.JID, "--latitude", "52.5", "--longitude", "-13.4"},
		{"send", "contact", found.JID, "Carol", "+49 151 5550112"},
		{"send", "edit", found.JID, reply.MessageID, "me, and Dave"},
		{"send", "delete", found.JID, reply.MessageID},
		{"send", "typing", found.JID},
		{"send", "read", found.JID, question},
		{"contact", "watch", "+49 (0) 151 5550111"},
	} {
		if out := r.mustRun(args...); !strings.Contains(out, "Next:") {
			t.Errorf("%q printed %q", args, out)
		}
	}
	if err := carol.WaitReceived(ctx, 6); err != nil {
		t.Fatal(err)
	}
	got := carol.Received()
	info := got[0].Message.GetExtendedTextMessage().GetContextInfo()
	if info.GetParticipant() != bob.LID() || info.GetQuotedMessage().GetConversation() != "who is in?" {
		t.Errorf("the reply is %v", got[0].Message)
	}
	if m := got[5].Message.GetProtocolMessage(); m.GetKey().GetID() != reply.MessageID {
		t.Errorf("the deletion is %v", got[5].Message)
	}
	if err := bob.WaitReceipt(ctx, "read", question); err != nil {
		t.Error(err)
	}
	if err := bob.WaitWatched(ctx); err != nil {
		t.Error(err)
	}
	if states, err := r.phone.WaitTyping(ctx, team.JID(), 1); err != nil || states[0] != "composing" {
		t.Errorf("typing %q, %v", states, err)
	}
	if n := len(sentEvents(r)); n != 6 {
		t.Errorf("%d message.sent events, want 6", n)
	}
	updates := lines[api.Event](r, "event", "list", "--event", "message.update", "--bodies")
	if len(updates) != 2 || !strings.Contains(updates[0].Body, "me, and Dave") || !strings.Contains(updates[1].Body, `"messageStubType":1`) {
		t.Errorf("message.update events %+v", updates)
	}
	for _, c := range []struct {
		want string
		code int
		args []string
	}{
		{"message_not_found", 1, []string{"send", "text", found.JID, "x", "--quote", "3EB0UNKNOWN", "--json"}},
		{"country code", 2, []string{"send", "text", "0151 5550111", "x"}},
		{"not on WhatsApp", 1, []string{"send", "text", "+49 151 5559999", "x"}},
		{"waoutbox --state-dir " + r.stateDir + " group list", 1, []string{"group", "show", "120363000000000000@g.us"}},
	} {
		if res := r.run(c.args...); res.code != c.code || !strings.Contains(res.stderr, c.want) {
			t.Errorf("%q: %+v, want exit %d and %q", c.args, res, c.code, c.want)
		}
	}
}
