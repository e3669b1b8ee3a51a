package boltbox_test

import (
	"maps"
	"slices"

	"waoutbox/outbox"
	"waoutbox/outbox/outboxtest"
)

// oracle says what the rules of the outbox mean, in the plainest way and in code of its own: it
// shares neither filters nor epochs nor moves with the engines, so a rule that is wrong in the
// package they share is wrong in the model test as well. It keeps every epoch for ever.
type oracle struct {
	events []oracleEvent
	subs   map[outbox.SubID]*oracleSub
}

type oracleEvent struct {
	seq        outbox.Seq
	name, chat string
}

type oracleSub struct {
	filters []oracleFilter // in the order in which they came to hold
	removed bool
	next    outbox.Seq
	records map[outbox.Seq]oracleRecord // by the sequence they are filed under
}

type oracleFilter struct {
	from         outbox.Seq
	names, chats []string
}

type oracleRecord struct {
	dead, expired    bool
	first            outbox.Seq // of a run
	replay, attempts int
}

func newOracle() *oracle { return &oracle{subs: map[outbox.SubID]*oracleSub{}} }

func (o *oracle) last() outbox.Seq {
	if len(o.events) == 0 {
		return 0
	}
	return o.events[len(o.events)-1].seq
}

// appended notes what an append was given and returned: only a sequence that is new is an event.
func (o *oracle) appended(evs []outbox.Event, seqs []outbox.Seq) {
	for i, seq := range seqs {
		if seq > o.last() {
			o.events = append(o.events, oracleEvent{seq, evs[i].Name, evs[i].Chat})
		}
	}
}

// put notes that a subscription wants what f says from now on.
func (o *oracle) put(id outbox.SubID, f outbox.Filter, removed bool) {
	now := o.last() + 1
	s, ok := o.subs[id]
	if !ok {
		s = &oracleSub{next: now, records: map[outbox.Seq]oracleRecord{}}
		o.subs[id] = s
	}
	s.removed = removed
	if n := len(s.filters); n > 0 && s.filters[n-1].from == now { // it held for no event
		s.filters = s.filters[:n-1]
	}
	s.filters = append(s.filters, oracleFilter{now, f.Events, f.Chats})
}

// commit notes a change, whole or not at all, and reports whether it may be taken: no record takes
// the place of one that is further on.
func (o *oracle) commit(c outbox.Change) bool {
	s := o.subs[c.Sub]
	after := maps.Clone(s.records)
	for _, r := range c.Set {
		filed := max(r.Seq, r.Last)
		old, there := after[filed]
		now := oracleRecord{dead: r.State == outbox.Dead, expired: r.Reason == "expired", first: r.Seq, replay: r.Replay, attempts: r.Attempts}
		switch {
		case r.State == outbox.Done: // delivered or purged
			delete(after, filed)
			continue
		case !there: // a first failure, or dead-lettered unread
		case old.dead && now.dead: // part of another run
		case old.dead && now.replay <= old.replay: // pending again without a replay
			return false
		case !old.dead && now.replay < old.replay: // an earlier replay
			return false
		case !old.dead && now.replay == old.replay && now.attempts < old.attempts:
			// an earlier attempt
			return false
		}
		after[filed] = now
	}
	s.next, s.records = max(s.next, c.Next), after
	return true
}

// wants reports whether the filter that held at an event matches it.
func (s *oracleSub) wants(e oracleEvent) bool {
	wanted := false
	for _, f := range s.filters { // the last one that began at or before it
		if f.from <= e.seq {
			name := slices.Contains(f.names, e.name) || slices.Contains(f.names, "*")
			chat := f.chats == nil || slices.Contains(f.chats, e.chat)
			wanted = name && chat
		}
	}
	return wanted
}

// owed returns the sequences owed to a subscription from one to another.
func (o *oracle) owed(s *oracleSub, from, to outbox.Seq) []outbox.Seq {
	var out []outbox.Seq
	for _, e := range o.events {
		if e.seq >= from && e.seq <= to && s.wants(e) {
			out = append(out, e.seq)
		}
	}
	return out
}

// filed returns where the records of one state lie, in order.
func (s *oracleSub) filed(dead bool) []outbox.Seq {
	var out []outbox.Seq
	for seq, r := range s.records {
		if r.dead == dead {
			out = append(out, seq)
		}
	}
	slices.Sort(out)
	return out
}

// left reports whether a removed subscription has a pending record, or something owed that is not
// passed, or a filter that may still match.
func (o *oracle) left(s *oracleSub) bool {
	if !s.removed || len(s.filed(false)) > 0 {
		return true
	}
	last := s.filters[len(s.filters)-1]
	if len(last.names) > 0 {
		return true
	}
	cut := last.from
	for _, f := range slices.Backward(s.filters) {
		if len(f.names) > 0 {
			break
		}
		cut = f.from
	}
	return s.next < cut
}

// check compares an engine with the oracle.
func (o *oracle) check(m *model, e outboxtest.Engine) {
	m.Helper()
	ctx := m.t.Context()
	var listed, removed []outbox.SubID
	for id, s := range o.subs {
		if o.left(s) {
			listed = append(listed, id)
		}
		if s.removed {
			removed = append(removed, id)
		}
		next, _, pending, err := e.Load(ctx, id)
		if err != nil || next != s.next {
			m.Fatalf("Load of %s: next %d, %v; the oracle says %d", id, next, err, s.next)
		}
		m.sameSeqs("pending records of "+string(id), filed(pending), s.filed(false))
		dead, err := e.Dead(ctx, id, 0, 0)
		if err != nil {
			m.Fatal(err)
		}
		m.sameSeqs("dead records of "+string(id), filed(dead), s.filed(true))
		evs, err := everything(m, e, id, next)
		if err != nil {
			m.Fatal(err)
		}
		var got []outbox.Seq
		for _, ev := range evs {
			got = append(got, ev.Seq)
		}
		m.sameSeqs("unread events of "+string(id), got, o.owed(s, next, o.last()))
		for seq, r := range s.records {
			if r.first == seq || r.expired {
				continue // an expired run's events may be gone
			}
			owed, err := e.CountOwed(ctx, id, r.first, seq)
			if want := o.owed(s, r.first, seq); err != nil || owed.Count != len(want) {
				m.Fatalf("run %d–%d of %s stands for %d events, %v; the oracle says %v", r.first, seq, id, owed.Count, err, want)
			}
		}
	}
	slices.Sort(listed)
	slices.Sort(removed)
	subs, err := e.Subs(ctx)
	m.sameIDs("Subs", subs, err, listed)
	gone, err := e.Removed(ctx, "", 0)
	m.sameIDs("Removed", gone, err, removed)
}

func filed(records []outbox.Record) []outbox.Seq {
	var out []outbox.Seq
	for _, r := range records {
		out = append(out, max(r.Seq, r.Last))
	}
	return out
}

func (m *model) sameSeqs(what string, got, want []outbox.Seq) {
	m.Helper()
	if !slices.Equal(got, want) {
		m.Fatalf("%s: %v, the oracle says %v", what, got, want)
	}
}

func (m *model) sameIDs(what string, subs []outbox.Subscription, err error, want []outbox.SubID) {
	m.Helper()
	var got []outbox.SubID
	for _, s := range subs {
		got = append(got, s.ID)
	}
	if err != nil || !slices.Equal(got, want) {
		m.Fatalf("%s: %v, %v; the oracle says %v", what, got, err, want)
	}
}
