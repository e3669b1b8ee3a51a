package connection

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"waoutbox/connection/compose"
	"waoutbox/connection/translate"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

func TestSendTextToANumber(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	bob.AutoReceipt("", "read")
	got, err := r.Send(ctx, api.Send{To: "+1 (555) 010-0123", Text: "Which order?"})
	must(t, err)
	if got.MessageID == "" || got.Chat != bob.LID() || got.Timestamp.IsZero() {
		t.Errorf("result %+v", got)
	}
	sent := r.named(translate.MessageSent)
	if len(sent) != 1 {
		t.Fatalf("%d message.sent events when the call returned, want 1", len(sent))
	}
	if m := messageIn(t, sent[0]); m.Key.ID != got.MessageID || !m.Key.FromMe || m.Message.Conversation != "Which order?" || m.Status != serverAck || sent[0].Chat != bob.LID() {
		t.Errorf("message.sent is %s", sent[0].Body)
	}
	must(t, bob.WaitReceived(ctx, 1))
	if in := bob.Received(); in[0].ID != got.MessageID || in[0].Text != "Which order?" {
		t.Errorf("received %+v", in)
	}
	eventually(t, "both receipts", func() bool { return len(r.named(translate.MessageUpdate)) == 2 })
	all := r.events()
	at := func(name string) int {
		return slices.IndexFunc(all, func(e outbox.Event) bool { return e.Name == name })
	}
	if at(translate.MessageSent) > at(translate.MessageUpdate) {
		t.Error("a receipt was stored before the message it is about")
	}
	if open, err := r.engine.Unsettled(ctx); err != nil || len(open) != 0 {
		t.Errorf("open sends %v, %v", open, err)
	}
}

func TestSendTextToAGroupAndALID(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob, carol := r.acc.NewContact("Bob", "15550100123"), r.acc.NewContact("Carol", "15550100124")
	group := r.acc.NewGroup("Friends", bob, carol)
	got, err := r.Send(ctx, api.Send{To: group.JID(), Text: "all"})
	must(t, err)
	if got.Chat != group.JID() {
		t.Errorf("result %+v", got)
	}
	must(t, bob.WaitReceived(ctx, 1))
	must(t, carol.WaitReceived(ctx, 1))
	_, err = r.Send(ctx, api.Send{To: carol.LID(), Text: "you"})
	must(t, err)
	must(t, carol.WaitReceived(ctx, 2))
}

func TestSendTextQuotes(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	id, err := bob.SendText(ctx, "what did you say?")
	must(t, err)
	r.waitTexts("what did you say?")
	got, err := r.Send(ctx, api.Send{To: bob.LID(), Text: "nothing", QuotedMessageID: id})
	must(t, err)
	sent := r.named(translate.MessageSent)
	m := messageIn(t, sent[len(sent)-1])
	q := m.Message.ExtendedTextMessage.ContextInfo
	if m.Key.ID != got.MessageID || m.Message.ExtendedTextMessage.Text != "nothing" || q.StanzaID != id || q.Participant != bob.LID() || q.QuotedMessage.Conversation != "what did you say?" {
		t.Errorf("quoting: %s", sent[len(sent)-1].Body)
	}
}

func TestIdempotencyKeySendsOnce(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	in := api.Send{To: bob.LID(), Text: "once", IdempotencyKey: "order-1042"}
	type outcome struct {
		result api.SendResult
		err    error
	}
	outcomes := make(chan outcome, 8)
	for range cap(outcomes) {
		go func() {
			res, err := r.Send(ctx, in)
			outcomes <- outcome{res, err}
		}()
	}
	first := <-outcomes
	must(t, first.err)
	for range cap(outcomes) - 1 {
		a := <-outcomes
		if !first.result.Repeated {
			first, a = a, first // one of them began it
		}
		if a.err != nil || !sameResult(a.result, first.result) {
			t.Errorf("got %+v, %v; want %+v", a.result, a.err, first.result)
		}
	}
	r.restart()
	if again, err := r.Send(ctx, in); err != nil || again != first.result {
		t.Errorf("after a restart: %+v, %v; want %+v", again, err, first.result)
	}
	r.waitState(api.LinkConnected)
	_, err := r.Send(ctx, api.Send{To: bob.LID(), Text: "another"})
	must(t, err)
	must(t, bob.WaitReceived(ctx, 2))
	if in := bob.Received(); len(in) != 2 || in[0].Text != "once" || in[1].Text != "another" {
		t.Errorf("received %+v", in)
	}
	if n := len(r.named(translate.MessageSent)); n != 2 {
		t.Errorf("%d message.sent events, want 2", n)
	}
}

// sameResult compares what was sent, whoever began it.
func sameResult(a, b api.SendResult) bool {
	a.Repeated, b.Repeated = false, false
	return a == b
}

func TestSendTextErrors(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	for name, c := range map[string]struct {
		in   api.Send
		want api.Code
	}{
		"no text":           {api.Send{To: bob.LID(), Text: " \n"}, api.CodeInvalidArguments},
		"long text":         {api.Send{To: bob.LID(), Text: strings.Repeat("x", 65_537)}, api.CodeInvalidArguments},
		"broken text":       {api.Send{To: bob.LID(), Text: "\xff"}, api.CodeInvalidArguments},
		"no recipient":      {api.Send{Text: "x"}, api.CodeInvalidRecipient},
		"not on WhatsApp":   {api.Send{To: "+1 555 010 9999", Text: "x"}, api.CodeNotOnWhatsApp},
		"JID not on it":     {api.Send{To: "15550109998@s.whatsapp.net", Text: "x"}, api.CodeNotOnWhatsApp},
		"group not in":      {api.Send{To: "120363000000000000@g.us", Text: "x"}, api.CodeInvalidRecipient},
		"status broadcasts": {api.Send{To: "status@broadcast", Text: "x"}, api.CodeInvalidRecipient},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := r.Send(ctx, c.in); api.CodeOf(err) != c.want {
				t.Errorf("got %v (%s), want %s", err, api.CodeOf(err), c.want)
			}
		})
	}
	for code, want := range map[int]api.Code{429: api.CodeRateLimited, 479: api.CodeSendFailed} {
		r.acc.RejectSends(code)
		before := len(r.named(translate.MessageUpdate))
		if _, err := r.Send(ctx, api.Send{To: bob.LID(), Text: "x"}); api.CodeOf(err) != want {
			t.Errorf("refused with %d: got %v", code, err)
		}
		eventually(t, "the failed send's event", func() bool { return len(r.named(translate.MessageUpdate)) == before+1 })
	}
	r.acc.RejectSends(0)
	if n := len(r.named(translate.MessageSent)); n != 0 {
		t.Errorf("%d message.sent events of failed sends", n)
	}
	if open, err := r.engine.Unsettled(ctx); err != nil || len(open) != 0 {
		t.Errorf("open sends %v, %v", open, err)
	}
	r.engine.Hook(func(op string) error {
		if op == "PutSend" {
			return outbox.ErrFull
		}
		return nil
	})
	if _, err := r.Send(ctx, api.Send{To: bob.LID(), Text: "x"}); api.CodeOf(err) != api.CodeOutboxFull {
		t.Errorf("without room: %v", err)
	}
	if n := len(bob.Received()); n != 0 {
		t.Errorf("Bob received %d messages of failed sends", n)
	}
	r.acc.Unlink()
	r.waitState(api.LinkUnlinked)
	if _, err := r.Send(ctx, api.Send{To: bob.LID(), Text: "x"}); api.CodeOf(err) != api.CodeNotConnected {
		t.Errorf("unlinked: %v", err)
	}
}

func TestCallerThatLeavesDoesNotStopTheSend(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	held, release := make(chan struct{}), make(chan struct{})
	r.engine.Hook(func(op string) error {
		if op == "PutSend" {
			close(held)
			<-release
		}
		return nil
	})
	left, leave := context.WithCancel(ctx)
	go func() { <-held; leave() }()
	in := api.Send{To: bob.LID(), Text: "x", IdempotencyKey: "k"}
	if _, err := r.Send(left, in); api.CodeOf(err) != api.CodeTimeout {
		t.Errorf("the caller that left got %v", err)
	}
	r.engine.Hook(nil)
	close(release)
	must(t, bob.WaitReceived(ctx, 1))
	got, err := r.Send(ctx, in)
	if err != nil || got.MessageID != bob.Received()[0].ID {
		t.Errorf("asked again: %+v, %v; Bob has %+v", got, err, bob.Received())
	}
}

// prepared leaves a send that WhatsApp has and the outbox does not, in a process that ended.
func prepared(t *testing.T, r *rig, in api.Send) api.SendResult {
	t.Helper()
	r.engine.Hook(func(op string) error {
		if op == "AppendSent" {
			return errors.New("no room")
		}
		return nil
	})
	got, err := r.Send(bounded(t), in)
	must(t, err)
	if !r.hasAlarm(alarmRefused) {
		t.Error("no alarm although a sent message could not be stored")
	}
	r.stop()
	r.engine.Hook(nil)
	if n := len(r.named(translate.MessageSent)); n != 0 {
		t.Fatalf("%d message.sent events", n)
	}
	return got
}

func TestReceiptSettlesAnEarlierSend(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	got := prepared(t, r, api.Send{To: bob.LID(), Text: "did it leave?"})
	must(t, bob.SendReceipt(ctx, "", got.MessageID))
	r.restart()
	eventually(t, "the receipt", func() bool { return len(r.named(translate.MessageUpdate)) == 1 })
	all := r.events()
	last := all[slices.IndexFunc(all, func(e outbox.Event) bool { return e.Name == translate.MessageUpdate })-1]
	if last.Name != translate.MessageSent {
		t.Fatalf("before the receipt stands %s", last.Name)
	}
	if m := messageIn(t, last); m.Key.ID != got.MessageID || m.Message.Conversation != "did it leave?" || last.Chat != bob.LID() {
		t.Errorf("message.sent is %s", last.Body)
	}
	s, err := r.engine.Send(ctx, got.MessageID)
	if err != nil || s.State != outbox.SendSent {
		t.Errorf("ledger: %+v, %v", s, err)
	}
}

func TestUnclearSendIsRepeatedUnderItsID(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	in := api.Send{To: bob.LID(), Text: "once or twice", IdempotencyKey: "k"}
	first := prepared(t, r, in)
	r.restart()
	r.waitState(api.LinkConnected)
	again, err := r.Send(ctx, in)
	must(t, err)
	if again.MessageID != first.MessageID || again.Chat != first.Chat {
		t.Errorf("first %+v, again %+v", first, again)
	}
	if n := len(r.named(translate.MessageSent)); n != 1 {
		t.Errorf("%d message.sent events, want 1", n)
	}
}

func TestAcknowledgedSendIsStoredWhenThereIsRoom(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	r.engine.Hook(func(op string) error {
		if op == "AppendSent" {
			return outbox.ErrFull
		}
		return nil
	})
	got, err := r.Send(ctx, api.Send{To: bob.LID(), Text: "x"})
	must(t, err)
	r.engine.Hook(nil)
	r.acc.Drop() // the next connection tries again
	eventually(t, "message.sent", func() bool { return len(r.named(translate.MessageSent)) == 1 })
	if m := messageIn(t, r.named(translate.MessageSent)[0]); m.Key.ID != got.MessageID {
		t.Errorf("message.sent of %s", m.Key.ID)
	}
}

func TestOldSendsOfUnknownOutcomeAreClosed(t *testing.T) {
	r := newRig(t)
	content, err := compose.Content{To: types.NewJID("204813927440123", types.HiddenUserServer), Message: &waE2E.Message{Conversation: proto.String("x")}}.Encode()
	must(t, err)
	for id, age := range map[string]time.Duration{"old": receiptLimit + time.Hour, "recent": receiptLimit - time.Hour} {
		must(t, r.engine.PutSend(t.Context(), outbox.Send{MessageID: id, Chat: "c", Content: content, CreatedAt: time.Now().Add(-age)}))
	}
	r.run()
	open, err := r.engine.Unsettled(t.Context())
	if err != nil || len(open) != 1 || open[0].MessageID != "recent" {
		t.Errorf("open sends %+v, %v", open, err)
	}
}

// A restart after a while reports the gap with the first catch-up.
func TestGapOverARestart(t *testing.T) {
	r := linkedRig(t)
	r.stop()
	since := time.Now().Add(-time.Hour)
	r.down = since
	r.restart()
	want := fmt.Sprintf(`"gap":{"from":%d,`, since.UnixMilli())
	eventually(t, "the gap", func() bool {
		return slices.ContainsFunc(r.named(translate.ConnectionUpdate), func(e outbox.Event) bool { return strings.Contains(string(e.Body), want) })
	})
}

// serverAck is the status of a message WhatsApp has taken, as bodies show it.
const serverAck = 2

// A repeated call takes up an earlier send while a receipt or a new connection settles it. Before,
// acked was written under the lock of the send that was replaced and read by everybody else under
// the lock of the send itself; the race detector printed "WARNING: DATA RACE ... Write at ...
// (*Client).earlier() ... Previous read at ... (*openSends).settleAcknowledged()".
func TestTakingUpASendDoesNotRaceWithSettling(t *testing.T) {
	r := newRig(t)
	t.Cleanup(func() { must(t, r.dev.Close()) })
	r.engine.Hook(func(op string) error {
		if op == "AppendSent" {
			return outbox.ErrFull // so that it stays open
		}
		return nil
	})
	to := types.NewJID("204813927440123", types.HiddenUserServer)
	msg := &waE2E.Message{Conversation: proto.String("x")}
	content, err := compose.Content{To: to, Message: msg}.Encode()
	must(t, err)
	entry := outbox.Send{MessageID: "3EB0A", Chat: to.String(), Content: content, IdempotencyKey: "k", State: outbox.SendPrepared, CreatedAt: time.Now()}
	must(t, r.engine.PutSend(t.Context(), entry))
	over := make(chan struct{})
	close(over)
	stop := make(chan struct{})
	var settling sync.WaitGroup
	settling.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				r.sends.settleAcknowledged(t.Context())
			}
		}
	})
	for range 200 {
		r.sends.mu.Lock()
		r.sends.open[entry.MessageID] = &openSend{Content: compose.Content{To: to, Message: msg}, send: entry, done: over, acked: &whatsmeow.SendResponse{ID: entry.MessageID, Chat: to}}
		r.sends.mu.Unlock()
		if _, err := r.earlierResult(t.Context(), &openSend{done: over, send: outbox.Send{IdempotencyKey: "k"}}); api.CodeOf(err) != api.CodeOutboxFull {
			t.Fatalf("taking up the send: %v", err)
		}
	}
	close(stop)
	settling.Wait()
}

// A receipt that has found the earlier send when a repeated call takes it up settles that call's
// send, so that it does not go out again as one of unknown outcome. Before: "open sends 0, settled
// false".
func TestReceiptOfASendThatIsTakenUpSettlesIt(t *testing.T) {
	r := newRig(t)
	t.Cleanup(func() { must(t, r.dev.Close()) })
	to := types.NewJID("204813927440123", types.HiddenUserServer)
	msg := &waE2E.Message{Conversation: proto.String("x")}
	old := &openSend{Content: compose.Content{To: to, Message: msg}, send: outbox.Send{MessageID: "3EB0A"}}
	must(t, r.sends.prepare(t.Context(), old))
	o := &openSend{Content: old.Content, send: old.send}
	r.sends.takeUp(o)
	must(t, r.sends.settle(t.Context(), old, whatsmeow.SendResponse{ID: "3EB0A", Chat: to}))
	if len(r.sends.open) != 0 || !o.settled {
		t.Errorf("open sends %d, settled %v", len(r.sends.open), o.settled)
	}
	if n := len(r.named(translate.MessageSent)); n != 1 {
		t.Errorf("%d message.sent events, want 1", n)
	}
}
