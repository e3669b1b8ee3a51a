package outboxtest

import (
	"context"
	"fmt"
	"time"

	"waoutbox/outbox"
)

func readCases() []testCase {
	return []testCase{
		{"read answers owed events only", readOwed},
		{"read respects its byte limit", readBytes},
		{"read gets past events nobody wants", readSkips},
		{"wait wakes on append", waitWakes},
		{"unknown subscription", unknownSub},
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
	_, err = b.e.DeadAt(b.ctx, "wh_x", 1)
	b.wantErr("DeadAt", err, outbox.ErrNotFound)
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
