package boltbox_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
	"waoutbox/store/storetest"
)

// The files written by the versions that introduced each format. They are never written again:
// every later version opens them.
const (
	formatV1 = "../../store/storetest/testdata/format-v1.db"
	formatV2 = "../../store/storetest/testdata/format-v2.db"
	formatV3 = "../../store/storetest/testdata/format-v3.db"
	formatV4 = "../../store/storetest/testdata/format-v4.db"
	formatV5 = "../../store/storetest/testdata/format-v5.db"
	formatV6 = "../../store/storetest/testdata/format-v6.db"
)

// writeEnv, set to a path, makes TestFormat keep the file it writes there: how those were made.
const writeEnv = "WAOUTBOX_TEST_WRITE_FORMAT"

func moment(sec int64) time.Time { return time.Unix(1_800_000_000+sec, 250_000_000).UTC() }

func formatEvents() []outbox.Event {
	var evs []outbox.Event
	for i, name := range []string{"message.received", "presence.update", "message.received", "group.update", "message.received", "message.received"} {
		evs = append(evs, outbox.Event{Key: "evt_" + string(rune('a'+i)), Stamp: uint32(1_800_000_000 + i), Random: name == "presence.update",
			Time: moment(int64(i)), Name: name, Chat: "2048@lid", Account: "49151@s.whatsapp.net", Body: []byte(`{"event":"` + name + `"}`)})
	}
	evs[0].Message = "3EB0ABC"
	evs[0].ChatAlt = "491515550123@s.whatsapp.net"
	evs[2].Stamp = 0 // its dedupe entry stays for good, so the check below does not expire
	return evs
}

func formatRecords() []outbox.Record {
	log := outbox.EncodeLog(outbox.Log{}.Add(outbox.Attempt{N: 1, At: moment(1), Took: 12 * time.Millisecond, Status: 503, Class: outbox.ClassHTTP}, "503 Service Unavailable", []byte("busy")))
	return []outbox.Record{
		{Seq: 1, State: outbox.Pending, Attempts: 1, Due: moment(2), Order: 42, Replay: 1, Reason: "http", Log: log},
		{Seq: 3, State: outbox.Dead, Attempts: 4, Order: 42, Reason: "http", At: moment(14), Log: log},
		{Seq: 4, Last: 5, Count: 2, State: outbox.Dead, Reason: "unregistered", At: moment(20)},
	}
}

func formatSends() []outbox.Send {
	return []outbox.Send{
		{MessageID: "3EB0A", Chat: "2048@lid", IdempotencyKey: "one", Content: []byte("hello"), CreatedAt: moment(0)},
		{MessageID: "3EB0B", Chat: "2048@lid", IdempotencyKey: "two", State: outbox.SendSent, CreatedAt: moment(0), SettledAt: moment(1), Result: []byte("ok")},
	}
}

// formatAudit is one record of each kind that there was when the files were kept, newest first.
func formatAudit() (all []outbox.Audit) {
	for _, kind := range []outbox.AuditKind{outbox.AuditChange, outbox.AuditSend, outbox.AuditRefusal} {
		key := outbox.AuditKey{Time: moment(60 - int64(kind)), Tag: 0xABCD, Kind: kind}
		all = append(all, outbox.Audit{AuditKey: key, Body: []byte(`{"caller":"mcp","operation":"webhook.add"}`)})
	}
	return all
}

// formatRemoved is a subscription that holds nothing but its settings.
func formatRemoved() outbox.Subscription {
	return outbox.Subscription{ID: "wh_GONE", Config: []byte(`{"v":1}`), Removed: true,
		Epochs: []outbox.Epoch{{From: 3, Filter: outbox.Filter{Events: []string{"group.update"}}}, {From: 7}}}
}

// formatFilter is the newest filter of a subscription, as far as the format knew it.
func formatFilter(format int) outbox.Filter {
	f := outbox.Filter{Events: []string{"message.received"}, Chats: []string{"2048@lid"}}
	if format >= 4 {
		f.NotChats, f.Kinds = []string{"99@lid"}, []string{outbox.KindDirect, outbox.KindGroup}
	}
	return f
}

// writeFormat fills an outbox with one of everything.
func writeFormat(t *testing.T, box *boltbox.Box) {
	ctx := t.Context()
	s, err := box.PutSub(ctx, outbox.Subscription{ID: "wh_7K2M", Config: []byte(`{"v":1}`), Epochs: []outbox.Epoch{{Filter: outbox.Filter{Events: []string{outbox.Any}}}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := box.Append(ctx, formatEvents()...); err != nil {
		t.Fatal(err)
	}
	s.Removed = true
	s.Epochs = append(s.Epochs, outbox.Epoch{Filter: formatFilter(4)})
	if _, err := box.PutSub(ctx, s); err != nil {
		t.Fatal(err)
	}
	commit(t, box, outbox.Change{Sub: "wh_7K2M", Next: 6, Lane: []byte("gate"), Set: formatRecords()})
	if _, err := box.PutSub(ctx, formatRemoved()); err != nil {
		t.Fatal(err)
	}
	commit(t, box, outbox.Change{Sub: "wh_GONE", Next: 7, Lane: []byte("gate")})
	for _, s := range formatSends() {
		if err := box.PutSend(ctx, s); err != nil {
			t.Fatal(err)
		}
	}
	if err := box.PutAudit(ctx, formatAudit()...); err != nil {
		t.Fatal(err)
	}
}

// checkFormat wants everything writeFormat wrote, as far as the format of the file knew it.
func checkFormat(t *testing.T, path string, format int) {
	t.Helper()
	ctx := t.Context()
	box := openBox(t, storetest.OpenAt(t, path, store.DBOptions{Schema: boltbox.Schema()}), boltbox.Options{})
	for i, want := range formatEvents() {
		want.Seq = outbox.Seq(i + 1)
		if format == 1 {
			want.Message = "" // not kept then
		}
		if format < 4 {
			want.ChatAlt = ""
		}
		if got, err := box.Event(ctx, want.Seq); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("event %d is %+v, %v; want %+v", want.Seq, got, err, want)
		}
	}
	want := formatRecords()
	next, lane, pending, err := box.Load(ctx, "wh_7K2M")
	for i, r := range pending { // with their logs
		pending[i], err = box.RecordAt(ctx, "wh_7K2M", r.Seq)
	}
	if err != nil || next != 6 || string(lane) != "gate" || !reflect.DeepEqual(pending, want[:1]) {
		t.Errorf("Load = %d, %q, %+v, %v", next, lane, pending, err)
	}
	if dead, err := box.Dead(ctx, "wh_7K2M", 0, 0); err != nil || !reflect.DeepEqual(dead, want[1:]) {
		t.Errorf("Dead = %+v, %v", dead, err)
	}
	subs, err := box.Subs(ctx)
	if wantEpochs := []outbox.Epoch{{From: 1, Filter: outbox.Filter{Events: []string{outbox.Any}}}, {From: 7, Filter: formatFilter(format)}}; err != nil ||
		len(subs) != 1 || !subs[0].Removed || string(subs[0].Config) != `{"v":1}` || !reflect.DeepEqual(subs[0].Epochs, wantEpochs) {
		t.Errorf("Subs = %+v, %v", subs, err)
	}
	if format > 1 {
		removed, err := box.Removed(ctx, "wh_7K2M", 0)
		if err != nil || len(removed) != 1 || !reflect.DeepEqual(removed[0], formatRemoved()) {
			t.Errorf("Removed = %+v, %v; want %+v", removed, err, formatRemoved())
		}
		if next, lane, _, err := box.Load(ctx, "wh_GONE"); err != nil || next != 7 || string(lane) != "gate" {
			t.Errorf("Load of a removed one = %d, %q, %v", next, lane, err)
		}
		if ev, err := box.FindMessage(ctx, "2048@lid", "3EB0ABC"); err != nil || ev.Seq != 1 {
			t.Errorf("FindMessage = %+v, %v", ev, err)
		}
	}
	for _, want := range formatSends() {
		if got, err := box.SendByKey(ctx, want.IdempotencyKey); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("send %s is %+v, %v", want.MessageID, got, err)
		}
	}
	audit := formatAudit()
	if format < 5 {
		audit = nil
	}
	if got, err := box.Audits(ctx, outbox.AuditQuery{}); err != nil || !reflect.DeepEqual(got, audit) {
		t.Errorf("Audits = %+v, %v; want %+v", got, err, audit)
	}
	if check, err := box.VerifyAudit(ctx); err != nil || len(check.Broken) > 0 || len(check.Newest) != len(audit) {
		t.Errorf("VerifyAudit = %+v, %v; want a chain for each of %d kinds", check, err, len(audit))
	}
	st, err := box.Stats(ctx)
	if ss := st.Subs["wh_7K2M"]; err != nil || st.Events != 6 || st.Last != 6 || st.Undecodable != 0 || ss.Pending != 2 || ss.Dead != 3 || !ss.OldestPending.Equal(moment(0)) {
		t.Errorf("Stats = %+v, %v", st, err)
	}
	again := formatEvents()[2:3]
	again = append(again, outbox.Event{Key: "evt_new", Name: "message.received", Chat: "2048@lid", Time: moment(30)})
	if seqs, err := box.Append(ctx, again...); err != nil || !slices.Equal(seqs, []outbox.Seq{3, 7}) {
		t.Errorf("Append = %v, %v; want the known event and the next sequence", seqs, err)
	}
}

func TestFormat(t *testing.T) {
	fresh := filepath.Join(t.TempDir(), store.OutboxFile)
	db := storetest.OpenAt(t, fresh, store.DBOptions{Schema: boltbox.Schema()})
	writeFormat(t, openBox(t, db, boltbox.Options{}))
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if keep := os.Getenv(writeEnv); keep != "" {
		copyFile(t, fresh, keep)
	}
	checkFormat(t, fresh, 6)

	for i, path := range []string{formatV1, formatV2, formatV3, formatV4, formatV5, formatV6} {
		kept := filepath.Join(t.TempDir(), store.OutboxFile)
		copyFile(t, path, kept)
		checkFormat(t, kept, i+1)
	}
}

// A file in which a bucket is missing is refused with a sentence and left as it is, whatever its
// format. Before, the migration changed it first, or ended in a nil pointer.
//
// Mutation of store/migrate.go: an older outbox of which a part is missing is migrated before that
// is noticed.
func TestABucketIsMissing(t *testing.T) {
	for format, kept := range []string{formatV1, formatV2, formatV3, formatV4, formatV5, formatV6} {
		for _, name := range append(boltbox.Schema().Earlier, boltbox.Schema().Buckets)[format] {
			path := filepath.Join(t.TempDir(), store.OutboxFile)
			copyFile(t, kept, path)
			if name == "meta" {
				continue // then it is not known as an outbox
			}
			db, err := bbolt.Open(path, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := db.Update(func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte(name)) }); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			opened, err := store.Open(path, store.DBOptions{Schema: boltbox.Schema()})
			if err == nil {
				t.Errorf("format %d is opened without the bucket %s", format+1, name)
				opened.Close()
				continue
			}
			if !errors.Is(err, store.Damaged) || !strings.Contains(err.Error(), "the bucket "+name+" is missing") {
				t.Errorf("format %d without the bucket %s: %v", format+1, name, err)
			}
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
				t.Errorf("format %d without the bucket %s was changed, %v", format+1, name, err)
			}
		}
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
