package admin

import (
	"context"
	"slices"
	"testing"
	"time"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// A page that looks at so many dead letters at most ends there, whatever of them is wanted, and its
// cursor goes on: all pages together have what one without a bound has.
func TestAPageOfDeadLettersLooksAtSoMany(t *testing.T) {
	r := newRig(t)
	w := r.put("http://localhost/hook").Webhook
	now := time.Now().Unix()
	r.log(now, now, now, now, now)
	c := outbox.Change{Sub: outbox.SubID(w.ID), Next: 6}
	for i := range 5 {
		c.Set = append(c.Set, outbox.Record{Seq: outbox.Seq(i + 1), State: outbox.Dead, Reason: "503", At: time.Unix(int64(100+i), 0)})
	}
	if err := r.box.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	q := api.DeadLetterQuery{DeadLetterFilter: api.DeadLetterFilter{Event: "message.received", Since: time.Unix(101, 0)}, SkipTotal: true, Look: 2}
	var looked []int64
	var found []string
	for {
		page, err := r.DeadLetters(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		looked = append(looked, page.Looked)
		for _, l := range page.Items {
			found = append(found, l.ID)
		}
		if q.Cursor = page.NextCursor; q.Cursor == "" {
			break
		}
	}
	if !slices.Equal(looked, []int64{2, 2, 1}) || !slices.Equal(found, []string{"dl_" + w.ID + "_3", "dl_" + w.ID + "_5"}) {
		t.Errorf("looked at %v, found %v", looked, found)
	}
}

// Filters of dead letters by chat, reason and time narrow one another, and --all.
func TestDeadLetterFiltersNarrowOneAnother(t *testing.T) {
	r := newRig(t)
	w := r.put("http://localhost/hook").Webhook
	now := time.Now().Unix()
	r.log(now, now, now, now)
	c := outbox.Change{Sub: outbox.SubID(w.ID), Next: 5}
	for i, reason := range []string{"503", "timeout", "503", "skipped"} {
		c.Set = append(c.Set, outbox.Record{Seq: outbox.Seq(i + 1), State: outbox.Dead, Reason: reason, At: time.Unix(int64(100+i), 0)})
	}
	if err := r.box.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		f    api.DeadLetterFilter
		want int64
	}{
		"chat":            {api.DeadLetterFilter{Chat: "491700000001"}, 2},
		"group":           {api.DeadLetterFilter{Chat: "2@g.us"}, 2},
		"reason":          {api.DeadLetterFilter{Reason: "503"}, 2},
		"chat and reason": {api.DeadLetterFilter{Chat: "1@lid", Reason: "503"}, 2},
		"and event":       {api.DeadLetterFilter{Chat: "2@g.us", Reason: "timeout", Event: "message.sent"}, 1},
		"none":            {api.DeadLetterFilter{Chat: "2@g.us", Reason: "503"}, 0},
		"until":           {api.DeadLetterFilter{Until: time.Unix(101, 0)}, 1},
		"span":            {api.DeadLetterFilter{Since: time.Unix(101, 0), Until: time.Unix(103, 0)}, 2},
		"span and reason": {api.DeadLetterFilter{Since: time.Unix(101, 0), Until: time.Unix(103, 0), Reason: "503"}, 1},
		"everything":      {api.DeadLetterFilter{}, 4},
	} {
		page, err := r.DeadLetters(t.Context(), api.DeadLetterQuery{DeadLetterFilter: tc.f})
		if err != nil || page.Total != tc.want || int64(len(page.Items)) != tc.want {
			t.Errorf("%s: %d of %d, %v, want %d", name, len(page.Items), page.Total, err, tc.want)
		}
		groups, err := r.DeadLetterSummary(t.Context(), tc.f)
		n := int64(0)
		for _, g := range groups {
			n += g.Count
		}
		dry, derr := r.StartReplay(t.Context(), api.StartReplay{DeadLetterFilter: tc.f, All: true, ReplayPace: api.ReplayPace{DryRun: true}})
		total := int64(0)
		for _, run := range dry.Runs {
			total += run.Total
		}
		purge, perr := r.Purge(t.Context(), api.PurgeRequest{DeadLetterFilter: tc.f, All: true, DryRun: true})
		if err != nil || derr != nil || perr != nil || n != tc.want || total != tc.want || purge.Purged != tc.want || !purge.DryRun {
			t.Errorf("%s: summary %d, replay %d, purge %d, want %d (%v, %v, %v)", name, n, total, purge.Purged, tc.want, err, derr, perr)
		}
	}
	for _, f := range []api.DeadLetterFilter{{Reason: "nonsense"}, {Reason: "99"}, {Chat: "nobody"}, {Event: "nothing"}, {Since: time.Unix(2, 0), Until: time.Unix(2, 0)}, {IDs: []string{"dl_wh_A_1"}, Reason: "503"}} {
		if _, err := r.DeadLetters(t.Context(), api.DeadLetterQuery{DeadLetterFilter: f}); api.CodeOf(err) == "" {
			t.Errorf("%+v is accepted", f)
		}
	}
}

// What expired is one record for many events, whose bodies are gone, and what is damaged is kept as
// evidence: both are counted, listed, shown and purged, and never replayed.
//
// Mutation of walk.go: what is damaged is sent by a replay.
func TestLettersWithoutABody(t *testing.T) {
	r := newRig(t)
	w := r.put("http://localhost/hook").Webhook
	id := outbox.SubID(w.ID)
	r.addDead(id, 10)
	// the events 2 to 5 are gone: their letters are one run
	c := outbox.Change{Sub: id, Set: []outbox.Record{{Seq: 2, State: outbox.Done}, {Seq: 3, State: outbox.Done}, {Seq: 4, State: outbox.Done},
		{Seq: 2, Last: 5, Count: 4, State: outbox.Dead, Reason: api.ReasonExpired, At: time.Unix(9, 0)},
		{Seq: 7, State: outbox.Dead, Attempts: 1, Reason: api.ReasonCorrupt, At: time.Unix(10, 0)}}}
	if err := r.box.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	page, err := r.DeadLetters(t.Context(), api.DeadLetterQuery{})
	if err != nil || page.Total != 10 || len(page.Items) != 7 {
		t.Fatalf("%d lines of %d, %v", len(page.Items), page.Total, err)
	}
	run := page.Items[1]
	if run.ID != "dl_"+w.ID+"_5" || run.Count != 4 || run.First != 2 || run.Unreplayable == "" || run.LastError.Class != api.ReasonExpired {
		t.Errorf("%+v", run)
	}
	if d, err := r.DeadLetter(t.Context(), run.ID); err != nil || d.Count != 4 || d.Unreplayable == "" {
		t.Errorf("%+v, %v", d, err)
	}
	if next, err := r.DeadLetters(t.Context(), api.DeadLetterQuery{Limit: 2}); err != nil || next.NextCursor == "" {
		t.Errorf("%+v, %v", next, err)
	} else if rest, err := r.DeadLetters(t.Context(), api.DeadLetterQuery{Cursor: next.NextCursor}); err != nil || len(rest.Items) != 5 || rest.Items[0].ID != "dl_"+w.ID+"_6" {
		t.Errorf("%+v, %v", rest, err)
	}
	dry, err := r.StartReplay(t.Context(), api.StartReplay{All: true, ReplayPace: api.ReplayPace{DryRun: true}})
	if err != nil || dry.Runs[0].Total != 5 || dry.Unreplayable != 5 {
		t.Errorf("%+v, %v", dry, err)
	}
	queued, err := r.Replay(t.Context(), api.ReplayRequest{All: true})
	if err != nil || queued.Queued != 5 || queued.Unreplayable != 5 || queued.Remaining != 0 {
		t.Errorf("%+v, %v", queued, err)
	}
	byID, err := r.Replay(t.Context(), api.ReplayRequest{DeadLetterFilter: api.DeadLetterFilter{IDs: []string{run.ID, "dl_" + w.ID + "_7"}}})
	if err != nil || byID.Queued != 0 || byID.Unreplayable != 5 || len(byID.Missing) != 0 {
		t.Errorf("%+v, %v", byID, err)
	}
	purged, err := r.Purge(t.Context(), api.PurgeRequest{DeadLetterFilter: api.DeadLetterFilter{Reason: api.ReasonExpired}})
	if err != nil || purged.Purged != 4 || r.status().Dead != 1 {
		t.Errorf("%+v, %v, %d dead", purged, err, r.status().Dead)
	}
	if purged, err = r.Purge(t.Context(), api.PurgeRequest{DeadLetterFilter: api.DeadLetterFilter{IDs: []string{"dl_" + w.ID + "_7"}}}); err != nil || purged.Purged != 1 || r.status().Dead != 0 {
		t.Errorf("%+v, %v, %d dead", purged, err, r.status().Dead)
	}
}

// logCounting counts what is read of the log.
type logCounting struct {
	Engine
	pages int
}

func (e *logCounting) Events(ctx context.Context, q outbox.EventQuery) (outbox.EventPage, error) {
	e.pages++
	return e.Engine.Events(ctx, q)
}
