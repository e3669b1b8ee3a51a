package connection

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"waoutbox/connection/translate"
	"waoutbox/connection/wasim/fault"
	"waoutbox/outbox/api"
)

// TestBothBeginAtOnce: somebody writes for the first time while the keys for a first message to
// them are fetched. What they write next is read: the session that they began is kept beside the
// one that was begun here. And so is what they write after they read ours: "two" is of their own
// session, which is found after ours was tried in vain, and "three" is of ours.
//
// Mutation of connection/sessions/sessions.go: a session that somebody begins while a first message
// to them is encrypted is written over, and what they write next cannot be read.
// Mutation of connection/sessions/restored.go: a session that a message is tried with in vain is
// stored as the library left it, and what is written in it next cannot be read.
func TestBothBeginAtOnce(t *testing.T) {
	r := newMissedRig(t)
	ctx := bounded(t)
	eve := r.acc.NewContact("Eve", "15550100124")
	must(t, r.acc.Fault(fault.Fault{From: fault.Companion, Tag: "iq", Attrs: map[string]string{"xmlns": "encrypt"}, Effect: fault.Delay, For: 300 * time.Millisecond}))
	sent := make(chan error, 1)
	go func() {
		_, err := r.Send(ctx, api.Send{To: eve.LID(), Text: "ours"})
		sent <- err
	}()
	eventually(t, "the question for keys", func() bool { return r.acc.FaultsLeft() == 0 })
	_, err := eve.SendText(ctx, "one")
	must(t, err)
	eventually(t, "the first message", func() bool { return strings.Contains(r.bodies(translate.MessageReceived, 0), `"one"`) })
	must(t, r.acc.WaitDrained(ctx))
	r.acc.Hold(true)
	_, err = eve.SendText(ctx, "two")
	must(t, err)
	must(t, <-sent)
	eventually(t, "our message", func() bool { return len(eve.Received()) == 1 })
	_, err = eve.SendText(ctx, "three")
	must(t, err)
	r.acc.Hold(false)
	must(t, r.acc.WaitDrained(ctx))
	for _, ev := range r.named(translate.MessageReceived) {
		if bytes.Contains(ev.Body, []byte(`"messageStubType":2`)) {
			t.Errorf("not read at first: %s", ev.Body)
		}
	}
	for _, text := range []string{`"two"`, `"three"`} {
		if !strings.Contains(r.bodies(translate.MessageReceived, 0), text) {
			t.Errorf("%s is missing", text)
		}
	}
}
