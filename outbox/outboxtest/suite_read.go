package outboxtest

import (
	"context"
	"fmt"
	"time"

	"waoutbox/outbox"
)

func readCases() []testCase {
	return []testCase{
		{"read returns owed events only", readOwed},
		{"read respects its byte limit", readBytes},
		{"read gets past events nobody wants", readSkips},
		{"wait wakes on append", waitWakes},
		{"unknown subscription", unknownSub},
		{"a message is found by its id", findMessage},
		{"the newest event", newest},
		{"a deep backlog is read and counted", deepBacklog},
	}
}

func readOwed(b *bench) {
	b.append(msg("before", "c"))
	b.subscribe("wh_a", "message.received")
	b.put(outbox.Subscription{ID: "wh_b", Epochs: []outbox.Epoch{{Filter: outbox.Filter{Events: []string{outbox.Any}, Chats: []string{"x"}}}}})
	seqs := b.append(msg("1", "c"), named("2", "presence.update"), msg("3", "x"))
	got, next := b.read("wh_a", 0)
	b.equal("by name", got, []outbox.Seq{seqs[0], seqs[2]})
	if next <= seqs[2] {
		b.Fatalf("read goes on at %d, not above %d", next, seqs[2])
	}
	got, _ = b.read("wh_b", 0)
	b.equal("by chat", got, seqs[2:])
	got, _ = b.read("wh_a", seqs[1])
	b.equal("from the middle", got, seqs[2:])
	got, end := b.read("wh_a", next+100)
	if len(got) != 0 || end != next+100 {
		b.Fatalf("read above the end = %v, %d", got, end)
	}
}

func readBytes(b *bench) {
	b.subscribe("wh_a", outbox.Any)
	var want []outbox.Seq
	for i := range 5 {
		e := msg(fmt.Sprint(i), "c")
		e.Body = make([]byte, 1000)
		want = append(want, b.append(e)...)
	}
	var got []outbox.Seq
	for from := outbox.Seq(0); len(got) < 5; {
		evs, next, err := b.e.Read(b.ctx, "wh_a", from, 2500)
		if err != nil || len(evs) == 0 || len(evs) > 2 {
			b.Fatalf("Read of 2500 bytes = %d events, %v", len(evs), err)
		}
		for _, e := range evs {
			got = append(got, e.Seq)
		}
		from = next
	}
	b.equal("in steps", got, want)
	if evs, _, err := b.e.Read(b.ctx, "wh_a", 0, 1); err != nil || len(evs) != 1 {
		b.Fatalf("Read of 1 byte = %d events, %v; a body above the limit must come alone", len(evs), err)
	}
}

func readSkips(b *bench) {
	b.subscribe("wh_a", "group.update")
	b.fill("skip", 3*outbox.MaxBatch)
	want := b.append(named("hit", "group.update"))
	got, _ := b.read("wh_a", 0)
	b.equal("behind many others", got, want)
	b.count("wh_a", 1, 0)
}

func waitWakes(b *bench) {
	seqs := b.append(msg("a", "c"))
	if err := b.e.Wait(b.ctx, seqs[0]); err != nil {
		b.Fatalf("Wait for what is there: %v", err)
	}
	woke := make(chan error, 3)
	for range cap(woke) {
		go func() { woke <- b.e.Wait(b.ctx, seqs[0]+1) }()
	}
	b.append(msg("b", "c"))
	for range cap(woke) {
		if err := <-woke; err != nil {
			b.Fatalf("Wait: %v", err)
		}
	}
	ctx, cancel := context.WithTimeout(b.ctx, time.Millisecond)
	defer cancel()
	b.wantErr("Wait for what never comes", b.e.Wait(ctx, seqs[0]+100), context.DeadlineExceeded)
}

func unknownSub(b *bench) {
	_, _, err := b.e.Read(b.ctx, "wh_x", 0, 1)
	b.wantErr("Read", err, outbox.ErrNotFound)
	_, _, _, err = b.e.Load(b.ctx, "wh_x")
	b.wantErr("Load", err, outbox.ErrNotFound)
	b.wantErr("Commit", b.e.Commit(b.ctx, outbox.Change{Sub: "wh_x", Next: 1}), outbox.ErrNotFound)
	_, err = b.e.Dead(b.ctx, "wh_x", 0, 10)
	b.wantErr("Dead", err, outbox.ErrNotFound)
	_, err = b.e.RecordAt(b.ctx, "wh_x", 1)
	b.wantErr("RecordAt", err, outbox.ErrNotFound)
	_, _, err = b.e.Owed(b.ctx, "wh_x", 1, 2, 10)
	b.wantErr("Owed", err, outbox.ErrNotFound)
}

func deepBacklog(b *bench) {
	b.subscribe("wh_a", outbox.Any)
	want := b.fill("m", 2500)
	b.count("wh_a", 2500, 0)
	got, next := b.read("wh_a", 0)
	b.equal("backlog", got, want)
	b.commit(outbox.Change{Sub: "wh_a", Next: want[1700], Set: []outbox.Record{pendingRec(want[3])}})
	b.count("wh_a", 801, 0)
	b.commit(outbox.Change{Sub: "wh_a", Next: next})
	b.count("wh_a", 1, 0)
	b.commit(outbox.Change{Sub: "wh_a", Set: []outbox.Record{doneRec(want[3])}})
	b.count("wh_a", 0, 0)
	if s := b.stats("wh_a"); !s.OldestPending.IsZero() || s.Next != next {
		b.Fatalf("Stats of a drained subscription: %+v", s)
	}
}

func findMessage(b *bench) {
	of := func(key, name, chat, message string) outbox.Event {
		e := msg(key, chat)
		e.Name, e.Message = name, message
		return e
	}
	b.append(of("1", "message.received", "a@lid", "M1"))
	b.append(of("2", "message.update", "a@lid", ""))
	b.append(of("3", "message.received", "b@lid", "M1"))
	b.append(of("4", "message.sent", "a@lid", "M2"))
	b.append(of("5", "message.sent", "a@lid", "M2"))
	for _, tc := range []struct{ chat, message, want string }{
		{"a@lid", "M1", "evt_1"}, // not the update, not the other chat
		{"b@lid", "M1", "evt_3"},
		{"a@lid", "M2", "evt_5"}, // the newest
		{"b@lid", "M2", ""},
		{"a@lid", "", ""}, // what has no message id is not "the message without an id"
	} {
		ev, err := b.e.FindMessage(b.ctx, tc.chat, tc.message)
		if tc.want == "" {
			b.wantErr("FindMessage("+tc.chat+", "+tc.message+")", err, outbox.ErrNotFound)
			continue
		}
		if err != nil || ev.Key != tc.want || ev.Message != tc.message || len(ev.Body) == 0 {
			b.Fatalf("FindMessage(%s, %s) = %+v, %v, want %s", tc.chat, tc.message, ev, err, tc.want)
		}
	}
}

// The newest event kept tells when the service was last seen at work.
func newest(b *bench) {
	_, err := b.e.Newest(b.ctx)
	b.wantErr("Newest of an empty engine", err, outbox.ErrNotFound)
	at := func(key string, minute int) outbox.Event {
		e := msg(key, "c")
		e.Time = time.Date(2026, 1, 1, 0, minute, 0, 0, time.UTC)
		return e
	}
	b.subscribe("wh_a", outbox.Any)
	seqs := b.append(at("1", 3), at("2", 1))
	if ev, err := b.e.Newest(b.ctx); err != nil || ev.Seq != seqs[1] || !ev.Time.Equal(at("2", 1).Time) {
		b.Fatalf("Newest = %+v, %v; want the one appended last", ev, err)
	}
	b.commit(outbox.Change{Sub: "wh_a", Next: seqs[1] + 1, Set: []outbox.Record{deadRec(seqs[0])}})
	if n, _, err := b.e.Trim(b.ctx, at("", 4).Time, 10); n != 1 || err != nil {
		b.Fatalf("Trim = %d, %v", n, err)
	}
	if ev, err := b.e.Newest(b.ctx); err != nil || ev.Seq != seqs[0] {
		b.Fatalf("Newest after Trim = %+v, %v; want the newest that is kept", ev, err)
	}
	b.commit(outbox.Change{Sub: "wh_a", Set: []outbox.Record{doneRec(seqs[0])}})
	if n, _, err := b.e.Trim(b.ctx, at("", 9).Time, 10); n != 1 || err != nil {
		b.Fatalf("Trim = %d, %v", n, err)
	}
	_, err = b.e.Newest(b.ctx)
	b.wantErr("Newest when everything was trimmed", err, outbox.ErrNotFound)
}
