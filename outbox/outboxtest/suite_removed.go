package outboxtest

import (
	"fmt"
	"reflect"
	"time"

	"waoutbox/outbox"
)

func removedCases() []testCase {
	return []testCase{
		{"a removed subscription that is owed nothing is not listed", removedNotListed},
		{"a removed subscription is revived with its settings", removedRevived},
		{"removed subscriptions are paged", removedPaged},
		{"a removed subscription is forgotten", removedForgotten},
		{"trim passes removed subscriptions", trimPassesRemoved},
	}
}

// remove marks a subscription removed and returns its cut.
func (b *bench) remove(s outbox.Subscription) outbox.Seq {
	b.Helper()
	s.Removed = true
	s.Epochs = append(s.Epochs, outbox.Epoch{})
	s = b.put(s)
	cut, ok := s.Cut()
	if !ok {
		b.Fatalf("a removed subscription has no cut: %+v", s)
	}
	return cut
}

func (b *bench) listed(want ...outbox.SubID) {
	b.Helper()
	subs, err := b.e.Subs(b.ctx)
	if err != nil {
		b.Fatalf("Subs: %v", err)
	}
	b.ids("Subs", subs, want)
	st, err := b.e.Stats(b.ctx)
	if err != nil || len(st.Subs) != len(want) {
		b.Fatalf("Stats has %d subscriptions, %v; want %v", len(st.Subs), err, want)
	}
}

func (b *bench) ids(what string, subs []outbox.Subscription, want []outbox.SubID) {
	b.Helper()
	var got []outbox.SubID
	for _, s := range subs {
		got = append(got, s.ID)
	}
	if !reflect.DeepEqual(got, want) {
		b.Fatalf("%s = %v, want %v", what, got, want)
	}
}

func removedNotListed(b *bench) {
	s := b.subscribe("wh_a", outbox.Any)
	b.subscribe("wh_b", outbox.Any)
	seqs := b.append(msg("1", "c"), msg("2", "c"), msg("3", "c"))
	cut := b.remove(s)
	b.listed("wh_a", "wh_b") // three unread below the cut
	b.commit(outbox.Change{Sub: "wh_a", Next: cut, Set: []outbox.Record{pendingRec(seqs[1]), deadRec(seqs[2])}})
	b.listed("wh_a", "wh_b")
	b.withDead(0, "wh_a")
	b.commit(outbox.Change{Sub: "wh_a", Set: []outbox.Record{doneRec(seqs[1])}})
	b.listed("wh_b") // only dead letters are left
	b.withDead(1, "wh_a")
	b.equal("the dead record that is left", keySeqs(b.dead("wh_a")), seqs[2:])
	b.commit(outbox.Change{Sub: "wh_a", Set: []outbox.Record{doneRec(seqs[2])}})
	b.listed("wh_b")
	b.withDead(0)

	// it can be asked for all the same, and is what it was
	if got, err := b.e.Sub(b.ctx, "wh_a"); err != nil || !got.Removed || string(got.Config) != "wh_a" {
		b.Fatalf("Sub of one that holds nothing = %+v, %v", got, err)
	}
	if next, pending := b.load("wh_a"); next != cut || len(pending) != 0 {
		b.Fatalf("Load of one that holds nothing = %d, %v", next, pending)
	}
	b.append(msg("4", "c"))
	if got, _ := b.read("wh_a", 0); len(got) > 3 {
		b.Fatalf("one that was removed reads %v", got)
	}
	if d := b.dead("wh_a"); len(d) != 0 {
		b.Fatalf("Dead of one that holds nothing = %v", d)
	}
	_, err := b.e.RecordAt(b.ctx, "wh_a", seqs[0])
	b.wantErr("RecordAt of one that holds nothing", err, outbox.ErrNotFound)
	if r, err := b.e.CountOwed(b.ctx, "wh_a", cut, cut+10); err != nil || r.Count != 0 {
		b.Fatalf("CountOwed above the cut = %+v, %v", r, err)
	}
	// a late settlement changes nothing; a dead letter is counted, a pending record brings it back
	b.commit(outbox.Change{Sub: "wh_a", Next: cut, Set: []outbox.Record{doneRec(seqs[0])}})
	b.listed("wh_b")
	b.commit(outbox.Change{Sub: "wh_a", Set: []outbox.Record{deadRec(seqs[0])}})
	b.listed("wh_b")
	b.withDead(1, "wh_a")
	b.equal("its record", keySeqs(b.dead("wh_a")), seqs[:1])
	replayed := pendingRec(seqs[0])
	replayed.Replay = 1
	b.commit(outbox.Change{Sub: "wh_a", Set: []outbox.Record{replayed}})
	b.listed("wh_a", "wh_b")
	b.withDead(0)
	b.count("wh_a", 1, 0)
}

// withDead wants the dead records of removed subscriptions to be counted, and these to be listed.
func (b *bench) withDead(removed int64, want ...outbox.SubID) {
	b.Helper()
	subs, err := b.e.WithDead(b.ctx, "", 0)
	if err != nil {
		b.Fatalf("WithDead: %v", err)
	}
	b.ids("WithDead", subs, want)
	if st, err := b.e.Stats(b.ctx); err != nil || st.RemovedDead != removed {
		b.Fatalf("Stats.RemovedDead = %d, %v; want %d", st.RemovedDead, err, removed)
	}
}

func removedRevived(b *bench) {
	want := outbox.Filter{Events: []string{"message.received"}, Chats: []string{"c"}}
	s := b.put(outbox.Subscription{ID: "wh_a", Config: []byte("conf"), Epochs: []outbox.Epoch{{Filter: want}}})
	seqs := b.append(msg("1", "c"))
	b.commit(outbox.Change{Sub: "wh_a", Next: seqs[0] + 1, Lane: []byte("gate")})
	cut := b.remove(s)
	b.listed()
	// between the removal and the revival, twice the filter's worth
	b.fill("between", 20)
	removed, err := b.e.Removed(b.ctx, "", 0)
	if err != nil || len(removed) != 1 || !reflect.DeepEqual(removed[0].LastFilter(), want) || string(removed[0].Config) != "conf" {
		b.Fatalf("Removed = %+v, %v; want the filter %+v", removed, err, want)
	}
	s = removed[0]
	s.Removed = false
	s.Epochs = append(s.Epochs, outbox.Epoch{Filter: s.LastFilter()})
	b.put(s)
	b.listed("wh_a")
	fresh := b.append(msg("2", "c"), msg("3", "other"))
	next, lane, _, err := b.e.Load(b.ctx, "wh_a")
	if err != nil || next < cut || string(lane) != "gate" {
		b.Fatalf("Load of a revived one = %d, %q, %v; it was at %d", next, lane, err, cut)
	}
	got, _ := b.read("wh_a", next)
	b.equal("a revived one reads what is new, by its filter", got, fresh[:1])
	b.count("wh_a", 1, 0)
	if removed, err := b.e.Removed(b.ctx, "", 0); err != nil || len(removed) != 0 {
		b.Fatalf("Removed after the revival = %v, %v", removed, err)
	}
}

func removedPaged(b *bench) {
	b.append(msg("x", "c"))
	var want []outbox.SubID
	for i := range 9 {
		id := outbox.SubID(fmt.Sprintf("wh_%d", i))
		s := b.subscribe(id, outbox.Any)
		if i%3 == 0 {
			continue
		}
		want = append(want, id)
		if i%2 == 0 { // something of it is dead
			seq := b.append(msg(string(id), "c"))[0]
			b.commit(outbox.Change{Sub: id, Next: seq + 1, Set: []outbox.Record{deadRec(seq)}})
		}
		b.remove(s)
	}
	var got []outbox.Subscription
	for after := outbox.SubID(""); ; {
		page, err := b.e.Removed(b.ctx, after, 2)
		if err != nil || len(page) > 2 {
			b.Fatalf("Removed after %q = %d, %v", after, len(page), err)
		}
		if len(page) == 0 {
			break
		}
		got = append(got, page...)
		after = page[len(page)-1].ID
	}
	b.ids("all pages of Removed", got, want)
}

func removedForgotten(b *bench) {
	s := b.subscribe("wh_a", outbox.Any)
	seqs := b.append(msg("1", "c"), msg("2", "c"))
	b.wantErr("Forget of one that is not removed", b.e.Forget(b.ctx, "wh_a"), outbox.ErrHolds)
	cut := b.remove(s)
	b.wantErr("Forget while something is unread", b.e.Forget(b.ctx, "wh_a"), outbox.ErrHolds)
	b.commit(outbox.Change{Sub: "wh_a", Next: cut, Set: []outbox.Record{deadRec(seqs[0])}})
	b.wantErr("Forget while something is dead", b.e.Forget(b.ctx, "wh_a"), outbox.ErrHolds)
	b.commit(outbox.Change{Sub: "wh_a", Set: []outbox.Record{doneRec(seqs[0])}})
	if err := b.e.Forget(b.ctx, "wh_a"); err != nil {
		b.Fatalf("Forget: %v", err)
	}
	err := b.e.Forget(b.ctx, "wh_a")
	if err == nil { // its outcome was unknown, and when it was repeated nothing was there
		err = b.e.Forget(b.ctx, "wh_a")
	}
	b.wantErr("Forget again", err, outbox.ErrNotFound)
	_, err = b.e.Sub(b.ctx, "wh_a")
	b.wantErr("Sub of a forgotten one", err, outbox.ErrNotFound)
	_, _, _, err = b.e.Load(b.ctx, "wh_a")
	b.wantErr("Load of a forgotten one", err, outbox.ErrNotFound)
	b.wantErr("Commit of a forgotten one", b.e.Commit(b.ctx, outbox.Change{Sub: "wh_a", Set: []outbox.Record{doneRec(seqs[0])}}), outbox.ErrNotFound)
	if removed, err := b.e.Removed(b.ctx, "", 0); err != nil || len(removed) != 0 {
		b.Fatalf("Removed after Forget = %v, %v", removed, err)
	}
}

// Before: one removed webhook kept every event that came after it; 10 of 110 were trimmed.
func trimPassesRemoved(b *bench) {
	gone := b.subscribe("wh_gone", outbox.Any)
	holding := b.subscribe("wh_holding", outbox.Any)
	b.subscribe("wh_live", outbox.Any)
	first := b.fill("first", 10)
	b.commit(outbox.Change{Sub: "wh_gone", Next: first[9] + 1})
	b.commit(outbox.Change{Sub: "wh_holding", Next: first[9] + 1, Set: []outbox.Record{deadRec(first[3])}})
	b.remove(gone)
	b.remove(holding)
	rest := b.fill("rest", 100)
	b.commit(outbox.Change{Sub: "wh_live", Next: rest[99] + 1})
	if n, _, err := b.e.Trim(b.ctx, time.Now(), 1000); err != nil || n != 109 {
		b.Fatalf("Trim of 110 delivered events, one of them dead for a removed subscription = %d, %v; want 109", n, err)
	}
	b.commit(outbox.Change{Sub: "wh_holding", Set: []outbox.Record{doneRec(first[3])}})
	if n, _, err := b.e.Trim(b.ctx, time.Now(), 1000); err != nil || n != 1 {
		b.Fatalf("Trim of the last one = %d, %v", n, err)
	}
}
