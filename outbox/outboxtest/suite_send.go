package outboxtest

import (
	"time"

	"waoutbox/outbox"
)

func sendCases() []testCase {
	return []testCase{
		{"a send is prepared and settled with its event", sendSettles},
		{"an idempotency key is held once", sendKeys},
		{"settled sends are forgotten after a day", sendPruned},
	}
}

func prepared(id, key string) outbox.Send {
	return outbox.Send{MessageID: id, Chat: "c", IdempotencyKey: key, Content: []byte("text"), CreatedAt: time.Now()}
}

func settled(s outbox.Send, state outbox.SendState, at time.Time) outbox.Send {
	s.State, s.SettledAt, s.Result = state, at, []byte("result")
	return s
}

func (b *bench) putSend(s outbox.Send) {
	b.Helper()
	if err := b.e.PutSend(b.ctx, s); err != nil {
		b.Fatalf("PutSend: %v", err)
	}
}

func (b *bench) unsettled() int {
	b.Helper()
	list, err := b.e.Unsettled(b.ctx)
	if err != nil {
		b.Fatalf("Unsettled: %v", err)
	}
	return len(list)
}

func sendSettles(b *bench) {
	b.subscribe("wh_a", outbox.Any)
	s := prepared("3EB0A", "key")
	b.putSend(s)
	if n := b.unsettled(); n != 1 {
		b.Fatalf("%d unsettled sends, want 1", n)
	}
	evs := []outbox.Event{named("sent", "message.sent"), named("changed", "message.update")}
	seqs, err := b.e.AppendSent(b.ctx, settled(s, outbox.SendSent, time.Now()), evs...)
	if err != nil {
		b.Fatal(err)
	}
	got, _ := b.read("wh_a", 0)
	b.equal("the events", got, seqs)
	for what, find := range map[string]func() (outbox.Send, error){
		"Send":      func() (outbox.Send, error) { return b.e.Send(b.ctx, "3EB0A") },
		"SendByKey": func() (outbox.Send, error) { return b.e.SendByKey(b.ctx, "key") },
	} {
		g, err := find()
		if err != nil || g.MessageID != "3EB0A" || g.State != outbox.SendSent || string(g.Result) != "result" || string(g.Content) != "text" ||
			g.Chat != "c" || g.IdempotencyKey != "key" || !g.CreatedAt.Equal(s.CreatedAt) || g.SettledAt.IsZero() {
			b.Fatalf("%s = %+v, %v", what, g, err)
		}
	}
	if n := b.unsettled(); n != 0 {
		b.Fatalf("%d unsettled sends after settling", n)
	}
	again, err := b.e.AppendSent(b.ctx, settled(s, outbox.SendSent, time.Now()), evs...)
	if err != nil {
		b.Fatalf("repeated AppendSent: %v", err)
	}
	b.equal("the events of a repeated AppendSent", again, seqs)
	_, err = b.e.Send(b.ctx, "unknown")
	b.wantErr("Send of an unknown id", err, outbox.ErrNotFound)
	_, err = b.e.SendByKey(b.ctx, "unknown")
	b.wantErr("SendByKey of an unknown key", err, outbox.ErrNotFound)
	_, err = b.e.SendByKey(b.ctx, "")
	b.wantErr("SendByKey of no key", err, outbox.ErrNotFound)
}

func sendKeys(b *bench) {
	b.putSend(prepared("A", "key"))
	b.wantErr("a second send with the key", b.e.PutSend(b.ctx, prepared("B", "key")), outbox.ErrDuplicate)
	_, err := b.e.AppendSent(b.ctx, settled(prepared("B", "key"), outbox.SendSent, time.Now()), msg("x", "c"))
	b.wantErr("AppendSent with the key", err, outbox.ErrDuplicate)
	if st, err := b.e.Stats(b.ctx); err != nil || st.Events != 0 {
		b.Fatalf("a refused AppendSent left %d events, %v", st.Events, err)
	}
	b.putSend(prepared("C", ""))
	b.putSend(prepared("D", ""))
	b.putSend(settled(prepared("A", "key"), outbox.SendFailed, time.Now()))
	b.putSend(prepared("B", "key")) // a failed send gives its key away
	if g, err := b.e.SendByKey(b.ctx, "key"); err != nil || g.MessageID != "B" {
		b.Fatalf("SendByKey = %+v, %v; want B", g, err)
	}
	if n := b.unsettled(); n != 3 {
		b.Fatalf("%d unsettled sends, want B, C and D", n)
	}
	if err := b.e.PutSend(b.ctx, outbox.Send{}); err == nil {
		b.Fatal("a send without an id was taken")
	}
}

func sendPruned(b *bench) {
	now := time.Now()
	b.putSend(prepared("waiting", "w"))
	b.putSend(settled(prepared("old", "old"), outbox.SendSent, now.Add(-outbox.SendKept-time.Hour)))
	b.putSend(settled(prepared("recent", "recent"), outbox.SendSent, now.Add(-outbox.SendKept+time.Hour)))
	b.putSend(prepared("other", "other"))
	if s, err := b.e.SendByKey(b.ctx, "old"); err != nil || s.MessageID != "old" {
		b.Fatalf("an old send that was not forgotten yet: %+v, %v", s, err)
	}
	for more := true; more; {
		var err error
		if more, err = b.e.ForgetSends(b.ctx, now.Add(-outbox.SendKept)); err != nil {
			b.Fatal(err)
		}
	}
	_, err := b.e.Send(b.ctx, "old")
	b.wantErr("a send settled before that", err, outbox.ErrNotFound)
	_, err = b.e.SendByKey(b.ctx, "old")
	b.wantErr("its key", err, outbox.ErrNotFound)
	for _, id := range []string{"waiting", "recent", "other"} {
		if _, err := b.e.Send(b.ctx, id); err != nil {
			b.Fatalf("%s is gone: %v", id, err)
		}
	}
}
