package model

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
	"waoutbox/store/storetest"
)

// filled is a file with one webhook, and n events that are dead letters of it.
func filled(b *testing.B, n int) (*store.DB, *boltbox.Box, []outbox.Seq) {
	db := storetest.OpenAt(b, filepath.Join(b.TempDir(), store.OutboxFile), store.DBOptions{Schema: boltbox.Schema()})
	box, err := boltbox.Open(b.Context(), db, boltbox.Options{})
	if err != nil {
		b.Fatal(err)
	}
	cfg, err := outbox.EncodeWebhook(outbox.Webhook{URL: "http://127.0.0.1/"})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := box.PutSub(b.Context(), outbox.Subscription{ID: "wh_0", Config: cfg, Epochs: []outbox.Epoch{{Filter: outbox.Filter{Events: []string{outbox.Any}}}}}); err != nil {
		b.Fatal(err)
	}
	var all []outbox.Seq
	for len(all) < n {
		evs, c := make([]outbox.Event, outbox.MaxBatch), outbox.Change{Sub: "wh_0"}
		for i := range evs {
			k := len(all) + i
			evs[i] = outbox.Event{Key: fmt.Sprint("evt_", k), Stamp: 1_700_000_000, Time: time.Now(), Name: "message.received", Chat: fmt.Sprintf("%d@lid", k%100), Body: make([]byte, 1024)}
		}
		seqs, err := box.Append(b.Context(), evs...)
		if err != nil {
			b.Fatal(err)
		}
		for _, seq := range seqs {
			c.Next = seq + 1
			c.Set = append(c.Set, outbox.Record{Seq: seq, State: outbox.Dead, Attempts: 4, Reason: "503", At: time.Now()})
		}
		if err := box.Commit(b.Context(), c); err != nil {
			b.Fatal(err)
		}
		all = append(all, seqs...)
	}
	return db, box, all
}

// BenchmarkReplay makes dead letters pending, 256 in a call, without a lane; one operation is one
// letter.
func BenchmarkReplay(b *testing.B) {
	const n = 16 * outbox.MaxBatch
	for done := 0; done < b.N; done += n {
		b.StopTimer()
		_, box, seqs := filled(b, n)
		d := dispatcher.New(dispatcher.Options{Source: box, Subscriptions: box, Sender: &downEndpoint{}})
		b.StartTimer()
		for from := 0; from < n; from += outbox.MaxBatch {
			if queued, _, err := d.Replay(b.Context(), "wh_0", seqs[from:from+outbox.MaxBatch]); err != nil || queued != outbox.MaxBatch {
				b.Fatal(queued, err)
			}
		}
	}
}

// BenchmarkCompact compacts a file of which nine tenths are free; one operation is one event that
// is kept.
func BenchmarkCompact(b *testing.B) {
	const n = 80 * outbox.MaxBatch
	for done := 0; done < b.N; done += n / 10 {
		b.StopTimer()
		db, box, seqs := filled(b, n)
		for from := 0; from < n*9/10; from += outbox.MaxBatch {
			c := outbox.Change{Sub: "wh_0"}
			for _, seq := range seqs[from : from+outbox.MaxBatch] {
				c.Set = append(c.Set, outbox.Record{Seq: seq, State: outbox.Done})
			}
			if err := box.Commit(b.Context(), c); err != nil {
				b.Fatal(err)
			}
		}
		for more := true; more; {
			var err error
			if _, more, err = box.Trim(b.Context(), time.Now().Add(time.Hour), 1024); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
		if err := db.Compact(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
