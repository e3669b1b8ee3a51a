package boltbox_test

import (
	"errors"
	"testing"
	"time"

	"waoutbox/outbox"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
	"waoutbox/store/storetest"
)

func TestFindLast(t *testing.T) {
	box := openBox(t, storetest.Open(t, store.DBOptions{}), boltbox.Options{})
	if _, err := box.Newest(t.Context()); !errors.Is(err, outbox.ErrNotFound) {
		t.Errorf("newest of an empty outbox: %v", err)
	}
	for _, ev := range []outbox.Event{
		{Key: "evt_1", Name: "message.received", Chat: "a@lid", Body: []byte(`{"id":"M1","n":1}`)},
		{Key: "evt_2", Name: "message.update", Chat: "a@lid", Body: []byte(`{"id":"M1","n":2}`)},
		{Key: "evt_3", Name: "message.received", Chat: "b@lid", Body: []byte(`{"id":"M1","n":3}`)},
		{Key: "evt_4", Name: "message.sent", Chat: "a@lid", Body: []byte(`{"id":"M2","n":4}`)},
		{Key: "evt_5", Name: "message.sent", Chat: "a@lid", Body: []byte(`{"id":"M2","n":5}`)},
	} {
		ev.Time = time.UnixMilli(1)
		if _, err := box.Append(t.Context(), ev); err != nil {
			t.Fatal(err)
		}
	}
	if ev, err := box.Newest(t.Context()); err != nil || ev.Key != "evt_5" {
		t.Errorf("newest: %s, %v", ev.Key, err)
	}
	for _, tc := range []struct{ chat, text, want string }{
		{"a@lid", `"id":"M1"`, "evt_1"}, // not the update, not the other chat
		{"b@lid", `"id":"M1"`, "evt_3"},
		{"a@lid", `"id":"M2"`, "evt_5"}, // the newest
		{"b@lid", `"id":"M2"`, ""},
	} {
		ev, err := box.FindLast(t.Context(), tc.chat, []byte(tc.text), "message.received", "message.sent")
		if tc.want == "" && errors.Is(err, outbox.ErrNotFound) {
			continue
		}
		if err != nil || ev.Key != tc.want {
			t.Errorf("FindLast(%s, %s) = %s, %v, want %s", tc.chat, tc.text, ev.Key, err, tc.want)
		}
	}
}
