package outboxtest

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"waoutbox/outbox"
)

func subCases() []testCase {
	return []testCase{
		{"subscriptions round-trip", subRoundTrip},
		{"a filter holds from its epoch", epochs},
		{"a subscription is ordered against appends", putSubOrdered},
		{"spent epochs are dropped", epochsDropped},
		{"epochs that cannot be are refused", epochsRefused},
		{"a new subscription may begin in the past, where nothing is missing", startInThePast},
	}
}

func subRoundTrip(b *bench) {
	if subs, err := b.e.Subs(b.ctx); err != nil || len(subs) != 0 {
		b.Fatalf("Subs of an empty engine = %v, %v", subs, err)
	}
	b.append(msg("a", "c"))
	got := b.put(outbox.Subscription{ID: "wh_b", Config: []byte("conf"), Epochs: []outbox.Epoch{{Filter: outbox.Filter{Events: []string{"a", "b"}, Chats: []string{"c"}}}}})
	b.subscribe("wh_a", outbox.Any)
	subs, err := b.e.Subs(b.ctx)
	if err != nil || len(subs) != 2 || subs[0].ID != "wh_a" {
		b.Fatalf("Subs = %v, %v; want both by id", subs, err)
	}
	s := subs[1]
	if s.ID != "wh_b" || string(s.Config) != "conf" || s.Removed || len(s.Epochs) != 1 || s.Epochs[0].From != got.Epochs[0].From ||
		!slices.Equal(s.Epochs[0].Filter.Events, []string{"a", "b"}) || !slices.Equal(s.Epochs[0].Filter.Chats, []string{"c"}) {
		b.Fatalf("subscription came back as %+v, PutSub said %+v", s, got)
	}
	if next, _ := b.load("wh_b"); next != s.Epochs[0].From || next == 0 {
		b.Fatalf("next of a new subscription is %d, its epoch begins at %d", next, s.Epochs[0].From)
	}
}

func epochs(b *bench) {
	s := b.subscribe("wh_a", "message.received")
	first := b.append(msg("1", "c"), named("2", "presence.update"))
	s.Epochs = append(s.Epochs, outbox.Epoch{Filter: outbox.Filter{Events: []string{"presence.update"}}})
	s = b.put(s)
	second := b.append(msg("3", "c"), named("4", "presence.update"))
	got, _ := b.read("wh_a", 0)
	b.equal("old filter below, new filter above", got, []outbox.Seq{first[0], second[1]})
	b.count("wh_a", 2, 0)
	// twice without an event in between: the last one holds
	s.Epochs = append(s.Epochs, outbox.Epoch{Filter: outbox.Filter{Events: []string{outbox.Any}}})
	s = b.put(s)
	s.Epochs = append(s.Epochs, outbox.Epoch{})
	b.put(s)
	b.append(msg("5", "c"))
	b.count("wh_a", 2, 0)
}

func putSubOrdered(b *bench) {
	var wg sync.WaitGroup
	stop := make(chan struct{})
	var mu sync.Mutex
	var all []outbox.Seq
	newest := func() outbox.Seq {
		mu.Lock()
		defer mu.Unlock()
		if len(all) == 0 {
			return 0
		}
		return slices.Max(all)
	}
	for w := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				seqs, err := b.e.Append(b.ctx, msg(fmt.Sprintf("%d-%d", w, i), "c"))
				if err != nil {
					b.Errorf("Append: %v", err)
					return
				}
				mu.Lock()
				all = append(all, seqs...)
				mu.Unlock()
			}
		})
	}
	from := map[outbox.SubID]outbox.Seq{}
	for i := range 20 {
		id := outbox.SubID(fmt.Sprintf("wh_%02d", i))
		before := newest()
		s := b.subscribe(id, outbox.Any)
		if s.Epochs[0].From <= before {
			b.Errorf("%s begins at %d, but %d was readable before", id, s.Epochs[0].From, before)
		}
		from[id] = s.Epochs[0].From
		after := b.append(msg("after"+string(id), "c"))
		if after[0] < s.Epochs[0].From {
			b.Errorf("%s begins at %d, above the later append %d", id, s.Epochs[0].From, after[0])
		}
		mu.Lock()
		all = append(all, after...)
		mu.Unlock()
	}
	close(stop)
	wg.Wait()
	slices.Sort(all)
	for id, at := range from {
		i, _ := slices.BinarySearch(all, at)
		got, _ := b.read(id, 0)
		b.equal("events of "+string(id), got, all[i:])
		b.count(id, int64(len(all)-i), 0)
	}
}

func epochsDropped(b *bench) {
	s := b.subscribe("wh_a", outbox.Any)
	var seqs []outbox.Seq
	for i := range 4 {
		seqs = append(seqs, b.append(msg(fmt.Sprint(i), "c"))...)
		s.Epochs = append(s.Epochs, outbox.Epoch{Filter: outbox.Filter{Events: []string{outbox.Any}, Chats: []string{"c", fmt.Sprint(i)}}})
		s = b.put(s)
	}
	if len(s.Epochs) != 5 {
		b.Fatalf("%d epochs while everything is unread, want 5", len(s.Epochs))
	}
	epochs := func() int {
		subs, err := b.e.Subs(b.ctx)
		if err != nil || len(subs) != 1 {
			b.Fatalf("Subs = %v, %v", subs, err)
		}
		return len(subs[0].Epochs)
	}
	run := outbox.Record{Seq: seqs[0], Last: seqs[1], Count: 2, State: outbox.Dead, Reason: "unregistered", At: msg("", "").Time}
	b.commit(outbox.Change{Sub: "wh_a", Next: seqs[3] + 1, Set: []outbox.Record{run}})
	if n := epochs(); n != 5 {
		b.Fatalf("%d epochs while a run needs the first, want 5", n)
	}
	run.State = outbox.Done
	b.commit(outbox.Change{Sub: "wh_a", Set: []outbox.Record{run}})
	if n := epochs(); n != 1 {
		b.Fatalf("%d epochs after everything passed, want 1", n)
	}
}

func epochsRefused(b *bench) {
	all := outbox.Filter{Events: []string{outbox.Any}}
	for what, s := range map[string]outbox.Subscription{
		"no id":            {Epochs: []outbox.Epoch{{Filter: all}}},
		"no epoch":         {ID: "wh_a"},
		"zero byte in id":  {ID: "wh\x00a", Epochs: []outbox.Epoch{{Filter: all}}},
		"in the future":    {ID: "wh_a", Epochs: []outbox.Epoch{{From: 1000, Filter: all}}},
		"descending epoch": {ID: "wh_a", Epochs: []outbox.Epoch{{Filter: all}, {From: 0}, {From: 1}, {From: 0}, {From: 1000}}},
	} {
		if got, err := b.e.PutSub(b.ctx, s); err == nil {
			b.Errorf("%s: PutSub took it as %+v", what, got)
		}
	}
	if subs, err := b.e.Subs(b.ctx); err != nil || len(subs) != 0 {
		b.Fatalf("refused subscriptions left %v, %v", subs, err)
	}
}

func startInThePast(b *bench) {
	seqs := b.append(msg("1", "c"), named("2", "presence.update"), msg("3", "c"), msg("4", "d"))
	from := func(id outbox.SubID, at outbox.Seq) outbox.Subscription {
		return b.put(outbox.Subscription{ID: id, Epochs: []outbox.Epoch{{From: at, Filter: outbox.Filter{Events: []string{"message.received"}}}}})
	}
	if s := from("wh_b", seqs[1]); s.Epochs[0].From != seqs[1] {
		b.Fatalf("a subscription from %d on begins at %d", seqs[1], s.Epochs[0].From)
	}
	got, _ := b.read("wh_b", seqs[1])
	b.equal("events from the past on", got, seqs[2:])
	b.count("wh_b", 2, 0)
	if next, _ := b.load("wh_b"); next != seqs[1] {
		b.Fatalf("its cursor is %d, want %d", next, seqs[1])
	}
	// what it is owed is not removed, also by a trim that had looked at it before
	if _, _, err := b.e.Trim(b.ctx, msg("", "").Time.Add(time.Hour), 0); err != nil {
		b.Fatalf("Trim: %v", err)
	}
	got, _ = b.read("wh_b", seqs[1])
	b.equal("events after a trim", got, seqs[2:])
	// where something was removed: one begins above it, and another one where it asked to
	b.commit(outbox.Change{Sub: "wh_b", Next: seqs[3]})
	if _, _, err := b.e.Trim(b.ctx, msg("", "").Time.Add(time.Hour), 0); err != nil {
		b.Fatalf("Trim: %v", err)
	}
	whole := b.events(outbox.EventQuery{Heads: true}).Whole
	if whole <= seqs[0] || whole > seqs[3] {
		b.Fatalf("nothing was removed below %d from %d on, or too much", seqs[3], whole)
	}
	for id, at := range map[outbox.SubID]outbox.Seq{"wh_c": seqs[0], "wh_d": whole} {
		if s := from(id, at); s.Epochs[0].From != whole {
			b.Fatalf("a subscription from %d on begins at %d, want %d", at, s.Epochs[0].From, whole)
		}
		got, _ = b.read(id, 0)
		b.equal("events of "+string(id), got, seqs[3:])
		b.count(id, 1, 0)
	}
	// one that exists is left where it is
	s, err := b.e.Sub(b.ctx, "wh_c")
	if err != nil {
		b.Fatalf("Sub: %v", err)
	}
	s.Epochs[0].From = seqs[0]
	if s = b.put(s); s.Epochs[0].From != whole {
		b.Fatalf("PutSub says now that it begins at %d", s.Epochs[0].From)
	}
	if next, _ := b.load("wh_c"); next != whole {
		b.Fatalf("PutSub moved the cursor to %d", next)
	}
}
