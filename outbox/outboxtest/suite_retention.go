package outboxtest

import (
	"maps"
	"time"

	"waoutbox/outbox"
)

func retentionCases() []testCase {
	return []testCase{
		{"trim does not come back for what is held", trimPassesHeld},
		{"trim passes what is removed and has pending records", trimPassesEnding},
		{"trim finds what records let go of", trimFindsLetGo},
		{"what expired holds nothing", expiredHoldsNothing},
		{"dead letters are counted by reason", deadReasons},
		{"where older events end", firstSince},
	}
}

// trimAll trims until nothing is left to trim, and returns how many events went.
func (b *bench) trimAll() int {
	b.Helper()
	total := 0
	for range 1000 {
		n, more, err := b.e.Trim(b.ctx, time.Now(), 7)
		if err != nil || n > 7 {
			b.Fatalf("Trim of at most 7 = %d, %v", n, err)
		}
		total += n
		if !more {
			return total
		}
	}
	b.Fatalf("Trim always has more")
	return 0
}

func (b *bench) left(want ...outbox.Seq) {
	b.Helper()
	st, err := b.e.Stats(b.ctx)
	if err != nil || st.Events != int64(len(want)) {
		b.Fatalf("%d events are kept, %v; want %v", st.Events, err, want)
	}
	for _, seq := range want {
		if _, err := b.e.Event(b.ctx, seq); err != nil {
			b.Fatal(err)
		}
	}
}

// Whatever holds events, a slow cursor or records, what lies above goes when it may.
func trimPassesHeld(b *bench) {
	b.subscribe("wh_a", outbox.Any)
	seqs := b.fill("m", 40)
	b.commit(outbox.Change{Sub: "wh_a", Next: seqs[20], Set: []outbox.Record{deadRec(seqs[3]), pendingRec(seqs[11])}})
	if n := b.trimAll(); n != 18 {
		b.Fatalf("%d went of 20 that the cursor passed, two of them held", n)
	}
	if n := b.trimAll(); n != 0 {
		b.Fatalf("%d more went", n)
	}
	b.commit(outbox.Change{Sub: "wh_a", Next: seqs[39] + 1})
	if n := b.trimAll(); n != 20 {
		b.Fatalf("%d went after the cursor moved, want 20", n)
	}
	b.left(seqs[3], seqs[11])
}

// The cursor of a removed subscription holds nothing back while its pending records are left.
func trimPassesEnding(b *bench) {
	s := b.subscribe("wh_a", outbox.Any)
	b.subscribe("wh_b", outbox.Any)
	seqs := b.fill("m", 5)
	b.commit(outbox.Change{Sub: "wh_a", Next: seqs[4] + 1, Set: []outbox.Record{pendingRec(seqs[2])}})
	b.remove(s)
	more := b.fill("n", 5)
	b.commit(outbox.Change{Sub: "wh_b", Next: more[4] + 1})
	if n := b.trimAll(); n != 9 {
		b.Fatalf("%d went, want all but the one that is pending", n)
	}
	b.left(seqs[2])
}

// A dead letter that is purged, a pending one that is delivered, a run that is split or goes: their
// events go by and by, however far trimming has come.
func trimFindsLetGo(b *bench) {
	b.subscribe("wh_a", outbox.Any)
	b.subscribe("wh_b", outbox.Any)
	seqs := b.fill("m", 50)
	run := outbox.Record{Seq: seqs[10], Last: seqs[29], Count: 20, State: outbox.Dead, Reason: "unregistered", At: time.Unix(1_700_000_100, 0)}
	b.commit(outbox.Change{Sub: "wh_a", Next: seqs[49] + 1, Set: []outbox.Record{deadRec(seqs[2]), pendingRec(seqs[5]), run, deadRec(seqs[40])}})
	b.commit(outbox.Change{Sub: "wh_b", Next: seqs[49] + 1, Set: []outbox.Record{deadRec(seqs[40])}})
	if n := b.trimAll(); n != 27 {
		b.Fatalf("%d went, want 27", n)
	}
	b.commit(outbox.Change{Sub: "wh_a", Set: []outbox.Record{doneRec(seqs[2]), doneRec(seqs[5])}})
	if n := b.trimAll(); n != 2 {
		b.Fatalf("%d went after two were let go of", n)
	}
	// the letter in the middle of the run is replayed
	set := append(outbox.SplitRun(run, seqs[19], seqs[18], seqs[20], 9), replayedRec(seqs[19]))
	b.commit(outbox.Change{Sub: "wh_a", Set: set})
	if n := b.trimAll(); n != 0 {
		b.Fatalf("%d went after a run was split", n)
	}
	b.commit(outbox.Change{Sub: "wh_a", Set: []outbox.Record{doneRec(seqs[19])}})
	if n := b.trimAll(); n != 1 {
		b.Fatalf("%d went after the replay was delivered", n)
	}
	b.commit(outbox.Change{Sub: "wh_a", Set: []outbox.Record{doneRec(seqs[18]), doneRec(seqs[40])}})
	if n := b.trimAll(); n != 9 {
		b.Fatalf("%d went after the first half of a run was purged, want 9: another one holds the tenth", n)
	}
	b.commit(outbox.Change{Sub: "wh_b", Set: []outbox.Record{doneRec(seqs[40])}})
	// pending and gone again within one change
	b.commit(outbox.Change{Sub: "wh_a", Set: []outbox.Record{replayedRec(seqs[29]), doneRec(seqs[29])}})
	if n := b.trimAll(); n != 11 {
		b.Fatalf("%d went in the end, want 11", n)
	}
	b.left()
}

func expiredHoldsNothing(b *bench) {
	b.subscribe("wh_a", outbox.Any)
	seqs := b.fill("m", 20)
	expired := func(r outbox.Record) outbox.Record { r.Reason = outbox.ReasonExpired; return r }
	b.commit(outbox.Change{Sub: "wh_a", Next: seqs[19] + 1, Set: []outbox.Record{deadRec(seqs[0]), expired(deadRec(seqs[1])),
		{Seq: seqs[5], Last: seqs[14], Count: 10, State: outbox.Dead, Reason: outbox.ReasonExpired, At: time.Unix(1_700_000_100, 0)}}})
	if n := b.trimAll(); n != 19 {
		b.Fatalf("%d went, want all but the dead letter", n)
	}
	b.count("wh_a", 0, 12)
	for _, seq := range []outbox.Seq{seqs[5], seqs[9], seqs[14]} {
		if r, err := b.e.RecordAt(b.ctx, "wh_a", seq); err != nil || !r.Expired() || r.Last != seqs[14] {
			b.Fatalf("RecordAt of an expired delivery = %+v, %v", r, err)
		}
	}
	b.commit(outbox.Change{Sub: "wh_a", Set: []outbox.Record{expired(deadRec(seqs[0]))}})
	if n := b.trimAll(); n != 1 {
		b.Fatalf("%d went after the dead letter expired", n)
	}
	b.left()
}

func (b *bench) reasons(want map[string]int64) {
	b.Helper()
	got, err := b.e.DeadReasons(b.ctx, "wh_a")
	if err != nil || !maps.Equal(got, want) {
		b.Fatalf("DeadReasons = %v, %v; want %v", got, err, want)
	}
}

func deadReasons(b *bench) {
	s := b.subscribe("wh_a", outbox.Any)
	seqs := b.fill("m", 20)
	b.reasons(nil)
	run := outbox.Record{Seq: seqs[5], Last: seqs[14], Count: 10, State: outbox.Dead, Reason: "unregistered"}
	slow := deadRec(seqs[1])
	slow.Reason = "timeout"
	b.commit(outbox.Change{Sub: "wh_a", Next: seqs[19] + 1, Set: []outbox.Record{deadRec(seqs[0]), slow, deadRec(seqs[2]), pendingRec(seqs[3]), run}})
	b.reasons(map[string]int64{"http": 2, "timeout": 1, "unregistered": 10})
	if got := b.stats("wh_a").DeadByReason; got["http"] != 2 || got["unregistered"] != 10 {
		b.Fatalf("Stats count %v", got)
	}
	set := append(outbox.SplitRun(run, seqs[6], seqs[5], seqs[7], 1), replayedRec(seqs[6]), replayedRec(seqs[1]))
	b.commit(outbox.Change{Sub: "wh_a", Set: set})
	b.reasons(map[string]int64{"http": 2, "unregistered": 9})
	b.commit(outbox.Change{Sub: "wh_a", Set: set}) // repeated
	gone := deadRec(seqs[2])
	gone.Reason = outbox.ReasonExpired
	b.commit(outbox.Change{Sub: "wh_a", Set: []outbox.Record{gone, doneRec(seqs[6]), doneRec(seqs[1]), doneRec(seqs[3])}})
	b.remove(s)
	b.reasons(map[string]int64{"http": 1, "unregistered": 9, outbox.ReasonExpired: 1})
	b.commit(outbox.Change{Sub: "wh_a", Set: []outbox.Record{doneRec(seqs[0]), doneRec(seqs[2]), doneRec(seqs[5]), doneRec(seqs[14])}})
	b.reasons(nil)
	_, err := b.e.DeadReasons(b.ctx, "wh_none")
	b.wantErr("DeadReasons of an unknown one", err, outbox.ErrNotFound)
}

// The order of the log decides where the clock was wrong.
func firstSince(b *bench) {
	at := func(key string, hour int) outbox.Event {
		e := msg(key, "c")
		e.Time, e.Stamp = time.Now().Add(time.Duration(hour)*time.Hour), 0
		return e
	}
	behind := at("h", -9000)
	behind.Stamp = uint32(time.Now().Add(-5 * time.Hour).Unix())
	// behind the third the clock was set back, the fifth was written while it was ahead, the last
	// while it was behind, by the time of its stanza
	seqs := b.append(at("a", -50), at("b", -40), at("c", -30), at("d", -45), at("e", 9000), at("f", -20), at("g", -10), behind)
	for _, tc := range []struct {
		from  outbox.Seq
		hours int
		want  outbox.Seq
	}{
		{1, -60, seqs[0]}, {1, -50, seqs[1]}, {1, -35, seqs[2]}, {1, -25, seqs[4]}, {1, -15, seqs[6]}, {1, -7, seqs[7]}, {1, 0, seqs[7] + 1},
		{seqs[3], -40, seqs[3]}, // not older than the one before it
		{seqs[4], -25, seqs[4]}, // nobody knows how old it is
		{seqs[4], -15, seqs[6]},
		{seqs[7], -7, seqs[7]},
		{seqs[7] + 1, -4, seqs[7] + 1},
	} {
		next, more, err := b.e.FirstSince(b.ctx, tc.from, time.Now().Add(time.Duration(tc.hours)*time.Hour+time.Minute))
		if err != nil || more || next != tc.want {
			b.Errorf("FirstSince from %d, %d hours ago = %d, %v, %v; want %d", tc.from, -tc.hours, next, more, err, tc.want)
		}
	}
}
