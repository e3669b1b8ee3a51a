package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"waoutbox/dispatcher"
	"waoutbox/dispatcher/webhook"
	"waoutbox/outbox"
	"waoutbox/outbox/boltbox"
	"waoutbox/outbox/retention"
	"waoutbox/store"
	"waoutbox/store/storetest"
)

// One webhook whose endpoint refuses every connection, one that is paused, and a healthy one share
// an outbox that may hold 8 MiB. Several times as much goes through it: the healthy one gets all of
// it, appends are taken to the end, and what the others lost is counted, and told.
//
// Mutation of outbox/retention/room.go: a forgotten webhook fills the outbox, and no event is taken
// any more.
func TestForgottenWebhookStopsNobody(t *testing.T) {
	const limit, events = 8 << 20, 12_000
	db := storetest.OpenAt(t, filepath.Join(t.TempDir(), store.OutboxFile), store.DBOptions{Schema: boltbox.Schema(), MaxBytes: limit})
	box, err := boltbox.Open(t.Context(), db, boltbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	got := map[string]bool{}
	healthy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got[r.Header.Get("X-Webhook-Id")] = true
	}))
	defer healthy.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refuses := closed.Addr().String()
	closed.Close()
	for id, url := range map[outbox.SubID]string{"wh_dead": "http://" + refuses + "/", "wh_ok": healthy.URL, "wh_paused": healthy.URL + "/paused"} {
		cfg, err := outbox.EncodeWebhook(outbox.Webhook{URL: url})
		if err == nil {
			_, err = box.PutSub(t.Context(), outbox.Subscription{ID: id, Config: cfg, Epochs: []outbox.Epoch{{Filter: outbox.Filter{Events: []string{outbox.Any}}}}})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	sender := webhook.New(webhook.Options{UserAgent: "test"})
	defer sender.Close()
	disp := dispatcher.New(dispatcher.Options{Source: box, Subscriptions: box, Sender: sender, MaxInFlight: 64})
	keep := retention.New(box, disp, retention.Policy{Delivered: time.Hour, Pending: time.Hour, Dead: time.Hour, MaxBytes: limit}, time.Time{}, nil)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for _, run := range []func(context.Context) error{disp.Run, keep.Run} {
		running.Go(func() {
			if err := run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	defer running.Wait()
	defer stop()
	if err := disp.Pause(t.Context(), "wh_paused", "holiday"); err != nil {
		t.Fatal(err)
	}
	var refused atomic.Int64
	var next atomic.Int64
	var writers sync.WaitGroup
	for range 8 {
		writers.Go(func() {
			for n := next.Add(1); n <= events; n = next.Add(1) {
				ev := outbox.Event{Key: fmt.Sprint("evt_", n), Stamp: uint32(n), Name: "message.received", Chat: fmt.Sprint(n % 500), Time: time.Now(), Body: make([]byte, 2048)}
				for began := time.Now(); ; { // as WhatsApp does, again until it is taken
					_, err := box.Append(t.Context(), ev)
					if err == nil {
						break
					}
					if !errors.Is(err, outbox.ErrFull) || time.Since(began) > time.Minute {
						t.Errorf("append %d: %v after %v", n, err, time.Since(began))
						return
					}
					refused.Add(1)
					<-time.After(20 * time.Millisecond)
				}
				if live := box.LiveBytes(); live > limit+store.Reserve {
					t.Errorf("%d bytes are in use", live)
				}
			}
		})
	}
	writers.Wait()
	if t.Failed() {
		t.FailNow()
	}
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(got)
	}
	for began := time.Now(); count() < events; {
		if time.Since(began) > time.Minute {
			t.Fatalf("the healthy webhook got %d of %d events", count(), events)
		}
		<-time.After(20 * time.Millisecond)
	}
	st, err := box.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lost := map[outbox.SubID]int64{}
	for _, l := range keep.Losses() {
		lost[l.Webhook] = l.Events
	}
	for _, id := range []outbox.SubID{"wh_dead", "wh_paused"} {
		if s := st.Subs[id]; s.DeadByReason[outbox.ReasonExpired] != lost[id] || lost[id] < events/3 || s.Pending+s.Dead != events {
			t.Errorf("%s lost %d, and has %+v", id, lost[id], s)
		}
	}
	if s := st.Subs["wh_ok"]; s.Dead != 0 || lost["wh_ok"] != 0 {
		t.Errorf("wh_ok lost %d, and has %+v", lost["wh_ok"], s)
	}
	t.Logf("appends were refused %d times; %d MiB in use, %d MiB file, lost %v", refused.Load(), st.LiveBytes>>20, st.Bytes>>20, lost)
}
