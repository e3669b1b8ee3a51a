package boltbox_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
	"waoutbox/store/storetest"
)

// answers are what an engine answers, each answer once, as text. What an answer admits to be
// damaged stands apart.
type answers struct {
	all     map[string]bool
	flagged int
}

func (e *answers) add(format string, args ...any) { e.all[fmt.Sprintf(format, args...)] = true }

func (e *answers) event(what string, ev outbox.Event) {
	if ev.Corrupt {
		e.flagged++
		if ev.Body != nil {
			e.add("%s: a damaged event with a body: %+v", what, ev)
		}
		return
	}
	e.add("%s %+v", what, ev)
}

// record reports whether r is not flagged.
func (e *answers) record(what string, r outbox.Record) bool {
	if r.Reason == "undecodable" {
		e.flagged++
		return false
	}
	e.add("%s %+v", what, r)
	return true
}

// failed takes an error: of what is damaged it may be a plain absence.
func (e *answers) failed(err error) bool {
	if err != nil {
		e.flagged++
	}
	return err != nil
}

// read asks an engine answers there is to ask about formatEvents, formatRecords and formatSends.
func read(t *testing.T, box *boltbox.Box) *answers {
	t.Helper()
	ctx := t.Context()
	e := &answers{all: map[string]bool{}}
	subs, err := box.Subs(ctx)
	if !e.failed(err) {
		for _, s := range subs {
			e.add("sub %+v", s)
		}
	}
	removed, err := box.Removed(ctx, "", 0)
	if !e.failed(err) {
		for _, s := range removed {
			e.add("removed %+v", s)
		}
	}
	for _, id := range []outbox.SubID{"wh_7K2M", "wh_GONE"} {
		if s, err := box.Sub(ctx, id); !e.failed(err) {
			e.add("found %+v", s)
		}
		if next, lane, pending, err := box.Load(ctx, id); !e.failed(err) {
			e.add("%s at %d, %q", id, next, lane)
			for _, r := range pending {
				e.record(string(id), r)
			}
		}
		if dead, err := box.DeadHeads(ctx, id, 0, 0); !e.failed(err) {
			for _, d := range dead {
				if e.record(string(id), d.Record) {
					e.event("dead", d.Event)
				}
			}
		}
		if reasons, err := box.DeadReasons(ctx, id); !e.failed(err) {
			e.add("reasons of %s: %v", id, reasons)
		}
		if evs, _, err := box.Owed(ctx, id, 1, 100, 0); !e.failed(err) {
			for _, ev := range evs {
				e.event(string(id)+" is owed", ev)
			}
		}
	}
	page, err := box.Events(ctx, outbox.EventQuery{})
	if e.failed(err) {
		return e
	}
	e.add("log from %d, whole from %d to %d", page.Floor, page.Whole, page.Last)
	for _, ev := range page.Events {
		e.event("log", ev)
	}
	for seq := outbox.Seq(1); seq <= 6; seq++ {
		ev, err := box.Event(ctx, seq)
		if !e.failed(err) || errors.Is(err, outbox.ErrCorrupt) {
			e.event("event", ev)
		}
	}
	if ev, err := box.Newest(ctx); !e.failed(err) {
		e.event("newest", ev)
	}
	for _, s := range formatSends() {
		if got, err := box.Send(ctx, s.MessageID); !e.failed(err) {
			e.add("send %+v", got)
		}
		got, err := box.SendByKey(ctx, s.IdempotencyKey)
		if errors.Is(err, outbox.ErrNotFound) {
			e.add("nobody holds the key %s", s.IdempotencyKey) // it would be sent again
		}
		if !e.failed(err) {
			e.add("send %+v", got)
		}
	}
	if open, err := box.Unsettled(ctx); !e.failed(err) {
		for _, s := range open {
			e.add("unsettled %+v", s)
		}
	}
	if all, err := box.Audits(ctx, outbox.AuditQuery{}); !e.failed(err) {
		for _, a := range all {
			e.add("audit %+v", a)
		}
	}
	if st, err := box.Stats(ctx); !e.failed(err) {
		e.add("%d events, %d dead of removed ones", st.Events, st.RemovedDead)
	}
	return e
}

func seqKey(s outbox.Seq) []byte { return binary.BigEndian.AppendUint64(nil, uint64(s)) }

// sendKeyKey is where the ledger has the holder of an idempotency key.
func sendKeyKey(key string) []byte {
	sum := sha256.Sum256([]byte(key))
	return append([]byte("k"), sum[:16]...)
}

// auditKey is where a record of the audit trail is.
func auditKey(a outbox.Audit) []byte {
	b := binary.BigEndian.AppendUint64([]byte{byte(a.Kind)}, uint64(a.Time.UnixNano()))
	return binary.BigEndian.AppendUint32(b, a.Tag)
}

// kind is a value in the file, and what may be answered instead once it is damaged.
type kind struct {
	bucket, key string
	also        []string
}

func kindsOfRecord(subs []outbox.Subscription) []kind {
	sendKey := func(s outbox.Send) string { return string(sendKeyKey(s.IdempotencyKey)) }
	sends := formatSends()
	return []kind{
		{bucket: "events", key: string(seqKey(2))},
		{bucket: "events", key: string(seqKey(3))},
		{bucket: "subs", key: "wh_7K2M"},
		{bucket: "cursors", key: "wh_7K2M", also: []string{fmt.Sprintf("wh_7K2M at %d, %q", subs[0].Epochs[0].From, "")}},
		{bucket: "removed", key: "wh_GONE"},
		{bucket: "pending", key: string(subKey("wh_7K2M", 2))},
		{bucket: "dead", key: string(subKey("wh_7K2M", 3))},
		{bucket: "dead", key: string(subKey("wh_7K2M", 5))}, // a run
		{bucket: "sends", key: "m" + sends[0].MessageID},
		{bucket: "sends", key: "m" + sends[1].MessageID},
		{bucket: "sends", key: sendKey(sends[0])},
		{bucket: "sends", key: sendKey(sends[1])},
		{bucket: "audit", key: string(auditKey(formatAudit()[1]))},
		{bucket: "reasons", key: "wh_7K2M"},
		{bucket: "reasons", key: "wh_GONE"},
		{bucket: "meta", key: "trimmed"},
		{bucket: "meta", key: "removed_dead"},
		{bucket: "meta", key: "whole", also: []string{"log from 2, whole from 8 to 7"}},
		{bucket: "meta", key: "sealed"},
	}
}

// Whatever byte of whatever record is another one: no panic, never another answer than before
// unless it says that something is damaged, and always a report. Before there were checksums, most
// of these were wrong records, and delivered.
//
// Mutation of meta.go: numbers of the file are believed though they are damaged.
// Mutation of sends.go: when nobody can tell which send holds an idempotency key, the message is
// sent again.
func TestEveryDamagedByteIsReported(t *testing.T) {
	db := storetest.Open(t, store.DBOptions{Schema: boltbox.Schema()})
	box := openBox(t, db, boltbox.SmallRuns(boltbox.Options{}))
	writeFormat(t, box)
	// so that every number of meta is there: one event is gone, and a removed one has a dead letter
	commit(t, box, outbox.Change{Sub: "wh_GONE", Set: []outbox.Record{{Seq: 6, State: outbox.Dead, Reason: "http", At: moment(9)}}})
	commit(t, box, outbox.Change{Sub: "wh_7K2M", Set: []outbox.Record{{Seq: 1, State: outbox.Done}}})
	if n, _, err := box.Trim(t.Context(), time.Now().AddDate(100, 0, 0), 1); n != 1 || err != nil {
		t.Fatalf("Trim = %d, %v", n, err)
	}
	appendKeys(t, box, "more")
	commit(t, box, outbox.Change{Sub: "wh_7K2M", Next: 6, Set: []outbox.Record{{Seq: 2, State: outbox.Pending, Attempts: 1, Due: moment(2), Reason: "http", Log: []byte("log")}}})
	subs, err := box.Subs(t.Context())
	if err != nil || len(subs) != 1 {
		t.Fatal(subs, err)
	}
	reopened := func() (*boltbox.Box, *answers) {
		box := openBox(t, db, boltbox.SmallRuns(boltbox.Options{RingBytes: 1}))
		return box, read(t, box)
	}
	_, want := reopened()
	for _, k := range kindsOfRecord(subs) {
		var sound []byte
		raw(t, db, func(tx *bbolt.Tx) error {
			sound = bytes.Clone(tx.Bucket([]byte(k.bucket)).Get([]byte(k.key)))
			return nil
		})
		if len(sound) == 0 {
			t.Fatalf("there is nothing in %s under %q", k.bucket, k.key)
		}
		put := func(v []byte) {
			raw(t, db, func(tx *bbolt.Tx) error { return tx.Bucket([]byte(k.bucket)).Put([]byte(k.key), v) })
		}
		for i := range sound {
			damaged := bytes.Clone(sound)
			damaged[i] ^= 1 << (i % 8)
			put(damaged)
			box, got := reopened()
			for a := range got.all {
				if !want.all[a] && !slices.Contains(k.also, a) {
					t.Errorf("%s %q with byte %d changed: it is answered %s", k.bucket, k.key, i, a)
				}
			}
			if k.bucket == "meta" && k.key == "sealed" { // it is read by whoever appends
				appendKeys(t, box, "more")
			}
			if st, err := box.Stats(t.Context()); err != nil || st.Undecodable != 1 {
				t.Errorf("%s %q with byte %d changed: %d reports, %v", k.bucket, k.key, i, st.Undecodable, err)
			} else if corrupt := slices.ContainsFunc(st.Faults, func(f outbox.Fault) bool { return f.Cause == outbox.FaultCorrupt }); corrupt != (k.bucket == "events") {
				t.Errorf("%s %q with byte %d changed: faults %+v", k.bucket, k.key, i, st.Faults)
			}
		}
		put(sound)
	}
	if _, got := reopened(); !maps.Equal(got.all, want.all) {
		t.Errorf("afterwards the answers are others: %v, before %v", got.all, want.all)
	}
}

// A damaged dead record may have been a run: what it may stand for is not removed while it is
// there. When it goes, the counts are those of the records that are left, and its events go too.
// Before, the counts stayed too high for ever by what the run had stood for.
func TestADamagedRun(t *testing.T) {
	db := storetest.Open(t, store.DBOptions{Schema: boltbox.Schema()})
	box := openBox(t, db, boltbox.Options{})
	subscribe(t, box, "wh_a", outbox.Any)
	seqs := appendKeys(t, box, "0", "1", "2", "3", "4", "5")
	commit(t, box, outbox.Change{Sub: "wh_a", Next: seqs[5] + 1, Set: []outbox.Record{
		{Seq: seqs[1], Last: seqs[3], Count: 3, State: outbox.Dead, Reason: "unregistered", At: moment(1)},
		{Seq: seqs[4], State: outbox.Dead, Reason: "500", At: moment(1)}}})
	raw(t, db, func(tx *bbolt.Tx) error {
		key := subKey("wh_a", seqs[3])
		v := bytes.Clone(tx.Bucket([]byte("dead")).Get(key))
		v[5] ^= 1
		return tx.Bucket([]byte("dead")).Put(key, v)
	})
	trim := func(want int) {
		t.Helper()
		if n, _, err := box.Trim(t.Context(), time.Now().AddDate(100, 0, 0), 100); n != want || err != nil {
			t.Errorf("Trim = %d, %v; want %d", n, err, want)
		}
	}
	trim(1) // the newest alone: the run may begin at the first
	if st, err := box.Stats(t.Context()); err != nil || st.Subs["wh_a"].Dead != 4 {
		t.Errorf("Stats = %+v, %v", st, err)
	}
	commit(t, box, outbox.Change{Sub: "wh_a", Set: []outbox.Record{{Seq: seqs[3], State: outbox.Done}}})
	st, err := box.Stats(t.Context())
	if ss := st.Subs["wh_a"]; err != nil || ss.Dead != 1 || !maps.Equal(ss.DeadByReason, map[string]int64{"500": 1}) {
		t.Errorf("Stats without it = %+v, %v", st.Subs["wh_a"], err)
	}
	trim(4)
}
