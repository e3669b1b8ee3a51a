package admin

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
	"waoutbox/store/storetest"
)

// BenchmarkNarrowPoll is a poll whose filter matches nothing, over a log of a million events that
// are not in memory: one page, and all pages that pass the whole log, of which the slowest counts.
func BenchmarkNarrowPoll(b *testing.B) {
	const events = 1_000_000
	box, err := boltbox.Open(b.Context(), storetest.Open(b, store.DBOptions{Schema: boltbox.Schema()}), boltbox.Options{})
	if err != nil {
		b.Fatal(err)
	}
	svc := New(Options{
		Engine: box, StateDir: b.TempDir(), Log: slog.New(slog.DiscardHandler), EventNames: []string{"message.received"},
		EventKinds: map[string][]string{"message.received": outbox.ChatKinds()},
		Thin:       func(outbox.Event, bool) (json.RawMessage, error) { return json.RawMessage(`{}`), nil },
	})
	start, err := svc.Occurrences(b.Context(), api.OccurrenceQuery{})
	if err != nil {
		b.Fatal(err)
	}
	body := make([]byte, 700)
	for n := 0; n < events; {
		batch := make([]outbox.Event, outbox.MaxBatch)
		for i := range batch {
			n++
			batch[i] = outbox.Event{Key: fmt.Sprintf("evt_%d", n), Random: true, Name: "message.received", Chat: fmt.Sprintf("%d@lid", n%50), Time: time.Now(), Body: body}
		}
		if _, err := box.Append(b.Context(), batch...); err != nil {
			b.Fatal(err)
		}
	}
	q := api.OccurrenceQuery{Kinds: []string{outbox.KindNewsletter}, Cursor: start.Cursor}
	b.Run("page", func(b *testing.B) {
		for b.Loop() {
			page, err := svc.Occurrences(b.Context(), q)
			if err != nil || len(page.Items) > 0 || !page.More || page.Cursor == q.Cursor {
				b.Fatalf("%+v, %v", page, err)
			}
		}
	})
	b.Run("whole", func(b *testing.B) {
		slowest, pages := time.Duration(0), 0
		for b.Loop() {
			pages = 0
			all := q
			for more := true; more; pages++ {
				began := time.Now()
				page, err := svc.Occurrences(b.Context(), all)
				slowest = max(slowest, time.Since(began))
				if err != nil || page.Cursor == all.Cursor || page.Truncated {
					b.Fatalf("%+v, %v", page, err)
				}
				all.Cursor, more = page.Cursor, page.More
			}
		}
		b.ReportMetric(float64(pages), "pages")
		b.ReportMetric(float64(slowest.Microseconds())/1000, "ms/slowest")
	})
}
