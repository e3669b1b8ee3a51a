package connection

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

func TestSendTextToANumber(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	bob.AutoReceipt("", "read")
	got, err := r.SendText(ctx, api.SendText{To: "+1 (555) 010-0123", Text: "Which order?"})
	must(t, err)
	if got.MessageID == "" || got.Chat != bob.LID() || got.Timestamp.IsZero() {
		t.Errorf("result %+v", got)
	}
	sent := r.named(MessageSent)
	if len(sent) != 1 {
		t.Fatalf("%d message.sent events when the call returned, want 1", len(sent))
	}
	if m := messageIn(t, sent[0]); m.Key.ID != got.MessageID || !m.Key.FromMe || m.Message.Conversation != "Which order?" || m.Status != statusServerAck || sent[0].Chat != bob.LID() {
		t.Errorf("message.sent is %s", sent[0].Body)
	}
	must(t, bob.WaitReceived(ctx, 1))
	if in := bob.Received(); in[0].ID != got.MessageID || in[0].Text != "Which order?" {
		t.Errorf("received %+v", in)
	}
	eventually(t, "both receipts", func() bool { return len(r.named(MessageUpdate)) == 2 })
	all := r.events()
	at := func(name string) int {
		return slices.IndexFunc(all, func(e outbox.Event) bool { return e.Name == name })
	}
	if at(MessageSent) > at(MessageUpdate) {
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
	got, err := r.SendText(ctx, api.SendText{To: group.JID(), Text: "all"})
	must(t, err)
	if got.Chat != group.JID() {
		t.Errorf("result %+v", got)
	}
	must(t, bob.WaitReceived(ctx, 1))
	must(t, carol.WaitReceived(ctx, 1))
	_, err = r.SendText(ctx, api.SendText{To: carol.LID(), Text: "you"})
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
	for quoted, want := range map[string]string{id: "what did you say?", "3EB0UNKNOWN": ""} {
		got, err := r.SendText(ctx, api.SendText{To: bob.LID(), Text: "nothing", QuotedMessageID: quoted})
		must(t, err)
		sent := r.named(MessageSent)
		m := messageIn(t, sent[len(sent)-1])
		q := m.Message.ExtendedTextMessage.ContextInfo
		if m.Key.ID != got.MessageID || m.Message.ExtendedTextMessage.Text != "nothing" || q.StanzaID != quoted || q.Participant != bob.LID() || q.QuotedMessage.Conversation != want {
			t.Errorf("quoting %s: %s", quoted, sent[len(sent)-1].Body)
		}
	}
}

func TestIdempotencyKeySendsOnce(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	in := api.SendText{To: bob.LID(), Text: "once", IdempotencyKey: "order-1042"}
	type answer struct {
		result api.SendResult
		err    error
	}
	answers := make(chan answer, 8)
	for range cap(answers) {
		go func() {
			res, err := r.SendText(ctx, in)
			answers <- answer{res, err}
		}()
	}
	first := <-answers
	must(t, first.err)
	for range cap(answers) - 1 {
		if a := <-answers; a.err != nil || a.result != first.result {
			t.Errorf("got %+v, %v; want %+v", a.result, a.err, first.result)
		}
	}
	r.restart()
	if again, err := r.SendText(ctx, in); err != nil || again != first.result {
		t.Errorf("after a restart: %+v, %v; want %+v", again, err, first.result)
	}
	r.waitState(api.LinkConnected)
	_, err := r.SendText(ctx, api.SendText{To: bob.LID(), Text: "another"})
	must(t, err)
	must(t, bob.WaitReceived(ctx, 2))
	if in := bob.Received(); len(in) != 2 || in[0].Text != "once" || in[1].Text != "another" {
		t.Errorf("received %+v", in)
	}
	if n := len(r.named(MessageSent)); n != 2 {
		t.Errorf("%d message.sent events, want 2", n)
	}
}

func TestSendTextErrors(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	for name, c := range map[string]struct {
		in   api.SendText
		want api.Code
	}{
		"no text":           {api.SendText{To: bob.LID(), Text: " \n"}, api.CodeInvalidArguments},
		"long text":         {api.SendText{To: bob.LID(), Text: strings.Repeat("x", maxText+1)}, api.CodeInvalidArguments},
		"broken text":       {api.SendText{To: bob.LID(), Text: "\xff"}, api.CodeInvalidArguments},
		"no recipient":      {api.SendText{Text: "x"}, api.CodeInvalidRecipient},
		"not on WhatsApp":   {api.SendText{To: "+1 555 010 9999", Text: "x"}, api.CodeNotOnWhatsApp},
		"JID not on it":     {api.SendText{To: "15550109998@s.whatsapp.net", Text: "x"}, api.CodeNotOnWhatsApp},
		"group not in":      {api.SendText{To: "120363000000000000@g.us", Text: "x"}, api.CodeInvalidRecipient},
		"status broadcasts": {api.SendText{To: "status@broadcast", Text: "x"}, api.CodeInvalidRecipient},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := r.SendText(ctx, c.in); api.CodeOf(err) != c.want {
				t.Errorf("got %v (%s), want %s", err, api.CodeOf(err), c.want)
			}
		})
	}
	for code, want := range map[int]api.Code{429: api.CodeRateLimited, 479: api.CodeSendFailed} {
		r.acc.RejectSends(code)
		before := len(r.named(MessageUpdate))
		if _, err := r.SendText(ctx, api.SendText{To: bob.LID(), Text: "x"}); api.CodeOf(err) != want {
			t.Errorf("refused with %d: got %v", code, err)
		}
		eventually(t, "the failed send's event", func() bool { return len(r.named(MessageUpdate)) == before+1 })
	}
	r.acc.RejectSends(0)
	if n := len(r.named(MessageSent)); n != 0 {
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
	if _, err := r.SendText(ctx, api.SendText{To: bob.LID(), Text: "x"}); api.CodeOf(err) != api.CodeOutboxFull {
		t.Errorf("without room: %v", err)
	}
	if n := len(bob.Received()); n != 0 {
		t.Errorf("Bob received %d messages of failed sends", n)
	}
	r.acc.Unlink()
	r.waitState(api.LinkUnlinked)
	if _, err := r.SendText(ctx, api.SendText{To: bob.LID(), Text: "x"}); api.CodeOf(err) != api.CodeNotConnected {
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
	in := api.SendText{To: bob.LID(), Text: "x", IdempotencyKey: "k"}
	if _, err := r.SendText(left, in); api.CodeOf(err) != api.CodeTimeout {
		t.Errorf("the caller that left got %v", err)
	}
	r.engine.Hook(nil)
	close(release)
	must(t, bob.WaitReceived(ctx, 1))
	got, err := r.SendText(ctx, in)
	if err != nil || got.MessageID != bob.Received()[0].ID {
		t.Errorf("asked again: %+v, %v; Bob has %+v", got, err, bob.Received())
	}
}

// prepared leaves a send that WhatsApp has and the outbox does not, in a process that ended.
func prepared(t *testing.T, r *rig, in api.SendText) api.SendResult {
	t.Helper()
	r.engine.Hook(func(op string) error {
		if op == "AppendSent" {
			return errors.New("no room")
		}
		return nil
	})
	got, err := r.SendText(bounded(t), in)
	must(t, err)
	if !r.hasAlarm(alarmRefused) {
		t.Error("no alarm although a sent message could not be stored")
	}
	r.stop()
	r.engine.Hook(nil)
	if n := len(r.named(MessageSent)); n != 0 {
		t.Fatalf("%d message.sent events", n)
	}
	return got
}

func TestReceiptProvesAnEarlierSend(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	got := prepared(t, r, api.SendText{To: bob.LID(), Text: "did it leave?"})
	must(t, bob.SendReceipt(ctx, "", got.MessageID))
	r.restart()
	eventually(t, "the receipt", func() bool { return len(r.named(MessageUpdate)) == 1 })
	all := r.events()
	last := all[slices.IndexFunc(all, func(e outbox.Event) bool { return e.Name == MessageUpdate })-1]
	if last.Name != MessageSent {
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
	in := api.SendText{To: bob.LID(), Text: "once or twice", IdempotencyKey: "k"}
	first := prepared(t, r, in)
	r.restart()
	r.waitState(api.LinkConnected)
	again, err := r.SendText(ctx, in)
	must(t, err)
	if again.MessageID != first.MessageID || again.Chat != first.Chat {
		t.Errorf("first %+v, again %+v", first, again)
	}
	if n := len(r.named(MessageSent)); n != 1 {
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
	got, err := r.SendText(ctx, api.SendText{To: bob.LID(), Text: "x"})
	must(t, err)
	r.engine.Hook(nil)
	r.acc.Drop() // the next connection tries again
	eventually(t, "message.sent", func() bool { return len(r.named(MessageSent)) == 1 })
	if m := messageIn(t, r.named(MessageSent)[0]); m.Key.ID != got.MessageID {
		t.Errorf("message.sent of %s", m.Key.ID)
	}
}

func TestParseRecipient(t *testing.T) {
	for in, want := range map[string]string{
		"15550100123":                       "15550100123@s.whatsapp.net",
		" +49 (151) 555-0100 ":              "491515550100@s.whatsapp.net",
		"15550100123@c.us":                  "15550100123@s.whatsapp.net",
		"15550100123:7@s.whatsapp.net":      "15550100123@s.whatsapp.net",
		"204813927440123@lid":               "204813927440123@lid",
		"120363025846172094@g.us":           "120363025846172094@g.us",
		"15550100123-1500000000@g.us":       "15550100123-1500000000@g.us",
		"":                                  "",
		"0151 5550100":                      "",
		"12345":                             "",
		"1234567890123456":                  "",
		"Bob":                               "",
		"49151+5550100":                     "",
		"bob@s.whatsapp.net":                "",
		"+15550100123@s.whatsapp.net":       "",
		"@s.whatsapp.net":                   "",
		"1@2@s.whatsapp.net":                "",
		"15550100123@s.whatsapp.net@x":      "",
		"123@newsletter":                    "",
		"15550100123@example.com":           "",
		"status@broadcast":                  "",
		"<script>@g.us":                     "",
		"0151555010012@s.whatsapp.net":      "",
		"1.2.3@s.whatsapp.net":              "",
		"12036302584617209\u0661@g.us":      "",
		"\u0661\u0662\u0663\u0664\u0665123": "",
	} {
		jid, err := parseRecipient(in)
		if want == "" {
			if api.CodeOf(err) != api.CodeInvalidRecipient {
				t.Errorf("%q: got %s, %v; want a refusal", in, jid, err)
			}
			continue
		}
		if err != nil || jid.String() != want {
			t.Errorf("%q: got %s, %v; want %s", in, jid, err, want)
		}
	}
}

func TestContentOfAnotherVersionIsRefused(t *testing.T) {
	b, err := json.Marshal(sendContent{Version: contentVersion + 1, To: "1@lid"})
	must(t, err)
	if _, _, err := decodeContent(b); err == nil || !strings.Contains(err.Error(), "version") {
		t.Errorf("got %v", err)
	}
}

func TestOldSendsOfUnknownOutcomeAreClosed(t *testing.T) {
	r := newRig(t)
	content, err := encodeContent(types.NewJID("204813927440123", types.HiddenUserServer), &waE2E.Message{Conversation: proto.String("x")})
	must(t, err)
	for id, age := range map[string]time.Duration{"old": proofLimit + time.Hour, "recent": proofLimit - time.Hour} {
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
		return slices.ContainsFunc(r.named(ConnectionUpdate), func(e outbox.Event) bool { return strings.Contains(string(e.Body), want) })
	})
}

func TestPairingRoundLasts160Seconds(t *testing.T) {
	p := defaultPace()
	if got := p.code[0] + 5*p.code[1]; got != 160*time.Second {
		t.Errorf("six codes last %v", got)
	}
}
