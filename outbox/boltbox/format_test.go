package boltbox_test

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"waoutbox/outbox"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
	"waoutbox/store/storetest"
)

// formatV1 was written by the version that introduced format 1. It is never written again: every later version opens it.
const formatV1 = "../../store/storetest/testdata/format-v1.db"

// writeEnv, set to a path, makes TestFormatV1 keep the file it writes there: how formatV1 was made.
const writeEnv = "WAOUTBOX_TEST_WRITE_FORMAT"

func moment(sec int64) time.Time { return time.Unix(1_800_000_000+sec, 250_000_000).UTC() }

func formatEvents() []outbox.Event {
	var evs []outbox.Event
	for i, name := range []string{"message.received", "presence.update", "message.received", "group.update", "message.received", "message.received"} {
		evs = append(evs, outbox.Event{Key: "evt_" + string(rune('a'+i)), Stamp: uint32(1_800_000_000 + i), Random: name == "presence.update",
			Time: moment(int64(i)), Name: name, Chat: "2048@lid", Account: "49151@s.whatsapp.net", Body: []byte(`{"event":"` + name + `"}`)})
	}
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
	s.Epochs = append(s.Epochs, outbox.Epoch{Filter: outbox.Filter{Events: []string{"message.received"}, Chats: []string{"2048@lid"}}})
	if _, err := box.PutSub(ctx, s); err != nil {
		t.Fatal(err)
	}
	commit(t, box, outbox.Change{Sub: "wh_7K2M", Next: 6, Lane: []byte("gate"), Set: formatRecords()})
	for _, s := range formatSends() {
		if err := box.PutSend(ctx, s); err != nil {
			t.Fatal(err)
		}
	}
}

// checkFormat wants everything writeFormat wrote.
func checkFormat(t *testing.T, path string) {
	t.Helper()
	ctx := t.Context()
	box := openBox(t, storetest.OpenAt(t, path, store.DBOptions{}), boltbox.Options{})
	for i, want := range formatEvents() {
		want.Seq = outbox.Seq(i + 1)
		if got, err := box.Event(ctx, want.Seq); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("event %d is %+v, %v; want %+v", want.Seq, got, err, want)
		}
	}
	want := formatRecords()
	next, lane, pending, err := box.Load(ctx, "wh_7K2M")
	if err != nil || next != 6 || string(lane) != "gate" || !reflect.DeepEqual(pending, want[:1]) {
		t.Errorf("Load = %d, %q, %+v, %v", next, lane, pending, err)
	}
	if dead, err := box.Dead(ctx, "wh_7K2M", 0, 0); err != nil || !reflect.DeepEqual(dead, want[1:]) {
		t.Errorf("Dead = %+v, %v", dead, err)
	}
	subs, err := box.Subs(ctx)
	if wantEpochs := []outbox.Epoch{{From: 1, Filter: outbox.Filter{Events: []string{outbox.Any}}}, {From: 7, Filter: outbox.Filter{Events: []string{"message.received"}, Chats: []string{"2048@lid"}}}}; err != nil ||
		len(subs) != 1 || !subs[0].Removed || string(subs[0].Config) != `{"v":1}` || !reflect.DeepEqual(subs[0].Epochs, wantEpochs) {
		t.Errorf("Subs = %+v, %v", subs, err)
	}
	for _, want := range formatSends() {
		if got, err := box.SendByKey(ctx, want.IdempotencyKey); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("send %s is %+v, %v", want.MessageID, got, err)
		}
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

func TestFormatV1(t *testing.T) {
	fresh := filepath.Join(t.TempDir(), store.OutboxFile)
	db := storetest.OpenAt(t, fresh, store.DBOptions{})
	writeFormat(t, openBox(t, db, boltbox.Options{}))
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if keep := os.Getenv(writeEnv); keep != "" {
		copyFile(t, fresh, keep)
	}
	checkFormat(t, fresh)

	kept := filepath.Join(t.TempDir(), store.OutboxFile)
	copyFile(t, formatV1, kept)
	checkFormat(t, kept)
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
