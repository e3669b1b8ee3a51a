package model

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
)

// outage is how long the endpoint of TestALongOutage is down. A day takes some minutes, for every
// event is synced to a real disk.
var outage = flag.Duration("outage", 20*time.Minute, "how long the endpoint of TestALongOutage is down, in simulated time")

// downEndpoint refuses at once until it is up.
type downEndpoint struct {
	up        atomic.Bool
	delivered atomic.Int64
	last      atomic.Uint64
	unordered atomic.Int64
}

func (e *downEndpoint) Send(_ context.Context, r dispatcher.Request) dispatcher.Result {
	if !e.up.Load() {
		return dispatcher.Result{Class: outbox.ClassRefused, Message: "connection refused"}
	}
	e.delivered.Add(1)
	if last := e.last.Swap(uint64(r.Event.Seq)); last > uint64(r.Event.Seq) {
		e.unordered.Add(1)
	}
	return dispatcher.Result{Class: outbox.ClassOK, Status: 200}
}

// While an endpoint is down for long, at one event a second, what becomes a dead letter is the
// first twenty, what was in flight, and what probes: at most one a minute. The rest waits, is
// delivered in the order of its chat, and costs little to keep.
func TestALongOutage(t *testing.T) {
	const chat, inFlight = "1@lid", 16
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		db, err := store.Open(filepath.Join(dir, store.OutboxFile), store.DBOptions{Schema: boltbox.Schema(), MinFree: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		box, err := boltbox.Open(ctx, db, boltbox.Options{})
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := outbox.EncodeWebhook(outbox.Webhook{URL: "http://127.0.0.1/"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := box.PutSub(ctx, outbox.Subscription{ID: "wh_0", Config: cfg, Epochs: []outbox.Epoch{{Filter: outbox.Filter{Events: []string{outbox.Any}}}}}); err != nil {
			t.Fatal(err)
		}
		end := &downEndpoint{}
		d := dispatcher.New(dispatcher.Options{Source: box, Subscriptions: box, Sender: end, MaxInFlight: inFlight})
		ran := make(chan error, 1)
		go func() { ran <- d.Run(ctx) }()
		before := writtenBytes()
		n := int64(outage.Seconds())
		for i := range n {
			now := time.Now()
			body := bytes.Repeat([]byte{'x'}, 1024)
			if _, err := box.Append(ctx, outbox.Event{Key: fmt.Sprint("evt_", i), Stamp: uint32(now.Unix()), Time: now, Name: "message.received", Chat: chat, Body: body}); err != nil {
				t.Fatal(err)
			}
			pass(time.Second)
		}
		written := writtenBytes() - before
		st := d.State("wh_0")
		if st.Status != dispatcher.StatusFailing {
			t.Errorf("after %v the webhook is %s", *outage, st.Status)
		}
		end.up.Store(true)
		pass(10 * time.Minute)
		stats, err := box.Stats(ctx)
		if err != nil {
			t.Fatal(err)
		}
		dead := stats.Subs["wh_0"].Dead
		t.Logf("an outage of %v at 1 event/s: %d dead letters, %.1f KiB written an event", *outage, dead, float64(written)/float64(n)/1024)
		if most := 20 + inFlight + n/60; dead > most || dead < 20 {
			t.Errorf("%d dead letters, want at most %d", dead, most)
		}
		if got := end.delivered.Load(); got != n-dead || end.unordered.Load() > 0 {
			t.Errorf("%d of %d delivered, %d of them out of order, %d dead", got, n, end.unordered.Load(), dead)
		}
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	})
}

// writtenBytes is what this process caused to be written to disks so far, 0 where the system does
// not tell.
func writtenBytes() int64 {
	b, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), "\nwrite_bytes: ")
	line, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.ParseInt(line, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
