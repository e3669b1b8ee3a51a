package outboxtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"waoutbox/outbox"
)

// Run checks that an engine keeps the rules of the seam. open returns an empty engine, closed by
// t's cleanup.
func Run(t *testing.T, open func(t testing.TB) Engine) {
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			c.run(&bench{TB: t, ctx: ctx, e: open(t)})
		})
	}
}

type testCase struct {
	name string
	run  func(b *bench)
}

func cases() []testCase {
	return slices.Concat(appendCases(), readCases(), recordCases(), subCases(), filterCases(), logCases(), removedCases(), deadCases(), retentionCases(), sendCases(), auditCases())
}

// bench is one engine under test with the steps the cases are made of; every step fails the test at
// once.
type bench struct {
	testing.TB
	ctx context.Context
	e   Engine
}

// msg is an event of a chat; its key is unique for key.
func msg(key, chat string) outbox.Event {
	return outbox.Event{Key: "evt_" + key, Stamp: 1_700_000_000, Time: time.UnixMilli(1_700_000_000_000).UTC(), Name: "message.received",
		Chat: chat, Account: "1@s.whatsapp.net", Body: []byte(`{"event":"message.received","key":"` + key + `"}`)}
}

// named is an event with another name.
func named(key, name string) outbox.Event {
	e := msg(key, "c")
	e.Name = name
	return e
}

func (b *bench) append(evs ...outbox.Event) []outbox.Seq {
	b.Helper()
	seqs, err := b.e.Append(b.ctx, evs...)
	if err != nil {
		b.Fatalf("Append: %v", err)
	}
	if len(seqs) != len(evs) {
		b.Fatalf("Append returned %d sequences for %d events", len(seqs), len(evs))
	}
	return seqs
}

// fill appends n events of chat c in calls of at most MaxBatch and returns their sequences.
func (b *bench) fill(prefix string, n int) []outbox.Seq {
	b.Helper()
	var out []outbox.Seq
	for len(out) < n {
		var evs []outbox.Event
		for i := len(out); i < n && len(evs) < outbox.MaxBatch; i++ {
			evs = append(evs, msg(fmt.Sprintf("%s%d", prefix, i), "c"))
		}
		out = append(out, b.append(evs...)...)
	}
	return out
}

func (b *bench) put(s outbox.Subscription) outbox.Subscription {
	b.Helper()
	got, err := b.e.PutSub(b.ctx, s)
	if err != nil {
		b.Fatalf("PutSub: %v", err)
	}
	return got
}

// subscribe creates a subscription that wants the named events from now on.
func (b *bench) subscribe(id outbox.SubID, events ...string) outbox.Subscription {
	b.Helper()
	return b.put(outbox.Subscription{ID: id, Config: []byte(id), Epochs: []outbox.Epoch{{Filter: outbox.Filter{Events: events}}}})
}

func (b *bench) commit(c outbox.Change) {
	b.Helper()
	if err := b.e.Commit(b.ctx, c); err != nil {
		b.Fatalf("Commit: %v", err)
	}
}

// read reads everything owed from a position and returns the sequences and the end.
func (b *bench) read(sub outbox.SubID, from outbox.Seq) ([]outbox.Seq, outbox.Seq) {
	b.Helper()
	var seqs []outbox.Seq
	for steps := 0; ; steps++ {
		evs, next, err := b.e.Read(b.ctx, sub, from, 1<<20)
		if err != nil {
			b.Fatalf("Read: %v", err)
		}
		for _, e := range evs {
			seqs = append(seqs, e.Seq)
		}
		if next == from {
			return seqs, next
		}
		if next < from || steps > 1<<20 {
			b.Fatalf("Read from %d goes on at %d", from, next)
		}
		from = next
	}
}

func (b *bench) load(sub outbox.SubID) (outbox.Seq, []outbox.Record) {
	b.Helper()
	next, _, pending, err := b.e.Load(b.ctx, sub)
	if err != nil {
		b.Fatalf("Load: %v", err)
	}
	return next, pending
}

func (b *bench) dead(sub outbox.SubID) []outbox.Record {
	b.Helper()
	var out []outbox.Record
	for after := outbox.Seq(0); ; {
		page, err := b.e.Dead(b.ctx, sub, after, 3)
		if err != nil {
			b.Fatalf("Dead: %v", err)
		}
		if len(page) == 0 {
			return out
		}
		out = append(out, page...)
		after = page[len(page)-1].KeySeq()
	}
}

func (b *bench) stats(sub outbox.SubID) outbox.SubStats {
	b.Helper()
	st, err := b.e.Stats(b.ctx)
	if err != nil {
		b.Fatalf("Stats: %v", err)
	}
	s, ok := st.Subs[sub]
	if !ok {
		b.Fatalf("Stats has no %s", sub)
	}
	return s
}

func (b *bench) count(sub outbox.SubID, pending, dead int64) {
	b.Helper()
	if s := b.stats(sub); s.Pending != pending || s.Dead != dead {
		b.Fatalf("Stats of %s: pending %d, dead %d; want %d, %d", sub, s.Pending, s.Dead, pending, dead)
	}
}

func (b *bench) wantErr(what string, err, want error) {
	b.Helper()
	if !errors.Is(err, want) {
		b.Fatalf("%s: got error %v, want %v", what, err, want)
	}
}

func (b *bench) equal(what string, got, want []outbox.Seq) {
	b.Helper()
	if !slices.Equal(got, want) {
		b.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

// keySeqs are the sequences records are filed under.
func keySeqs(rs []outbox.Record) []outbox.Seq {
	var out []outbox.Seq
	for _, r := range rs {
		out = append(out, r.KeySeq())
	}
	return out
}

func pendingRec(s outbox.Seq) outbox.Record { return outbox.Record{Seq: s, State: outbox.Pending} }

// replayedRec is the pending record of a dead letter that was replayed once.
func replayedRec(s outbox.Seq) outbox.Record {
	return outbox.Record{Seq: s, State: outbox.Pending, Replay: 1}
}

func deadRec(s outbox.Seq) outbox.Record {
	return outbox.Record{Seq: s, State: outbox.Dead, Reason: "http", At: time.Unix(1_700_000_100, 0)}
}
func doneRec(s outbox.Seq) outbox.Record { return outbox.Record{Seq: s, State: outbox.Done} }
