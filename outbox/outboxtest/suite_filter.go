package outboxtest

import (
	"fmt"
	"reflect"
	"slices"

	"waoutbox/outbox"
)

func filterCases() []testCase {
	return []testCase{
		{"a chat is matched by either address", filterEither},
		{"chats are left out by either address", filterNotChats},
		{"kinds of chat are matched", filterKinds},
		{"every part of a filter is kept", filterKept},
		{"both addresses of a chat are kept", chatAltKept},
	}
}

const (
	testLID   = "2048@lid"
	testPhone = "491515550123@s.whatsapp.net"
)

// chat is an event of a chat under the address the server used and, if known, the other one.
func chat(key, jid, alt string) outbox.Event {
	e := msg(key, jid)
	e.ChatAlt = alt
	return e
}

// chats are events of chats of every kind, and of one person before and after both addresses were
// known.
func chats() []outbox.Event {
	return []outbox.Event{
		chat("phone", testPhone, ""),
		chat("both", testLID, testPhone),
		chat("reverse", testPhone, testLID),
		chat("lid", testLID, ""),
		chat("other", "77@lid", "4930@s.whatsapp.net"),
		chat("group", "1203@g.us", ""),
		chat("status", "status@broadcast", ""),
		chat("channel", "555@newsletter", ""),
		chat("connection", "connection", ""),
	}
}

// wants checks which of chats a filter of chats matches, by every operation that applies filters.
func (b *bench) wants(f outbox.Filter, keys ...string) {
	b.Helper()
	f.Events = []string{outbox.Any}
	id := outbox.SubID(fmt.Sprint("wh_", f))
	b.put(outbox.Subscription{ID: id, Epochs: []outbox.Epoch{{Filter: f}}})
	seqs := map[string]outbox.Seq{}
	var first, last outbox.Seq
	for i, e := range chats() {
		name := e.Key
		e.Key = fmt.Sprintf("%s-%s", e.Key, id)
		last = b.append(e)[0]
		seqs[name] = last
		if i == 0 {
			first = last
		}
	}
	var want []outbox.Seq
	for _, k := range keys {
		want = append(want, seqs["evt_"+k])
	}
	got, end := b.read(id, 0)
	b.equal("Read", got, want)
	b.count(id, int64(len(want)), 0)
	b.owed("Owed", id, first, last, want)
	dead := deadRec(want[0])
	if len(want) > 1 {
		dead.Last, dead.Count = want[len(want)-1], len(want)
	}
	b.commit(outbox.Change{Sub: id, Next: end, Set: []outbox.Record{dead}})
	b.count(id, 0, int64(len(want)))
	b.owed("Owed in a run", id, first, last, want)
	for name, seq := range seqs {
		_, err := b.e.RecordAt(b.ctx, id, seq)
		if owed := slices.Contains(want, seq); owed != (err == nil) {
			b.Fatalf("RecordAt of %s in a run: %v, owed %v", name, err, owed)
		}
	}
}

// owed checks Owed and CountOwed of a range.
func (b *bench) owed(what string, id outbox.SubID, first, last outbox.Seq, want []outbox.Seq) {
	b.Helper()
	var got []outbox.Seq
	for from := first; from <= last; {
		evs, next, err := b.e.Owed(b.ctx, id, from, last, 3)
		if err != nil || next <= from && len(evs) == 0 {
			b.Fatalf("%s from %d = %d events, %d, %v", what, from, len(evs), next, err)
		}
		for _, e := range evs {
			got = append(got, e.Seq)
		}
		from = next
	}
	b.equal(what, got, want)
	r, err := b.e.CountOwed(b.ctx, id, first, last)
	if err != nil || r.Count != len(want) || r.First != want[0] || r.Last != want[len(want)-1] {
		b.Fatalf("CountOwed = %+v, %v; want %v", r, err, want)
	}
}

func filterEither(b *bench) {
	b.wants(outbox.Filter{Chats: []string{testPhone}}, "phone", "both", "reverse")
	b.wants(outbox.Filter{Chats: []string{testLID}}, "both", "reverse", "lid")
	b.wants(outbox.Filter{Chats: []string{"1203@g.us", "4930@s.whatsapp.net"}}, "other", "group")
}

func filterNotChats(b *bench) {
	b.wants(outbox.Filter{NotChats: []string{testPhone, "1203@g.us"}}, "lid", "other", "status", "channel", "connection")
	b.wants(outbox.Filter{NotChats: []string{testLID}}, "phone", "other", "group", "status", "channel", "connection")
	b.wants(outbox.Filter{Chats: []string{testLID, "77@lid"}, NotChats: []string{testPhone}}, "lid", "other")
}

func filterKinds(b *bench) {
	b.wants(outbox.Filter{Kinds: []string{outbox.KindDirect}}, "phone", "both", "reverse", "lid", "other")
	b.wants(outbox.Filter{Kinds: []string{outbox.KindGroup, outbox.KindNewsletter}}, "group", "channel")
	b.wants(outbox.Filter{Kinds: []string{outbox.KindStatus}}, "status")
	b.wants(outbox.Filter{Kinds: []string{outbox.KindDirect}, NotChats: []string{testLID}}, "phone", "other")
}

func filterKept(b *bench) {
	want := outbox.Filter{Events: []string{"a", "b"}, Chats: []string{"c", "d"}, NotChats: []string{"e"}, Kinds: []string{outbox.KindGroup, outbox.KindDirect}}
	kept := func(what string, got outbox.Subscription, err error) {
		b.Helper()
		if err != nil || !reflect.DeepEqual(got.LastFilter(), want) {
			b.Fatalf("%s has the filter %+v, %v; want %+v", what, got.LastFilter(), err, want)
		}
	}
	given := want.Clone()
	s, err := b.e.PutSub(b.ctx, outbox.Subscription{ID: "wh_a", Epochs: []outbox.Epoch{{Filter: given}}})
	kept("PutSub", s, err)
	for _, list := range [][]string{given.Events, given.Chats, given.NotChats, given.Kinds} {
		list[0] = "the caller's own" // the engine must have its own copy
	}
	got, err := b.e.Sub(b.ctx, "wh_a")
	kept("Sub", got, err)
	b.append(msg("1", "c"))
	cut := b.remove(s)
	b.commit(outbox.Change{Sub: "wh_a", Next: cut})
	got, err = b.e.Sub(b.ctx, "wh_a")
	kept("Sub of a removed one", got, err)
}

func chatAltKept(b *bench) {
	b.subscribe("wh_a", outbox.Any)
	seq := b.append(chat("1", testLID, testPhone))[0]
	check := func(what string, e outbox.Event, err error) {
		b.Helper()
		if err != nil || e.Chat != testLID || e.ChatAlt != testPhone {
			b.Fatalf("%s = %+v, %v; want both addresses", what, e, err)
		}
	}
	e, err := b.e.Event(b.ctx, seq)
	check("Event", e, err)
	evs, _, err := b.e.Read(b.ctx, "wh_a", 0, 1)
	if len(evs) != 1 {
		b.Fatalf("Read = %v, %v", evs, err)
	}
	check("Read", evs[0], err)
	b.commit(outbox.Change{Sub: "wh_a", Next: seq + 1, Set: []outbox.Record{deadRec(seq)}})
	heads, err := b.e.DeadHeads(b.ctx, "wh_a", 0, 1)
	if len(heads) != 1 {
		b.Fatalf("DeadHeads = %v, %v", heads, err)
	}
	check("DeadHeads", heads[0].Event, err)
}
