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
		{"the record of one sequence", recordAt},
		{"dead letters with the heads of their events", deadHeads},
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
	got, err := b.e.RecordAt(b.ctx, "wh_a", seqs[4])
	if err != nil || got.Seq != seqs[4] || got.Reason != "http" || !got.At.Equal(deadRec(1).At) {
		b.Fatalf("RecordAt = %+v, %v", got, err)
	}
	_, err = b.e.RecordAt(b.ctx, "wh_a", seqs[8])
	b.wantErr("RecordAt of one without a record", err, outbox.ErrNotFound)
	if s, err := b.e.Sub(b.ctx, "wh_a"); err != nil || s.ID != "wh_a" || len(s.Epochs) == 0 {
		b.Fatalf("Sub = %+v, %v", s, err)
	}
	_, err = b.e.Sub(b.ctx, "wh_none")
	b.wantErr("Sub of an unknown one", err, outbox.ErrNotFound)
	b.count("wh_a", 1, 8)
}

// deadLettered makes a subscription with five owed and two other events, removes it and
// dead-letters the unread as one run.
func deadLettered(b *bench) (outbox.Subscription, []outbox.Seq, outbox.Record) {
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
	s, owed, run := deadLettered(b)
	b.append(msg("late", "c"))
	b.withDead(5, "wh_a")
	dead := b.dead("wh_a")
	if len(dead) != 1 || dead[0].Seq != run.Seq || dead[0].Last != run.Last || dead[0].Count != 5 || dead[0].Reason != "unregistered" {
		b.Fatalf("dead records of a removed subscription: %+v", dead)
	}
	s.Removed = false
	s.Epochs = append(s.Epochs, outbox.Epoch{Filter: outbox.Filter{Events: []string{outbox.Any}}})
	b.put(s)
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
	_, owed, run := deadLettered(b)
	last := owed[4]
	for _, seq := range owed {
		got, err := b.e.RecordAt(b.ctx, "wh_a", seq)
		if err != nil || got.Seq != run.Seq || got.Last != last {
			b.Fatalf("RecordAt(%d) inside a run = %+v, %v", seq, got, err)
		}
	}
	_, err := b.e.RecordAt(b.ctx, "wh_a", owed[1]+1)
	b.wantErr("RecordAt of an event not owed inside a run", err, outbox.ErrNotFound)
	b.commit(outbox.Change{Sub: "wh_a", Set: []outbox.Record{deadRec(last)}})
	if d := b.dead("wh_a"); len(d) != 1 || d[0].IsRun() || d[0].Seq != last {
		b.Fatalf("after setting the last one: %+v", d)
	}
	b.withDead(1, "wh_a")
}

func runSplit(b *bench) {
	_, owed, run := deadLettered(b)
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
	_, owed, run := deadLettered(b)
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

// A pending record is found as well as a dead one, under the state it has now.
func recordAt(b *bench) {
	b.subscribe("wh_a", outbox.Any)
	seqs := b.append(msg("1", "c"), msg("2", "c"), msg("3", "c"))
	rec := pendingRec(seqs[1])
	rec.Attempts, rec.Reason, rec.Log = 2, "timeout", []byte("log")
	b.commit(outbox.Change{Sub: "wh_a", Next: seqs[2], Set: []outbox.Record{rec, deadRec(seqs[0])}})
	got, err := b.e.RecordAt(b.ctx, "wh_a", seqs[1])
	if err != nil || got.State != outbox.Pending || got.Seq != seqs[1] || got.Attempts != 2 || got.Reason != "timeout" || string(got.Log) != "log" {
		b.Fatalf("RecordAt of a pending record = %+v, %v", got, err)
	}
	late := deadRec(seqs[1])
	late.Attempts = 4
	b.commit(outbox.Change{Sub: "wh_a", Set: []outbox.Record{late, replayedRec(seqs[0])}})
	for seq, want := range map[outbox.Seq]outbox.State{seqs[0]: outbox.Pending, seqs[1]: outbox.Dead} {
		if got, err := b.e.RecordAt(b.ctx, "wh_a", seq); err != nil || got.State != want || got.Seq != seq {
			b.Fatalf("RecordAt(%d) = %+v, %v; want it %s", seq, got, err, want)
		}
	}
	_, err = b.e.RecordAt(b.ctx, "wh_a", seqs[2])
	b.wantErr("RecordAt of one that is unread", err, outbox.ErrNotFound)
	_, err = b.e.RecordAt(b.ctx, "wh_none", seqs[0])
	b.wantErr("RecordAt of an unknown subscription", err, outbox.ErrNotFound)
}

func deadHeads(b *bench) {
	b.subscribe("wh_a", outbox.Any)
	first := msg("1", "c1")
	first.Message = "3EB0"
	seqs := b.append(first, named("2", "group.update"), msg("3", "c3"), msg("4", "c"), msg("5", "c"), msg("6", "c"))
	run := outbox.Record{Seq: seqs[3], Last: seqs[4], Count: 2, State: outbox.Dead, Reason: "unregistered", At: time.Unix(1_700_000_000, 0)}
	b.commit(outbox.Change{Sub: "wh_a", Next: seqs[5], Set: []outbox.Record{deadRec(seqs[0]), deadRec(seqs[1]), deadRec(seqs[2]), run}})
	page, err := b.e.DeadHeads(b.ctx, "wh_a", 0, 2)
	if err != nil || len(page) != 2 {
		b.Fatalf("DeadHeads, first page = %+v, %v", page, err)
	}
	h := page[0]
	if h.Record.Seq != seqs[0] || h.Record.Reason != "http" || h.Event.Seq != seqs[0] || h.Event.Key != first.Key || h.Event.Name != first.Name ||
		h.Event.Chat != "c1" || h.Event.Account != first.Account || h.Event.Message != "3EB0" || !h.Event.Time.Equal(first.Time) || h.Event.Body != nil {
		b.Fatalf("DeadHeads, first letter = %+v", h)
	}
	if page[1].Event.Name != "group.update" {
		b.Fatalf("DeadHeads, second letter = %+v", page[1])
	}
	page, err = b.e.DeadHeads(b.ctx, "wh_a", page[1].Record.KeySeq(), 0)
	if err != nil || len(page) != 2 || page[0].Record.Seq != seqs[2] || page[0].Event.Chat != "c3" {
		b.Fatalf("DeadHeads, second page = %+v, %v", page, err)
	}
	if r := page[1]; !r.Record.IsRun() || r.Record.Last != run.Last || r.Event.Seq != run.Seq || r.Event.Key != "" {
		b.Fatalf("DeadHeads of a run = %+v", r)
	}
	_, err = b.e.DeadHeads(b.ctx, "wh_none", 0, 0)
	b.wantErr("DeadHeads of an unknown subscription", err, outbox.ErrNotFound)
}
