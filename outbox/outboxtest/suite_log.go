package outboxtest

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"waoutbox/outbox"
)

func logCases() []testCase {
	return []testCase{
		{"the log of an empty engine", logEmpty},
		{"the log is read in both directions", logBoth},
		{"the log is read under a filter", logFiltered},
		{"the log is read within limits", logLimits},
		{"the log says what is gone", logGone},
		{"one look at the log is bounded", logBounded},
		{"the log has an id that is renewed", logState},
		{"the log is followed", logFollowed},
		{"an event is found by its key", logByKey},
	}
}

func (b *bench) events(q outbox.EventQuery) outbox.EventPage {
	b.Helper()
	p, err := b.e.Events(b.ctx, q)
	if err != nil {
		b.Fatalf("Events(%+v): %v", q, err)
	}
	return p
}

// walk follows a query to its end and returns the sequences, and how many calls it took.
func (b *bench) walk(q outbox.EventQuery) (seqs []outbox.Seq, calls int) {
	b.Helper()
	for {
		p := b.events(q)
		calls++
		for _, e := range p.Events {
			seqs = append(seqs, e.Seq)
		}
		switch {
		case q.Backward && p.Next == 0, !q.Backward && p.Next > p.Last:
			return seqs, calls
		case q.From > 0 && p.Next == q.From, q.Backward && q.From > 0 && p.Next > q.From, !q.Backward && p.Next < q.From:
			b.Fatalf("Events(%+v) goes on at %d", q, p.Next)
		}
		q.From = p.Next
	}
}

func logEmpty(b *bench) {
	for _, back := range []bool{false, true} {
		for _, from := range []outbox.Seq{0, 7} {
			p := b.events(outbox.EventQuery{From: from, Backward: back})
			next := max(from, 1)
			if back {
				next = 0
			}
			if len(p.Events) != 0 || p.Next != next || p.Floor != 1 || p.Whole != 1 || p.Last != 0 {
				b.Fatalf("page from %d, backwards %v, is %+v", from, back, p)
			}
		}
	}
}

func logBoth(b *bench) {
	all := b.fill("e", 10)
	reversed := slices.Clone(all)
	slices.Reverse(reversed)
	for limit := range 12 {
		got, _ := b.walk(outbox.EventQuery{Limit: limit})
		b.equal("forwards", got, all)
		got, _ = b.walk(outbox.EventQuery{Limit: limit, Backward: true})
		b.equal("backwards", got, reversed)
	}
	got, _ := b.walk(outbox.EventQuery{From: all[3], Limit: 2})
	b.equal("forwards from the fourth", got, all[3:])
	got, _ = b.walk(outbox.EventQuery{From: all[3], Limit: 2, Backward: true})
	b.equal("backwards from the fourth", got, reversed[6:])
	got, _ = b.walk(outbox.EventQuery{From: all[9] + 100, Backward: true})
	b.equal("backwards from above the newest", got, reversed)
	if p := b.events(outbox.EventQuery{From: all[9] + 100}); len(p.Events) != 0 || p.Next != all[9]+100 || p.Last != all[9] {
		b.Fatalf("forwards from above the newest: %+v", p)
	}
	want, err := b.e.Event(b.ctx, all[0])
	if err != nil {
		b.Fatal(err)
	}
	if e := b.events(outbox.EventQuery{}).Events[0]; e.Key != want.Key || string(e.Body) != string(want.Body) || e.Name != want.Name || !e.Time.Equal(want.Time) {
		b.Fatalf("the first event is %+v, want %+v", e, want)
	}
}

func logFiltered(b *bench) {
	seqs := b.append(chats()...)
	other := b.append(named("p", "presence.update"))
	for _, back := range []bool{false, true} {
		check := func(what string, f outbox.Filter, want ...outbox.Seq) {
			b.Helper()
			got, _ := b.walk(outbox.EventQuery{Filter: f, Backward: back, Limit: 1})
			if back {
				slices.Reverse(got)
			}
			b.equal(what, got, want)
		}
		check("by name", outbox.Filter{Events: []string{"presence.update"}}, other...)
		check("by either address", outbox.Filter{Chats: []string{testPhone}}, seqs[:3]...)
		check("by name and chat", outbox.Filter{Events: []string{"presence.update"}, Chats: []string{testPhone}})
		check("without chats", outbox.Filter{Events: []string{"message.received"}, NotChats: []string{testLID}, Kinds: []string{outbox.KindDirect}}, seqs[0], seqs[4])
		check("by kind", outbox.Filter{Kinds: []string{outbox.KindGroup}}, seqs[5])
	}
}

func logLimits(b *bench) {
	var want []outbox.Seq
	for i := range 5 {
		e := msg(fmt.Sprint(i), "c")
		e.Body = make([]byte, 1000)
		want = append(want, b.append(e)...)
	}
	for _, back := range []bool{false, true} {
		q := outbox.EventQuery{Backward: back, MaxBytes: 2500}
		if p := b.events(q); len(p.Events) < 1 || len(p.Events) > 2 {
			b.Fatalf("2500 bytes hold %d events of 1000", len(p.Events))
		}
		got, _ := b.walk(q)
		if back {
			slices.Reverse(got)
		}
		b.equal("in steps", got, want)
		q.MaxBytes = 1
		if p := b.events(q); len(p.Events) != 1 || len(p.Events[0].Body) != 1000 {
			b.Fatalf("1 byte holds %d events: one must come alone", len(p.Events))
		}
		q.Heads = true
		p := b.events(q)
		if len(p.Events) != 5 {
			b.Fatalf("%d heads, want all five: they have no bodies", len(p.Events))
		}
		for _, e := range p.Events {
			if e.Body != nil || e.Key == "" || e.Name == "" || e.Chat == "" || e.Time.IsZero() || e.Account == "" {
				b.Fatalf("a head is %+v", e)
			}
		}
	}
	b.fill("many", outbox.MaxBatch)
	if p := b.events(outbox.EventQuery{Limit: 100_000}); len(p.Events) > outbox.MaxBatch {
		b.Fatalf("a page has %d events", len(p.Events))
	}
	if e, err := b.e.Event(b.ctx, want[0]); err != nil || len(e.Body) != 1000 {
		b.Fatalf("the event lost its body to a reader of heads: %+v, %v", e, err)
	}
}

func logGone(b *bench) {
	b.subscribe("wh_a", outbox.Any)
	seqs := b.fill("e", 6)
	b.commit(outbox.Change{Sub: "wh_a", Next: seqs[4], Set: []outbox.Record{deadRec(seqs[1])}})
	if n, _, err := b.e.Trim(b.ctx, time.Now(), 100); n != 3 || err != nil {
		b.Fatalf("Trim = %d, %v", n, err)
	}
	check := func(floor, whole outbox.Seq) {
		b.Helper()
		for _, q := range []outbox.EventQuery{{}, {Backward: true}, {From: seqs[5]}, {From: seqs[5] + 1}} {
			if p := b.events(q); p.Floor != floor || p.Whole != whole || p.Last != seqs[5] {
				b.Fatalf("Events(%+v) has floor %d, whole %d, last %d; want %d, %d, %d", q, p.Floor, p.Whole, p.Last, floor, whole, seqs[5])
			}
		}
	}
	check(seqs[1], seqs[3]+1)
	got, _ := b.walk(outbox.EventQuery{From: seqs[0]})
	b.equal("what is left", got, []outbox.Seq{seqs[1], seqs[4], seqs[5]})
	got, _ = b.walk(outbox.EventQuery{From: seqs[3], Backward: true})
	b.equal("backwards from what is gone", got, seqs[1:2])
	b.commit(outbox.Change{Sub: "wh_a", Set: []outbox.Record{doneRec(seqs[1])}})
	if n, _, err := b.e.Trim(b.ctx, time.Now(), 100); n != 1 || err != nil {
		b.Fatalf("Trim = %d, %v", n, err)
	}
	check(seqs[4], seqs[3]+1)
	b.commit(outbox.Change{Sub: "wh_a", Next: seqs[5] + 1})
	if n, _, err := b.e.Trim(b.ctx, time.Now(), 100); n != 2 || err != nil {
		b.Fatalf("Trim = %d, %v", n, err)
	}
	check(seqs[5]+1, seqs[5]+1)
}

// A log of which nothing is asked for is passed in many calls, each of which is short: others wait
// for nobody's walk.
func logBounded(b *bench) {
	first := b.append(named("first", "group.update"))
	b.fill("e", 5000)
	last := b.append(named("last", "group.update"))
	for _, back := range []bool{false, true} {
		got, calls := b.walk(outbox.EventQuery{Backward: back, Filter: outbox.Filter{Events: []string{"group.update"}}})
		if back {
			slices.Reverse(got)
		}
		b.equal("what was asked for", got, slices.Concat(first, last))
		if calls < 2 {
			b.Fatalf("one call passed 5002 events")
		}
	}
}

// Who keeps a position learns with every page of which log that is.
func logState(b *bench) {
	first := b.events(outbox.EventQuery{}).State
	if first == "" {
		b.Fatal("an empty log has no id")
	}
	seqs := b.fill("e", 3)
	same := func(want string) {
		b.Helper()
		for _, q := range []outbox.EventQuery{{}, {Backward: true}, {From: seqs[2]}, {From: seqs[2] + 1}, {Heads: true}} {
			if p := b.events(q); p.State != want {
				b.Fatalf("Events(%+v) is of the log %q, want %q", q, p.State, want)
			}
		}
	}
	same(first)
	if n, _, err := b.e.Trim(b.ctx, time.Now(), 100); n != 3 || err != nil {
		b.Fatalf("Trim = %d, %v", n, err)
	}
	same(first)
	known := map[string]bool{first: true}
	for range 3 {
		if err := b.e.RenewState(b.ctx); err != nil {
			b.Fatalf("RenewState: %v", err)
		}
		renewed := b.events(outbox.EventQuery{}).State
		if renewed == "" || known[renewed] {
			b.Fatalf("after a renewal the id is %q, and before were %v", renewed, known)
		}
		known[renewed] = true
		same(renewed)
	}
}

func logFollowed(b *bench) {
	const writers, each = 3, 40
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if _, err := b.e.Append(b.ctx, msg(fmt.Sprintf("%d-%d", w, i), "c")); err != nil {
					b.Errorf("Append: %v", err)
				}
			}
		})
	}
	defer wg.Wait()
	var got []outbox.Seq
	for from := outbox.Seq(1); len(got) < writers*each; {
		if err := b.e.Wait(b.ctx, from); err != nil {
			b.Fatalf("Wait: %v", err)
		}
		p := b.events(outbox.EventQuery{From: from, Limit: 7})
		for _, e := range p.Events {
			if len(got) > 0 && e.Seq <= got[len(got)-1] {
				b.Fatalf("event %d after %v", e.Seq, got)
			}
			got = append(got, e.Seq)
		}
		from = p.Next
	}
	wg.Wait()
	all, _ := b.walk(outbox.EventQuery{})
	b.equal("what was followed", got, all)
}

func logByKey(b *bench) {
	random := msg("random", "c")
	random.Random = true
	seqs := b.append(msg("one", "c"), random, msg("two", "c"))
	for key, want := range map[string]outbox.Seq{"evt_one": seqs[0], "evt_two": seqs[2]} {
		if got, err := b.e.ByKey(b.ctx, key); got != want || err != nil {
			b.Errorf("ByKey(%q) = %d, %v; want %d", key, got, err, want)
		}
	}
	for _, key := range []string{"evt_random", "evt_three", ""} {
		_, err := b.e.ByKey(b.ctx, key)
		b.wantErr("ByKey("+key+")", err, outbox.ErrNotFound)
	}
	// The key is known for longer than its event. What has a random key is there twice when its
	// append had to be repeated.
	if n, _, err := b.e.Trim(b.ctx, time.Now().Add(time.Hour), 0); err != nil || n < 3 {
		b.Fatalf("Trim = %d, %v", n, err)
	}
	if got, err := b.e.ByKey(b.ctx, "evt_one"); got != seqs[0] || err != nil {
		b.Errorf("ByKey of an event that is gone = %d, %v", got, err)
	}
	if again := b.append(msg("four", "c")); again[0] <= seqs[2] {
		b.Errorf("after looking: appended as %d", again[0])
	}
}
