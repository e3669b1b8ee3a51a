package outboxtest

import (
	"errors"
	"slices"
	"time"

	"waoutbox/outbox"
)

func recordCases() []testCase {
	return []testCase{
		{"a change is loaded back", changeLoads},
		{"next never goes backwards", nextRises},
		{"repeating a change is harmless", changeRepeats},
		{"pending and dead are never both", pendingOrDead},
		{"an illegal change does nothing", changeRefused},
		{"a stale change is refused", staleRefused},
		{"oldest pending", oldestPending},
		{"a record above the cursor is counted once", recordAbove},
	}
}

func changeLoads(b *bench) {
	b.subscribe("wh_a", outbox.Any)
	b.subscribe("wh_ab", outbox.Any) // an id that begins with the other one
	seqs := b.append(msg("a", "c"), msg("b", "c"), msg("c", "c"))
	due := time.Now().Add(3 * time.Second)
	rec := outbox.Record{Seq: seqs[0], State: outbox.Pending, Attempts: 2, Due: due, Order: 1 << 63, Replay: 1, Reason: "timeout", Log: []byte("log")}
	b.commit(outbox.Change{Sub: "wh_a", Next: seqs[2], Lane: []byte("gate"), Set: []outbox.Record{rec, pendingRec(seqs[1])}})
	next, lane, pending, err := b.e.Load(b.ctx, "wh_a")
	if err != nil || next != seqs[2] || string(lane) != "gate" || len(pending) != 2 {
		b.Fatalf("Load = %d, %q, %d records, %v", next, lane, len(pending), err)
	}
	got := pending[0]
	if got.Seq != rec.Seq || got.Last != 0 || got.State != rec.State || got.Attempts != 2 || !got.Due.Equal(due) || got.Order != rec.Order ||
		got.Replay != 1 || got.Reason != "timeout" || got.Log != nil {
		b.Fatalf("record came back as %+v", got)
	}
	if whole, err := b.e.RecordAt(b.ctx, "wh_a", seqs[0]); err != nil || string(whole.Log) != "log" || !whole.Due.Equal(due) {
		b.Fatalf("whole it came back as %+v, %v", whole, err)
	}
	if n, recs := b.load("wh_ab"); n != seqs[0] || len(recs) != 0 {
		b.Fatalf("a subscription with a longer id has next %d and %d records", n, len(recs))
	}
	b.commit(outbox.Change{Sub: "wh_a", Set: []outbox.Record{doneRec(seqs[0])}})
	if _, lane, pending, _ := b.e.Load(b.ctx, "wh_a"); string(lane) != "gate" || !slices.Equal(keySeqs(pending), seqs[1:2]) {
		b.Fatalf("after settling one: lane %q, records %v", lane, keySeqs(pending))
	}
	b.count("wh_a", 2, 0)
}

func nextRises(b *bench) {
	b.subscribe("wh_a", outbox.Any)
	seqs := b.append(msg("a", "c"), msg("b", "c"))
	b.commit(outbox.Change{Sub: "wh_a", Next: seqs[1]})
	b.commit(outbox.Change{Sub: "wh_a", Next: seqs[0]})
	b.commit(outbox.Change{Sub: "wh_a"})
	if next, _ := b.load("wh_a"); next != seqs[1] {
		b.Fatalf("next = %d, want %d", next, seqs[1])
	}
	s := b.subscribe("wh_a", outbox.Any)
	if next, _ := b.load("wh_a"); next != seqs[1] {
		b.Fatalf("PutSub of %+v moved next to %d", s, next)
	}
}

func changeRepeats(b *bench) {
	b.subscribe("wh_a", outbox.Any)
	seqs := b.append(msg("a", "c"), msg("b", "c"), msg("c", "c"), msg("d", "c"))
	c := outbox.Change{Sub: "wh_a", Next: seqs[3], Set: []outbox.Record{pendingRec(seqs[0]), deadRec(seqs[1]), doneRec(seqs[2])}}
	b.commit(c)
	b.commit(c)
	if _, pending := b.load("wh_a"); !slices.Equal(keySeqs(pending), seqs[:1]) {
		b.Fatalf("pending %v", keySeqs(pending))
	}
	b.equal("dead", keySeqs(b.dead("wh_a")), seqs[1:2])
	b.count("wh_a", 2, 1)
}

func pendingOrDead(b *bench) {
	b.subscribe("wh_a", outbox.Any)
	s := b.append(msg("a", "c"))[0]
	state := func(pending, dead int) {
		b.Helper()
		_, p := b.load("wh_a")
		if d := b.dead("wh_a"); len(p) != pending || len(d) != dead {
			b.Fatalf("%d pending and %d dead records, want %d and %d", len(p), len(d), pending, dead)
		}
		b.count("wh_a", int64(pending), int64(dead))
	}
	b.commit(outbox.Change{Sub: "wh_a", Next: s + 1, Set: []outbox.Record{pendingRec(s)}})
	state(1, 0)
	b.commit(outbox.Change{Sub: "wh_a", Set: []outbox.Record{deadRec(s)}})
	state(0, 1)
	b.commit(outbox.Change{Sub: "wh_a", Set: []outbox.Record{replayedRec(s)}})
	state(1, 0)
	again, replayed := deadRec(s), replayedRec(s)
	again.Replay, replayed.Replay = 1, 2
	last := again
	last.Replay = 2
	b.commit(outbox.Change{Sub: "wh_a", Set: []outbox.Record{again, replayed, last}})
	state(0, 1)
	b.commit(outbox.Change{Sub: "wh_a", Set: []outbox.Record{doneRec(s)}})
	state(0, 0)
}

func changeRefused(b *bench) {
	b.subscribe("wh_a", outbox.Any)
	seqs := b.append(msg("a", "c"), msg("b", "c"))
	err := b.e.Commit(b.ctx, outbox.Change{Sub: "wh_a", Next: seqs[1], Set: []outbox.Record{pendingRec(seqs[0]), {Seq: seqs[1], State: 9}}})
	if te, ok := errors.AsType[*outbox.TransitionError](err); !ok || te.Sub != "wh_a" || te.Seq != seqs[1] {
		b.Fatalf("a move to a state that does not exist: %v", err)
	}
	if err := b.e.Commit(b.ctx, outbox.Change{Sub: "wh_a", Next: seqs[1] + 100}); err == nil {
		b.Fatal("next above the newest event was taken")
	}
	if err := b.e.Commit(b.ctx, outbox.Change{Sub: "wh_a", Set: []outbox.Record{{State: outbox.Dead}}}); err == nil {
		b.Fatal("a record without a sequence was taken")
	}
	if next, pending := b.load("wh_a"); next != seqs[0] || len(pending) != 0 {
		b.Fatalf("refused changes left next %d and %d records", next, len(pending))
	}
	b.count("wh_a", 2, 0)
}

// A writer that knows less than the disk is refused, whole.
func staleRefused(b *bench) {
	b.subscribe("wh_a", outbox.Any)
	seqs := b.append(msg("a", "c"), msg("b", "c"))
	tried := pendingRec(seqs[0])
	tried.Attempts = 2
	b.commit(outbox.Change{Sub: "wh_a", Next: seqs[1] + 1, Set: []outbox.Record{tried, deadRec(seqs[1])}})
	earlier := tried
	earlier.Attempts = 1
	for what, r := range map[string]outbox.Record{"an earlier attempt": earlier, "a dead letter made pending without a replay": pendingRec(seqs[1])} {
		err := b.e.Commit(b.ctx, outbox.Change{Sub: "wh_a", Set: []outbox.Record{r}})
		if te, ok := errors.AsType[*outbox.TransitionError](err); !ok || te.Seq != r.Seq {
			b.Fatalf("%s: %v", what, err)
		}
	}
	if _, pending := b.load("wh_a"); len(pending) != 1 || pending[0].Attempts != 2 {
		b.Fatalf("pending %+v", pending)
	}
	b.count("wh_a", 1, 1)
	b.commit(outbox.Change{Sub: "wh_a", Set: []outbox.Record{tried, replayedRec(seqs[1])}})
	b.count("wh_a", 2, 0)
}

func oldestPending(b *bench) {
	b.subscribe("wh_a", "message.received")
	at := func(key string, minute int) outbox.Event {
		e := msg(key, "c")
		e.Time = time.Date(2026, 1, 1, 0, minute, 0, 0, time.UTC)
		return e
	}
	skipped := at("skip", 1)
	skipped.Name = "presence.update"
	seqs := b.append(skipped, at("a", 2), at("b", 3), at("c", 4))
	want := func(minute int) {
		b.Helper()
		if got := b.stats("wh_a").OldestPending; got.Minute() != minute || got.IsZero() {
			b.Fatalf("oldest pending is of %v, want minute %d", got, minute)
		}
	}
	want(2)
	b.commit(outbox.Change{Sub: "wh_a", Next: seqs[2]})
	want(3)
	b.commit(outbox.Change{Sub: "wh_a", Next: seqs[3], Set: []outbox.Record{deadRec(seqs[2])}})
	want(4)
	b.commit(outbox.Change{Sub: "wh_a", Set: []outbox.Record{replayedRec(seqs[2])}})
	want(3)
}

// A lane does not write such records, but they must not make the counts wrong.
func recordAbove(b *bench) {
	b.subscribe("wh_a", outbox.Any)
	seqs := b.append(msg("a", "c"), msg("b", "c"), msg("c", "c"))
	b.commit(outbox.Change{Sub: "wh_a", Set: []outbox.Record{pendingRec(seqs[1]), deadRec(seqs[2])}})
	b.count("wh_a", 2, 1)
}
