package connection

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"waoutbox/connection/translate"
	"waoutbox/connection/wasim/fault"
	"waoutbox/outbox/api"
)

// Whatever the connection does to a message and its confirmation, the recipient gets it under one
// id, and one message.sent results.
func TestCutsWhileSending(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	bob.AutoReceipt("")
	ack := map[string]string{"class": "message"}
	for name, f := range map[string]fault.Fault{
		"cut before the message":      {From: fault.Companion, Tag: "message", Effect: fault.CutBefore},
		"cut after the message":       {From: fault.Companion, Tag: "message", Effect: fault.CutAfter},
		"the message twice":           {From: fault.Companion, Tag: "message", Effect: fault.Twice},
		"cut before the confirmation": {From: fault.Server, Tag: "ack", Attrs: ack, Effect: fault.CutBefore},
		"cut after the confirmation":  {From: fault.Server, Tag: "ack", Attrs: ack, Effect: fault.CutAfter},
		"confirmed twice":             {From: fault.Server, Tag: "ack", Attrs: ack, Effect: fault.Twice},
		"confirmed late":              {From: fault.Server, Tag: "ack", Attrs: ack, Effect: fault.Delay, For: 100 * time.Millisecond},
		"a question lost":             {From: fault.Companion, Tag: "iq", Effect: fault.CutBefore},
	} {
		t.Run(name, func(t *testing.T) {
			must(t, r.acc.Fault(f))
			in := api.Send{To: "+1 555 010 0123", Text: name, IdempotencyKey: name}
			var got api.SendResult
			eventually(t, "the send", func() bool {
				var err error
				got, err = r.Send(ctx, in)
				if e, ok := errors.AsType[*api.Error](err); err != nil && (!ok || !e.Retryable) {
					t.Fatalf("the send failed for good: %v", err)
				}
				return err == nil
			})
			eventually(t, "the receipt", func() bool { return strings.Contains(r.bodies(translate.MessageUpdate, 0), got.MessageID) })
			for _, m := range bob.Received() {
				if m.Text == name && m.ID != got.MessageID {
					t.Errorf("received under %s, want %s", m.ID, got.MessageID)
				}
			}
			if n := strings.Count(r.bodies(translate.MessageSent, 0), `"conversation":"`+name+`"`); n != 1 {
				t.Errorf("%d message.sent events", n)
			}
			if open, err := r.engine.Unsettled(ctx); err != nil || len(open) != 0 {
				t.Errorf("open sends %v, %v", open, err)
			}
			r.waitState(api.LinkConnected)
		})
	}
}

// TestAnUnclearSendWithoutAKeyIsNotToBeRepeated: of a message that nobody confirmed a repeated call
// makes a second one, unless both have one idempotency key. Before, programs and agents were told
// to repeat either.
//
// Mutation of send_errors.go: a send of unknown outcome without a key is said to be repeatable, by
// the link.
func TestAnUnclearSendWithoutAKeyIsNotToBeRepeated(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	for n, key := range []string{"", "key", ""} {
		must(t, r.acc.Fault(fault.Fault{From: fault.Server, Tag: "ack", Attrs: map[string]string{"class": "message"}, Effect: fault.Lose}))
		call, leave := context.WithCancel(ctx)
		failed := make(chan error, 1)
		go func() {
			_, err := r.Send(call, api.Send{To: bob.LID(), Text: "once", IdempotencyKey: key})
			failed <- err
		}()
		must(t, bob.WaitReceived(ctx, n+1))
		if n == 2 {
			r.stop()
		} else {
			leave()
		}
		err := <-failed
		leave()
		e, ok := errors.AsType[*api.Error](err)
		if !ok || e.Code != api.CodeTimeout || e.Retryable != (key != "") {
			t.Errorf("key %q: %+v", key, err)
		}
		if n < 2 { // with the next connection it is confirmed
			r.acc.Drop()
			eventually(t, "message.sent", func() bool { return len(r.named(translate.MessageSent)) == n+1 })
			r.waitState(api.LinkConnected)
		}
	}
}

// TestARefusedRepetitionTellsNothingOfTheFirst: a message that left, and that the library sends
// once more because the connection ended, may have arrived though WhatsApp refuses the second.
// Before, the key was free then, and the repeated call was a second message.
//
// Mutation of send.go: a message that left before the connection ended counts as refused, because
// its repetition was, and the next call is a second one.
func TestARefusedRepetitionTellsNothingOfTheFirst(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	must(t, r.acc.Fault(fault.Fault{From: fault.Companion, Tag: "message", Effect: fault.CutAfter}))
	must(t, r.acc.Fault(fault.Fault{From: fault.Companion, Tag: "message", Effect: fault.Refuse}))
	// the first has no confirmation
	must(t, r.acc.Fault(fault.Fault{From: fault.Server, Tag: "ack", Attrs: map[string]string{"class": "message"}, Effect: fault.Lose}))
	in := api.Send{To: bob.LID(), Text: "once", IdempotencyKey: "key"}
	_, err := r.Send(ctx, in)
	if e, ok := errors.AsType[*api.Error](err); !ok || e.Code != api.CodeTimeout || !e.Retryable {
		t.Errorf("the send returned %v", err)
	}
	r.acc.ClearFaults()
	id := r.sendUntil(ctx, in)
	for _, m := range bob.Received() {
		if m.ID != id {
			t.Errorf("received under %s, want %s", m.ID, id)
		}
	}
	if n := len(bob.Received()); n == 0 {
		t.Error("nothing was received")
	}
	eventually(t, "message.sent", func() bool { return len(r.named(translate.MessageSent)) == 1 })
}
