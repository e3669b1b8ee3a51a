package outboxtest

import (
	"time"

	"waoutbox/outbox"
)

func deadCases() []testCase {
	return []testCase{
		{"dead letters are paged", deadPages},
		{"a removed backlog is a run and can be replayed after revival", removeAndRevive},
		{"a record takes a run's place", runReplaced},
		{"a run is split", runSplit},
		{"owed events of a range", owedRange},
	}
}

func deadPages(b *bench) {
	b.subscribe("wh_a", outbox.Any)
	seqs := b.fill("m", 10)
	var set []outbox.Record
	for _, s := range seqs[:8] {
		set = append(set, deadRec(s))
	}
	b.commit(outbox.Change{Sub: "wh_a", Next: seqs[9], Set: set})
	b.equal("all pages", keySeqs(b.dead("wh_a")), seqs[:8])
	page, err := b.e.Dead(b.ctx, "wh_a", seqs[2], 2)
	if err != nil {
		b.Fatal(err)
	}
	b.equal("a page in the middle", keySeqs(page), seqs[3:5])
	got, err := b.e.DeadAt(b.ctx, "wh_a", seqs[4])
	if err != nil || got.Seq != seqs[4] || got.Reason != "http" || !got.At.Equal(deadRec(1).At) {
		b.Fatalf("DeadAt = %+v, %v", got, err)
	}
	_, err = b.e.DeadAt(b.ctx, "wh_a", seqs[8])
	b.wantErr("DeadAt of one not dead", err, outbox.ErrNotFound)
	b.count("wh_a", 1, 8)
}

// buried makes a subscription with five owed and two other events, removes it and buries the unread as one run.
func buried(b *bench) (outbox.Subscription, []outbox.Seq, outbox.Record) {
	s := b.subscribe("wh_a", "message.received")
	all := b.append(msg("0", "c"), msg("1", "c"), named("x", "presence.update"), msg("2", "c"), named("y", "presence.update"), msg("3", "c"), msg("4", "c"))
	owed := []outbox.Seq{all[0], all[1], all[3], all[5], all[6]}
	s.Removed = true
	s.Epochs = append(s.Epochs, outbox.Epoch{})
	s = b.put(s)
	cut := s.Epochs[len(s.Epochs)-1].From
	r, err := b.e.CountOwed(b.ctx, "wh_a", all[0], cut-1)
	if err != nil || r != (outbox.OwedRange{First: owed[0], Last: owed[4], Count: 5}) {
		b.Fatalf("CountOwed = %+v, %v", r, err)
	}
	run := outbox.Record{Seq: r.First, Last: r.Last, Count: r.Count, State: outbox.Dead, Reason: "unregistered", At: time.Unix(1_700_000_000, 0)}
	b.commit(outbox.Change{Sub: "wh_a", Next: cut, Set: []outbox.Record{run}})
	return s, owed, run
}

func removeAndRevive(b *bench) {
	s, owed, run := buried(b)
	b.append(msg("late", "c"))
	b.count("wh_a", 0, 5)
	dead := b.dead("wh_a")
	if len(dead) != 1 || dead[0].Seq != run.Seq || dead[0].Last != run.Last || dead[0].Count != 5 || dead[0].Reason != "unregistered" {
		b.Fatalf("dead records of a removed subscription: %+v", dead)
	}
	s.Removed = false
	s.Epochs = append(s.Epochs, outbox.Epoch{Filter: outbox.Filter{Events: []string{outbox.Any}}})
	s = b.put(s)
	fresh := b.append(msg("fresh", "c"))
	next, _ := b.load("wh_a")
	got, _ := b.read("wh_a", next)
	b.equal("a revived subscription reads from now on", got, fresh)
	var set []outbox.Record
	for _, q := range owed {
		set = append(set, outbox.Record{Seq: q, State: outbox.Pending, Replay: 1})
	}
	b.commit(outbox.Change{Sub: "wh_a", Set: set}) // the last one stands where the run stood
	_, pending := b.load("wh_a")
	b.equal("replayed", keySeqs(pending), owed)
	if d := b.dead("wh_a"); len(d) != 0 {
		b.Fatalf("the run is still there: %+v", d)
	}
	b.count("wh_a", 6, 0)
}

func runReplaced(b *bench) {
	_, owed, run := buried(b)
	last := owed[4]
	for _, seq := range owed {
		got, err := b.e.DeadAt(b.ctx, "wh_a", seq)
		if err != nil || got.Seq != run.Seq || got.Last != last {
			b.Fatalf("DeadAt(%d) inside a run = %+v, %v", seq, got, err)
		}
	}
	_, err := b.e.DeadAt(b.ctx, "wh_a", owed[1]+1)
	b.wantErr("DeadAt of an event not owed inside a run", err, outbox.ErrNotFound)
	b.commit(outbox.Change{Sub: "wh_a", Set: []outbox.Record{deadRec(last)}})
	if d := b.dead("wh_a"); len(d) != 1 || d[0].IsRun() || d[0].Seq != last {
		b.Fatalf("after setting the last one: %+v", d)
	}
	b.count("wh_a", 0, 1)
}

func runSplit(b *bench) {
	_, owed, run := buried(b)
	seq := owed[2]
	below, err := b.e.CountOwed(b.ctx, "wh_a", run.Seq, seq-1)
	if err != nil {
		b.Fatal(err)
	}
	above, err := b.e.CountOwed(b.ctx, "wh_a", seq+1, run.Last)
	if err != nil {
		b.Fatal(err)
	}
	rest := outbox.SplitRun(run, seq, below.Last, above.First, below.Count)
	b.commit(outbox.Change{Sub: "wh_a", Set: append(rest, outbox.Record{Seq: seq, State: outbox.Pending, Replay: 1})})
	b.equal("what is left", keySeqs(b.dead("wh_a")), []outbox.Seq{owed[1], owed[4]})
	_, pending := b.load("wh_a")
	b.equal("replayed", keySeqs(pending), owed[2:3])
	b.count("wh_a", 1, 4)
}

func owedRange(b *bench) {
	_, owed, run := buried(b)
	evs, next, err := b.e.Owed(b.ctx, "wh_a", run.Seq, run.Last, 2)
	if err != nil || len(evs) != 2 || evs[0].Seq != owed[0] || evs[1].Seq != owed[1] || len(evs[0].Body) == 0 || next > owed[2] || next <= owed[1] {
		b.Fatalf("Owed, first page: %d events, goes on at %d, %v", len(evs), next, err)
	}
	var got []outbox.Seq
	for from := run.Seq; from <= run.Last; from = next {
		if evs, next, err = b.e.Owed(b.ctx, "wh_a", from, run.Last, 2); err != nil || next <= from {
			b.Fatalf("Owed from %d goes on at %d, %v", from, next, err)
		}
		for _, e := range evs {
			got = append(got, e.Seq)
		}
	}
	b.equal("all pages", got, owed)
	if r, err := b.e.CountOwed(b.ctx, "wh_a", run.Last+1, run.Last+1000); err != nil || r.Count != 0 {
		b.Fatalf("CountOwed above the cut = %+v, %v", r, err)
	}
}
