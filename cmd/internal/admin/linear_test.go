package admin

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// countingEngine counts what a listing reads.
type countingEngine struct {
	Engine
	calls, records, events int
}

func (e *countingEngine) Dead(ctx context.Context, sub outbox.SubID, after outbox.Seq, limit int) ([]outbox.Record, error) {
	recs, err := e.Engine.Dead(ctx, sub, after, limit)
	e.calls++
	e.records += len(recs)
	return recs, err
}

func (e *countingEngine) DeadHeads(ctx context.Context, sub outbox.SubID, after outbox.Seq, limit int) ([]outbox.DeadHead, error) {
	heads, err := e.Engine.DeadHeads(ctx, sub, after, limit)
	e.calls++
	e.records += len(heads)
	e.events += len(heads)
	return heads, err
}

func (e *countingEngine) Owed(ctx context.Context, sub outbox.SubID, from, to outbox.Seq, limit int) ([]outbox.Event, outbox.Seq, error) {
	evs, next, err := e.Engine.Owed(ctx, sub, from, to, limit)
	e.calls++
	e.events += len(evs)
	return evs, next, err
}

// addDead gives a webhook n dead letters of two event names, straight into the engine; one in ten
// is a message.sent. Many batches at once share the file's syncs.
func (r *rig) addDead(id outbox.SubID, n int) { r.addDeadOf(id, "503", n) }

// addDeadOf is addDead for a reason.
func (r *rig) addDeadOf(id outbox.SubID, reason string, n int) {
	r.t.Helper()
	log := outbox.EncodeLog(outbox.Log{Message: "503 Service Unavailable"})
	var batches sync.WaitGroup
	for at := 0; at < n; at += outbox.MaxBatch {
		var evs []outbox.Event
		for range min(n-at, outbox.MaxBatch) {
			r.n++
			name := "message.received"
			if r.n%10 == 0 {
				name = "message.sent"
			}
			evs = append(evs, outbox.Event{Key: fmt.Sprintf("evt_%032d", r.n), Time: time.UnixMilli(int64(r.n)), Name: name, Chat: "1@lid", Body: []byte(`{}`)})
		}
		batches.Go(func() {
			seqs, err := r.box.Append(r.t.Context(), evs...)
			if err != nil {
				r.t.Error(err)
				return
			}
			c := outbox.Change{Sub: id}
			for _, seq := range seqs {
				c.Set = append(c.Set, outbox.Record{Seq: seq, State: outbox.Dead, Attempts: 4, Reason: reason, At: time.UnixMilli(int64(seq)), Log: log})
			}
			if err := r.box.Commit(r.t.Context(), c); err != nil {
				r.t.Error(err)
			}
		})
	}
	batches.Wait()
	st, err := r.box.Stats(r.t.Context())
	if err == nil {
		err = r.box.Commit(r.t.Context(), outbox.Change{Sub: id, Next: st.Last + 1})
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// TestAFilteredListingIsReadOnce: all pages of a filtered listing together read every dead letter
// about twice, once for the total and once for the lines. Before, every page read all of them
// again: 20,000 letters read 181,546 records by event (8 pages) and 829,728 by time (40 pages), and
// their number grew with the square.
func TestAFilteredListingIsReadOnce(t *testing.T) {
	const letters = 20_000
	r := newRig(t)
	w := r.put("http://localhost/hook").Webhook
	r.addDead(outbox.SubID(w.ID), letters)
	engine := &countingEngine{Engine: r.box}
	r.o.Engine = engine
	for name, tc := range map[string]struct {
		f                     api.DeadLetterFilter
		skip                  bool
		want, records, events int
	}{
		"all":           {api.DeadLetterFilter{}, false, letters, letters + letters/100, letters + letters/100},
		"by event":      {api.DeadLetterFilter{Event: "message.sent"}, false, letters / 10, 2*letters + letters/3, 2*letters + letters/3},
		"without total": {api.DeadLetterFilter{Event: "message.sent"}, true, letters / 10, letters + letters/3, letters + letters/3},
		"by time":       {api.DeadLetterFilter{Since: time.UnixMilli(letters/2 + 1)}, false, letters / 2, 2*letters + letters/2, 2 * letters},
	} {
		*engine = countingEngine{Engine: r.box}
		q := api.DeadLetterQuery{DeadLetterFilter: tc.f, Limit: 256, SkipTotal: tc.skip}
		got, pages, start := 0, 0, time.Now()
		for {
			page, err := r.DeadLetters(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			pages++
			got += len(page.Items)
			if !tc.skip && page.Total != int64(tc.want) {
				t.Fatalf("%s, page %d: total %d, want %d", name, pages, page.Total, tc.want)
			}
			if q.Cursor = page.NextCursor; q.Cursor == "" {
				break
			}
		}
		if got != tc.want || engine.records > tc.records || engine.events > tc.events {
			t.Errorf("%s: %d letters on %d pages read %d records (at most %d) and %d events (at most %d); want %d letters",
				name, got, pages, engine.records, tc.records, engine.events, tc.events, tc.want)
		}
		t.Logf("%s: %d letters, %d pages, %d records, %d events, %d calls in %v", name, got, pages, engine.records, engine.events, engine.calls, time.Since(start))
	}
}

// TestASummaryReadsSoManyLettersAtMost: the letters of all webhooks together that are read for
// their times are bounded, the smallest webhooks first. Before, ten webhooks with 10,000 letters
// each read 100,000 for one summary, 140 ms of a page's first paint. For the times of one reason
// the letters of all are read, which were not counted.
//
// Mutation of summary.go: a summary reads every letter of many webhooks, and the page waits for it.
func TestASummaryReadsSoManyLettersAtMost(t *testing.T) {
	r := newRig(t)
	large, small := r.put("http://localhost/large").Webhook, r.put("http://localhost/small").Webhook
	r.addDead(outbox.SubID(large.ID), 8_000)
	r.addDead(outbox.SubID(small.ID), 3_000)
	engine := &countingEngine{Engine: r.box}
	r.o.Engine = engine
	groups, err := r.DeadLetterSummary(t.Context(), api.DeadLetterFilter{})
	if err != nil || len(groups) != 2 || engine.records > 3_000 {
		t.Fatalf("%+v, %v, %d records", groups, err, engine.records)
	}
	for _, g := range groups {
		if told := !g.First.IsZero(); told != (g.Webhook == small.ID) || g.Count != map[string]int64{large.ID: 8_000, small.ID: 3_000}[g.Webhook] {
			t.Errorf("%+v", g)
		}
	}
	r.addDeadOf(outbox.SubID(large.ID), "timeout", 2)
	r.addDeadOf(outbox.SubID(small.ID), "timeout", 1)
	engine.records = 0
	groups, err = r.DeadLetterSummary(t.Context(), api.DeadLetterFilter{Reason: "timeout"})
	if err != nil || len(groups) != 2 || groups[0].Count+groups[1].Count != 3 || engine.records > 3_001 {
		t.Fatalf("of one reason: %+v, %v, %d records", groups, err, engine.records)
	}
	engine.records = 0
	if groups, err = r.DeadLetterSummary(t.Context(), api.DeadLetterFilter{Reason: "refused"}); err != nil || len(groups) != 0 || engine.records > 0 {
		t.Errorf("of a reason that none has: %+v, %v, %d records", groups, err, engine.records)
	}
}

// TestTheSummaryOfManyReadsNoLetter: above ten thousand letters of a webhook their counts are the
// engine's, and so are those that a replay begins with and a listing by reason. Before, 12,000
// letters read 12,000 records for each of them.
func TestTheSummaryOfManyReadsNoLetter(t *testing.T) {
	r := newRig(t)
	w := r.put("http://localhost/hook").Webhook
	r.addDead(outbox.SubID(w.ID), 12_000)
	few := r.put("http://localhost/few").Webhook
	r.addDead(outbox.SubID(few.ID), 10)
	engine := &countingEngine{Engine: r.box}
	r.o.Engine = engine
	groups, err := r.DeadLetterSummary(t.Context(), api.DeadLetterFilter{})
	if err != nil || len(groups) != 2 || engine.records > 10 {
		t.Fatalf("%+v, %v, %d records", groups, err, engine.records)
	}
	for _, g := range groups {
		if many := g.Webhook == w.ID; g.Reason != "503" || many != g.First.IsZero() || many && g.Count != 12_000 || !many && (g.Count != 10 || g.Last.IsZero()) {
			t.Errorf("%+v", g)
		}
	}
	dry, err := r.StartReplay(t.Context(), api.StartReplay{DeadLetterFilter: api.DeadLetterFilter{Webhook: w.ID, Reason: "503"}, ReplayPace: api.ReplayPace{DryRun: true}})
	if err != nil || dry.Runs[0].Total != 12_000 || engine.records > 10 {
		t.Errorf("%+v, %v, %d records", dry, err, engine.records)
	}
	page, err := r.DeadLetters(t.Context(), api.DeadLetterQuery{DeadLetterFilter: api.DeadLetterFilter{Reason: "503", Webhook: w.ID}, Limit: 1})
	if err != nil || page.Total != 12_000 || engine.records > 10+maxPage {
		t.Errorf("%d, %v, %d records", page.Total, err, engine.records)
	}
}

// TestTotalGoesWithTheCursor: the total is counted for the first page and stays with the listing,
// whatever is purged meanwhile.
func TestTotalGoesWithTheCursor(t *testing.T) {
	r := newRig(t)
	w := r.put("http://localhost/hook").Webhook
	r.addDead(outbox.SubID(w.ID), 30)
	first, err := r.DeadLetters(t.Context(), api.DeadLetterQuery{Limit: 10})
	if err != nil || first.Total != 30 {
		t.Fatalf("%+v, %v", first, err)
	}
	// the cursor's own, and one of the next page
	ids := []string{first.Items[9].ID, deadLetterID(outbox.SubID(w.ID), 12)}
	if _, err := r.Purge(t.Context(), api.PurgeRequest{DeadLetterFilter: api.DeadLetterFilter{IDs: ids}}); err != nil {
		t.Fatal(err)
	}
	next, err := r.DeadLetters(t.Context(), api.DeadLetterQuery{Limit: 100, Cursor: first.NextCursor})
	if err != nil || next.Total != 30 || len(next.Items) != 19 || next.NextCursor != "" {
		t.Errorf("%d items, total %d, %v", len(next.Items), next.Total, err)
	}
	for _, cursor := range []string{first.Items[9].ID, first.Items[9].ID + "/x", first.Items[9].ID + "/-1", "/30"} {
		_, err := r.DeadLetters(t.Context(), api.DeadLetterQuery{Cursor: cursor})
		wantError(t, err, api.CodeInvalidCursor, "start again")
	}
	_, err = r.DeadLetters(t.Context(), api.DeadLetterQuery{DeadLetterFilter: api.DeadLetterFilter{Webhook: r.put("http://localhost/other").Webhook.ID}, Cursor: first.NextCursor})
	wantError(t, err, api.CodeInvalidCursor, "start again")
}
