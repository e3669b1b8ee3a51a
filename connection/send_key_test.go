package connection

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"waoutbox/connection/translate"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// A key that was used for another recipient or content is refused, in the process that used it and
// after a restart, and the sentence names the first send. Before, the first result was returned, as
// if the second message had been sent.
//
// Mutation of send.go: a key that was used for one message returns its result for another one too.
func TestReusedKeyIsRefused(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob, carol := r.acc.NewContact("Bob", "15550100123"), r.acc.NewContact("Carol", "15550100124")
	in := api.Send{To: "+1 555 010 0123", Text: "once", IdempotencyKey: "order-1042"}
	first, err := r.Send(ctx, in)
	must(t, err)
	if first.Repeated {
		t.Error("the first call is said to be a repetition")
	}
	check := func(when string) {
		t.Helper()
		for what, other := range map[string]api.Send{
			"another recipient": {To: carol.LID(), Text: in.Text, IdempotencyKey: in.IdempotencyKey},
			"another text":      {To: in.To, Text: "twice", IdempotencyKey: in.IdempotencyKey},
			"another kind":      {To: in.To, Location: &api.Location{Latitude: 1}, IdempotencyKey: in.IdempotencyKey},
		} {
			_, err := r.Send(ctx, other)
			if api.CodeOf(err) != api.CodeIdempotencyConflict {
				t.Errorf("%s, %s: got %v", when, what, err)
				continue
			}
			for _, part := range []string{first.MessageID, "to +15550100123 at", first.Timestamp.UTC().Format("2006-01-02T")} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%s, %s: %q does not name %s", when, what, err, part)
				}
			}
		}
		// the same person under other addresses
		for _, to := range []string{in.To, bob.LID(), "15550100123@c.us", "0015550100123"} {
			again := in
			again.To = to
			if got, err := r.Send(ctx, again); err != nil || !got.Repeated || !sameResult(got, first) {
				t.Errorf("%s, to %s: %+v, %v; want %+v, repeated", when, to, got, err, first)
			}
		}
	}
	check("at once")
	r.restart()
	check("after a restart")
	r.waitState(api.LinkConnected)
	if n := len(r.named(translate.MessageSent)); n != 1 {
		t.Errorf("%d message.sent events, want 1", n)
	}
	if n := len(carol.Received()); n != 0 {
		t.Errorf("Carol received %d messages", n)
	}
}

// While a send is under way its key is refused for another one too, and a failed send frees its
// key.
func TestKeyOfASendUnderWay(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	_, err := r.Send(ctx, api.Send{To: bob.PN(), Text: "so that both addresses are known"})
	must(t, err)
	held, release := make(chan struct{}), make(chan struct{})
	r.engine.Hook(func(op string) error {
		if op == "PutSend" {
			close(held)
			<-release
			return outbox.ErrFull
		}
		return nil
	})
	ended := make(chan error, 1)
	go func() {
		_, err := r.Send(ctx, api.Send{To: bob.LID(), Text: "a", IdempotencyKey: "k"})
		ended <- err
	}()
	<-held
	other := api.Send{To: bob.LID(), Text: "b", IdempotencyKey: "k"}
	if _, err := r.Send(ctx, other); api.CodeOf(err) != api.CodeIdempotencyConflict || !strings.Contains(err.Error(), "to +15550100123, which") {
		t.Errorf("under way: %v", err)
	}
	// the same message, to the same person under the number, is no other one
	gone, leave := context.WithCancel(ctx)
	leave()
	if _, err := r.Send(gone, api.Send{To: bob.PN(), Text: "a", IdempotencyKey: "k"}); api.CodeOf(err) != api.CodeTimeout {
		t.Errorf("the same message under way: %v", err)
	}
	close(release)
	if err := <-ended; api.CodeOf(err) != api.CodeOutboxFull {
		t.Errorf("without room: %v", err)
	}
	r.engine.Hook(nil)
	r.acc.RejectSends(479)
	_, err = r.Send(ctx, api.Send{To: bob.LID(), Text: "a", IdempotencyKey: "k"})
	if api.CodeOf(err) != api.CodeSendFailed {
		t.Errorf("refused: %v", err)
	}
	r.acc.RejectSends(0)
	if got, err := r.Send(ctx, other); err != nil || got.Repeated {
		t.Errorf("the key of a failed send: %+v, %v", got, err)
	}
}

// A limit on messages a minute is for programs that run away: what is too much is refused with the
// time to wait, repetitions cost nothing.
func TestSendLimit(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	r.sends.pace = newPace(6, r.now)
	in := api.Send{To: bob.LID(), Text: "x", IdempotencyKey: "k"}
	for range 5 {
		if _, err := r.Send(ctx, in); err != nil {
			t.Fatal(err)
		}
	}
	_, err := r.Send(ctx, api.Send{To: bob.LID(), Text: "y"})
	must(t, err)
	_, err = r.Send(ctx, api.Send{To: bob.LID(), Text: "z"})
	if api.CodeOf(err) != api.CodeRateLimited || !strings.Contains(err.Error(), "6 messages a minute") {
		t.Errorf("the third within a moment: %v", err)
	}
	if e, _ := errors.AsType[*api.Error](err); e == nil || e.RetryAfterSeconds < 1 || e.RetryAfterSeconds > 10 {
		t.Errorf("the wait before the next: %+v", e)
	}
	must(t, bob.WaitReceived(ctx, 2))
	// numbers that are not known yet are looked up at the same pace, whatever they are wanted for
	r.lookups = newPace(3, r.now)
	for i, want := range []api.Code{"", api.CodeRateLimited} {
		number := fmt.Sprintf("+1 555 010 07%02d", i)
		if _, err := r.FindRecipients(ctx, api.FindRecipients{Query: number}); api.CodeOf(err) != want {
			t.Errorf("look-up %d: %v", i+1, err)
		}
	}
	if _, err := r.FindRecipients(ctx, api.FindRecipients{Query: bob.LID()}); err != nil {
		t.Errorf("somebody known: %v", err)
	}
}

// A repeated call that is refused does not give the key away: the first call's message may have
// left, so that only its id may be tried again. Before, the third call sent a second message.
//
// Mutation of send.go: a refused repetition gives its key away, so that the message goes out a
// second time under another id.
func TestRefusedRepetitionKeepsItsID(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	in := api.Send{To: bob.LID(), Text: "once", IdempotencyKey: "k"}
	first := prepared(t, r, in) // Bob has it, and nobody here knows
	r.restart()
	r.waitState(api.LinkConnected)
	r.acc.RejectSends(479)
	if _, err := r.Send(ctx, in); api.CodeOf(err) != api.CodeSendFailed {
		t.Errorf("refused: %v", err)
	}
	r.acc.RejectSends(0)
	got, err := r.Send(ctx, in)
	if err != nil || got.MessageID != first.MessageID || !got.Repeated {
		t.Errorf("got %+v, %v; want %s, repeated", got, err, first.MessageID)
	}
	if n := len(r.named(translate.MessageSent)); n != 1 {
		t.Errorf("%d message.sent events, want 1", n)
	}
}

// A send that panics fails, is told of, and ends nothing else; its key is free again. Before, it
// ended the process, and so did the agent that tried it again.
//
// Mutation of send.go: a panic over what an agent asked to be sent ends the service.
func TestASendThatPanicsEndsNothingElse(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	r.engine.Hook(func(op string) error {
		if op == "PutSend" {
			panic("a fault of ours")
		}
		return nil
	})
	in := api.Send{To: bob.LID(), Text: "x", IdempotencyKey: "k"}
	if _, err := r.Send(ctx, in); api.CodeOf(err) != api.CodeTimeout || !strings.Contains(err.Error(), "same idempotency key") || strings.Contains(err.Error(), "fault of ours") {
		t.Errorf("got %v", err)
	}
	if !r.hasAlarm(alarmPanic) {
		t.Error("nothing tells of it")
	}
	r.engine.Hook(nil)
	if got, err := r.Send(ctx, in); err != nil || got.MessageID == "" {
		t.Errorf("afterwards: %+v, %v", got, err)
	}
}

// What the link does by itself beside ends nothing else when it panics.
//
// Mutation of panics.go: a panic over what the link does by itself ends the service.
func TestWhatPanicsBesideTheLinkEndsNothingElse(t *testing.T) {
	r := linkedRig(t)
	done := make(chan struct{})
	r.beside("a test", func() { defer close(done); panic("a fault of ours") })
	<-done
	eventually(t, "the alarm", func() bool { return r.hasAlarm(alarmPanic) })
}

// Marks as read, typing and watched presences have a pace of their own: an agent in a loop gets the
// account into no trouble.
//
// Mutation of actions.go: it marks them as fast as it likes.
func TestSignalsHaveAPace(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	mark := func() error {
		_, err := r.MarkRead(ctx, api.MarkRead{Messages: []api.MessageRef{{Chat: bob.LID(), ID: "3A"}}})
		return err
	}
	for what, do := range map[string]func() error{
		"mark":  mark,
		"type":  func() error { _, err := r.Typing(ctx, api.Typing{To: bob.LID()}); return err },
		"watch": func() error { _, err := r.WatchPresence(ctx, api.WatchPresence{Of: bob.LID()}); return err },
	} {
		r.signals = newPace(3, r.now)
		if err := mark(); api.CodeOf(err) == api.CodeRateLimited {
			t.Errorf("the first: %v", err)
		}
		if err := do(); api.CodeOf(err) != api.CodeRateLimited || !strings.Contains(err.Error(), "3 marks as read") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
